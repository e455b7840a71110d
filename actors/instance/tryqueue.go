package instance

import "sync"

// tryQueue lets the instances that are held, and whose time to be tried has come, run one at a time: each try loads a
// history and runs code that is likely to fail again. Those that a new runtime has tried again do not pass it.
type tryQueue struct {
	mu      sync.Mutex
	busy    bool
	waiting []*tryWait
}

// tryWait is one that waits. begin gets what is to be called once, when the try is over; it must not block.
type tryWait struct {
	begin func(release func())
	gone  bool // under the gate's lock: it has begun, or does not wait any more
}

// admit calls begin when it is the caller's turn, perhaps before it returns.
func (g *tryQueue) admit(begin func(release func())) *tryWait {
	w := &tryWait{begin: begin}
	g.mu.Lock()
	if g.busy {
		g.waiting = append(g.waiting, w)
		g.mu.Unlock()
		return w
	}
	g.busy, w.gone = true, true
	g.mu.Unlock()
	begin(g.release)
	return w
}

// withdraw says that one does not wait any more. False: it has begun.
func (g *tryQueue) withdraw(w *tryWait) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	waits := !w.gone
	w.gone = true
	return waits
}

// begun says that one does not wait any more.
func (g *tryQueue) begun(w *tryWait) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return w.gone
}

func (g *tryQueue) release() {
	g.mu.Lock()
	for len(g.waiting) > 0 {
		next := g.waiting[0]
		g.waiting[0] = nil
		g.waiting = g.waiting[1:]
		if !next.gone {
			next.gone = true
			g.mu.Unlock()
			next.begin(g.release)
			return
		}
	}
	g.busy = false
	g.mu.Unlock()
}
