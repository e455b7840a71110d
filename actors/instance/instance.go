package instance

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// phase is what an instance is doing. It does one thing at a time; each phase but the first two ends with a message.
type phase uint8

const (
	phaseUnknown    phase = iota // nothing is known of its durable state
	phaseReady                   // its state is known, and nothing is in flight but accepts
	phaseLoading                 // a read of the journal
	phaseWaiting                 // what is to be read waits for memory
	phaseLeasing                 // careful mode: LeaseTurn is proposed
	phaseAdmitting               // careful mode: a suspect waits until it may run
	phaseRunning                 // a turn waits for its slot or runs there
	phaseSettling                // a turn has ended and waits for the accepts of its own messages
	phaseCommitting              // CommitTurn is proposed
	phaseAbandoning              // AbandonTurn is proposed
	phaseClosing                 // a machine is being unwound
	phasePausing                 // the journal's queue was full, or a heavy suspect has just started: a moment
)

var phaseNames = [...]string{
	"unknown", "ready", "loading", "waiting", "leasing", "admitting", "running", "settling", "committing", "abandoning", "closing",
	"pausing",
}

func (p phase) String() string { return phaseNames[p] }

// instance is the state of one orchestration instance in memory. It lives in the Carryover, so it outlives a restart of its
// actor. Only the actor's own run touches it, except what is said at a field.
type instance struct {
	host      *Host
	id        string
	p         persistence.Partition
	part      Partition
	carryover *mailbox.Carryover
	pid       *actor.PID // set once, before anything is asked for; answers read it from other goroutines

	view view
	// machine is the resident coroutine, or nil; consumer runs it. Invariant: it has seen exactly the turns up to
	// view.head.Turn.
	machine  *replay.Machine
	consumer *consumer.Attached
	version  string // of the machine's handler, resolved
	fn       replay.Func
	attaches uint64 // the engine's, before consumer was looked for

	buffer buffer
	// turn is in flight exactly in the phases from running to committing.
	turn *turn
	// accepting counts proposals that accept a message on its own. No turn takes what is buffered while there are any.
	accepting int
	// outstanding counts answers that are on their way to the PID; the instance does not leave before it is 0.
	outstanding int
	// awaiting is the answer that the present phase waits for; any other one of its kind is late, and is ignored.
	awaiting    any
	acceptTimer *acceptTimer
	place       Place // in the residency's list, while it is parked
	charge      int64 // what it has taken of the engine's memory, while it is not parked
	// token, stopLease, releaseSuspect are of a turn lease that the next turn takes.
	token          persistence.Token
	stopLease      func()
	releaseSuspect func()
	abandon        *abandonPlan // to be proposed as soon as the state is known
	forcedEnd      *forcedEnd   // how the next turn ends the instance
	news           news
	told           told
	hint           hint
	// acknowledged is the highest number of a tell that has been acknowledged.
	acknowledged uint64
	later        clock.Timer // of wakeLater, while its message is outstanding
	pausing      clock.Timer // of the present pause
	tryWait      *tryWait    // of the try that it waits for
	failed       int         // panics in a row
	loadFailures int         // failed reads in a row

	// There are many instances, so these are together, in the fewest bytes.
	phase    phase
	parked   bool // in the residency's list, or told to leave it
	evicting bool // taken off that list by an eviction whose message is on its way
	// leaving: nothing more is to be done here for now, whatever is pending (no handler, fenced, backoff).
	leaving bool
	// unwanted: the residency wants the machine's memory back, so the instance does not park when it comes to rest.
	unwanted bool
	woken    bool   // a counted message has come since leaving was last decided
	fresh    bool   // a runtime was attached, or it was released, since the instance was held
	freshest uint64 // the newest runtime that the dispatcher has named for that
	ran      bool   // the code of an instance that is held has run, and had nothing to record
	moved    bool   // it was terminated: what is known of it is out of date
	broken   bool   // it has failed too often, its recovery too: see breakDown
}

// NewActor builds the actor of an identity, now or after a restart.
func NewActor(host *Host, id string, c *mailbox.Carryover) actor.Actor {
	in, ok := c.State.(*instance)
	if !ok {
		in = &instance{host: host, id: id, p: host.Journal.PartitionOf(id), carryover: c}
		in.part = host.Engine.Partition(in.p)
		c.State = in
	}
	return in
}

// Receive implements actor.Actor.
func (in *instance) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		if in.pid == nil { // it stays the same over a restart, and answers on their way read it
			in.pid = c.Self()
		}
		if failed := in.carryover.Handling; failed != nil {
			in.recover(failed)
			in.carryover.Handled()
		}
	case *mailbox.Leave:
		in.host.Counts.Passivations.Add(1)
		c.Stop(c.Self())
		in.host.Engine.Left()
	case actor.AutoReceiveMessage, actor.SystemMessage:
	default:
		in.carryover.Handling = m
		if in.broken {
			in.refuse(m)
		} else {
			in.handle(m)
		}
		in.carryover.Handled()
	}
}

