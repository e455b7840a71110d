package instance

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// turn is one activation on its way from its messages to its commit.
//
// The instance fills it in and hands it to a slot; while it runs the slot alone touches the fields of the run; then it
// is the instance's again. A turn that was given up stays the slot's for ever, except for what it has consumed.
type turn struct {
	host     *Shared
	owner    *instance
	consumer *consumer.Attached // nil for a turn that runs no code
	name     string
	version  string

	// What it consumes.
	inbox      []inboxItem
	opening    *turnpb.Message // of the S row
	unopened   error           // why there is none
	timers     []persistence.TimerKey
	arrivals   []*arrival // a start first
	takesStart bool       // the S row, or an arrival that is a start
	asks       bool       // it only asks what is wanted
	passes     bool       // messages that were buffered when it began are not taken
	// refused: the journal has answered one of the arrivals, but not as the turn assumed.
	refused bool
	fresh   bool // machine is new: it replays segments first

	unrun bool // no code ran

	// Careful mode.
	token            persistence.Token
	watched, suspect bool

	// What it is sent back with; here so that a turn is one piece of memory.
	back      turnMsg
	committed commitMsg

	// The run.
	head      turnHead // what it was computed from
	machine   *replay.Machine
	fn        replay.Func // what a new machine runs
	segments  []replay.Segment
	forcedEnd *forcedEnd
	input     replay.Input
	decision  *replay.Decision // from newDecision, until the turn is committed
	commit    *persistence.CommitTurn
	// overLimit, spoiled: why the decision must not be committed.
	overLimit *turnpb.Failure
	spoiled   error

	// Which arrivals the commit's accepted lists name, by position.
	messages []*arrival
	results  []*arrival
	rows     int        // of the inbox that the commit consumes, beside those of accepted arrivals
	left     []*arrival // deferred, and settled
}

// turnHead is what a turn needs of the instance's head.
type turnHead struct {
	id                          string
	iid                         persistence.Incarnation
	execution, turn, nextEvent  uint64
	parent                      persistence.Link
	historyEvents, historyBytes int
}

func headOf(id string, h *persistence.Head) turnHead {
	return turnHead{
		id: id, iid: h.IID, execution: max(h.Execution, 1), turn: h.Turn, nextEvent: max(h.NextEvent, 1), parent: h.Parent,
		historyEvents: int(h.HistoryEvents), historyBytes: int(h.HistoryBytes),
	}
}

// decisions are those of turns that have been committed. They are large, and every turn needs one for a moment.
var decisions = sync.Pool{New: func() any { return new(replay.Decision) }}

func newDecision() *replay.Decision { return decisions.Get().(*replay.Decision) }

// forget gives the decision of a committed turn back: nothing has it any more, neither the slot nor the machine.
func (t *turn) forget() {
	*t.decision = replay.Decision{}
	decisions.Put(t.decision)
	t.decision = nil
}

// fusedStart says that the turn brings a start which is not known to be durable.
func (t *turn) fusedStart() bool {
	return len(t.arrivals) > 0 && t.arrivals[0].start != nil && t.arrivals[0].state != arrivalAccepted
}

// forcedEnd is a failure that ends an instance without running its code.
type forcedEnd struct {
	why    *turnpb.Failure
	origin turnpb.SegmentOrigin
	// cancel is the message that ends it as cancelled; nil for a failure.
	cancel *inboxItem
}

// newTurn takes what waits: the start, the visible inbox by seq, due timers, then (unless the turn runs under a lease)
// what is buffered, all up to a bound. What is left waits for the next turn.
func (in *core) newTurn(nowMs int64) *turn {
	v := &in.view
	t := &turn{host: in.host, consumer: in.consumer, head: headOf(in.id, &v.head), name: v.head.Name, version: in.version}
	t.back.turn, t.committed.turn = t, t
	room, bytes := in.host.Config.InboxPage, bufferBytes
	take := func(size int) bool {
		if room == 0 || bytes <= 0 {
			return false
		}
		room, bytes = room-1, bytes-size
		return true
	}
	most := -1 // messages with a name
	if v.start != nil {
		t.takesStart, t.name = true, v.start.Name
		take(len(v.start.Input) + len(v.start.Start))
		if t.opening, t.unopened = startMessage(v.start, t.version); v.start.Start != nil {
			most = min(1, max(0, 1-len(t.opening.GetStart().GetCarried())))
		}
	}
	t.inbox = v.inbox.takeUrgent(nowMs, take)
	for len(v.due) > 0 && take(16) {
		t.timers = append(t.timers, v.due[0])
		v.due = v.due[1:]
	}
	before := len(t.inbox)
	t.inbox = v.inbox.takeByAge(nowMs, most, in.host.Config.Limits.Carried, take, t.inbox)
	if most > 0 {
		most -= len(t.inbox) - before
	}
	if in.token == "" {
		in.takeArrivals(t, take, most)
		if invariants.Enabled {
			invariants.Check(len(t.arrivals) == 0 || in.accepting == 0, "a turn takes %d buffered messages ahead of %d that are being accepted", len(t.arrivals), in.accepting)
		}
	}
	t.passes = len(in.buffer.items) > 0
	t.input.Behind = v.inbox.unread() || len(v.inbox.rows) > 0 || len(in.buffer.items) > 0
	t.asks = !v.inbox.known && v.inbox.unread()
	return t
}

