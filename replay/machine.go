package replay

import (
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// codeState reports whether code may be resumed.
type codeState uint8

const (
	codeNew      codeState = iota // no started event yet
	codeRunning                   // it may be resumed
	codeReturned                  // the handler returned
	codeStopped                   // it panicked, was cancelled, or the turn failed: it is never resumed again
)

// Machine runs one execution of one instance. It is not safe for concurrent use, but any goroutine may use it if one
// does at a time. Close must be called when it is no longer needed.
type Machine struct {
	cfg Config // with its limits resolved

	started *turnpb.OrchestrationStarted
	nextID  uint64
	nowMs   int64 // never goes back
	turnMs  int64 // the time of the turn, which does if the clock was set back: timers count from it
	entropy [16]byte
	random  random

	// What history says. A loaded history is in loaded until the first Advance has replayed it.
	ledger   ledger
	open     openSet
	events   mailboxes
	queues   mailboxes
	held     held
	arrivals uint64 // counts arrivals, for their order across names
	loaded   History
	outline  Outline // of loaded; without the events
	replayed int

	// What code has asked for and no event records yet: queue[head:].
	queue []*Future
	head  int
	// Operations that code gave up and whose breadcrumb is neither in history nor decided.
	dropped []*Future
	// Operations bound in this turn (or in the segment that is replayed), by rising event id.
	bound []*Future
	// Breadcrumbs that are due at the end of this turn.
	crumbs []crumb

	// Coroutines and the baton.
	heap       readyHeap
	newest     *coroutine
	current    *coroutine
	coroutines uint64 // numbers given
	live       int
	seq        uint64         // futures created
	pending    int            // futures unresolved
	pendingGo  int            // those of them that are coroutines
	holder     atomic.Uintptr // the goroutine of the coroutine that has control; 0: the engine has it
	spoiled    atomic.Pointer[MisuseError]

	// How the execution ends, by rank: fatal, cancelled, panicked, continued, returned.
	fatal      *turnpb.Failure
	divergence *turnpb.Failure // the code, or what came for it, does not fit the history
	inherited  *turnpb.Failure // the last failure of a child or an activity that ends the execution
	deadline   *Future         // the open timer that bounds the execution; nil if nothing does
	cancelled  *string
	panicked   *turnpb.Failure
	lastPanic  *codePanic // until a segment has it
	next       *Future    // the first continue-as-new
	output     []byte
	failed     *turnpb.Failure // the handler returned an error

	status *string
	kv     map[string]kvValue
	// The sizes of kv and of cfg.KV, kept so that a turn need not look at all keys.
	kvBytes, baseBytes int

	queries *queries // nil until the code has a handler

	patches    map[string]patchState // what is decided, by id
	unmarked   string                // a patch that code deprecates and history has no marker of; empty: none
	steps      []undoStep            // what history or this turn has, the oldest first
	registered *registered           // the undo step of the registration; nil if the code has none
	cleanup    *cleanup
	lost       []*Future        // of coroutines that did not return
	stopped    *turnpb.CodeStop // where a limit stopped the code
	stops      []codeStop       // in history, that code has not come to yet
	resumes    uint64           // how often code was resumed
	asked      uint64           // operations and coroutines that it asked for

	effects [][]byte // values of side effects in history that code has not asked for yet

	header *turnpb.SegmentHeader // of the segment that is replayed or verified: it has what its code was told of values that it could not decode

	changed *[]ChangedInput // until they are asked for; nil if there are none

	// The turn that is computed.
	d           *Decision
	calls       int                      // since the last event
	resumptions int                      // of this turn, by what it did itself
	deferred    map[ArrivalName]struct{} // names of which this turn has deferred a message
	sitesUsed   []uint32

	// What is true or false, together, so that it takes little room.
	closed    atomic.Bool
	code      codeState
	resumed   bool // code was resumed since this was last cleared
	terminal  bool // a terminal event is in history, or was decided
	fresh     bool // history has been replayed: what happens now is new
	replaying bool
	codeless  bool // the execution is cancelled without its code
	overLimit bool // fatal is a limit of the configuration
	forced    bool // fatal was given to End: nothing overrides it
	expired   bool // deadline has fired
	// continuing: code has asked for a continue-as-new; it is next when its turn among the actions comes.
	continuing   bool
	tidy         bool // history is verified, and began with a cleanup step
	overOutput   bool // failed is a limit of the output
	verifying    bool // patches and effects have what history has: see expect
	strictInputs bool
	mayEndEarly  bool
}

// New makes a machine. Nothing runs before the first Advance.
func New(cfg Config) *Machine {
	if cfg.Unwind == nil {
		cfg.Unwind = defaultUnwind
	}
	cfg.Limits = cfg.Limits.resolved()
	if cfg.Unlocked {
		findLock() // here, where the goroutine is not locked
	}
	m := &Machine{cfg: cfg, nextID: 1}
	for k, v := range cfg.KV {
		m.baseBytes += kvSize(k, v.Value)
	}
	return m
}

// Advance takes one turn: it replays what was loaded, if this is the first, then consumes the messages, runs code
// until it waits, and returns what must be committed before anything else happens. A machine whose decision was not
// committed must be dropped.
func (m *Machine) Advance(in Input) Decision {
	d := &Decision{}
	m.AdvanceInto(d, in)
	return *d
}

// AdvanceInto is Advance for a decision that the caller keeps where it wants it; what was in it is overwritten.
func (m *Machine) AdvanceInto(d *Decision, in Input) {
	m.turn(d, in, nil, turnpb.SegmentOrigin_SEGMENT_ORIGIN_CODE)
}

// End takes a turn that ends the execution with a failure and without running code, for an instance whose code or
// history cannot be used, or that is over a limit of the host and has no undo steps. The messages are recorded as in Advance, and what is
// open is given up; children whose policy is wait are cancelled like others. origin says who decided it.
func (m *Machine) End(in Input, why *turnpb.Failure, origin turnpb.SegmentOrigin) Decision {
	d := &Decision{}
	m.turn(d, in, why, origin)
	return *d
}

func (m *Machine) turn(d *Decision, in Input, why *turnpb.Failure, origin turnpb.SegmentOrigin) {
	if err := m.Spoiled(); err != nil {
		*d = Decision{Spoiled: err}
		return
	}
	*d = Decision{Origin: origin}
	m.d = d
	if m.terminal {
		m.loaded, m.outline = nil, Outline{}
		m.rejectAll(in.Messages)
		m.d = nil
		return
	}
	if why != nil {
		m.fatal, m.forced = why, true
		m.code = codeStopped
	}
	m.replay(len(in.Messages) > 0 || in.Behind)
	m.fresh = true
	now := m.nowMs
	m.startTurn(in.TimeMs, in.Entropy)
	m.resumptions, m.resumed = 0, false
	m.stopBefore(m.nextID)
	if in.Stop != nil {
		m.failLimitAt(in.Stop, m.here())
	}
	m.consume(in.Messages)
	m.replaying = false
	m.drain()
	m.settle()
	m.listWanted(in.Behind)
	if len(d.Events) == 0 && len(d.Rejected) == 0 {
		m.nowMs = now // the turn is not recorded, so its time is not either
	}
	d.Progress = m.resumed || d.Converted > 0
	d.Divergence = m.divergence
	if err := m.Spoiled(); err != nil {
		*d = Decision{Spoiled: err}
	}
	m.d = nil
	if invariants.Enabled && d.Spoiled == nil {
		m.verify(d)
	}
}

// startTurn sets the time and the entropy that code sees from here on.
func (m *Machine) startTurn(timeMs int64, entropy [16]byte) {
	m.nowMs, m.turnMs = max(m.nowMs, timeMs), timeMs
	m.entropy = entropy
	m.random = newRandom(entropy)
	clear(m.bound)
	m.bound = m.bound[:0]
}

// drain binds emitted actions, oldest first, each to a new event, and resumes code whenever that made it possible.
func (m *Machine) drain() {
	for m.fatal == nil && m.spoiled.Load() == nil {
		f := m.take1()
		if f == nil {
			return
		}
		m.record(f)
		if m.code != codeRunning || len(m.heap) == 0 {
			continue
		}
		m.resumptions++
		if m.resumptions > m.cfg.Limits.Resumptions {
			m.failLimit(failureQuiescence(m.cfg.Limits.Resumptions))
		}
		m.poll()
	}
}

// take1 gives the oldest emitted action that an event can record; nil if there is none. A continue-as-new is noted
// on the way: it has no event of its own.
func (m *Machine) take1() *Future {
	for m.head < len(m.queue) {
		f := m.queue[m.head]
		m.queue[m.head] = nil
		m.head++
		if m.head == len(m.queue) {
			m.queue, m.head = m.queue[:0], 0
		}
		if f.kind != opContinue {
			return f
		}
		if m.next == nil {
			m.next = f
		}
	}
	return nil
}

// halt stops code for good. Actions that no event records are forgotten, unless undo steps will run.
func (m *Machine) halt() {
	m.code = codeStopped
	if !m.mayCompensate() {
		m.queue, m.head = nil, 0
	}
	m.heap = nil
}

// failTurn decides the turn: the execution fails at the end of it, and no code runs any more.
func (m *Machine) failTurn(why *turnpb.Failure) {
	if m.divergence == nil && !m.forced && why != m.inherited && failure.IsNondeterminism(why) {
		m.divergence = why
	}
	if m.fatal == nil || (!m.forced && failure.IsNondeterminism(why) && !failure.IsNondeterminism(m.fatal)) {
		m.fatal = why
	}
	m.halt()
}

// begin makes the handler's coroutine.
func (m *Machine) begin(s *turnpb.OrchestrationStarted) {
	m.started = s
	m.status = s.InitialCustomStatus
	m.code = codeRunning
	m.spawn(func(c *Context) (any, error) {
		out, err := m.cfg.Func(c, s.GetInput())
		// The error's text is the author's code: it is asked for here, where a panic of it is caught.
		m.output = out
		m.failed = failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED, err)
		return nil, nil
	}, nil)
}

