package query

// Reason says why a query was refused.
type Reason uint8

// The reasons.
const (
	// Unknown: the code has registered no handler of this name.
	Unknown Reason = iota + 1
	// Blocked: the handler waits for something. The machine that it ran on must be dropped.
	Blocked
	// NotReading: the handler asks for something through its context, which a query must not do.
	NotReading
	// Panicked: the handler panicked.
	Panicked
	// Misused: a goroutine used the context. The machine must be dropped.
	Misused
	// Diverged: the code does not fit the history. The machine must be dropped.
	Diverged
	// Held: the instance is held.
	Held
	// Recovering: the code must not run uncounted now, because it may have ended a process.
	Recovering
	// NoHandler: no runtime has the orchestration.
	NoHandler
	// Unreadable: the history cannot be read.
	Unreadable

	// Reasons is above every reason.
	Reasons
)

// Refusal is why a query was not answered.
type Refusal struct {
	Reason Reason
	// Text says it in words, and what to do.
	Text string
	// Query is the name that was asked for, with the reason Unknown.
	Query string
	// Known are the names that the code has handlers for, sorted, with the reason Unknown.
	Known []string
}

// Error is the text.
func (r *Refusal) Error() string { return r.Text }

// Drops reports whether the machine that the query ran on may have been changed, so that it must not be used again.
func (r *Refusal) Drops() bool {
	return r != nil && (r.Reason == Blocked || r.Reason == Misused || r.Reason == Diverged)
}
