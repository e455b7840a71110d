package step

// triesAlone reports whether the instance is held and its time has come, so that it must wait until no other held instance is
// being tried.
func (in *Machine) triesAlone() bool {
	v := &in.view
	return !in.suspect && v.Held.Reason != "" && v.Held.Build == in.host.Config.Build && !in.tryAgain
}

// askTry waits until no other held instance is being tried. Then the instance counts as an admitted suspect, so its try is
// leased first.
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

// leaveTryQueue ends the wait of askTry, because a message has come that makes the view out of date.
func (in *Machine) leaveTryQueue() {
	if !in.tries || in.phase != phaseAdmitting || in.facts.TryBegun() {
		return
	}
	in.awaiting, in.tries = nil, false
	in.become(phaseReady)
	in.emit(Effect{Kind: EffectLeaveTry})
	in.asked--
}
