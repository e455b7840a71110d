package replay

import (
	"cmp"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// apply takes the next event of history, old or just made from a message, and makes ready what it makes possible. It
// returns why history and code do not fit; while no code runs, everything fits.
func (m *Machine) apply(e *turnpb.Event) *turnpb.Failure {
	m.stopBefore(e.GetId())
	switch k := e.GetKind().(type) {
	case *turnpb.Event_Started:
		return m.applyStarted(e, k.Started)
	case *turnpb.Event_CancelRequested:
		if m.cancelled == nil {
			reason := k.CancelRequested.GetReason()
			m.cancelled = &reason
		}
		return nil
	case *turnpb.Event_ActivityCompleted:
		return m.complete(e, opActivity, k.ActivityCompleted.GetResult(), nil)
	case *turnpb.Event_ActivityFailed:
		return m.complete(e, opActivity, nil, k.ActivityFailed.GetFailure())
	case *turnpb.Event_TimerFired:
		return m.complete(e, opTimer, nil, nil)
	case *turnpb.Event_SubOrchestrationCompleted:
		return m.complete(e, opChild, k.SubOrchestrationCompleted.GetResult(), nil)
	case *turnpb.Event_SubOrchestrationFailed:
		return m.complete(e, opChild, nil, k.SubOrchestrationFailed.GetFailure())
	case *turnpb.Event_SendEnded:
		return m.sendEnded(e, k.SendEnded)
	case *turnpb.Event_AwaitEnded:
		return m.awaitEnded(e, k.AwaitEnded)
	case *turnpb.Event_ExternalEvent:
		m.arrive(&m.events, e.GetId(), k.ExternalEvent.GetName(), k.ExternalEvent.GetData())
		return nil
	case *turnpb.Event_QueueEventDelivered:
		m.arrive(&m.queues, e.GetId(), k.QueueEventDelivered.GetName(), k.QueueEventDelivered.GetData())
		return nil
	case *turnpb.Event_ActivityCancelRequested:
		return m.breadcrumb(e, opActivity, k.ActivityCancelRequested.GetReason())
	case *turnpb.Event_ExternalSubscribedCancelled:
		return m.breadcrumb(e, opWait, k.ExternalSubscribedCancelled.GetReason())
	case *turnpb.Event_QueueSubscriptionCancelled:
		return m.breadcrumb(e, opQueue, k.QueueSubscriptionCancelled.GetReason())
	case *turnpb.Event_SubOrchestrationCancelRequested:
		return m.breadcrumb(e, opChild, k.SubOrchestrationCancelRequested.GetReason())
	case *turnpb.Event_CompensationStarted:
		return m.applyCompensation(e, k.CompensationStarted)
	case *turnpb.Event_PatchMarked:
		return nil // known since the history was loaded
	case nil:
		return failure.Nondeterminism("history", fmt.Sprintf(
			"corrupted history: event %d is of a kind that this engine does not know", e.GetId()))
	default:
		return m.match(e)
	}
}

func (m *Machine) applyStarted(e *turnpb.Event, s *turnpb.OrchestrationStarted) *turnpb.Failure {
	switch m.code {
	case codeNew:
		m.boundLife(e, s)
		m.begin(s)
		return nil
	case codeRunning:
		return failure.Nondeterminism("history", fmt.Sprintf(
			"corrupted history: event %d is a second OrchestrationStarted", e.GetId()))
	default:
		m.boundLife(e, s)
		return nil
	}
}

// complete closes an operation and gives its result to the code.
func (m *Machine) complete(e *turnpb.Event, kind opKind, value []byte, why *turnpb.Failure) *turnpb.Failure {
	source := e.GetSource()
	if source == 0 {
		return nil
	}
	// What this turn converted was checked then, and is marked as closed already.
	if !m.fresh {
		k := m.ledger.get(source)
		if bad := m.checkCompletion(e, k, kind); bad != nil {
			if m.code == codeRunning {
				return bad
			}
			return nil
		}
		m.ledger.add(source, markClosed)
	}
	f := m.open.take(source)
	if f == nil {
		return nil // it was given up: what became of it reaches no one
	}
	switch {
	case f == m.deadline:
		return m.lifeOver()
	case m.cleanup != nil && f == m.cleanup.timer:
		m.expire()
		return nil
	case why == nil || !failure.Aborts(why):
	case m.cleanup != nil:
		if f.owner != nil { // not what the code, or an earlier step, has left
			m.stopStep(m.aborted(f, why), nil)
			return nil
		}
	case !m.decided():
		m.inherited = m.aborted(f, why)
		return m.inherited
	}
	f.resolve(value, why)
	if why != nil && kind == opActivity {
		f.explain(e.GetActivityFailed())
	}
	return nil
}

// decided reports whether how the execution ends is decided already, so that no failure of another ends it otherwise.
func (m *Machine) decided() bool {
	return m.code != codeRunning || m.cancelled != nil || m.continuing || m.cleanup != nil
}

// aborted is the failure of an execution that a failure of an activity or a sub-orchestration ends. Where the text of a
// sub-orchestration's failure does not say whose it is, it is put in front.
func (m *Machine) aborted(f *Future, why *turnpb.Failure) *turnpb.Failure {
	if f.kind != opChild {
		return why
	}
	text := func(message string) string {
		return "sub-orchestration " + strconv.Quote(f.name) + ", instance " + strconv.Quote(m.childID(f)) + ": " + message
	}
	switch c := why.GetCategory().(type) {
	case *turnpb.Failure_Infrastructure:
		i := c.Infrastructure
		return failure.Infrastructure(i.GetOperation(), text(i.GetMessage()), i.GetRetryable())
	case *turnpb.Failure_Configuration:
		k := proto.CloneOf(c.Configuration)
		k.Message = text(cmp.Or(k.GetMessage(), failure.Display(why)))
		return &turnpb.Failure{Category: &turnpb.Failure_Configuration{Configuration: k}}
	default:
		return why
	}
}

// checkCompletion says why a completion in history does not fit what is before it.
func (m *Machine) checkCompletion(e *turnpb.Event, k mark, kind opKind) *turnpb.Failure {
	source := e.GetSource()
	switch {
	case k.kind() == 0:
		return failure.Nondeterminism(KindName(e), fmt.Sprintf(
			"completion without open schedule: event %d is %s for event %d, which is not a schedule event before it",
			e.GetId(), KindName(e), source))
	case k.kind() != kind:
		return failure.Nondeterminism(KindName(e), fmt.Sprintf(
			"completion kind mismatch: event %d is %s for event %d, which is %s",
			e.GetId(), KindName(e), source, scheduleName(k.kind())))
	case k&markClosed != 0:
		return failure.Nondeterminism(KindName(e), fmt.Sprintf(
			"completion without open schedule: event %d is %s for event %d, which was completed before",
			e.GetId(), KindName(e), source))
	default:
		return nil
	}
}

func (m *Machine) arrive(boxes *mailboxes, event uint64, name string, data []byte) {
	m.arrivals++
	if f := boxes.arrive(name, arrival{event: event, order: m.arrivals, data: data}); f != nil {
		m.open.take(f.event)
		m.ledger.add(f.event, markClosed)
		f.resolve(data, nil)
		return
	}
	m.held.add(name, data)
}

// breadcrumb checks that code gave up what history says it gave up. It is never acted upon while code runs: what the
// code does is what counts.
func (m *Machine) breadcrumb(e *turnpb.Event, kind opKind, reason string) *turnpb.Failure {
	source := e.GetSource()
	k := m.ledger.get(source)
	if m.code != codeRunning {
		if k.kind() == kind {
			m.ledger.add(source, markCancelled|markCrumb)
			if f := m.open.take(source); f != nil {
				m.unsubscribe(f)
			}
		}
		return nil
	}
	if reason == ReasonDropped && (k.kind() != kind || k&markCancelled == 0) {
		return failure.Nondeterminism(KindName(e), fmt.Sprintf(
			"cancellation mismatch (%s): event %d says that the code gave up event %d, and the code has not",
			kind.class(), e.GetId(), source))
	}
	if k.kind() == kind {
		m.ledger.add(source, markCrumb)
	}
	return nil
}

func (m *Machine) unsubscribe(f *Future) {
	switch f.kind {
	case opWait:
		m.events.unsubscribe(f)
	case opQueue:
		m.queues.unsubscribe(f)
	}
}

// match pairs a schedule or metadata event of history with the oldest action that the code has emitted.
func (m *Machine) match(e *turnpb.Event) *turnpb.Failure {
	if Terminal(e) {
		return nil
	}
	f := m.take1()
	if f == nil {
		switch {
		case isMetadata(e):
			return nil // the code may have stopped recording it
		case m.code == codeRunning || m.endedEarly():
			bad := m.diverged(e, nil, "")
			m.bindOrphan(e)
			return bad
		default:
			m.bindOrphan(e)
			return nil
		}
	}
	if why := mismatch(e, f); why != "" {
		bad := m.diverged(e, f, why)
		m.bindOrphan(e)
		return bad
	}
	m.bind(f, e)
	return nil
}

func isMetadata(e *turnpb.Event) bool {
	switch e.GetKind().(type) {
	case *turnpb.Event_CustomStatusUpdated, *turnpb.Event_KeyValueSet, *turnpb.Event_KeyValueCleared,
		*turnpb.Event_KeyValuesCleared:
		return true
	default:
		return false
	}
}

// bindOrphan opens an operation that history has and code never asked for, so that the end of the execution can give
// it up.
func (m *Machine) bindOrphan(e *turnpb.Event) {
	f := &Future{m: m, event: e.GetId()}
	switch k := e.GetKind().(type) {
	case *turnpb.Event_ActivityScheduled:
		f.kind, f.name = opActivity, k.ActivityScheduled.GetName()
		f.inline = isInline(f.name)
	case *turnpb.Event_TimerCreated:
		f.kind, f.fireAtMs = opTimer, k.TimerCreated.GetFireAtMs()
	case *turnpb.Event_ExternalSubscribed:
		f.kind, f.name, f.mode = opWait, k.ExternalSubscribed.GetName(), k.ExternalSubscribed.GetMode()
	case *turnpb.Event_QueueSubscribed:
		f.kind, f.name = opQueue, k.QueueSubscribed.GetName()
	case *turnpb.Event_SubOrchestrationScheduled:
		f.kind, f.name = opChild, k.SubOrchestrationScheduled.GetName()
		f.more = &details{instance: k.SubOrchestrationScheduled.GetInstance(), own: k.SubOrchestrationScheduled.GetOwnId(),
			policy: k.SubOrchestrationScheduled.GetPolicy()}
	case *turnpb.Event_SendScheduled:
		f.kind, f.name = opSend, k.SendScheduled.GetName()
		f.more = &details{instance: k.SendScheduled.GetInstance()}
	case *turnpb.Event_AwaitScheduled:
		f.kind, f.more = opAwait, &details{instance: k.AwaitScheduled.GetInstance()}
	default:
		return
	}
	m.ledger.set(f.event, f.mark())
	m.openOperation(f)
}
