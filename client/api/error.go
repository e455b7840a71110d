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

	// Codes is above every code.
	Codes
)

var codeNames = [...]string{
	"internal", "already exists", "not found", "ended", "key reused", "busy", "uncertain", "stopped", "damaged", "invalid",
	"invalid version", "limit exceeded",
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
	// Subject is what the error is about, with the codes InvalidVersion and LimitExceeded.
	Subject string
	// Size and Max are set with the code LimitExceeded.
	Size, Max int
	// Cause is the node's own error, for a caller in the same process. It does not leave the process.
	Cause error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }
