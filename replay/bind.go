package replay

import (
	"bytes"
	"strconv"
	"strings"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

const policyCancel = turnpb.ChildPolicy_CHILD_POLICY_CANCEL

// mark is the ledger's note of a future that was just bound.
func (f *Future) mark() mark {
	k := mark(f.kind)
	if f.inline {
		k |= markSystem
	}
	return k
}

func isInline(name string) bool { return name == SystemNewGUID || name == SystemUTCNow }

// record makes the event of an emitted action and binds the action to it. An inline system activity gets its
// completion in the same step.
func (m *Machine) record(f *Future) {
	if f.kind == opChild && !m.nameChild(f) && m.cleanup == nil && !m.mayCompensate() {
		return
	}
	id := m.takeID()
	e := newScheduled(id, f)
	m.d.Events = append(m.d.Events, e)
	if f.site != nil && f.sited() {
		c := &turnpb.CallSite{Event: id, Hash: f.site.hash}
		if m.useSite(f.site.hash) {
			c.Text = f.site.text
		}
		m.d.CallSites = append(m.d.CallSites, c)
	}
	switch f.kind {
	case opDetached:
		more := f.details()
		m.d.Detached = append(m.d.Detached, Detached{
			Event: id, Instance: more.instance, Name: f.name, Version: more.version, Input: f.input, Life: more.life.of()})
	case opSend:
		m.d.Sends = append(m.d.Sends, Send{
			Event: id, Instance: f.details().instance, Kind: f.details().arrival, Name: f.name, Data: f.input})
	case opStatus:
		m.d.Status = &StatusChange{Value: f.details().status}
	case opKVSet:
		m.d.KV = append(m.d.KV, KVChange{Op: KVSet, Key: f.name, Value: f.input, UpdatedMs: f.fireAtMs})
	case opKVClear:
		m.d.KV = append(m.d.KV, KVChange{Op: KVClear, Key: f.name})
	case opKVClearAll:
		m.d.KV = append(m.d.KV, KVChange{Op: KVClearAll})
	}
	m.bind(f, e)
	if f.inline {
		m.answer(f)
	}
}

// answer completes an inline system activity in the turn itself.
func (m *Machine) answer(f *Future) {
	var result string
	if f.name == SystemNewGUID {
		result = newGUID(m.nowMs, m.entropy, f.event)
	} else {
		result = strconv.FormatInt(m.nowMs, 10)
	}
	m.d.Events = append(m.d.Events, newActivityCompleted(m.takeID(), f.event, []byte(result)))
	m.ledger.add(f.event, markClosed)
	m.open.take(f.event)
	f.resolve([]byte(result), nil)
}

// bind ties an action to the event that records it, and lets it take what has been kept for it.
func (m *Machine) bind(f *Future, e *turnpb.Event) {
	f.event = e.GetId()
	switch f.kind {
	case opDetached, opStatus, opKVClear, opKVClearAll, opPatch, opSideEffect, opUndone:
		return
	case opPush:
		m.steps = append(m.steps, undoStep{event: f.event, run: f.details().result.(func(*Context) error)})
		return
	case opKVSet:
		m.recordedTime(f, e.GetKeyValueSet())
		return
	case opTimer:
		f.fireAtMs = e.GetTimerCreated().GetFireAtMs()
	case opChild:
		k := e.GetSubOrchestrationScheduled()
		more := f.withDetails()
		more.instance, more.own = k.GetInstance(), k.GetOwnId()
		if k.GetPolicy() != turnpb.ChildPolicy_CHILD_POLICY_UNSPECIFIED {
			more.policy = k.GetPolicy()
		}
	}
	m.ledger.set(f.event, f.mark())
	if f.state == cancelled {
		if f.inline {
			return
		}
		m.ledger.add(f.event, markCancelled)
		m.dropped = append(m.dropped, f)
		m.bound = append(m.bound, f)
		return
	}
	m.openOperation(f)
	m.bound = append(m.bound, f)
}

// openOperation adds a bound operation to what is open, or resolves it with what was kept for it.
func (m *Machine) openOperation(f *Future) {
	if f.kind != opWait && f.kind != opQueue {
		m.open.add(f)
		return
	}
	boxes, takesKept := &m.queues, true
	if f.kind == opWait {
		boxes, takesKept = &m.events, f.mode != turnpb.WaitMode_WAIT_MODE_POSITIONAL
	}
	if a, ok := boxes.subscribe(f, takesKept); ok {
		m.held.remove(f.name, a.data)
		m.ledger.add(f.event, markClosed)
		f.resolve(a.data, nil)
		return
	}
	m.open.add(f)
}

// recordedTime lets the time in history rule the age of a key, if the key still has the value of that change.
func (m *Machine) recordedTime(f *Future, k *turnpb.KeyValueSet) {
	if v, ok := m.kv[f.name]; ok && v.op == f {
		v.UpdatedMs, v.op = k.GetLastUpdatedAtMs(), nil
		m.kv[f.name] = v
	}
}

// nameChild gives a sub-orchestration that has no id of its own one that is made from its event. It fails the turn if the
// id is longer than allowed.
func (m *Machine) nameChild(f *Future) bool {
	if more := f.withDetails(); !more.own {
		more.instance = autoPrefix
		if m.cfg.Execution > 1 {
			more.instance += strconv.FormatUint(m.cfg.Execution, 10) + "."
		}
		more.instance += strconv.FormatUint(m.nextID, 10)
	}
	if n := len(m.childID(f)); n > m.cfg.Limits.ChildIDBytes {
		m.failLimit(failureLimit("the id of sub-orchestration "+brief(f.name), n, m.cfg.Limits.ChildIDBytes, "DerivedIDBytes"))
		return false
	}
	return true
}

// autoPrefix begins what the event of a sub-orchestration names if it was given no id.
const autoPrefix = "sub::"

// ChildID returns a sub-orchestration's real id. instance is what its event names: the id that it was given, its own, or
// one that was made from the event, which has the parent's in front.
func ChildID(parent, instance string, own bool) string {
	if !own && strings.HasPrefix(instance, autoPrefix) {
		return parent + "::" + instance
	}
	return instance
}

func (m *Machine) childID(f *Future) string {
	more := f.details()
	return ChildID(m.cfg.Instance, more.instance, more.own)
}

// mismatch says in which way an event of history is not what an action asks for; empty if it is.
func mismatch(e *turnpb.Event, f *Future) string {
	if scheduledKind(e) != f.kind {
		return "the kinds differ"
	}
	switch k := e.GetKind().(type) {
	case *turnpb.Event_ActivityScheduled:
		a := k.ActivityScheduled
		switch {
		case a.GetName() != f.name:
			return diffName
		case !sameText(a.Session, f.details().session):
			return "the sessions differ"
		case !sameText(a.Tag, f.details().tag):
			return "the tags differ"
		}
		return f.matchInput(e, a.GetInput())
	case *turnpb.Event_ExternalSubscribed:
		switch {
		case k.ExternalSubscribed.GetName() != f.name:
			return diffName
		case k.ExternalSubscribed.GetMode() != f.mode:
			return "the modes differ"
		}
	case *turnpb.Event_QueueSubscribed:
		if k.QueueSubscribed.GetName() != f.name {
			return diffName
		}
	case *turnpb.Event_SubOrchestrationScheduled:
		if k.SubOrchestrationScheduled.GetName() != f.name {
			return diffName
		}
		return f.matchInput(e, k.SubOrchestrationScheduled.GetInput())
	default:
		return mismatchRest(e, f)
	}
	return ""
}

const (
	diffName     = "the names differ"
	diffInstance = "the instances differ"
)

func mismatchRest(e *turnpb.Event, f *Future) string {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_OrchestrationChained:
		switch {
		case k.OrchestrationChained.GetName() != f.name:
			return diffName
		case k.OrchestrationChained.GetInstance() != f.details().instance:
			return diffInstance
		}
		return f.matchInput(e, k.OrchestrationChained.GetInput())
	case *turnpb.Event_SendScheduled:
		return mismatchSend(e, k.SendScheduled, f)
	case *turnpb.Event_AwaitScheduled:
		if k.AwaitScheduled.GetInstance() != f.details().instance {
			return diffInstance
		}
	case *turnpb.Event_KeyValueSet:
		switch {
		case k.KeyValueSet.GetKey() != f.name:
			return "the keys differ"
		case !bytes.Equal(k.KeyValueSet.GetValue(), f.input):
			return "the values differ"
		}
	case *turnpb.Event_KeyValueCleared:
		if k.KeyValueCleared.GetKey() != f.name {
			return "the keys differ"
		}
	case *turnpb.Event_CompensationFailed:
		if k.CompensationFailed.GetPushed() != f.details().result.(*turnpb.CompensationFailed).GetPushed() {
			return "the undo steps differ"
		}
	}
	return ""
}

func sameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// scheduledKind is the kind of action that an event records.
func scheduledKind(e *turnpb.Event) opKind {
	switch e.GetKind().(type) {
	case *turnpb.Event_ActivityScheduled:
		return opActivity
	case *turnpb.Event_TimerCreated:
		return opTimer
	case *turnpb.Event_ExternalSubscribed:
		return opWait
	case *turnpb.Event_QueueSubscribed:
		return opQueue
	case *turnpb.Event_SubOrchestrationScheduled:
		return opChild
	case *turnpb.Event_OrchestrationChained:
		return opDetached
	case *turnpb.Event_SendScheduled:
		return opSend
	case *turnpb.Event_AwaitScheduled:
		return opAwait
	case *turnpb.Event_CustomStatusUpdated:
		return opStatus
	case *turnpb.Event_KeyValueSet:
		return opKVSet
	case *turnpb.Event_KeyValueCleared:
		return opKVClear
	case *turnpb.Event_KeyValuesCleared:
		return opKVClearAll
	case *turnpb.Event_SideEffectRecorded:
		return opSideEffect
	case *turnpb.Event_CompensationPushed:
		return opPush
	case *turnpb.Event_CompensationFailed:
		return opUndone
	default:
		return 0
	}
}
