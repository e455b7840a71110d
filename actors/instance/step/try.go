package step

// triesAlone says that the instance is held and its time has come: it waits until no other is tried.
func (in *Machine) triesAlone() bool {
	v := &in.view
	return !in.suspect && v.Held.Reason != "" && v.Held.Build == in.host.Config.Build && !in.tryAgain
}

// askTry waits until no other is tried. What comes after it is as for a suspect: the try is leased first.
func (in *Machine) askTry() {
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	in.become(phaseAdmitting)
	m := &AdmitMsg{}
	in.awaiting, in.tries = m, true
	in.uncharge()
	in.emit(Effect{Kind: EffectAskTry, Message: m})
}

// leaveTryQueue ends that wait, because something has come: what is known is out of date.
func (in *Machine) leaveTryQueue() {
	if !in.tries || in.phase != phaseAdmitting || in.facts.TryBegun() {
		return
	}
	in.awaiting, in.tries = nil, false
	in.become(phaseReady)
	in.emit(Effect{Kind: EffectLeaveTry})
	in.asked--
}
