// Package story prints an execution's history as text that a person can read from top to bottom: each turn with its
// time, and each event as a sentence that says what it answers and how long that took.
//
// What was recorded is shown and never obeyed: each event is one line, escaped. It owns the words. It must not know where the history came from.
package story

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/terminal"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// PayloadRunes is how much of an input, result or event's data is shown.
const PayloadRunes = 120

// Writer prints the turns of one execution, one after the other.
type Writer struct{ t teller }

// NewWriter makes a Writer.
func NewWriter(w io.Writer) *Writer {
	return &Writer{teller{w: w, asked: map[uint64]asked{}, sites: map[uint32]string{}}}
}

// Turn prints the next turn.
func (w *Writer) Turn(turn replay.Segment) error {
	w.t.turn(turn)
	return w.t.err
}

type asked struct {
	what string
	at   int64
}

type teller struct {
	w     io.Writer
	asked map[uint64]asked
	sites map[uint32]string // the text of a call site by its hash: a header has it where it is used first
	now   int64
	err   error
}

func (t *teller) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *teller) turn(turn replay.Segment) {
	t.now = turn.Header.GetTimeMs()
	at := time.UnixMilli(t.now).UTC().Format("2006-01-02 15:04:05.000")
	t.printf("turn %d  %s%s\n", turn.Header.GetTurn(), at, origin(turn.Header.GetOrigin()))
	sites := map[uint64]string{}
	for _, s := range turn.Header.GetCallSites() {
		if s.GetText() != "" {
			t.sites[s.GetHash()] = "  at " + s.GetText()
		}
		sites[s.GetEvent()] = t.sites[s.GetHash()]
	}
	for _, e := range turn.Events {
		t.printf("  %5d  %s%s\n", e.GetId(), terminal.Text(t.sentence(e)), terminal.Text(sites[e.GetId()]))
	}
	for line := range strings.Lines(turn.Header.GetPanicStack()) {
		t.printf("         %s\n", terminal.Text(strings.TrimSuffix(line, "\n")))
	}
	for _, r := range turn.Header.GetRejected() {
		t.printf("         (a message for %d came too late or twice and was dropped)\n", r.GetSource())
	}
}

func origin(o turnpb.SegmentOrigin) string {
	switch o {
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON:
		return "  (written by the engine: too many attempts)"
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNREADABLE:
		return "  (written by the engine: unreadable history)"
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT:
		return "  (written by the engine: a limit was exceeded)"
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL:
		return "  (written by the engine: cancelled without its code)"
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE:
		return "  (written by the engine: terminated)"
	default:
		return ""
	}
}

// ask remembers what a schedule event asked for, so that its answer can name it.
func (t *teller) ask(id uint64, what, sentence string) string {
	t.asked[id] = asked{what: what, at: t.now}
	return sentence
}

// answered names what a completion answers and how long it took.
func (t *teller) answered(e *turnpb.Event) string {
	a, ok := t.asked[e.GetSource()]
	if !ok {
		return fmt.Sprintf("event %d", e.GetSource())
	}
	return fmt.Sprintf("%s (asked for in %d, %s later)", a.what, e.GetSource(), time.Duration(t.now-a.at)*time.Millisecond)
}

