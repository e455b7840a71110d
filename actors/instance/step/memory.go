package step

// headOnly says that there is no use in reading more than the head and the lease: no turn can start on what would be
// read, or in careful mode its attempt is to be counted first. A history that ends its process when it is read would
// never be found else.
func (in *Machine) headOnly() bool {
	return in.abandon != nil || in.heldBack() || !in.facts.AnyConsumer() || in.token == "" && (in.facts.Careful() || in.suspect)
}

// stepPartial goes on with a view that has the head and the lease alone: to what lets the rest be read.
func (in *Machine) stepPartial() {
	v := &in.view
	switch {
	case v.Head.Turn > 0 && v.Head.Inbox == 0 && len(v.Due) == 0 && len(in.buffer.items) == 0 && in.forcedEnd == nil && v.Inbox.Nudged < v.Head.NextSeq:
		v.Partial = false // there is nothing to run, so nothing to read
		in.stepReady()
	case in.heldBack():
		in.holdBack()
	case in.charged:
		in.load()
	case in.token != "" || in.forcedEnd != nil || v.Attempts >= in.host.Config.MaxAttempts:
		in.askMemory()
	case !in.findForHead():
		in.unregistered()
	case in.triesAlone():
		in.askTry()
	case in.facts.Careful() || in.suspect:
		in.stepCareful()
	default:
		in.askMemory()
	}
}

// askMemory waits until the rest of the instance may be read.
func (in *Machine) askMemory() {
	in.become(phaseWaiting)
	in.host.Counts.MemoryWaits.Add(1)
	m := &MemoryMsg{Bytes: in.view.Size}
	in.awaiting = m
	in.emit(Effect{Kind: EffectAskMemory, Message: m})
}

// memoryGranted goes on with the read.
func (in *Machine) memoryGranted(m *MemoryMsg) {
	if in.awaiting != m || in.phase != phaseWaiting {
		in.emit(Effect{Kind: EffectReturn, Number: uint64(m.Bytes)})
		return
	}
	in.awaiting = nil
	in.become(phaseReady)
	in.charged = true
}

// uncharge gives the instance's part of the memory budget back: it has dropped what it read, or is about to.
func (in *Machine) uncharge() {
	in.charged = false
	in.emit(Effect{Kind: EffectUncharge})
}

// dropLoaded drops what was read for a turn that does not come now.
func (in *Machine) dropLoaded() {
	in.view.Segments = nil
	in.uncharge()
}

// MemoryMsg says that an instance may read what it waited to read.
type MemoryMsg struct{ Bytes int64 }
