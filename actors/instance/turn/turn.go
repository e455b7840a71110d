package turn

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Turn is one turn of an instance, from its messages to its commit.
//
// The instance fills it in and hands it to a slot. While the turn runs, only the slot touches the fields of the run; after
// that, only the instance does. A turn that was given up stays with its slot for ever, except for the messages that it
// consumed.
type Turn struct {
	Host     *Shared
	Owner    owner
	Consumer *consumer.Attached // nil for a turn that runs no code
	Name     string
	Version  string

	// The messages that the turn consumes.
	Inbox      []view.Item
	Opening    *turnpb.Message // the message of the start row
	Unopened   error           // why the start row has no readable message
	Timers     []persistence.TimerKey
	Arrivals   []*arrival.Arrival // a start comes first
	TakesStart bool               // the turn takes the start row, or an arrival that is a start
	Asks       bool               // the turn may run without messages, to find out which names the code waits for
	Passes     bool               // the turn did not take all messages that were buffered when it began
	// Refused: the journal has answered one of the arrivals in a way that the turn did not assume, so it must run again.
	Refused bool
	Fresh   bool // Machine is new: it first replays History

	NotRun bool // no code ran

	// Careful mode.
	Token             persistence.Token
	Watched, Admitted bool

	// The messages that bring the turn back. They are fields so that a turn is one allocation.
	Back      Back
	Committed Committed

	// The run.
	Head      turnHead // the part of the instance's head that the turn started from
	Machine   *replay.Machine
	Func      replay.Func               // the code that a new Machine runs
	History   replay.History            // nil: none
	KV        map[string]replay.KVEntry // what a new Machine begins with
	ForcedEnd *ForcedEnd
	Input     replay.Input
	Decision  *replay.Decision // from newDecision, until the turn is committed
	Commit    *persistence.CommitTurn
	// OverLimit and Spoiled say why the decision must not be committed.
	OverLimit *turnpb.Failure
	Spoiled   error

	// The arrivals at the positions of Commit.AcceptedMessages and Commit.AcceptedResults.
	Messages []*arrival.Arrival
	Results  []*arrival.Arrival
	Rows     int                // how many inbox rows the commit consumes, beside those of accepted arrivals
	Left     []*arrival.Arrival // arrivals that the turn leaves and whose senders have been answered
}

// owner is the instance that takes a turn back. Its methods may be called from any goroutine and do not block.
type owner interface {
	Send(msg any)
	// SendLast is Send for a goroutine that does nothing after it.
	SendLast(msg any)
	FreshPauseLeft() time.Duration
}

// turnHead is the part of the instance's head that a turn needs.
type turnHead struct {
	id                          string
	IID                         persistence.Incarnation
	Execution, turn, nextEvent  uint64
	parent                      persistence.Link
	historyEvents, historyBytes int
}

// HeadOf returns the part of the head that a turn needs.
func HeadOf(id string, h *persistence.Head) turnHead {
	return turnHead{
		id: id, IID: h.IID, Execution: max(h.Execution, 1), turn: h.Turn, nextEvent: max(h.NextEvent, 1), parent: h.Parent,
		historyEvents: int(h.HistoryEvents), historyBytes: int(h.HistoryBytes),
	}
}

// decisions are the decisions of committed turns, to be used again: they are large, and each turn needs one for a moment.
var decisions = sync.Pool{New: func() any { return new(replay.Decision) }}

func newDecision() *replay.Decision { return decisions.Get().(*replay.Decision) }

// Forget gives the decision of a committed turn back for reuse. Neither the slot nor the replay machine has it any more.
func (t *Turn) Forget() {
	*t.Decision = replay.Decision{}
	decisions.Put(t.Decision)
	t.Decision = nil
}

// FusedStart reports whether the turn has taken a start that is not known to be durable: the turn's own commit may record it.
func (t *Turn) FusedStart() bool {
	return len(t.Arrivals) > 0 && t.Arrivals[0].Start != nil && t.Arrivals[0].State != arrival.Accepted
}

// ForcedEnd is a failure or a cancel that ends an instance without running its code.
type ForcedEnd struct {
	Why    *turnpb.Failure
	Origin turnpb.SegmentOrigin
	// Cancel is the message that ends the instance as cancelled; nil for a failure.
	Cancel *view.Item
	// Undoes says that the instance runs its undo steps first if it has some, which takes its code.
	Undoes bool
}

// GiveBack sends the turn back to its instance.
func (t *Turn) GiveBack() { t.Owner.Send(&t.Back) }

// Empty reports whether the turn has nothing to run.
func (t *Turn) Empty() bool {
	return !t.TakesStart && len(t.Inbox) == 0 && len(t.Timers) == 0 && len(t.Arrivals) == 0 && !t.Asks
}

