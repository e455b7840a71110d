package replay

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// chainMax is how many calls of a stack tell one place in the author's code from all others: more than lie between that code
// and the machine.
const chainMax = 8

// chain is where the innermost calls of a goroutine return to; zero where it has no more. Calls that the compiler has put into
// their callers are not there, and wrappers that it makes are. The zero value is no chain.
type chain [chainMax]uintptr

// chainsMax bounds how many chains are remembered: a program has few that it comes to often.
const chainsMax = 1024

// chains remembers the sites that were found, by the chain that led there: to unwind a stack takes twenty times as long. Like
// sites, it is a pure function of the binary.
var (
	chains     atomic.Pointer[map[chain]*site]
	chainsGrow sync.Mutex
)

// known is the site that a chain led to; nil if none is remembered.
func (c *chain) known() *site {
	if all := chains.Load(); all != nil {
		return (*all)[*c]
	}
	return nil
}

// remember keeps the site of a call from pc, if the chain has the frame of that call. Then it has all that are further in, and
// nothing else leads to it.
func (c *chain) remember(s *site, pc uintptr) {
	if !slices.ContainsFunc(c[:], func(to uintptr) bool { return to != 0 && entry(to) == entry(pc) }) {
		return
	}
	chainsGrow.Lock()
	defer chainsGrow.Unlock()
	grown := map[chain]*site{*c: s}
	if all := chains.Load(); all != nil {
		if len(*all) >= chainsMax {
			return
		}
		maps.Copy(grown, *all)
	}
	chains.Store(&grown)
}

// entry is where the function begins that has the frame of a call, which returns to pc: for a call that the compiler has put
// into its caller, the function of that caller.
func entry(pc uintptr) uintptr {
	if f := runtime.FuncForPC(pc - 1); f != nil {
		return f.Entry()
	}
	return 0
}
