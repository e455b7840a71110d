package instance

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// core is the step machine of one instance: a message and facts come in, effects come out. It does nothing itself but count
// and log.
type core struct {
	host *Shared
	id   string
	p    persistence.Partition

	// Of the present step only.
	facts facts
	out   *effects
	asked int // effects of this step that bring an answer

	view view
	// machine is the resident coroutine, or nil; consumer runs it. Invariant: it has seen exactly the turns up to
	// view.head.Turn.
	machine  *replay.Machine
	consumer *consumer.Attached
	version  string // of the machine's handler, resolved
	fn       replay.Func
	attaches uint64 // the engine's, before consumer was looked for

	buffer buffer
	// turn is in flight in the phases from leasing to committing.
	turn *turn
	// accepting counts proposals that accept a message on its own. No turn starts while there are any.
	accepting int
	// awaiting is the answer that the present phase waits for; any other one of its kind is late, and is ignored.
	awaiting any
	// token is that of a turn lease that the next turn takes. watched: it is renewed. suspect: the instance has been admitted
	// to probation, and others wait until its turn is over.
	token     persistence.Token
	abandon   *abandonPlan // to be proposed as soon as the state is known
	forcedEnd *forcedEnd   // how the next turn ends the instance
	news      news
	told      told
	hint      hint
	// acknowledged is the highest number of a tell that has been acknowledged.
	acknowledged uint64
	later        *tickMsg // of wakeLater, until it comes
	pausing      *tickMsg // of the present pause
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
	// unwanted: the residency wants the machine's memory back, so the instance does not park when it comes to rest.
	unwanted bool
	woken    bool   // a counted message has come since leaving was last decided
	fresh    bool   // a runtime was attached, or it was released, since the instance was held
	freshest uint64 // the newest runtime that the dispatcher has named for that
	ran      bool   // the code of an instance that is held has run, and had nothing to record
	moved    bool   // it was terminated: what is known of it is out of date
}

// Step takes one message and adds what is to be done to out, in order.
func (in *core) Step(f facts, msg any, out *effects) {
	in.facts, in.out, in.asked = f, out, 0
	in.take(msg)
	in.step()
	in.facts, in.out = nil, nil
}

// take takes note of a message.
func (in *core) take(msg any) {
	switch m := msg.(type) {
	case *arrival, *nudgeMsg, *pendingMsg, *timerMsg, *retryMsg, *wakeMsg, *Moved, *Freed:
		in.arrived(m)
	case *loadMsg:
		in.loaded(m)
	case *memoryMsg:
		in.memoryGranted(m)
	case *acceptMsg:
		in.acceptDone(m.arrival, m.result)
	case *turnMsg:
		in.turnDone(m)
	case *commitMsg:
		in.commitDone(m)
	case *leaseMsg:
		in.leaseDone(m)
	case *admitMsg:
		in.admitted(m)
	case *abandonMsg:
		in.abandonDone(m)
	case *releasedMsg:
		in.released(m)
	case *acceptDueMsg:
		in.acceptsDue()
	case *evictMsg:
		in.evicted()
	case *closedMsg:
		in.closed(m)
	case *tickMsg:
		in.ticked(m)
	case *lateMsg:
	default:
		in.host.Config.Logger.Error("an instance got a message that it does not know; it is ignored", logkey.MessageType, fmt.Sprintf("%T", m))
	}
}

// lateMsg stands for an answer that means nothing any more: an instance that waited for it looks again what there is to do.
type lateMsg struct{}

var late = &lateMsg{}

// open says that the instance is known to exist and not known to have ended.
func (in *core) open() bool {
	return in.view.known && in.view.exists && !in.view.head.Status.Terminal()
}

// oldestUnproposed returns since when the oldest message is held that has not been proposed, and false if there is none.
func (in *core) oldestUnproposed() (since time.Duration, held bool) {
	if in.turn != nil && in.phase != phaseCommitting {
		return oldestUnproposed(in.turn.arrivals, in.buffer.items)
	}
	return oldestUnproposed(in.buffer.items)
}
