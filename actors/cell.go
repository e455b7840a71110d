package actors

import "sync/atomic"

// cell is what an actor keeps across its own restarts: the producer captures it, so the struct that replaces the one
// that panicked finds everything here. Only the actor's own run touches it (the mailbox runs one message at a time and
// orders its runs), except what is said at a field.
type cell struct {
	// received counts the messages that came through the activator. An instance raises it first thing, before it looks
	// at the message, so that a message that panics has been counted too. It never counts answers that were sent to the
	// PID (commit, load, slot, timer).
	received uint64
	// handling is the message that is being handled. If it is set when the actor has been started again, this message
	// panicked and the library has dropped it: whoever needs it takes it from here.
	handling any
	// held is what the owner of the actor wants to find again: its buffer, held messages, outstanding requests.
	held any
	// open and over are for those who wait for an instance's end, and any goroutine reads them. open: the actor knows
	// that the instance exists, and does not know that it has ended. over: its end is durable. It is set before anybody
	// is told of the end, and so before the actor knows.
	open, over atomic.Bool
}

// receive notes a message that came through the activator.
func (c *cell) receive(msg any) {
	c.received++
	c.handling = msg
}

// handled says that the message has been dealt with.
func (c *cell) handled() { c.handling = nil }

// takeFailed returns the message whose handling ended in a panic, once, or nil.
func (c *cell) takeFailed() any {
	msg := c.handling
	c.handling = nil
	return msg
}
