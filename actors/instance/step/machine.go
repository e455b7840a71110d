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

// Machine is the step machine of one instance: a message and facts come in, effects come out. It does nothing itself but count
// and log.
type Machine struct {
	host *turn.Shared
	id   string

	// Of the present step only.
	facts Facts
	out   *Effects
	asked int // effects of this step that bring an answer

	view view.View
	// machine is the resident coroutine, or nil; consumer runs it. Invariant: it has seen exactly the turns up to
	// view.head.Turn.
	machine  *replay.Machine
	consumer *consumer.Attached
	version  string // of the machine's handler, resolved
	fn       replay.Func
	attaches uint64 // the engine's, before consumer was looked for

	buffer buffer
	// turn is in flight in the phases from leasing to committing.
	turn *turn.Turn
	// accepting counts proposals that accept a message on its own. No turn starts while there are any.
	accepting int
	// awaiting is the answer that the present phase waits for; any other one of its kind is late, and is ignored.
	awaiting any
	// token is that of a turn lease that the next turn takes. watched: it is renewed. suspect: the instance has been admitted
	// to probation, and others wait until its turn is over.
	token     persistence.Token
	abandon   *abandonPlan    // to be proposed as soon as the state is known
	forcedEnd *turn.ForcedEnd // how the next turn ends the instance
	reasons   readReasons
	tell      openTell
	hint      hint
	// acknowledged is the highest number of a tell that has been acknowledged.
	acknowledged uint64
	later        *TickMsg // of wakeLater, until it comes
	pausing      *TickMsg // of the present pause
	loadFailures int      // failed reads in a row

	// There are many instances, so these are together, in the fewest bytes.
	phase   phase
	watched bool
	suspect bool
	tries   bool // it waits until no other instance that is held is tried
	charged bool // the memory has been granted for what is to be read next
	parked  bool // resident, as far as is known
	// leaving: nothing more is to be done here for now, whatever is pending (no handler, fenced, backoff).
	leaving bool
	// toEvict: the residency wants the machine's memory back, so the instance does not park when it comes to rest.
	toEvict      bool
	woken        bool   // a counted message has come since leaving was last decided
	tryAgain     bool   // a runtime was attached, or it was released, since the instance was held
	newestAttach uint64 // the newest runtime that the dispatcher has named for that
	ran          bool   // the code of an instance that is held has run, and had nothing to record
	moved        bool   // it was terminated: what is known of it is out of date
}

// New makes the step machine of an instance of which nothing is known.
func New(host *turn.Shared, id string) Machine { return Machine{host: host, id: id} }

// Successor is the machine that takes the place of one that may be half changed: it remembers what the dispatcher has told,
// and reads the rest anew.
func (in *Machine) Successor() Machine {
	next := Machine{
		host: in.host, id: in.id, tell: in.tell, hint: in.hint, acknowledged: in.acknowledged, tryAgain: in.tryAgain, newestAttach: in.newestAttach,
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

// Coroutines are those that the machine has, of which one that runs in a slot is not its own. Some may be nil.
func (in *Machine) Coroutines(running *turn.Turn) []*replay.Machine {
	list := []*replay.Machine{in.machine}
	if in.turn != nil && in.turn != running {
		list = append(list, in.turn.Machine)
	}
	return list
}

// Step takes one message and adds what is to be done to out, in order.
func (in *Machine) Step(f Facts, msg any, out *Effects) {
	in.facts, in.out, in.asked = f, out, 0
	in.take(msg)
	in.step()
	in.facts, in.out = nil, nil
}

// take takes note of a message.
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
		in.closed(m)
	case *TickMsg:
		in.ticked(m)
	case *lateMsg:
	default:
		in.host.Config.Logger.Error("an instance got a message that it does not know; it is ignored", logkey.MessageType, fmt.Sprintf("%T", m))
	}
}

// lateMsg is the type of Late.
type lateMsg struct{}

// Late stands for an answer that means nothing any more. The machine looks whether there is something to do.
var Late = &lateMsg{}

// Open says that the instance is known to exist and not known to have ended.
func (in *Machine) Open() bool {
	return in.view.Known && in.view.Exists && !in.view.Head.Status.Terminal()
}

// OldestUnproposed returns since when the oldest message is held that has not been proposed, and false if there is none.
func (in *Machine) OldestUnproposed() (since time.Duration, held bool) {
	if in.turn != nil && in.phase != phaseCommitting {
		return oldestUnproposed(in.turn.Arrivals, in.buffer.items)
	}
	return oldestUnproposed(in.buffer.items)
}
