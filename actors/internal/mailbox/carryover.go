package mailbox

import "sync/atomic"

// Carryover is the state that an actor keeps across its own restarts. The producer captures it, so the struct that replaces
// the one that panicked has it, too. Only the actor's own run uses it (the mailbox runs one message at a time and orders its
// runs), except where a field says otherwise.
type Carryover struct {
	// Received counts the messages that came through the activator. An instance raises it before it handles the message, so
	// that a message that panics is counted, too. Answers that are sent to the PID (commit, load, slot, timer) do not count.
	Received uint64
	// Handling is the message that is being handled. If it is set after a restart, this message panicked, and the library has
	// dropped it; the next run finds it here.
	Handling any
	// State is the actor's own.
	State any
	// Open and Over are for calls that wait for an instance's end; any goroutine reads them. Open: the actor knows that the
	// instance exists, and does not know that it has ended. Over: the end is durable. It is set before the waiters are
	// called, and so before the actor knows of the end.
	Open, Over atomic.Bool
}

// Handled says that the message has been handled.
func (c *Carryover) Handled() { c.Handling = nil }

// Leave tells an actor that no further message comes for it: the actor stops itself and does nothing else.
type Leave struct{}
