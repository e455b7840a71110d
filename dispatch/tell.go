package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// Mark numbers a tell, for its acknowledgement. Unacked is the first number that the instance has not acknowledged; 0: none.
// Again: the tell only repeats what is not acknowledged. Fresh is the number of a runtime that was attached after the
// instance was held: the instance tries once for it, even if the time in its row has not come; 0: none.
type Mark struct {
	Number, Unacked uint64
	Again           bool
	Fresh           uint64
}

// Mark returns the mark of a tell.
func (a *Action) Mark() Mark { return Mark{a.Number, a.Unacked, a.Again, a.Fresh} }

// Acknowledgement is the answer of an instance to all tells up to a number: it has dealt with them, or says why not.
type Acknowledgement struct {
	IID    persistence.Incarnation
	Number uint64
	// Wait: the instance is at work; repeat the tell later. Until: repeat the tell at this time, in milliseconds since the
	// Unix epoch. Unserved: repeat the tell when a consumer is attached.
	Wait     bool
	Until    int64
	Unserved bool
	// Lost: the instance does not know the tell with this number, or this timer.
	Lost bool
	// Held: the instance is held, until the time Until (0: until a tell says that it may try), and has dropped these timers.
	Held   bool
	Timers []persistence.TimerKey
}