// handle takes one message, then does what there is to do.
func (in *instance) handle(msg any) {
	switch m := msg.(type) {
	case *startMsg, *deliverMsg, *resultMsg, *nudgeMsg, *pendingMsg, *timerMsg, *retryMsg, *wakeMsg, *Moved, *Freed:
		in.carryover.Received++
		in.arrived(m)
	case *loadMsg:
		in.outstanding--
		in.loaded(m)
	case *memoryMsg:
		in.outstanding--
		in.memoryGranted(m)
	case *acceptMsg:
		in.outstanding--
		in.acceptDone(m.arrival, m.result)
	case *turnMsg:
		in.outstanding--
		in.turnDone(m)
	case *commitMsg:
		in.outstanding--
		in.commitDone(m)
	case *leaseMsg:
		in.outstanding--
		in.leaseDone(m)
	case *admitMsg:
		in.outstanding--
		in.admitted(m)
	case *abandonMsg:
		in.outstanding--
		in.abandonDone(m)
	case *releasedMsg:
		in.outstanding--
		in.released(m)
	case *acceptDueMsg:
		in.outstanding--
		in.acceptTimer = nil
		in.acceptsDue()
	case *evictMsg:
		in.evicted()
	case *closedMsg:
		in.outstanding--
		in.closed(m)
	case *againMsg:
		in.outstanding--
		in.again(m)
	default:
		in.host.Config.Logger.Error("an instance got a message that it does not know; it is ignored", logkey.MessageType, fmt.Sprintf("%T", m))
	}
	in.step()
	in.carryover.Open.Store(in.open())
	if invariants.Enabled {
		in.verify()
	}
}

// open says that the instance is known to exist and not known to have ended.
func (in *instance) open() bool {
	return in.view.known && in.view.exists && !in.view.head.Status.Terminal()
}

// wakeMsg makes an instance look whether there is something to do. Unlike answers it is counted by the handshake.
type wakeMsg struct{}

// Wake makes an instance look whether there is something to do.
var Wake = &wakeMsg{}

// send puts an answer into the instance's queue. It may be called from any goroutine.
func (in *instance) send(msg any) { in.host.System.Send(in.pid, msg) }

// arrived takes a counted message.
func (in *instance) arrived(msg any) {
	in.woken = true
	switch m := msg.(type) {
	case *nudgeMsg:
		in.hear(m.iid, 0, m.Mark) // first: one that waits for its try is at work
		in.leaveTryQueue()
		in.nudge(m.iid, m.seq)
	case *pendingMsg:
		in.hear(m.start.IID, m.start.Execution, m.Mark)
		in.leaveTryQueue()
		in.nudge(m.start.IID, m.seq)
	case *retryMsg:
		in.hear(m.iid, 0, m.Mark)
		in.leaveTryQueue()
	case *timerMsg:
		in.hearTimer(m)
	case *wakeMsg:
		in.endPause()
	case *Freed:
		in.fresh = true
	case *Moved:
		in.moved = true
		in.leaveTryQueue()
	case *startMsg, *deliverMsg, *resultMsg:
		in.leaveTryQueue()
		in.buffer.add(newArrival(m, in.host.elapsed()))
		if in.buffer.full() {
			in.overflow()
		}
	}
}

// overflow sends what is buffered to the inbox, in arrival order: the oldest first, so that nothing overtakes.
func (in *instance) overflow() {
	in.acceptStartFirst()
	for _, a := range in.buffer.items {
		if a.state == arrivalUnproposed {
			in.host.Counts.Overflows.Add(1)
			in.accept(a)
		}
	}
}

// acceptsDue accepts what has been held for 10 ms, with what is before it, which the journal may have had no room for: what a
// turn that has not been proposed yet has taken, then what waits.
func (in *instance) acceptsDue() {
	now := in.host.elapsed()
	lists := [2][]*arrival{nil, in.buffer.items}
	if in.turn != nil && in.phase != phaseCommitting {
		lists[0] = in.turn.arrivals
	}
	old := 0
	for _, list := range lists {
		for _, a := range list {
			if a.state == arrivalUnproposed && now-a.since >= AcceptAfter {
				old++
			}
		}
	}
	for _, list := range lists {
		for _, a := range list {
			if old == 0 {
				return
			}
			if a.state != arrivalUnproposed {
				continue
			}
			if now-a.since >= AcceptAfter {
				old--
			}
			in.host.Counts.SlowAccepts.Add(1)
			in.accept(a)
		}
	}
}

// acceptStartFirst proposes a start that a turn has taken and that is not on its way yet: what waits behind it is for
// an instance that does not exist before it.
func (in *instance) acceptStartFirst() {
	if in.turn == nil || in.phase == phaseCommitting || !in.turn.fusedStart() {
		return
	}
	if start := in.turn.arrivals[0]; start.state == arrivalUnproposed {
		in.accept(start)
	}
}

// acceptAll proposes everything that is buffered.
func (in *instance) acceptAll() {
	for _, a := range in.buffer.items {
		if a.state == arrivalUnproposed {
			in.accept(a)
		}
	}
}

// watchAcceptTimer keeps one place in the queue of accept timers while a buffered message has not been proposed.
func (in *instance) watchAcceptTimer() {
	var since time.Duration
	var held bool
	if in.turn != nil && in.phase != phaseCommitting {
		since, held = oldestUnproposed(in.turn.arrivals, in.buffer.items)
	} else {
		since, held = oldestUnproposed(in.buffer.items)
	}
	switch {
	case held && in.acceptTimer == nil:
		in.outstanding++
		in.acceptTimer = in.host.acceptTimers.add(in, since)
	case !held && in.acceptTimer != nil:
		if in.host.acceptTimers.withdraw(in.acceptTimer) {
			in.acceptTimer = nil
			in.outstanding--
		}
	}
}
