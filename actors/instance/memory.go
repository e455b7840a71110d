package instance

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// readStart reads the start, if the instance has not begun, and takes what the rest of the instance needs. False: that is
// not free now, or is not wanted, and nothing but the head and the lease is in the view. Then size is what to ask for. It
// leaves out a start that has not been read: one that ends its process is read under a lease first.
func (m *loadMsg) readStart(r persistence.Reader, iid persistence.Incarnation) (more bool, err error) {
	v := &m.view
	if v.cancel == nil && (m.headOnly || !m.whole && m.granted == 0 && m.waits()) {
		v.partial, v.size = true, historyBytes(&v.head, nil)
		return false, nil
	}
	if v.head.Turn == 0 {
		start, ok, err := r.Start(iid, v.head.Execution)
		if err == nil && !ok {
			err = fmt.Errorf("%w: instance %q (%d) waits for its first turn of execution %d and has no start row",
				persistence.ErrCorrupt, v.head.ID, iid, v.head.Execution)
		}
		if err != nil {
			return false, err
		}
		v.start = &start
	}
	v.size = historyBytes(&v.head, v.start)
	switch more := v.size - m.granted; {
	case more <= 0:
		m.taken = more
		m.host.Memory.Back(-more)
	case m.host.Memory.Take(more):
		m.taken = more
	default: // its head did not tell of the start, or more has come meanwhile: it asks again, for all of it
		v.partial, v.start = true, nil
		return false, nil
	}
	return true, nil
}

// waits says that the lease row lets no turn start now, or lets it start when no other instance that is held is tried.
func (m *loadMsg) waits() bool {
	v := &m.view
	if v.held.Reason != "" {
		return !m.fresh && v.held.Build == m.host.Config.Build
	}
	return m.host.backsOff(v.notBeforeMs, m.host.now().UnixMilli())
}

// memoryMsg says that an instance may read what it waited to read.
type memoryMsg struct{ bytes int64 }

// historyBytes is what an instance takes that is read: twice what lives, since the collector lets the heap grow so far,
// and once what is garbage as soon as it is decoded.
func historyBytes(h *persistence.Head, start *persistence.PendingStart) int64 {
	bytes := int64(h.HistoryBytes + min(h.InboxBytes, bufferBytes))
	if start != nil {
		bytes += int64(len(start.Input) + len(start.Start))
	}
	return 3*bytes + 2*OverheadBytes
}

// headOnly says that there is no use in reading more than the head and the lease: no turn can start on what would be
// read, or in careful mode its attempt is to be counted first. A history that ends its process when it is read would
// never be found else.
func (in *core) headOnly() bool {
	return in.abandon != nil || in.heldBack() || !in.facts.AnyConsumer() || in.token == "" && (in.facts.Careful() || in.suspect)
}

// stepPartial goes on with a view that has the head and the lease alone: to what lets the rest be read.
func (in *core) stepPartial() {
	v := &in.view
	switch {
	case v.head.Turn > 0 && v.head.Inbox == 0 && len(v.due) == 0 && len(in.buffer.items) == 0 && in.forcedEnd == nil && v.inbox.nudged < v.head.NextSeq:
		v.partial = false // there is nothing to run, so nothing to read
		in.stepReady()
	case in.heldBack():
		in.holdBack()
	case in.charged:
		in.load()
	case in.token != "" || in.forcedEnd != nil || v.attempts >= in.host.Config.MaxAttempts:
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
func (in *core) askMemory() {
	in.become(phaseWaiting)
	in.host.Counts.MemoryWaits.Add(1)
	m := &memoryMsg{bytes: in.view.size}
	in.awaiting = m
	in.emit(effect{kind: effectAskMemory, message: m})
}

// memoryGranted goes on with the read.
func (in *core) memoryGranted(m *memoryMsg) {
	if in.awaiting != m || in.phase != phaseWaiting {
		in.emit(effect{kind: effectReturn, number: uint64(m.bytes)})
		return
	}
	in.awaiting = nil
	in.become(phaseReady)
	in.charged = true
}

// uncharge gives the instance's part of the memory budget back: it has dropped what it read, or is about to.
func (in *core) uncharge() {
	in.charged = false
	in.emit(effect{kind: effectUncharge})
}

// letGo drops what was read for a turn that does not come now.
func (in *core) letGo() {
	in.view.segments = nil
	in.uncharge()
}
