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

// Turn is one activation on its way from its messages to its commit.
//
// The instance fills it in and hands it to a slot; while it runs the slot alone touches the fields of the run; then it
// is the instance's again. A turn that was given up stays the slot's for ever, except for what it has consumed.
type Turn struct {
	Host     *Shared
	Owner    owner
	Consumer *consumer.Attached // nil for a turn that runs no code
	Name     string
	Version  string

	// What it consumes.
	Inbox      []view.Item
	Opening    *turnpb.Message // of the S row
	Unopened   error           // why there is none
	Timers     []persistence.TimerKey
	Arrivals   []*arrival.Arrival // a start first
	TakesStart bool               // the S row, or an arrival that is a start
	Asks       bool               // it only asks what is wanted
	Passes     bool               // messages that were buffered when it began are not taken
	// Refused: the journal has answered one of the arrivals, but not as the turn assumed.
	Refused bool
	Fresh   bool // machine is new: it replays segments first

	NotRun bool // no code ran

	// Careful mode.
	Token             persistence.Token
	Watched, Admitted bool

	// What it is sent back with; here so that a turn is one piece of memory.
	Back      Back
	Committed Committed

	// The run.
	Head      turnHead // what it was computed from
	Machine   *replay.Machine
	Func      replay.Func // what a new machine runs
	Segments  []replay.Segment
	ForcedEnd *ForcedEnd
	Input     replay.Input
	Decision  *replay.Decision // from newDecision, until the turn is committed
	Commit    *persistence.CommitTurn
	// OverLimit, spoiled: why the decision must not be committed.
	OverLimit *turnpb.Failure
	Spoiled   error

	// Which arrivals the commit's accepted lists name, by position.
	Messages []*arrival.Arrival
	Results  []*arrival.Arrival
	Rows     int                // of the inbox that the commit consumes, beside those of accepted arrivals
	Left     []*arrival.Arrival // deferred, and settled
}

// owner takes a turn back. Its methods may be called from any goroutine and do not block.
type owner interface {
	Send(msg any)
	// SendLast is Send, as the last thing that a goroutine does.
	SendLast(msg any)
	HushLeft() time.Duration
}

// turnHead is what a turn needs of the instance's head.
type turnHead struct {
	id                          string
	IID                         persistence.Incarnation
	Execution, turn, nextEvent  uint64
	parent                      persistence.Link
	historyEvents, historyBytes int
}

// HeadOf takes it from a head.
func HeadOf(id string, h *persistence.Head) turnHead {
	return turnHead{
		id: id, IID: h.IID, Execution: max(h.Execution, 1), turn: h.Turn, nextEvent: max(h.NextEvent, 1), parent: h.Parent,
		historyEvents: int(h.HistoryEvents), historyBytes: int(h.HistoryBytes),
	}
}

// decisions are those of turns that have been committed. They are large, and every turn needs one for a moment.
var decisions = sync.Pool{New: func() any { return new(replay.Decision) }}

func newDecision() *replay.Decision { return decisions.Get().(*replay.Decision) }

// Forget gives the decision of a committed turn back: nothing has it any more, neither the slot nor the machine.
func (t *Turn) Forget() {
	*t.Decision = replay.Decision{}
	decisions.Put(t.Decision)
	t.Decision = nil
}

// FusedStart says that the turn brings a start which is not known to be durable.
func (t *Turn) FusedStart() bool {
	return len(t.Arrivals) > 0 && t.Arrivals[0].Start != nil && t.Arrivals[0].State != arrival.Accepted
}

// ForcedEnd is a failure that ends an instance without running its code.
type ForcedEnd struct {
	Why    *turnpb.Failure
	Origin turnpb.SegmentOrigin
	// Cancel is the message that ends it as cancelled; nil for a failure.
	Cancel *view.Item
}

// GiveBack brings the turn to its instance.
func (t *Turn) GiveBack() { t.Owner.Send(&t.Back) }

// Empty says that there is nothing to run.
func (t *Turn) Empty() bool {
	return !t.TakesStart && len(t.Inbox) == 0 && len(t.Timers) == 0 && len(t.Arrivals) == 0 && !t.Asks
}

// Fill makes the turn's input from what it consumes.
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
			Start: &turnpb.StartOrchestration{Name: req.Name, Version: t.Version, Input: req.Input},
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

// StartMessage makes the message of an S row.
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
	start := &turnpb.StartOrchestration{Name: s.Name, Version: version, Input: s.Input}
	if version == "" {
		start.Version = s.Version
	}
	if !s.Parent.IsZero() {
		start.Parent = &turnpb.Parent{Instance: s.Parent.ID, Execution: s.Parent.Execution, Event: s.Parent.Event}
	}
	return &turnpb.Message{Kind: &turnpb.Message_Start{Start: start}}, nil
}

// replayLimits are the limits that the core checks itself.
func (h *Shared) replayLimits() replay.Limits {
	l := &h.Config.Limits
	return replay.Limits{
		Pending: l.Pending, Carried: l.Carried, CarriedBytes: l.CarriedBytes, NameBytes: l.NameBytes,
		IDBytes: l.IDBytes, ChildIDBytes: l.DerivedIDBytes, PayloadBytes: l.PayloadBytes, TagBytes: l.IDBytes,
	}
}

// execute runs the turn in its slot: replay of what was loaded, the messages, user code, and the building of the commit,
// so that the encoding is done in parallel with other instances.
func (t *Turn) Execute() {
	defer func() {
		if r := recover(); r != nil {
			t.Spoiled = fmt.Errorf("the turn panicked outside the author's code: %v\n%s", r, debug.Stack())
		}
	}()
	h := t.Host
	t.Input.TimeMs, t.Input.Entropy = t.timeMs(clock.WallMs(h.Config.Clock)), h.Config.IDs.Entropy()
	if t.Fresh {
		t.Machine = replay.New(replay.Config{
			Instance: t.Head.id, Execution: t.Head.Execution, Name: t.Name, Version: t.Version, Func: t.Func,
			Limits: h.replayLimits(), Stray: h.logLateCall, Unlocked: true,
			RejectOrphans: !h.Config.FailOnNondeterminism && (t.Consumer == nil || !t.Consumer.FailOnNondeterminism),
		})
		h.machines.add(t.Machine)
		t.Machine.Load(t.Segments)
		t.Segments = nil
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
	if t.Machine.Ended() { // also of a turn that is not recorded
		h.CloseMachine(t.Machine)
	}
}

// timeMs is the time that the turn records: never before the timers that it consumes, though the clock may have been set
// back since they came due. That it is not before the turn before is the core's business (replay.Context.Now).
func (t *Turn) timeMs(now int64) int64 {
	for i := range t.Timers {
		now = max(now, t.Timers[i].FireAtMs)
	}
	return now
}

// logLateCall logs what code does with its context when no turn can fail for it any more.
func (h *Shared) logLateCall(why *replay.MisuseError) {
	h.Config.Logger.Error("a goroutine that an orchestration left behind used its context: the call did nothing",
		logkey.Instance, why.Instance, logkey.Error, error(why), logkey.Stack, why.Stack)
}
