package replay

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

//go:noinline
func emitted(co *coroutine) *site { return callSite(co, 3) }

// unwound forgets what is remembered, so that the stack is unwound.
func unwound(f func() *site) *site {
	chains.Store(nil)
	return f()
}

// TestAChainLeadsToTheSiteThatUnwindingFinds: the second call finds what the first has, by another way.
func TestAChainLeadsToTheSiteThatUnwindingFinds(t *testing.T) {
	enginePackages["github.com/turnstone-dev/turnstone/replay"] = false // so that this test is an author's code
	sites.Store(nil)
	defer func() {
		enginePackages["github.com/turnstone-dev/turnstone/replay"] = true
		sites.Store(nil)
		chains.Store(nil)
	}()
	co := &coroutine{}
	places := []func() *site{
		func() *site { return emitted(co) },
		func() *site { return emitted(co) },
	}
	seen := map[string]bool{}
	for _, place := range places {
		first := unwound(place)
		var made chain
		returns(&made)
		if remembered := chains.Load(); (remembered != nil) != (made != chain{}) || remembered != nil && len(*remembered) != 1 {
			t.Errorf("what is remembered: %v", remembered)
		}
		if second := place(); second != first || !strings.Contains(first.text, "chain_test.go") || seen[first.text] {
			t.Errorf("unwound: %v; by its chain: %v", first, second)
		}
		seen[first.text] = true
	}
}

// TestChainsAreBounded: no more than chainsMax are remembered, and none that does not reach the site.
func TestChainsAreBounded(t *testing.T) {
	defer chains.Store(nil)
	chains.Store(nil)
	var pcs [2]uintptr
	runtime.Callers(1, pcs[:])
	pc, other := pcs[0], pcs[1]
	for n := range uintptr(chainsMax + 10) {
		(&chain{n + 1, pc}).remember(siteNobody, pc)
	}
	if n := len(*chains.Load()); n != chainsMax {
		t.Errorf("%d chains are remembered, want %d", n, chainsMax)
	}
	chains.Store(nil)
	(&chain{other}).remember(siteNobody, pc)
	(&chain{}).remember(siteNobody, pc)
	if chains.Load() != nil {
		t.Error("a chain that tells nothing is remembered")
	}
}

// TestAChainIsWhereCallsReturnTo compares the frame pointers with what the runtime unwinds.
func TestAChainIsWhereCallsReturnTo(t *testing.T) {
	var made chain
	returns(&made)
	if made[0] == 0 {
		return // a machine without frame pointers
	}
	var pcs [2 * chainMax]uintptr
	n := runtime.Callers(1, pcs[:])
	known := map[uintptr]bool{}
	for _, pc := range pcs[:n] {
		known[entry(pc)] = true
	}
	if !slices.ContainsFunc(made[:2], func(pc uintptr) bool { return pc != 0 && known[entry(pc)] }) {
		t.Errorf("the chain %x has none of the callers", made)
	}
	for _, pc := range made {
		name := runtime.FuncForPC(pc).Name() // the wrapper of a go statement is no frame that the runtime shows
		if pc != 0 && !known[entry(pc)] && !strings.Contains(name, "gowrap") {
			t.Errorf("%s is no caller", name)
		}
	}
}
