package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// Mark numbers what an instance is told, for its acknowledgement. Owed is the first number that the dispatcher has no
// acknowledgement for; 0: none. Again: there is nothing new but that. Fresh is the number of a runtime that was attached
// since the instance was held: it is tried for it, once, whatever its row says; 0: none.
type Mark struct {
	Number, Owed uint64
	Again        bool
	Fresh        uint64
}

// Mark is the mark of what the action tells.
func (a *Action) Mark() Mark { return Mark{a.Number, a.Owed, a.Again, a.Fresh} }

// Acknowledgement is what an instance says of what it was told, up to a number: that it has been dealt with, or why it is
// left.
type Acknowledgement struct {
	IID    persistence.Incarnation
	Number uint64
	// Wait: the instance is at work; ask again later. Until: it is to be told again at this time, in milliseconds since
	// the Unix epoch. Unserved: it is to be told again when a consumer is attached.
	Wait     bool
	Until    int64
	Unserved bool
	// Lost: the instance knows nothing of what it was told under this number, or of this timer.
	Lost bool
	// Held: the instance is held, until then (0: until it is told that it may be tried), and has forgotten these timers.
	Held   bool
	Timers []persistence.TimerKey
}
