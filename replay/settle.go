package replay

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// ending is how an execution ends.
type ending uint8

const (
	endNot ending = iota
	endReturned
	endContinued
	endPanicked
	endCancelled
	endFatal
	endCleaned // the undo steps are done: the end was decided when they began
)

// ending ranks what has happened: a failure of the turn beats a cancel, which beats whatever the code did.
func (m *Machine) ending() ending {
	switch {
	case m.fatal != nil:
		return endFatal
	case m.cleanup != nil:
		if m.cleanup.over {
			return endCleaned
		}
		return endNot
	case m.cancelled != nil:
		return endCancelled
	case m.panicked != nil:
		return endPanicked
	case m.next != nil:
		return endContinued
	case m.code == codeReturned:
		return endReturned
	default:
		return endNot
	}
}

// reason is the breadcrumb's reason for an activity that is open at the end.
func (e ending) reason(failed bool) string {
	switch {
	case e == endContinued:
		return ReasonContinued
	case e == endReturned && !failed:
		return ReasonCompleted
	default:
		return ReasonFailed
	}
}

// crumb is a breadcrumb that is due.
type crumb struct {
	source uint64
	kind   opKind
	reason string
}

// settle ends the turn: it decides the outcome, gives up what is open, records breadcrumbs, and lists what the host
// has to do.
func (m *Machine) settle() {
	m.checkState()
	m.compensate()
	m.settleCleanup()
	if p := m.lastPanic; p != nil {
		m.d.PanicStack, m.d.Panic, m.lastPanic = p.stack, p.why, nil
	}
	end := m.ending()
	held := end != endNot && end != endFatal && !m.codeless && m.waiting()
	if end != endNot {
		m.stopHeld()
	}
	m.giveUpDropped()
	if end != endNot {
		m.closeOpen(end)
	}
	m.writeCrumbs()
	m.dispatch(end)
	if end == endNot || held {
		return
	}
	m.conclude(end)
	m.terminal = true
	if m.overLimit {
		m.d.Origin = turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT
	}
}

// stopHeld makes sure that code does not run while the end waits for children.
func (m *Machine) stopHeld() {
	if m.code == codeRunning {
		m.halt()
	}
}

// waiting reports whether children whose policy is wait keep the execution from ending. A child that was never sent,
// because a cancelled or panicked turn sends nothing, does not.
func (m *Machine) waiting() bool {
	if m.expired {
		return false
	}
	end := m.ending()
	for _, e := range m.open.all {
		if e.f == nil || e.f.kind != opChild || e.f.details().policy != turnpb.ChildPolicy_CHILD_POLICY_WAIT {
			continue
		}
		if !m.unsent(e.f, end) {
			return true
		}
	}
	return false
}

// unsent reports whether a child was scheduled in this turn and will not be started.
func (m *Machine) unsent(f *Future, end ending) bool {
	if !m.isNew(f) {
		return false
	}
	switch end {
	case endNot:
		return f.state == cancelled
	case endReturned, endContinued, endCleaned:
		return f.state == cancelled || f.details().policy == policyCancel
	default:
		return true
	}
}

// isNew reports whether an operation was bound in this turn.
func (m *Machine) isNew(f *Future) bool {
	return len(m.bound) > 0 && f.event >= m.bound[0].event && f.event <= m.bound[len(m.bound)-1].event
}

// giveUpDropped lists what code cancelled since the last turn ended.
func (m *Machine) giveUpDropped() {
	end := m.ending()
	for _, f := range m.dropped {
		k := m.ledger.get(f.event)
		if k&markCrumb != 0 {
			continue
		}
		if f.kind == opTimer {
			if k&markClosed == 0 && !m.isNew(f) {
				m.d.CancelledTimers = append(m.d.CancelledTimers, Timer{Event: f.event, FireAtMs: f.fireAtMs})
			}
			continue
		}
		if f.kind == opSend {
			continue // it is on its way: only its answer is ignored
		}
		if f.kind == opAwait {
			m.stopAwait(f, k)
			continue
		}
		m.giveUp(f, k, ReasonDropped, childDropped, end)
	}
	clear(m.dropped)
	m.dropped = m.dropped[:0]
}