// giveBack brings the turn to its instance.
func (t *turn) giveBack() { t.owner.send(&t.back) }

// empty says that there is nothing to run.
func (t *turn) empty() bool {
	return !t.takesStart && len(t.inbox) == 0 && len(t.timers) == 0 && len(t.arrivals) == 0 && !t.asks
}

// fill makes the turn's input from what it consumes.
func (t *turn) fill() error {
	messages := make([]*turnpb.Message, 0, 1+len(t.inbox)+len(t.timers)+len(t.arrivals))
	switch {
	case t.unopened != nil:
		return t.unopened
	case t.opening != nil:
		messages = append(messages, t.opening)
	case t.takesStart:
		req := &t.arrivals[0].start.req
		messages = append(messages, &turnpb.Message{Kind: &turnpb.Message_Start{
			Start: &turnpb.StartOrchestration{Name: req.Name, Version: t.version, Input: req.Input},
		}})
	}
	for i := range t.inbox {
		messages = append(messages, t.inbox[i].message)
	}
	for _, key := range t.timers {
		messages = append(messages, &turnpb.Message{
			Execution: key.Execution, Event: key.Event,
			Kind: &turnpb.Message_TimerElapsed{TimerElapsed: &turnpb.TimerElapsed{FireAtMs: key.FireAtMs}},
		})
	}
	for _, a := range t.arrivals {
		if a.message != nil {
			messages = append(messages, a.message)
		}
	}
	t.input.Messages = messages
	return nil
}

