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

// enginePrefixes are the functions that stand between an author's code and the machine.
var enginePrefixes = []string{
	"github.com/turnstone-dev/turnstone.",
	"github.com/turnstone-dev/turnstone/replay.",
	"iter.", "runtime.",
}

// sites caches program counters: a place is worked out once in the life of the process. It is a pure function of
// the binary, so sharing it between machines decides nothing.
var (
	sites      atomic.Pointer[map[uintptr]*site]
	sitesGrow  sync.Mutex
	siteNobody = &site{text: "unknown", engine: true}
)

// siteDepth is how many frames are looked at: the wrappers of the public API are at most this deep.
const siteDepth = 8

// callSite finds the author's code that called a method of Context; skip is how many frames of the engine are between
// that code and runtime.Callers. A coroutine that runs a function of the engine, such as the attempts of a retry policy, has no frame of the
// author's: what it asks for was asked for where the coroutine was started.
func callSite(co *coroutine, skip int) *site {
	var pcs [siteDepth]uintptr
	first := siteNobody
	if co.site != nil {
		first = co.site
	}
	// Most callers are found in the first frames, and unwinding is what costs: so few frames first.
	for n, end := 2, skip+siteDepth; skip < end; skip, n = skip+n, 4 {
		got := runtime.Callers(skip, pcs[:n])
		for _, pc := range pcs[:got] {
			s := resolveSite(pc)
			if !s.engine {
				return s
			}
			if first == siteNobody {
				first = s
			}
		}
		if got < n {
			break
		}
	}
	return first
}

// outerSite is the text of the innermost frame of the author's on the calling goroutine's stack.
func outerSite() string {
	var pcs [stackFramesMax]uintptr
	for _, pc := range pcs[:runtime.Callers(2, pcs[:])] {
		if s := describeSite(pc); !s.engine {
			return s.text
		}
	}
	return siteNobody.text
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
	s := &site{text: path.Base(frame.Function) + " (" + path.Base(frame.File) + ":" + strconv.Itoa(frame.Line) + ")"}
	for _, p := range enginePrefixes {
		if strings.HasPrefix(frame.Function, p) {
			s.engine = true
		}
	}
	h := fnv.New32a()
	h.Write([]byte(s.text))
	s.hash = h.Sum32()
	return s
}