// giveUp records that an operation is given up and lists its side effect. An empty reason leaves no breadcrumb.
func (m *Machine) giveUp(f *Future, k mark, reason, childReason string, end ending) {
	if reason != "" {
		m.crumbs = append(m.crumbs, crumb{f.event, f.kind, reason})
		m.ledger.add(f.event, markCancelled|markCrumb)
	}
	if k&markClosed != 0 {
		return
	}
	switch f.kind {
	case opActivity:
		m.d.CancelledActivities = append(m.d.CancelledActivities, f.event)
	case opChild:
		m.d.CancelledChildren = append(m.d.CancelledChildren, CancelledChild{
			Event: f.event, Instance: m.childID(f), Reason: childReason, Unsent: m.unsent(f, end)})
	}
}

// closeOpen gives up everything that is open when the execution ends. Children that are waited for stay open, and
// so do abandoned ones, whose answers are still recorded while the end is held.
//
// It also runs for a replayed turn, without a decision: then only what is open is changed.
func (m *Machine) closeOpen(end ending) {
	for i := range m.open.all {
		f := m.open.all[i].f
		if f == nil {
			continue
		}
		if !m.mustClose(f, end) {
			m.tell(f, end)
			continue
		}
		k := m.ledger.get(f.event)
		m.open.takeAt(i)
		m.unsubscribe(f)
		m.ledger.add(f.event, markCancelled)
		f.unlink()
		f.state, f.err = cancelled, errDropped
		if m.d == nil || !m.fresh || k&(markSystem|markCrumb) != 0 || (k&markClosed != 0 && f.kind != opWait && f.kind != opQueue) {
			continue
		}
		switch f.kind {
		case opActivity:
			m.giveUp(f, k, end.reason(m.failed != nil), "", end)
		case opTimer:
			if !m.isNew(f) {
				m.d.CancelledTimers = append(m.d.CancelledTimers, Timer{Event: f.event, FireAtMs: f.fireAtMs})
			}
		case opAwait:
			m.stopAwait(f, k)
		case opWait, opQueue:
			m.giveUp(f, k, ReasonTerminal, "", end)
		case opChild:
			why := childEnded
			if end == endCancelled || m.d.Origin == turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE {
				why = childCancelled
			}
			m.giveUp(f, k, "", why, end)
		}
	}
	m.open.compact()
}

// mustClose reports whether an open operation is given up at this end.
func (m *Machine) mustClose(f *Future, end ending) bool {
	if f == m.deadline {
		return end == endFatal || m.codeless || !m.waiting()
	}
	if f.kind != opChild {
		return true
	}
	switch f.details().policy {
	case turnpb.ChildPolicy_CHILD_POLICY_ABANDON:
		return false
	case turnpb.ChildPolicy_CHILD_POLICY_WAIT:
		return end == endFatal || m.codeless || m.expired || m.unsent(f, end)
	default:
		return true
	}
}

// tell cancels a child that is waited for when its parent is cancelled, also after undo steps. It stays open: the parent ends
// when it has ended.
func (m *Machine) tell(f *Future, end ending) {
	cancelled := end == endCancelled || end == endCleaned && failure.IsCancelled(m.cleanup.outcome)
	if !cancelled || f.details().policy != turnpb.ChildPolicy_CHILD_POLICY_WAIT || f.details().told {
		return
	}
	f.withDetails().told = true
	if m.d != nil && m.fresh {
		m.giveUp(f, 0, "", childCancelled, end)
	}
}

