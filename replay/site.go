package replay

import (
	"hash/fnv"
	"maps"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// site is a place in code that asked for something: function, file and line.
type site struct {
	text   string
	hash   uint32
	engine bool // a frame of the engine itself; the author's is further out
}

// enginePackages are those whose functions stand between an author's code and the machine: the engine's own, and those of
// the standard library that call a function which they are given.
var enginePackages = map[string]bool{
	"github.com/turnstone-dev/turnstone":        true,
	"github.com/turnstone-dev/turnstone/replay": true,
	"iter": true, "runtime": true, "time": true, "sync": true, "context": true,
}

// packageOf is the import path of a function's package, as the runtime writes it.
func packageOf(function string) string {
	dir := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[dir:], '.'); dot >= 0 {
		return function[:dir+dot]
	}
	return function
}

// sites caches program counters: a place is worked out once in the life of the process. It is a pure function of
// the binary, so sharing it between machines decides nothing.
var (
	sites      atomic.Pointer[map[uintptr]*site]
	sitesGrow  sync.Mutex
	siteNobody = &site{text: "unknown", engine: true}
)

// siteDepth is how many frames are looked at: the wrappers of the public API are at most this deep.
const siteDepth = 12

// callSite finds the author's code that called a method of Context; skip is how many frames of the engine are between
// that code and runtime.Callers. A coroutine that runs a function of the engine, such as the attempts of a retry policy,
// has no frame of the author's: what it asks for was asked for where the coroutine was started.
func callSite(co *coroutine, skip int) *site {
	var made chain
	returns(&made)
	if s := made.known(); s != nil {
		return s
	}
	var pcs [4]uintptr
	first := siteNobody
	if co.site != nil {
		first = co.site
	}
	// Unwinding is what costs, and each call begins at the top again: as many frames first as a typed handle's Call needs.
	const step = len(pcs)
	for end := skip + siteDepth; skip < end; skip += step {
		got := runtime.Callers(skip, pcs[:step])
		for _, pc := range pcs[:got] {
			s := resolveSite(pc)
			if !s.engine {
				made.remember(s, pc)
				return s
			}
			if first == siteNobody {
				first = s
			}
		}
		if got < step {
			break
		}
	}
	return first
}

// outerSite is the innermost frame of the author's on the calling goroutine's stack; nil if there is none.
func outerSite() *site {
	var pcs [stackFramesMax]uintptr
	for _, pc := range pcs[:runtime.Callers(2, pcs[:])] {
		if s := describeSite(pc); !s.engine {
			return s
		}
	}
	return nil
}

func resolveSite(pc uintptr) *site {
	if known := sites.Load(); known != nil {
		if s := (*known)[pc]; s != nil {
			return s
		}
	}
	sitesGrow.Lock()
	defer sitesGrow.Unlock()
	grown := make(map[uintptr]*site)
	if known := sites.Load(); known != nil {
		maps.Copy(grown, *known)
	}
	s := describeSite(pc)
	grown[pc] = s
	sites.Store(&grown)
	return s
}

func describeSite(pc uintptr) *site {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	if frame.Function == "" {
		return siteNobody
	}
	return newSite(frame.Function, frame.File, frame.Line)
}

func newSite(function, file string, line int) *site {
	s := &site{
		text:   path.Base(function) + " (" + path.Base(file) + ":" + strconv.Itoa(line) + ")",
		engine: enginePackages[packageOf(function)],
	}
	h := fnv.New32a()
	h.Write([]byte(s.text))
	s.hash = h.Sum32()
	return s
}