// Fill makes the turn's input from the messages that it consumes.
func (t *Turn) Fill() error {
	messages := make([]*turnpb.Message, 0, 1+len(t.Inbox)+len(t.Timers)+len(t.Arrivals))
	switch {
	case t.Unopened != nil:
		return t.Unopened
	case t.Opening != nil:
		messages = append(messages, t.Opening)
	case t.TakesStart:
		req := &t.Arrivals[0].Start.StartRequest
		messages = append(messages, &turnpb.Message{Kind: &turnpb.Message_Start{
			Start: &turnpb.StartOrchestration{Name: req.Name, Version: t.Version, Input: req.Input,
				ExecutionTimeoutMs: req.ExecutionTimeoutMs},
		}})
	}
	for i := range t.Inbox {
		messages = append(messages, t.Inbox[i].Message)
	}
	for _, key := range t.Timers {
		messages = append(messages, &turnpb.Message{
			Execution: key.Execution, Event: key.Event,
			Kind: &turnpb.Message_TimerElapsed{TimerElapsed: &turnpb.TimerElapsed{FireAtMs: key.FireAtMs}},
		})
	}
	for _, a := range t.Arrivals {
		if a.Message != nil {
			messages = append(messages, a.Message)
		}
	}
	t.Input.Messages = messages
	return nil
}

// StartMessage returns the message of a start row.
func StartMessage(s *persistence.PendingStart, version string) (*turnpb.Message, error) {
	if s.Start != nil {
		m := &turnpb.Message{}
		if err := proto.Unmarshal(s.Start, m); err != nil {
			return nil, fmt.Errorf("the start of execution %d: %w", s.Execution, err)
		}
		if m.GetStart() != nil && version != "" {
			m.GetStart().Version = version
		}
		return m, nil
	}
	start := &turnpb.StartOrchestration{Name: s.Name, Version: version, Input: s.Input, ExecutionTimeoutMs: s.ExecutionTimeoutMs}
	if version == "" {
		start.Version = s.Version
	}
	if !s.Parent.IsZero() {
		start.Parent = &turnpb.Parent{Instance: s.Parent.ID, Execution: s.Parent.Execution, Event: s.Parent.Event}
	}
	return &turnpb.Message{Kind: &turnpb.Message_Start{Start: start}}, nil
}

// Execute runs the turn in its slot: it replays the loaded history, runs the author's code over the messages, and builds the
// commit. It builds the commit here so that the encoding runs in parallel with other instances.
func (t *Turn) Execute() {
	defer func() {
		if r := recover(); r != nil {
			t.Spoiled = fmt.Errorf("the turn panicked outside the author's code: %v\n%s", r, debug.Stack())
		}
	}()
	h := t.Host
	t.Input.TimeMs, t.Input.Entropy = t.timeMs(clock.WallMs(h.Config.Clock)), h.Config.IDs.Entropy()
	if t.Fresh {
		t.Machine = h.newMachine(&t.Head, t.Consumer, replay.Config{Name: t.Name, Version: t.Version, Func: t.Func, KV: t.KV})
		if t.History != nil {
			t.Machine.Load(t.History)
		}
		t.History, t.KV = nil, nil
	}
	replayed := t.Machine.Replayed()
	t.Decision = newDecision()
	switch {
	case t.ForcedEnd != nil && t.ForcedEnd.Cancel != nil:
		*t.Decision = t.Machine.Cancel(t.Input)
	case t.ForcedEnd != nil:
		*t.Decision = t.Machine.End(t.Input, t.ForcedEnd.Why, t.ForcedEnd.Origin)
	default:
		t.Machine.AdvanceInto(t.Decision, t.Input)
	}
	h.Counts.ReplayedEvents.Add(uint64(t.Machine.Replayed() - replayed))
	switch {
	case t.Decision.Spoiled != nil:
		t.Spoiled = t.Decision.Spoiled
	case !t.Diverges() && !t.Idle():
		t.buildCommit()
	}
	if t.Machine.Ended() { // also if the turn will not be recorded
		h.CloseMachine(t.Machine)
	}
}

// replayLimits are the limits that the replay machine checks itself.
func (h *Shared) replayLimits() replay.Limits {
	l := &h.Config.Limits
	return replay.Limits{
		Pending: l.Pending, Carried: l.Carried, CarriedBytes: l.CarriedBytes, NameBytes: l.NameBytes,
		IDBytes: l.IDBytes, ChildIDBytes: l.DerivedIDBytes, PayloadBytes: l.PayloadBytes, TagBytes: l.IDBytes,
		StatusBytes: l.StatusBytes, KVKeys: l.KVKeys, KVValueBytes: l.KVValueBytes,
	}
}

// timeMs returns the time that the turn records. It is never before the timers that the turn consumes, although the clock may
// have been set back since they came due. The replay machine keeps it from being before the previous turn's
// (replay.Context.Now).
func (t *Turn) timeMs(now int64) int64 {
	for i := range t.Timers {
		now = max(now, t.Timers[i].FireAtMs)
	}
	return now
}

// logLateCall logs a misuse of a context that came so late that no turn can fail because of it.
func (h *Shared) logLateCall(why *replay.MisuseError) {
	h.Config.Logger.Error("a goroutine that an orchestration left behind used its context: the call did nothing",
		logkey.Instance, why.Instance, logkey.Error, error(why), logkey.Stack, why.Stack)
}
