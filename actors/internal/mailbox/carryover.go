package mailbox

import "sync/atomic"

// Carryover is what an actor keeps across its own restarts: the producer captures it, so the struct that replaces the one
// that panicked finds everything here. Only the actor's own run touches it (the mailbox runs one message at a time and
// orders its runs), except what is said at a field.
type Carryover struct {
	// Received counts the messages that came through the activator. An instance raises it first thing, before it looks
	// at the message, so that a message that panics has been counted too. It never counts answers that were sent to the
	// PID (commit, load, slot, timer).
	Received uint64
	// Handling is the message that is being handled. If it is set when the actor has been started again, this message
	// panicked and the library has dropped it: the next run finds it here.
	Handling any
	// State is what the actor wants to find again.
	State any
	// Open and Over are for calls that wait for an instance's end, and any goroutine reads them. Open: the actor knows
	// that the instance exists, and does not know that it has ended. Over: its end is durable. It is set before a waiter
	// is told of the end, and so before the actor knows.
	Open, Over atomic.Bool
}

// Handled says that the message has been dealt with.
func (c *Carryover) Handled() { c.Handling = nil }

// Leave tells an actor that no message for it will come any more: it stops itself and does nothing else.
type Leave struct{}
