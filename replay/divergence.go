package replay

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// diverged reports that history has a schedule event which the code did not ask for: the event, what history has and
// where it was asked for, what the code asked for and where. f is nil if the code asked for nothing more.
func (m *Machine) diverged(e *turnpb.Event, f *Future, why string) *turnpb.Failure {
	var b strings.Builder
	fmt.Fprintf(&b, "schedule mismatch at event %d: history has %s", e.GetId(), describeEvent(e))
	if at := m.recordedSite(e.GetId()); at != "" {
		b.WriteString(", asked for at " + at)
	}
	if f == nil {
		b.WriteString("; the code asked for nothing more")
		b.WriteString(m.howEnded())
	} else {
		b.WriteString("; the code asked for " + describeAction(f) + f.at() + ": " + why)
	}
	if m.unmarked != "" {
		id := brief(m.unmarked)
		b.WriteString("; the code deprecates patch " + id + ", and the history has no marker of it: code with ctx.Patched(" + id + ") fits")
	}
	return failure.Nondeterminism(KindName(e), b.String())
}

// at says where the author's code asked for an action.
func (f *Future) at() string {
	if f.site == nil {
		return ""
	}
	return " at " + f.site.text
}

// recordedSite finds where the code that wrote an event asked for it.
func (m *Machine) recordedSite(event uint64) (text string) {
	if m.loaded == nil {
		return ""
	}
	var hash uint32
	found := false
	for c := range m.loaded.Sites {
		if c.GetEvent() == event {
			text, hash, found = c.GetText(), c.GetHash(), true
			break
		}
	}
	if !found || text != "" {
		return text
	}
	for c := range m.loaded.Sites {
		if c.GetHash() == hash && c.GetText() != "" {
			return c.GetText()
		}
	}
	return ""
}

// describeEvent says what a schedule event asks for.
func describeEvent(e *turnpb.Event) string {
	name := KindName(e)
	switch k := e.GetKind().(type) {
	case *turnpb.Event_ActivityScheduled:
		a := k.ActivityScheduled
		return name + describeParts(a.GetName(), a.GetInput(), a.Session, a.Tag)
	case *turnpb.Event_TimerCreated:
		return name
	case *turnpb.Event_ExternalSubscribed:
		return name + describeParts(k.ExternalSubscribed.GetName(), nil, nil, nil) + describeMode(k.ExternalSubscribed.GetMode())
	case *turnpb.Event_QueueSubscribed:
		return name + describeParts(k.QueueSubscribed.GetName(), nil, nil, nil)
	case *turnpb.Event_SubOrchestrationScheduled:
		return name + describeParts(k.SubOrchestrationScheduled.GetName(), k.SubOrchestrationScheduled.GetInput(), nil, nil)
	case *turnpb.Event_OrchestrationChained:
		c := k.OrchestrationChained
		return name + describeParts(c.GetName(), c.GetInput(), nil, nil) + " as instance " + brief(c.GetInstance())
	case *turnpb.Event_SendScheduled:
		s := k.SendScheduled
		return name + describeParts(s.GetName(), s.GetData(), nil, nil) + describeReceiver(s.GetKind(), s.GetInstance())
	case *turnpb.Event_AwaitScheduled:
		return name + " of instance " + brief(k.AwaitScheduled.GetInstance())
	case *turnpb.Event_CustomStatusUpdated:
		return name + describeStatus(k.CustomStatusUpdated.Status)
	case *turnpb.Event_KeyValueSet:
		return name + describeParts(k.KeyValueSet.GetKey(), k.KeyValueSet.GetValue(), nil, nil)
	case *turnpb.Event_KeyValueCleared:
		return name + describeParts(k.KeyValueCleared.GetKey(), nil, nil, nil)
	case *turnpb.Event_PatchMarked:
		return name + describeParts(k.PatchMarked.GetId(), nil, nil, nil)
	default:
		return name
	}
}

// describeAction says what an action asks for, in the same words.
func describeAction(f *Future) string {
	name := f.kind.String()
	switch f.kind {
	case opActivity:
		return name + describeParts(f.name, f.input, f.details().session, f.details().tag)
	case opWait:
		return name + describeParts(f.name, nil, nil, nil) + describeMode(f.mode)
	case opQueue, opKVClear:
		return name + describeParts(f.name, nil, nil, nil)
	case opChild, opKVSet:
		return name + describeParts(f.name, f.input, nil, nil)
	case opDetached:
		return name + describeParts(f.name, f.input, nil, nil) + " as instance " + brief(f.details().instance)
	case opSend:
		return name + describeParts(f.name, f.input, nil, nil) + describeReceiver(f.details().arrival, f.details().instance)
	case opAwait:
		return name + " of instance " + brief(f.details().instance)
	case opStatus:
		return name + describeStatus(f.details().status)
	default:
		return name
	}
}

// describeStatus names a custom status, or that it is taken back.
func describeStatus(text *string) string {
	if text == nil {
		return " taken back"
	}
	return " " + brief(*text)
}

func describeMode(mode turnpb.WaitMode) string {
	if mode == turnpb.WaitMode_WAIT_MODE_POSITIONAL {
		return " (positional)"
	}
	return ""
}

func describeParts(name string, input []byte, session, tag *string) string {
	s := " " + brief(name)
	if len(input) > 0 {
		s += " with " + brief(string(input))
	}
	if session != nil {
		s += " on session " + brief(*session)
	}
	if tag != nil {
		s += " with tag " + brief(*tag)
	}
	return s
}

// briefMax is how much of a value a report shows.
const briefMax = 64

// brief quotes a value and cuts it if it is long.
func brief(s string) string {
	if len(s) <= briefMax {
		return strconv.Quote(s)
	}
	cut := briefMax
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + fmt.Sprintf("... (%d bytes)", len(s))
}

// scheduleName is the name of the event that schedules an operation.
func scheduleName(k opKind) string {
	switch k {
	case opActivity:
		return "ActivityScheduled"
	case opTimer:
		return "TimerCreated"
	case opWait:
		return "ExternalSubscribed"
	case opQueue:
		return "QueueSubscribed"
	case opChild:
		return "SubOrchestrationScheduled"
	case opSend:
		return "SendScheduled"
	case opAwait:
		return "AwaitScheduled"
	default:
		return "not a schedule event"
	}
}

func failureQuiescence(limit int) *turnpb.Failure {
	return failure.Infrastructure("quiescence_loop", fmt.Sprintf(
		"one turn resumed the code more than %d times by what it did itself: code that never comes to rest", limit), false)
}

// failureLimit is the failure of what is larger than allowed. field names the limit among those of the host.
func failureLimit(what string, size, limit int, field string) *turnpb.Failure {
	return failure.Limit(fmt.Sprintf("%s is %d bytes, the limit is %d bytes; make it smaller, or raise Config.Limits.%s",
		what, size, limit, field))
}

func failureOutput(size, limit int) *turnpb.Failure {
	return failureLimit("orchestration output", size, limit, "PayloadBytes")
}

func failureFailure(size, limit int) *turnpb.Failure {
	return failureLimit("orchestration failure", size, limit, "PayloadBytes")
}