// startMessage makes the message of an S row.
func startMessage(s *persistence.PendingStart, version string) (*turnpb.Message, error) {
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

// startTurn hands a turn to a slot, or, if it runs no code, to a goroutine that needs none.
func (in *core) startTurn(d *forcedEnd) {
	v := &in.view
	t := in.newTurn(in.facts.NowMs())
	if d != nil && d.cancel != nil {
		t.takeOnly(d.cancel)
	}
	if t.empty() && d == nil {
		in.acceptAll() // of names that an older message waits for in the inbox
		return
	}
	if err := t.fill(); err != nil {
		v.unreadable = err
		in.giveBack(t)
		in.become(phaseUnknown)
		in.news.add()
		return
	}
	t.forcedEnd, t.token, t.watched, t.suspect = d, in.token, in.watched, in.suspect
	in.token, in.watched, in.suspect = "", false, false
	t.machine, t.fresh = in.machine, in.machine == nil
	if t.fresh {
		t.segments, t.fn = v.segments, in.fn
	}
	v.segments = nil
	in.unwanted, in.fresh, in.ran = false, false, false
	in.machine, in.turn = nil, t
	in.become(phaseRunning)
	if d != nil {
		t.consumer = nil
	}
	in.emit(effect{kind: effectRun, turn: t})
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
func (t *turn) Execute() {
	defer func() {
		if r := recover(); r != nil {
			t.spoiled = fmt.Errorf("the turn panicked outside the author's code: %v\n%s", r, debug.Stack())
		}
	}()
	h := t.host
	t.input.TimeMs, t.input.Entropy = t.timeMs(clock.WallMs(h.Config.Clock)), h.Config.IDs.Entropy()
	if t.fresh {
		t.machine = replay.New(replay.Config{
			Instance: t.head.id, Execution: t.head.execution, Name: t.name, Version: t.version, Func: t.fn,
			Limits: h.replayLimits(), Stray: h.stray, Unlocked: true,
			RejectOrphans: !h.Config.FailOnNondeterminism && (t.consumer == nil || !t.consumer.FailOnNondeterminism),
		})
		h.machines.add(t.machine)
		t.machine.Load(t.segments)
		t.segments = nil
	}
	replayed := t.machine.Replayed()
	t.decision = newDecision()
	switch {
	case t.forcedEnd != nil && t.forcedEnd.cancel != nil:
		*t.decision = t.machine.Cancel(t.input)
	case t.forcedEnd != nil:
		*t.decision = t.machine.End(t.input, t.forcedEnd.why, t.forcedEnd.origin)
	default:
		t.machine.AdvanceInto(t.decision, t.input)
	}
	h.Counts.ReplayedEvents.Add(uint64(t.machine.Replayed() - replayed))
	switch {
	case t.decision.Spoiled != nil:
		t.spoiled = t.decision.Spoiled
	case !t.diverges() && !t.idle():
		t.buildCommit()
	}
	if t.machine.Ended() { // also of a turn that is not recorded
		h.closeMachine(t.machine)
	}
}

// timeMs is the time that the turn records: never before the timers that it consumes, though the clock may have been set
// back since they came due. That it is not before the turn before is the core's business (replay.Context.Now).
func (t *turn) timeMs(now int64) int64 {
	for i := range t.timers {
		now = max(now, t.timers[i].FireAtMs)
	}
	return now
}

// turnDone takes a turn back from its slot.
func (in *core) turnDone(m *turnMsg) {
	t := m.turn
	if in.turn != t || in.phase != phaseRunning {
		return
	}
	switch {
	case m.abandoned:
		in.host.Config.Logger.Error("a turn is given up: its code has not come back", logkey.Instance, in.id,
			logkey.Orchestration, t.name, logkey.Version, t.version)
		in.holdBlocked(t)
	case t.unrun:
		in.fresh = in.fresh || in.view.held.Reason != "" // this was no try
		in.machine = t.machine
		in.giveBack(t)
		in.keepLease(t)
		in.giveUpLease()
		in.reload()
	case t.spoiled != nil:
		in.spoilt(t, t.spoiled)
	case t.diverges():
		in.holdDiverged(t)
	case t.overLimit != nil:
		in.machine = t.machine
		in.giveBack(t)
		in.keepLease(t)
		in.forcedEnd = &forcedEnd{why: t.overLimit, origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT}
		in.reload()
	default:
		in.become(phaseSettling)
		t.markDeferred()
		in.settle()
	}
}

// spoilt gives back a turn whose decision must not be committed: the code misused its context, or the turn failed
// outside the code.
func (in *core) spoilt(t *turn, why error) {
	var misuse *replay.MisuseError
	if errors.As(why, &misuse) {
		in.holdMisused(t, misuse)
		return
	}
	in.host.Counts.SpoiledTurns.Add(1)
	in.host.Config.Logger.Error("a turn is worthless and is run again", logkey.Instance, in.id, logkey.Orchestration, t.name,
		logkey.Version, t.version, logkey.Error, why)
	in.strike(t)
	in.machine = t.machine
	in.reload()
}

// stray logs what code does with its context when no turn can fail for it any more.
func (h *Shared) stray(why *replay.MisuseError) {
	h.Config.Logger.Error("a goroutine that an orchestration left behind used its context: the call did nothing",
		logkey.Instance, why.Instance, logkey.Error, error(why), logkey.Stack, why.Stack)
}

// settle proposes a turn that has ended, once none of its own messages is being accepted.
func (in *core) settle() {
	t := in.turn
	for _, a := range t.arrivals {
		if a.state == arrivalAccepting {
			return
		}
	}
	if in.acceptDeferred(t) {
		return
	}
	if t.refused {
		in.machine = t.machine
		in.giveBack(t)
		in.reload()
		return
	}
	// A goroutine of the author's may have used the context since the turn ended.
	if err := t.machine.Spoiled(); err != nil {
		in.spoilt(t, err)
		return
	}
	if stack := t.decision.PanicStack; stack != "" {
		in.host.Config.Logger.Error("an orchestration panicked", logkey.Instance, in.id, logkey.Orchestration, t.name, logkey.Version, t.version,
			logkey.Stack, stack)
	}
	for _, text := range t.decision.Orphans {
		in.host.Config.Logger.Error("a completion that the history never asked for is rejected", logkey.Instance, in.id,
			logkey.Orchestration, t.name, logkey.Version, t.version, logkey.Reason, text)
	}
	t.detach()
	if t.idle() {
		in.idled(t)
		return
	}
	in.proposeCommit(t)
}

// giveBack takes a turn apart that will not be committed: its messages wait again. Inbox rows come back with the reload.
func (in *core) giveBack(t *turn) {
	in.turn = nil
	in.buffer.putBack(t.arrivals)
	if len(t.timers) > 0 {
		in.view.due = append(t.timers, slices.DeleteFunc(in.view.due, func(key persistence.TimerKey) bool {
			return slices.Contains(t.timers, key) // it was told again while the turn ran
		})...)
	}
}

// strike gives back a turn whose code misbehaved, and counts it as an attempt.
func (in *core) strike(t *turn) {
	in.strikeWith(t, &abandonPlan{token: t.token, counts: true})
}

// strikeWith gives back a turn, and its instance as the plan says.
func (in *core) strikeWith(t *turn, plan *abandonPlan) {
	in.giveBack(t)
	in.abandon = plan
	in.endCarefulOf(t)
	in.view.known = false
	in.become(phaseUnknown)
	in.news.add()
}
