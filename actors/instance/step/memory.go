package step

// headOnly reports whether a load should read only the head and the lease. That is so if no turn can start on the rest, or if
// careful mode must count the attempt first: otherwise a history that ends its process when it is read would do so for ever,
// uncounted.
func (in *Machine) headOnly() bool {
	return in.abandon != nil || in.heldBack() || !in.facts.AnyConsumer() || in.token == "" && (in.facts.Careful() || in.suspect)
}

// stepPartial decides the next thing to do with a view that has only the head and the lease: it brings about what a read of
// the rest needs.
func (in *Machine) stepPartial() {
	v := &in.view
	switch {
	case v.Head.Turn > 0 && v.Head.Inbox == 0 && len(v.Due) == 0 && len(in.buffer.items) == 0 && in.forcedEnd == nil && v.Inbox.Nudged < v.Head.NextSeq:
		v.Partial = false // nothing waits for a turn, so there is nothing to read
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

// askMemory asks for the memory that a read of the rest of the instance takes.
func (in *Machine) askMemory() {
	in.become(phaseWaiting)
	in.host.Counts.MemoryWaits.Add(1)
	m := &MemoryMsg{Bytes: in.view.Size}
	in.awaiting = m
	in.emit(Effect{Kind: EffectAskMemory, Message: m})
}

// memoryGranted lets the next step read the rest. A late grant is given back.
func (in *Machine) memoryGranted(m *MemoryMsg) {
	if in.awaiting != m || in.phase != phaseWaiting {
		in.emit(Effect{Kind: EffectReturn, Number: uint64(m.Bytes)})
		return
	}
	in.awaiting = nil
	in.become(phaseReady)
	in.charged = true
}

// uncharge gives back the instance's part of the memory budget. The instance has dropped what it read, or is about to.
func (in *Machine) uncharge() {
	in.charged = false
	in.emit(Effect{Kind: EffectUncharge})
}

// dropLoaded drops a history that was read for a turn that does not start now.
func (in *Machine) dropLoaded() {
	in.view.History, in.view.KV = nil, nil
	in.uncharge()
}

// MemoryMsg says that an instance has been granted the memory for a read.
type MemoryMsg struct{ Bytes int64 }
