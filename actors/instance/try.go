package instance

// triesAlone says that the instance is held and its time has come: it waits until no other is tried.
func (in *core) triesAlone() bool {
	v := &in.view
	return !in.suspect && v.held.Reason != "" && v.held.Build == in.host.Config.Build && !in.fresh
}

// askTry waits until no other is tried. What comes after it is as for a suspect: the try is leased first.
func (in *core) askTry() {
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	in.become(phaseAdmitting)
	m := &admitMsg{}
	in.awaiting, in.tries = m, true
	in.uncharge()
	in.emit(effect{kind: effectAskTry, message: m})
}

// leaveTryQueue ends that wait, because something has come: what is known is out of date.
func (in *core) leaveTryQueue() {
	if !in.tries || in.phase != phaseAdmitting || in.facts.TryBegun() {
		return
	}
	in.awaiting, in.tries = nil, false
	in.become(phaseReady)
	in.emit(effect{kind: effectLeaveTry})
	in.asked--
}