// writeCrumbs records the breadcrumbs that are due, by source id.
func (m *Machine) writeCrumbs() {
	slices.SortFunc(m.crumbs, func(a, b crumb) int { return cmp.Compare(a.source, b.source) })
	for _, c := range m.crumbs {
		m.d.Events = append(m.d.Events, newBreadcrumb(m.takeID(), c.source, c.kind, c.reason))
	}
	m.crumbs = m.crumbs[:0]
	slices.Sort(m.d.CancelledActivities)
	slices.SortFunc(m.d.CancelledTimers, func(a, b Timer) int { return cmp.Compare(a.Event, b.Event) })
	slices.SortFunc(m.d.CancelledAwaits, func(a, b Await) int { return cmp.Compare(a.Event, b.Event) })
	slices.SortFunc(m.d.CancelledChildren, func(a, b CancelledChild) int { return cmp.Compare(a.Event, b.Event) })
}

// dispatch lists the work that this turn scheduled and that is still wanted.
func (m *Machine) dispatch(end ending) {
	for _, f := range m.bound {
		k := m.ledger.get(f.event)
		if k&(markClosed|markCancelled) == 0 {
			switch f.kind {
			case opActivity:
				if end == endNot {
					more := f.details()
					m.d.Activities = append(m.d.Activities, Activity{
						Event: f.event, Name: f.name, Input: f.input, Session: more.session, Tag: more.tag})
					more.call.hand(&m.d.Activities[len(m.d.Activities)-1])
				}
			case opTimer:
				if end == endNot || f == m.deadline { // which bounds how long an end waits for children, too
					m.d.Timers = append(m.d.Timers, Timer{Event: f.event, FireAtMs: f.fireAtMs})
				}
			case opAwait:
				if end == endNot {
					m.d.Awaits = append(m.d.Awaits, Await{Event: f.event, Instance: f.details().instance})
				}
			case opChild:
				if !m.unsent(f, end) {
					more := f.details()
					m.d.Children = append(m.d.Children, Child{Event: f.event, Instance: m.childID(f),
						Name: f.name, Version: more.version, Input: f.input, Policy: more.policy, Life: more.life.of()})
				}
			}
		}
		f.input = nil // it is in the event; the future may live long
	}
}

// conclude writes the terminal event.
func (m *Machine) conclude(end ending) {
	d := m.d
	id := m.takeID()
	switch end {
	case endContinued:
		d.Outcome = ContinuedAsNew
		d.Next = &turnpb.StartOrchestration{
			Name: m.started.GetName(), Version: m.next.details().version, Input: m.next.input, Parent: m.started.GetParent(),
			Carried: carried(m.events, m.queues), InitialCustomStatus: m.status,
			ExecutionTimeoutMs: m.started.GetExecutionTimeoutMs(),
		}
		d.Events = append(d.Events, &turnpb.Event{Id: id, Kind: &turnpb.Event_ContinuedAsNew{
			ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{Input: m.next.input, Version: m.next.details().version}}})
		return
	case endReturned:
		if m.failed == nil {
			d.Outcome, d.Output = Completed, m.output
			d.Events = append(d.Events, &turnpb.Event{Id: id, Kind: &turnpb.Event_Completed{
				Completed: &turnpb.OrchestrationCompleted{Output: m.output}}})
			return
		}
	}
	if end == endCleaned || m.cleanup != nil && d.Origin == turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT {
		d.Failure = m.cleanup.outcome
	} else {
		d.Failure = m.outcome(end)
	}
	d.Outcome = Failed
	d.Events = append(d.Events, &turnpb.Event{Id: id, Kind: &turnpb.Event_Failed{
		Failed: &turnpb.OrchestrationFailed{Failure: d.Failure}}})
}

// bounded is the failure that the code ended with or, if that is over the limit, one that says so. It is checked where it
// is recorded, so that it is the same however often the code has run before.
func (m *Machine) bounded(f *turnpb.Failure) *turnpb.Failure {
	small := m.smaller(f)
	m.overLimit = m.overLimit || small != f
	return small
}

// smaller is the failure itself or, if it is over the limit, one that says so.
func (m *Machine) smaller(f *turnpb.Failure) *turnpb.Failure {
	size, most := proto.Size(f), m.cfg.Limits.PayloadBytes
	if size <= most {
		return f
	}
	return failureFailure(size, most)
}
