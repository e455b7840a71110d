package api

import "fmt"

// Code says what kind of error an answer is. A caller branches on it.
type Code uint8

// The codes.
const (
	// Internal: something failed that no caller can branch on.
	Internal Code = iota
	// AlreadyExists: the instance id is taken. Nothing was written.
	AlreadyExists
	// NotFound: no instance has the id. Nothing was written.
	NotFound
	// Ended: the instance has ended. Nothing was written.
	Ended
	// KeyReused: the request key was used for another request to the instance. Nothing was written.
	KeyReused
	// Busy: the node is at one of its limits. Nothing was written; try again in a moment.
	Busy
	// Uncertain: the request may have been carried out. Repeat it with its request key.
	Uncertain
	// Stopped: the node no longer serves. Nothing was written.
	Stopped
	// Damaged: what is stored of the instance is damaged.
	Damaged
	// Invalid: the request is not acceptable; the message says what is wrong with it.
	Invalid
	// InvalidVersion: Subject is no semantic version.
	InvalidVersion
	// LimitExceeded: the request exceeds the limit that Subject names: it has Size, and Max is allowed.
	LimitExceeded
	// UnknownQuery: the code of the instance has no handler for the query that Subject names. Known are the names that it has.
	UnknownQuery
	// QueryBlocked: the handler of the query waits for something, or has not returned in time.
	QueryBlocked
	// QueryNotReading: the handler of the query asks for something, which a query must not do.
	QueryNotReading
	// QueryPanicked: the handler of the query panicked.
	QueryPanicked
	// Nondeterministic: the code does not fit the history of the instance.
	Nondeterministic
	// InstanceHeld: the instance is held.
	InstanceHeld
	// Recovering: the node has just been opened after an unclean end; ask again in some seconds.
	Recovering
	// NoHandler: no runtime of the node can run the code of the instance.
	NoHandler

	// Codes is above every code.
	Codes
)

var codeNames = [...]string{
	"internal", "already exists", "not found", "ended", "key reused", "busy", "uncertain", "stopped", "damaged", "invalid",
	"invalid version", "limit exceeded", "unknown query", "query blocked", "query not reading", "query panicked", "nondeterministic",
	"held", "recovering", "no handler",
}

// String names the code.
func (c Code) String() string {
	if c < Codes {
		return codeNames[c]
	}
	return fmt.Sprintf("Code(%d)", uint8(c))
}

// Error is the error of an answer.
type Error struct {
	Code Code
	// Message is the whole text, for people.
	Message string
	// Subject is what the error is about, with the codes InvalidVersion, LimitExceeded and UnknownQuery.
	Subject string
	// Size and Max are set with the code LimitExceeded.
	Size, Max int
	// Field is set with the code LimitExceeded: the field of node.Config.Limits that sets the limit; empty if it is fixed.
	Field string
	// Known is set with the code UnknownQuery: the names of the queries that the code has handlers for.
	Known []string
	// Cause is the node's own error, for a caller in the same process. It does not leave the process.
	Cause error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }
