package replay

import (
	"runtime"
	"strconv"
	"strings"
)

const (
	// stackFramesMax is how many calls of a stack are looked at.
	stackFramesMax = 128
	// StackBytesMax bounds the text of a stack.
	StackBytesMax = 8 << 10
)

// stackText is the calling goroutine's stack, innermost call first, a line for each: function, file and line. It has
// nothing that differs between two machines which run the same program: no address, no goroutine's number, no
// directory. The engine's own frames at both ends are left out.
func stackText() string {
	var pcs [stackFramesMax]uintptr
	n := runtime.Callers(2, pcs[:])
	var calls []*site
	for _, pc := range pcs[:n] {
		s := describeSite(pc)
		if len(calls) > 0 || !s.engine {
			calls = append(calls, s)
		}
	}
	more := n == stackFramesMax
	for len(calls) > 0 && calls[len(calls)-1].engine {
		calls = calls[:len(calls)-1]
	}
	const rest = "...\n"
	var b strings.Builder
	for _, s := range calls {
		if b.Len()+len(s.text)+1+len(rest) > StackBytesMax {
			more = true
			break
		}
		b.WriteString(s.text + "\n")
	}
	if more {
		b.WriteString(rest)
	}
	return b.String()
}

// createdBy stands before the call that started a goroutine.
const createdBy = "created by "

// creator is the go statement that started the calling goroutine; nil if the runtime does not say.
func creator() *site {
	buf := make([]byte, 64<<10)
	text := string(buf[:runtime.Stack(buf, false)])
	// created by example.com/orders.Run.func1 in goroutine 7
	//	orders/run.go:12 +0x1d
	_, last, found := strings.Cut(text, "\n"+createdBy)
	if !found {
		return nil
	}
	function, place, _ := strings.Cut(last, "\n")
	function, _, _ = strings.Cut(function, " in goroutine ")
	place, _, _ = strings.Cut(strings.TrimSpace(place), " +0x")
	colon := strings.LastIndexByte(place, ':')
	if colon < 0 {
		return nil
	}
	line, _ := strconv.Atoi(place[colon+1:])
	return newSite(function, place[:colon], line)
}
