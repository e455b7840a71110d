package instance

import "sync"

// tryQueue lets held instances whose time has come be tried one at a time: each try loads a history and runs code that is likely
// to fail again. Instances that are tried again because of a new runtime do not wait in it.
type tryQueue struct {
	mu      sync.Mutex
	busy    bool
	waiting []*tryWait
}

// tryWait is the place of one instance in the queue. begin must not block; it gets release, which must be called once, when the
// try is over.
type tryWait struct {
	begin func(release func())
	gone  bool // guarded by tryQueue.mu: the try has begun, or the instance does not wait any more
}

// admit calls begin when the instance may be tried, perhaps before admit returns.
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

// withdraw takes an instance out of the queue. It returns false if its try has begun.
func (g *tryQueue) withdraw(w *tryWait) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	waits := !w.gone
	w.gone = true
	return waits
}

// begun reports whether the instance's try has begun or the instance does not wait any more.
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
