package replay

import (
	"bytes"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// allStacksMax bounds how many bytes of goroutine stacks are read to find one.
const allStacksMax = 16 << 20

// goroutineID is the number by which the runtime's texts name the calling goroutine.
func goroutineID() uint64 {
	var buf [64]byte
	head := buf[:runtime.Stack(buf[:], false)]
	return numberOf(head)
}

// numberOf reads the number in "goroutine 7 [running]:"; 0 if there is none.
func numberOf(head []byte) uint64 {
	rest, ok := bytes.CutPrefix(head, []byte("goroutine "))
	if !ok {
		return 0
	}
	digits, _, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// QueryAt is the line of the author's code where the handler of a query is now; empty if none runs or the line is not
// found. Any goroutine may call it, while the query runs. It stops the process for as long as it takes to write all stacks.
func (m *Machine) QueryAt() string {
	if m.queries == nil {
		return ""
	}
	on := m.queries.on.Load()
	if on == 0 {
		return ""
	}
	for _, text := range bytes.Split(allStacks(), []byte("\n\n")) {
		if numberOf(text) != on {
			continue
		}
		if s := authorIn(string(text)); s != nil {
			return s.text
		}
	}
	return ""
}

// allStacks is the stacks of all goroutines.
func allStacks() []byte {
	for size := 256 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= allStacksMax {
			return buf[:n]
		}
	}
}

// authorIn is the innermost call of the author's in the text of a stack; nil if there is none. A call has two lines:
//
//	example.com/orders.Run.func1(...)
//		orders/run.go:12 +0x1d
func authorIn(stack string) *site {
	lines := strings.Split(stack, "\n")
	for i := 1; i+1 < len(lines); i += 2 {
		function, _, ok := cutLast(lines[i], "(")
		place, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " +0x")
		file, number, found := cutLast(place, ":")
		if !ok || !found || strings.HasPrefix(function, createdBy) {
			continue
		}
		line, _ := strconv.Atoi(number)
		if s := newSite(function, file, line); !s.engine && !isStandard(function, file) {
			return s
		}
	}
	return nil
}

// cutLast cuts at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// isStandard reports whether a function is of the standard library: its file is where that of another one is. A program
// that was built without paths tells it only by the dot in the first element of an import path, which a module may lack.
func isStandard(function, file string) bool {
	if root := standardRoot(); root != "" {
		return strings.HasPrefix(file, root)
	}
	first, _, _ := strings.Cut(packageOf(function), "/")
	return first != "main" && !strings.Contains(first, ".")
}

// standardRoot is the directory of the standard library's packages; empty if the program was built without paths.
var standardRoot = sync.OnceValue(func() string {
	const own = "strings/strings.go"
	file, _ := runtime.FuncForPC(reflect.ValueOf(strings.Fields).Pointer()).FileLine(0)
	root, _ := strings.CutSuffix(file, own)
	return root
})
