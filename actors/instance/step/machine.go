package step

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// Machine is the step machine of one instance: a message and facts come in, effects come out. The machine itself only counts
// and logs.
type Machine struct {
	host *turn.Shared
	id   string

	// Set during a step only.
	facts Facts
	out   *Effects
	asked int // effects of this step that bring an answer

	view view.View
	// resident is the replay machine between turns, or nil; consumer runs it. Invariant: it has seen exactly the turns up to
	// view.Head.Turn.
	resident *replay.Machine
	consumer *consumer.Attached
	version  string // of the machine's handler, resolved
	fn       replay.Func
	attaches uint64 // Facts.Attaches when consumer was looked for

	buffer  buffer
	queries *queries // nil until the first
	// turn is in flight in the phases running, settling and committing, and nil in all others.
	turn *turn.Turn
	// accepting counts the messages that are proposed on their own. No turn starts while it is above 0.
	accepting int
	// awaiting is the answer that the present phase waits for. Any other answer of its kind is late and is ignored.
	awaiting any
	// token is the token of a turn lease that the next turn takes over. watched: the lease is being renewed. suspect: probation
	// has admitted the instance, and other suspects wait until its turn is over.
	token     persistence.Token
	abandon   *abandonPlan    // to be proposed as soon as the state is known
	forcedEnd *turn.ForcedEnd // how the next turn ends the instance
	reasons   readReasons
	tell      openTell
	hint      hint
	// acknowledged is the highest number of a tell that has been acknowledged.
	acknowledged uint64
	later        *TickMsg // the tick of wakeLater, until it comes
	pausing      *TickMsg // the tick of the present pause
	loadFailures int      // failed reads in a row

	// A process has many instances, so these small fields are together, which takes the fewest bytes.
	phase   phase
	watched bool
	suspect bool
	tries   bool // the instance is held and waits until no other held instance is being tried
	charged bool // the memory for the next read has been granted
	parked  bool // the instance has a place among the residents, as far as the machine knows
	// leaving: the instance starts nothing for now, whatever is pending (no handler, fenced, backoff).
	leaving bool
	// toEvict: the residency wants the machine's memory back, so the instance does not park when it comes to rest.
	toEvict      bool
	woken        bool   // a message that the activator counts has come since leaving was last decided
	tryAgain     bool   // since the instance was held, a runtime was attached or an operator released it
	newestAttach uint64 // the newest runtime that the dispatcher has named as a reason to try again
	ran          bool   // the code of the held instance has run, and had nothing to record
	moved        bool   // the instance was terminated, so the view is out of date
}

// New returns the step machine of an instance whose durable state is not known.
func New(host *turn.Shared, id string) Machine { return Machine{host: host, id: id} }

// Successor returns the machine that replaces this one after a panic, which may have left it half changed. The successor keeps
// what the dispatcher has told, so that no wake-up is lost, and reads the rest anew.
func (in *Machine) Successor() Machine {
	next := Machine{
		host: in.host, id: in.id, tell: in.tell, hint: in.hint, acknowledged: in.acknowledged, newestAttach: in.newestAttach,
		tryAgain: in.tryAgain || in.holds(),
	}
	for _, key := range in.view.Due {
		next.view.TimerDue(key)
	}
	if in.turn != nil {
		for _, key := range in.turn.Timers {
			next.view.TimerDue(key)
		}
	}
	next.reasons.add()
	return next
}

// holds reports whether a hold is planned or proposed. Its answer tells whether a runtime has attached since its reason was
// found, and only this machine can compare that.
func (in *Machine) holds() bool {
	plan := in.abandon
	if m, is := in.awaiting.(*abandonMsg); is {
		plan = m.plan
	}
	return plan != nil && plan.reason != ""
}

// Coroutines returns the replay machines that this machine has. It leaves out those of running and asking, the turn and
// the query that a slot has. Some may be nil.
func (in *Machine) Coroutines(running *turn.Turn, asking *turn.Query) []*replay.Machine {
	list := []*replay.Machine{in.resident}
	if in.queries != nil && in.queries.running != nil && in.queries.running != asking {
		list = append(list, in.queries.running.Machine)
	}
	if in.turn != nil && in.turn != running {
		list = append(list, in.turn.Machine)
	}
	return list
}

// Step takes one message and adds the effects for the shell to out, in order.
func (in *Machine) Step(f Facts, msg any, out *Effects) {
	in.facts, in.out, in.asked = f, out, 0
	in.take(msg)
	in.step()
	in.facts, in.out = nil, nil
}

// take changes the machine's state by one message.
func (in *Machine) take(msg any) {
	switch m := msg.(type) {
	case *arrival.Arrival, *NudgeMsg, *PendingMsg, *TimerMsg, *RetryMsg, *WakeMsg, *Moved, *Freed:
		in.arrived(m)
	case *view.Load:
		in.loaded(m)
	case *MemoryMsg:
		in.memoryGranted(m)
	case *AcceptMsg:
		in.acceptDone(m.Arrival, m.Result)
	case *turn.Back:
		in.turnDone(m)
	case *turn.Committed:
		in.commitDone(m)
	case *turn.Asked:
		in.queryDone(m)
	case *leaseMsg:
		in.leaseDone(m)
	case *AdmitMsg:
		in.admitted(m)
	case *abandonMsg:
		in.abandonDone(m)
	case *releasedMsg:
		in.released(m)
	case *AcceptDueMsg:
		in.acceptsDue()
	case *EvictMsg:
		in.evicted()
	case *closedMsg:
		in.closed()
	case *TickMsg:
		in.ticked(m)
	case *lateMsg:
	default:
		in.host.Config.Logger.Error("an instance got a message that it does not know; it is ignored", logkey.MessageType, fmt.Sprintf("%T", m))
	}
}

// lateMsg is the type of Late.
type lateMsg struct{}

// Late stands for an answer that means nothing any more. It makes the machine look for something to do.
var Late = &lateMsg{}

// Open reports whether the view has an instance that has not ended.
func (in *Machine) Open() bool {
	return in.view.Known && in.view.Exists && !in.view.Head.Status.Terminal()
}

// OldestUnproposed returns the arrival time of the oldest message that has not been proposed, and false if there is none.
func (in *Machine) OldestUnproposed() (since time.Duration, held bool) {
	if in.turn != nil && in.phase != phaseCommitting {
		return oldestUnproposed(in.turn.Arrivals, in.buffer.items)
	}
	return oldestUnproposed(in.buffer.items)
}