// finish takes note of a coroutine that returned.
func (m *Machine) finish(co *coroutine) {
	f := co.future
	if f == nil && m.cleanup != nil {
		m.finishStep(co)
		return
	}
	if f == nil {
		m.code = codeReturned
		if size, most := len(m.output), m.cfg.Limits.PayloadBytes; m.failed == nil && size > most && m.fresh {
			if !m.mayCompensate() {
				m.failLimit(failureOutput(size, most))
				return
			}
			m.failed, m.overOutput = failureOutput(size, most), true
		}
		m.cancelFrom(co, 0, true)
		m.heap = nil
		return
	}
	if f.state != pending {
		return
	}
	if parent := f.owner; parent != nil {
		parent.adopt(co)
	}
	f.state = resolved
	f.err = co.err
	f.unlink()
	f.wake()
}

// Close unwinds what is parked: deferred functions of the code run, through Config.Unwind, and cannot use the context
// any more. The machine must not be used afterwards. Close may be called again.
func (m *Machine) Close() {
	m.closed.Store(true)
	m.code = codeStopped
	for m.newest != nil {
		m.unwind(m.newest)
	}
	m.terminal = true
}

// Started is what the execution was started with; nil before its first turn.
func (m *Machine) Started() *turnpb.OrchestrationStarted { return m.started }