func (t *teller) sentence(e *turnpb.Event) string {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_Started, *turnpb.Event_Completed, *turnpb.Event_Failed, *turnpb.Event_ContinuedAsNew,
		*turnpb.Event_CancelRequested:
		return lifecycle(e)
	case *turnpb.Event_ActivityScheduled:
		a := k.ActivityScheduled
		return t.ask(e.GetId(), "activity "+a.GetName(),
			fmt.Sprintf("asks for activity %s%s with %s", a.GetName(), placement(a), Payload(a.GetInput())))
	case *turnpb.Event_ActivityCompleted:
		return t.answered(e) + " gave " + Payload(k.ActivityCompleted.GetResult())
	case *turnpb.Event_ActivityFailed:
		return t.answered(e) + " failed: " + failure.Display(k.ActivityFailed.GetFailure())
	case *turnpb.Event_ActivityCancelRequested:
		return t.answered(e) + " is cancelled: " + inWords(k.ActivityCancelRequested.GetReason())
	case *turnpb.Event_TimerCreated:
		at := time.UnixMilli(k.TimerCreated.GetFireAtMs())
		return t.ask(e.GetId(), "the timer", fmt.Sprintf("sets a timer for %s (%s from now)",
			at.UTC().Format("15:04:05.000"), time.Duration(k.TimerCreated.GetFireAtMs()-t.now)*time.Millisecond))
	case *turnpb.Event_TimerFired:
		return t.answered(e) + " has fired"
	case *turnpb.Event_SubOrchestrationScheduled:
		s := k.SubOrchestrationScheduled
		return t.ask(e.GetId(), "child "+s.GetName(),
			fmt.Sprintf("starts child %s as %q with %s%s", s.GetName(), s.GetInstance(), Payload(s.GetInput()), childPolicy(s.GetPolicy())))
	case *turnpb.Event_SubOrchestrationCompleted:
		return t.answered(e) + " gave " + Payload(k.SubOrchestrationCompleted.GetResult())
	case *turnpb.Event_SubOrchestrationFailed:
		return t.answered(e) + " failed: " + failure.Display(k.SubOrchestrationFailed.GetFailure())
	case *turnpb.Event_SubOrchestrationCancelRequested:
		return t.answered(e) + " is cancelled: " + inWords(k.SubOrchestrationCancelRequested.GetReason())
	case *turnpb.Event_OrchestrationChained:
		c := k.OrchestrationChained
		return fmt.Sprintf("starts %s as %q on its own with %s", c.GetName(), c.GetInstance(), Payload(c.GetInput()))
	default:
		return t.waits(e)
	}
}

func (t *teller) waits(e *turnpb.Event) string {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_ExternalSubscribed:
		mode := ""
		if k.ExternalSubscribed.GetMode() == turnpb.WaitMode_WAIT_MODE_POSITIONAL {
			mode = " (only from now on)"
		}
		return t.ask(e.GetId(), "the wait", fmt.Sprintf("waits for event %q%s", k.ExternalSubscribed.GetName(), mode))
	case *turnpb.Event_ExternalEvent:
		return fmt.Sprintf("event %q arrives with %s", k.ExternalEvent.GetName(), Payload(k.ExternalEvent.GetData()))
	case *turnpb.Event_ExternalSubscribedCancelled:
		return t.answered(e) + " is given up: " + inWords(k.ExternalSubscribedCancelled.GetReason())
	case *turnpb.Event_QueueSubscribed:
		return t.ask(e.GetId(), "the wait", fmt.Sprintf("waits for a message of queue %q", k.QueueSubscribed.GetName()))
	case *turnpb.Event_QueueEventDelivered:
		q := k.QueueEventDelivered
		return fmt.Sprintf("a message of queue %q arrives with %s", q.GetName(), Payload(q.GetData()))
	case *turnpb.Event_QueueSubscriptionCancelled:
		return t.answered(e) + " is given up: " + inWords(k.QueueSubscriptionCancelled.GetReason())
	case *turnpb.Event_CustomStatusUpdated:
		if k.CustomStatusUpdated.Status == nil {
			return "clears its status"
		}
		return "sets its status to " + Payload([]byte(k.CustomStatusUpdated.GetStatus()))
	case *turnpb.Event_KeyValueSet:
		return fmt.Sprintf("sets key %q to %s", k.KeyValueSet.GetKey(), Payload(k.KeyValueSet.GetValue()))
	case *turnpb.Event_KeyValueCleared:
		return fmt.Sprintf("clears key %q", k.KeyValueCleared.GetKey())
	case *turnpb.Event_KeyValuesCleared:
		return "clears all keys"
	default:
		return t.steps(e)
	}
}

