package actors

import "sync"

// heldGate lets the instances that are held, and whose time to be tried has come, run one at a time: each try loads a
// history and runs code that is likely to fail again. Those that a new runtime has tried again do not pass it.
type heldGate struct {
	mu      sync.Mutex
	busy    bool
	waiting []func(release func())
}

// admit calls begin when it is the caller's turn, perhaps before it returns. begin must not block, and its argument is to
// be called once.
func (g *heldGate) admit(begin func(release func())) {
	g.mu.Lock()
	if g.busy {
		g.waiting = append(g.waiting, begin)
		g.mu.Unlock()
		return
	}
	g.busy = true
	g.mu.Unlock()
	begin(g.release)
}

func (g *heldGate) release() {
	g.mu.Lock()
	if len(g.waiting) == 0 {
		g.busy = false
		g.mu.Unlock()
		return
	}
	next := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	g.mu.Unlock()
	next(g.release)
}

// triesAlone says that the instance is held and its time has come: it waits until no other is tried.
func (in *instance) triesAlone() bool {
	v := &in.view
	return in.releaseSuspect == nil && v.held.Reason != "" && v.held.Build == in.e.cfg.Build && !in.fresh
}

// askTry waits for the gate. What comes after it is as for a suspect: the try is leased first.
func (in *instance) askTry() {
	in.phase = phaseAdmitting
	in.outstanding++
	m := &admitMsg{}
	in.awaiting = m
	in.e.heldGate.admit(func(release func()) {
		m.release = release
		in.send(m)
	})
}