// NextEvent is the id that the next event will get.
func (m *Machine) NextEvent() uint64 { return m.nextID }

// Replayed counts the events that were replayed from a loaded history: 0 for a machine that has been resident from
// the start.
func (m *Machine) Replayed() int { return m.replayed }

// Ended reports whether the execution has a terminal event.
func (m *Machine) Ended() bool { return m.terminal }

// OpenCounts says how many operations nothing has answered yet.
type OpenCounts struct {
	Activities, Timers, Waits, Queues, Children, Sends, Awaits int
}

// Open counts the open operations.
func (m *Machine) Open() OpenCounts {
	var c OpenCounts
	for _, e := range m.open.all {
		if e.f == nil || e.f == m.deadline {
			continue
		}
		switch e.f.kind {
		case opActivity:
			c.Activities++
		case opTimer:
			c.Timers++
		case opWait:
			c.Waits++
		case opQueue:
			c.Queues++
		case opChild:
			c.Children++
		case opSend:
			c.Sends++
		case opAwait:
			c.Awaits++
		}
	}
	return c
}

// What parts of a resident machine weigh, in bytes, measured on 64-bit builds.
const (
	machineBytes   = 1024
	coroutineBytes = 4608 // 4 KB of them its stack
	futureBytes    = 448
	queryBytes     = 160 // a handler, with its closure
)

// MemoryBytes estimates what the machine keeps alive between turns. What the author's own variables hold is not seen.
func (m *Machine) MemoryBytes() int {
	n := machineBytes + m.live*coroutineBytes + m.pending*futureBytes
	n += cap(m.ledger.dense) + len(m.ledger.sparse)*24 + cap(m.open.all)*16 + cap(m.queue)*8 + cap(m.bound)*8
	n += len(m.started.GetInput()) + len(m.steps)*64
	if m.status != nil {
		n += len(*m.status)
	}
	for _, boxes := range []mailboxes{m.events, m.queues} {
		for name, b := range boxes {
			n += 128 + len(name)
			for _, a := range b.kept {
				n += 48 + len(a.data)
			}
		}
	}
	for id := range m.patches {
		n += 64 + len(id)
	}
	if m.queries != nil {
		n += queryBytes
		for name := range m.queries.handlers {
			n += queryBytes + len(name)
		}
	}
	return n + m.baseBytes + m.kvBytes
}

func (m *Machine) name() string {
	if m.cfg.Name != "" {
		return m.cfg.Name
	}
	return m.started.GetName()
}

func (m *Machine) version() string {
	if m.cfg.Version != "" {
		return m.cfg.Version
	}
	return m.started.GetVersion()
}
