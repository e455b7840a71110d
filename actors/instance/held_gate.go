package instance

import "sync"

// heldGate lets the instances that are held, and whose time to be tried has come, run one at a time: each try loads a
// history and runs code that is likely to fail again. Those that a new runtime has tried again do not pass it.
type heldGate struct {
	mu      sync.Mutex
	busy    bool
	waiting []*gateWait
}

// gateWait is one that waits. begin gets what is to be called once, when the try is over; it must not block.
type gateWait struct {
	begin func(release func())
	gone  bool // under the gate's lock: it has begun, or does not wait any more
}

// admit calls begin when it is the caller's turn, perhaps before it returns.
func (g *heldGate) admit(begin func(release func())) *gateWait {
	w := &gateWait{begin: begin}
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
func (g *heldGate) withdraw(w *gateWait) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	waits := !w.gone
	w.gone = true
	return waits
}

func (g *heldGate) release() {
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

// triesAlone says that the instance is held and its time has come: it waits until no other is tried.
func (in *instance) triesAlone() bool {
	v := &in.view
	return in.releaseSuspect == nil && v.held.Reason != "" && v.held.Build == in.host.Config.Build && !in.fresh
}

// askTry waits for the gate. What comes after it is as for a suspect: the try is leased first.
func (in *instance) askTry() {
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	in.phase = phaseAdmitting
	in.outstanding++
	m := &admitMsg{}
	in.awaiting = m
	in.uncharge()
	in.gate = in.host.heldGate.admit(func(release func()) {
		m.release = release
		in.send(m)
	})
}

// leaveGate ends that wait, because something has come: what is known is out of date.
func (in *instance) leaveGate() {
	if in.gate == nil || in.phase != phaseAdmitting || !in.host.heldGate.withdraw(in.gate) {
		return
	}
	in.gate, in.awaiting, in.phase = nil, nil, phaseReady
	in.outstanding--
}