// steps are what code does beside asking and waiting: patches, values, undo steps, and other instances.
func (t *teller) steps(e *turnpb.Event) string {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_PatchMarked:
		return fmt.Sprintf("takes the new way of patch %q", k.PatchMarked.GetId())
	case *turnpb.Event_SideEffectRecorded:
		return "computes " + Payload(k.SideEffectRecorded.GetValue())
	case *turnpb.Event_CompensationPushed:
		return "adds an undo step"
	case *turnpb.Event_CompensationStarted:
		return "ends and runs its undo steps: " + failure.Display(k.CompensationStarted.GetFailure())
	case *turnpb.Event_CompensationFailed:
		step := "the undo step of the registration"
		if id := k.CompensationFailed.GetPushed(); id != 0 {
			step = fmt.Sprintf("the undo step of event %d", id)
		}
		return step + " failed: " + failure.Display(k.CompensationFailed.GetFailure())
	case *turnpb.Event_SendScheduled:
		s := k.SendScheduled
		what := fmt.Sprintf("event %q", s.GetName())
		if s.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
			what = fmt.Sprintf("a message of queue %q", s.GetName())
		}
		return t.ask(e.GetId(), fmt.Sprintf("%s for %q", what, s.GetInstance()),
			fmt.Sprintf("sends %s to %q with %s", what, s.GetInstance(), Payload(s.GetData())))
	case *turnpb.Event_SendEnded:
		return t.answered(e) + " " + sendOutcome(k.SendEnded.GetOutcome())
	case *turnpb.Event_AwaitScheduled:
		return t.ask(e.GetId(), fmt.Sprintf("instance %q", k.AwaitScheduled.GetInstance()),
			fmt.Sprintf("waits for the end of %q", k.AwaitScheduled.GetInstance()))
	case *turnpb.Event_AwaitEnded:
		switch end := k.AwaitEnded.GetEnd().(type) {
		case *turnpb.AwaitEnded_Completed:
			return t.answered(e) + " gave " + Payload(end.Completed.GetOutput())
		case *turnpb.AwaitEnded_Failed:
			return t.answered(e) + " failed: " + failure.Display(end.Failed.GetFailure())
		}
		return t.answered(e) + " does not exist"
	default:
		return fmt.Sprintf("an event of a kind that this build does not know: %v", e)
	}
}

// inWords says the reason of a breadcrumb; that of a caller stays as it is.
func inWords(reason string) string {
	switch reason {
	case replay.ReasonDropped:
		return "the code gave it up"
	case replay.ReasonTerminal, replay.ReasonCompleted, replay.ReasonFailed, replay.ReasonContinued:
		return "the execution ended"
	default:
		return reason
	}
}

// childPolicy says what becomes of a child when its parent ends, if that is not the default.
func childPolicy(p turnpb.ChildPolicy) string {
	switch p {
	case turnpb.ChildPolicy_CHILD_POLICY_ABANDON:
		return ", which outlives this execution"
	case turnpb.ChildPolicy_CHILD_POLICY_WAIT:
		return ", which this execution waits for before it ends"
	default:
		return ""
	}
}

func sendOutcome(o turnpb.SendOutcome) string {
	switch o {
	case turnpb.SendOutcome_SEND_OUTCOME_DELIVERED:
		return "was delivered"
	case turnpb.SendOutcome_SEND_OUTCOME_ENDED:
		return "came after the end of its receiver"
	case turnpb.SendOutcome_SEND_OUTCOME_BUSY:
		return "was refused: the receiver has too many messages"
	default:
		return "has no receiver"
	}
}

func lifecycle(e *turnpb.Event) string {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_Started:
		s := k.Started
		parent := ""
		if p := s.GetParent(); p != nil {
			parent = fmt.Sprintf(", child of %q (its event %d)", p.GetInstance(), p.GetEvent())
		}
		carried := ""
		if n := len(s.GetCarried()); n > 0 {
			carried = fmt.Sprintf(", with %d messages carried over", n)
		}
		return fmt.Sprintf("%s %s starts with %s%s%s", s.GetName(), s.GetVersion(), Payload(s.GetInput()), parent, carried)
	case *turnpb.Event_Completed:
		return "completed with " + Payload(k.Completed.GetOutput())
	case *turnpb.Event_Failed:
		return "failed: " + failure.Display(k.Failed.GetFailure())
	case *turnpb.Event_ContinuedAsNew:
		return "continues as new with " + Payload(k.ContinuedAsNew.GetInput())
	default:
		return "is asked to stop: " + e.GetCancelRequested().GetReason()
	}
}

func placement(a *turnpb.ActivityScheduled) string {
	var b strings.Builder
	if a.Session != nil {
		fmt.Fprintf(&b, " on session %q", a.GetSession())
	}
	if a.Tag != nil {
		fmt.Fprintf(&b, " with tag %q", a.GetTag())
	}
	return b.String()
}

// Payload shows a payload on one line: JSON compacted, other text quoted, bytes counted; cut at PayloadRunes.
func Payload(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) == nil {
		return cut(compact.String())
	}
	if utf8.Valid(raw) {
		return cut(fmt.Sprintf("%q", raw))
	}
	return fmt.Sprintf("%d bytes", len(raw))
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= PayloadRunes {
		return s
	}
	runes := []rune(s)
	return fmt.Sprintf("%s... (%d bytes)", string(runes[:PayloadRunes]), len(s))
}
