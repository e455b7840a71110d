package turnstone

import (
	"errors"

	"github.com/turnstone-dev/turnstone/limits"
)

// What a caller branches on with errors.Is. Each is defined here once, for the client and for orchestration code.
var (
	// ErrAlreadyExists: the instance id is taken, by an instance that runs or has finished. Wait for that one, or
	// choose another id. A child that was to be started under a taken id fails with it too.
	ErrAlreadyExists = errors.New("an instance with this id already exists")
	// ErrInstanceNotFound: no instance has this id. Nothing was written.
	ErrInstanceNotFound = errors.New("instance not found")
	// ErrInstanceEnded: the instance has ended and takes no more messages. Nothing was written.
	ErrInstanceEnded = errors.New("the instance has ended")
	// ErrRequestKeyReused: the request key was used for another request to this instance. Nothing was written. A key names
	// one request: repeat that one with it, and take another key for another request.
	ErrRequestKeyReused = errors.New("the request key was used for another request to this instance")
	// ErrTimeout: the wait ended before the instance did. The instance goes on; wait again. In orchestration code: a timeout of
	// the call ended the activity, and [Failure.Kind] says which ([KindStartToCloseTimeout] and so on).
	ErrTimeout = errors.New("timed out waiting for the instance")
	// ErrActivityTimeout: an attempt lost the race with the timer of its retry policy ([RetryPolicy.WithRaceTimeout]), so the
	// call has failed. It is for
	// orchestration code. A client or parent of an orchestration that returns it finds an [Error] of the kind "Timeout".
	ErrActivityTimeout error = &Error{Kind: "Timeout", Message: "timeout: activity timed out"}
	// ErrBusy: the node is at one of its limits, or the inbox of the instance is full (Limits.Inbox, InboxBytes). Nothing
	// was written; try again in a moment.
	ErrBusy = errors.New("the node is busy, try again later")
	// ErrUncertain: the node stopped before the request was known to be durable. It may have been carried out: ask
	// again, with the same request key if it had one.
	ErrUncertain = errors.New("uncertain: the node stopped before the outcome was durable")
	// ErrStopped: the node no longer serves. Nothing was written; a wait or a question was not answered.
	ErrStopped = errors.New("the node has stopped")
	// ErrDamaged: what is stored of the instance is damaged; the error names what. Nothing is done with the instance. Verify
	// the store, and restore it from a backup.
	ErrDamaged = errors.New("damaged")
	// ErrInvalidInput: an id, a name, a value, a handler or a configuration is not acceptable; the error says what is
	// wrong with which.
	ErrInvalidInput = errors.New("invalid input")
	// ErrCancelled: the instance, or the child that was waited for, was cancelled.
	ErrCancelled = errors.New("canceled")
	// ErrTerminated: the instance, or the child that was waited for, was terminated: ended without its code. The reason is
	// in the [Failure].
	ErrTerminated = errors.New("terminated")
	// ErrExecutionTimeout: the instance, or the child that was waited for, took longer than its start allowed
	// ([WithExecutionTimeout]). It has ended; its children were cancelled.
	ErrExecutionTimeout = errors.New("execution timed out")
	// ErrPanicked: the orchestration's code panicked.
	ErrPanicked = errors.New("orchestration panicked")
	// ErrNondeterminism: the code no longer decides what its history says it decided.
	ErrNondeterminism = errors.New("nondeterministic")
	// ErrQueryBlocked: the handler of a query waits: for a future, or for something that is no future, such as a channel or a
	// lock. The error names the line. Nothing was changed. A handler must read variables and return at once.
	ErrQueryBlocked = errors.New("the query blocks")
	// ErrQueryNotReading: the handler of a query asks for something, such as an activity or a changed value, or its context is
	// used on a goroutine. The error names the line. Nothing was changed. A handler must only read.
	ErrQueryNotReading = errors.New("the query does more than read")
	// ErrQueryPanicked: the handler of a query panicked. The error names the line. The instance goes on.
	ErrQueryPanicked = errors.New("the query panicked")
	// ErrHeld: the instance is held, so its code does not run for queries. The error has the reason.
	ErrHeld = errors.New("the instance is held")
	// ErrRecovering: the node has just been opened after an unclean end, or the last turn of the instance has not ended, so the
	// code does not run for queries. Ask again in some seconds. A start that is delayed is refused so, too, until its time.
	ErrRecovering = errors.New("the instance is recovering")
	// ErrNoHandler: no runtime that is attached to the node can run the code of the instance. Attach one that has the
	// orchestration in this version.
	ErrNoHandler = errors.New("no runtime can run the instance")
	// ErrPoisoned: a turn or an activity was given up after too many attempts that ended without an answer: its process
	// ended each time, or no runtime had its handler.
	ErrPoisoned = errors.New("poison")
)

// LimitError says which limit a request would exceed, and by what. Nothing was written.
type LimitError struct {
	// Limit names the limit, for example "input bytes".
	Limit string
	// Size is what was asked for; Max is the limit itself, which is allowed.
	Size, Max int
	// Field names the field of node.Config.Limits that sets the limit, for example "PayloadBytes"; empty if it is fixed.
	Field string
}

// Error names the limit, the size, the maximum and the field, and says what to do.
func (e *LimitError) Error() string { return (*limits.Error)(e).Error() }

// overLimit turns a limit's error into a [LimitError], and leaves every other one as it is.
func overLimit(err error) error {
	var over *limits.Error
	if errors.As(err, &over) {
		return (*LimitError)(over)
	}
	return err
}

// Error is an error of the author's own that survives the wire: returned by an activity or an orchestration, it is
// found by errors.As in the orchestration or client that waits for it. It may be wrapped; the text that others see is
// then the wrapping error's. A plain Go error becomes an Error of kind [KindError] with its text.
type Error struct {
	// Kind is a short stable name that code branches on, for example "CardDeclined".
	Kind string
	// Message is what a person reads.
	Message string
	// Details is any value that the codec takes. On the receiving side it is read with [Details].
	Details any
	// NonRetryable ends a retry policy at once.
	NonRetryable bool
}

// KindError is the kind of a plain Go error.
const KindError = "Error"

// Error is the message.
func (e *Error) Error() string { return e.Message }

// wireDetails are details as they came over the wire.
type wireDetails struct {
	data  []byte
	codec Codec
}

// Details returns the details of the [Error] in err's chain as a T. ok is false if there is no such error, if it has no
// details, or if they are not a T. As a [Raw] they are the bytes that were recorded.
func Details[T any](err error) (details T, ok bool) {
	var e *Error
	if !errors.As(err, &e) {
		return details, false
	}
	wire, received := e.Details.(wireDetails)
	if !received {
		details, ok = e.Details.(T)
		return details, ok
	}
	details, failed := DecodeValue[T](wire.codec, wire.data)
	return details, failed == nil
}
