package turnstone

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Category says what kind of thing failed.
type Category string

// The categories of failures.
const (
	// CategoryApplication: the author's code failed, panicked, or was cancelled. The only category that
	// orchestration code ever sees; the others fail the orchestration that waits.
	CategoryApplication Category = "application"
	// CategoryInfrastructure: something below the code failed.
	CategoryInfrastructure Category = "infrastructure"
	// CategoryConfiguration: the code does not fit its history.
	CategoryConfiguration Category = "configuration"
	// CategoryPoison: given up after too many attempts.
	CategoryPoison Category = "poison"
)

// FailureKind says more within a category.
type FailureKind string

// The kinds of failures.
const (
	KindActivityFailed      FailureKind = "ActivityFailed"
	KindOrchestrationFailed FailureKind = "OrchestrationFailed"
	KindPanicked            FailureKind = "Panicked"
	KindCancelled           FailureKind = "Cancelled"
	KindTerminated          FailureKind = "Terminated"
	KindAlreadyExists       FailureKind = "AlreadyExists"
	KindTimedOut            FailureKind = "TimedOut"
	KindNondeterminism      FailureKind = "Nondeterminism"
	KindPoisoned            FailureKind = "Poisoned"
	KindInfrastructure      FailureKind = "Infrastructure"
)

// Failure is why an activity, a child or an instance failed, as history has it. It is what waiting for one returns.
// errors.As finds the author's [Error] in it; errors.Is finds [ErrCancelled], [ErrTerminated], [ErrPanicked],
// [ErrAlreadyExists], [ErrExecutionTimeout], [ErrNondeterminism] and [ErrPoisoned], and [ErrTimeout] of an activity that a
// timeout of its call ended; Kind says which.
type Failure struct {
	Category Category
	Kind     FailureKind
	// Message is the failed code's own text; empty for a cancellation and a termination.
	Message string
	// Reason is why it was cancelled or terminated.
	Reason string
	// Retryable: trying again may help. An application failure is retryable unless its author said otherwise.
	Retryable bool
	// Attempts and AttemptsMax are set for poison. Attempts is the one that was not made any more, so it is AttemptsMax + 1
	// as a rule.
	Attempts, AttemptsMax int

	text string
	app  *Error
}

// Error is the text that users match on; it is stable.
func (f *Failure) Error() string { return f.text }

// Unwrap is the author's error, if the author's code returned one.
func (f *Failure) Unwrap() error {
	if f.app == nil {
		return nil
	}
	return f.app
}

var kindSentinels = map[FailureKind]error{
	KindCancelled: ErrCancelled, KindTerminated: ErrTerminated, KindPanicked: ErrPanicked, KindAlreadyExists: ErrAlreadyExists,
	KindNondeterminism: ErrNondeterminism, KindPoisoned: ErrPoisoned, KindTimedOut: ErrExecutionTimeout,
	KindStartToCloseTimeout: ErrTimeout, KindScheduleToStartTimeout: ErrTimeout, KindScheduleToCloseTimeout: ErrTimeout,
	KindHeartbeatTimeout: ErrTimeout,
}

// Is matches the sentinel of the failure's kind.
func (f *Failure) Is(target error) bool {
	sentinel, ok := kindSentinels[f.Kind]
	return ok && target == sentinel
}

// newFailure reads the recorded form. codec reads the author's details; nil is [JSON].
func newFailure(f *turnpb.Failure, codec Codec) *Failure {
	if codec == nil {
		codec = JSON
	}
	out := &Failure{Category: Category(failure.Category(f)), text: failure.Display(f)}
	switch c := f.GetCategory().(type) {
	case *turnpb.Failure_Infrastructure:
		out.Kind, out.Message, out.Retryable = KindInfrastructure, c.Infrastructure.GetMessage(), c.Infrastructure.GetRetryable()
	case *turnpb.Failure_Configuration:
		out.Kind, out.Message = KindNondeterminism, c.Configuration.GetMessage()
	case *turnpb.Failure_Poison:
		out.Kind, out.Message = KindPoisoned, c.Poison.GetMessage()
		out.Attempts, out.AttemptsMax = int(c.Poison.GetAttempts()), int(c.Poison.GetAttemptsMax())
	case *turnpb.Failure_Application:
		out.application(c.Application, codec)
	}
	return out
}

var applicationKinds = map[turnpb.ApplicationKind]FailureKind{
	turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED:      KindActivityFailed,
	turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED: KindOrchestrationFailed,
	turnpb.ApplicationKind_APPLICATION_KIND_PANICKED:             KindPanicked,
	turnpb.ApplicationKind_APPLICATION_KIND_CANCELLED:            KindCancelled,
	turnpb.ApplicationKind_APPLICATION_KIND_TERMINATED:           KindTerminated,
	turnpb.ApplicationKind_APPLICATION_KIND_ALREADY_EXISTS:       KindAlreadyExists,
	turnpb.ApplicationKind_APPLICATION_KIND_TIMED_OUT:            KindTimedOut,
}

func (f *Failure) application(a *turnpb.ApplicationFailure, codec Codec) {
	f.Kind, f.Message, f.Reason = applicationKinds[a.GetKind()], a.GetMessage(), a.GetReason()
	if f.Kind != KindActivityFailed && f.Kind != KindOrchestrationFailed {
		return
	}
	f.Retryable = !a.GetNonRetryable()
	f.app = &Error{Kind: a.GetErrorKind(), Message: a.GetMessage(), NonRetryable: a.GetNonRetryable()}
	if len(a.GetDetails()) > 0 {
		f.app.Details = wireDetails{data: a.GetDetails(), codec: codec}
	}
}

// seen turns what the replay core hands to code into what the author sees.
func seen(codec Codec, err error) error {
	if recorded, ok := err.(*failure.Error); ok {
		f := newFailure(recorded.Failure, codec)
		if kind := failure.TimeoutName(recorded.Timeout); kind != "" {
			f.Kind = FailureKind(kind)
		}
		return f
	}
	if send, ok := err.(*replay.SendError); ok {
		return unsent(send)
	}
	return err
}

// outgoing is an author's error with its details encoded, ready to be recorded.
type outgoing struct {
	text string
	app  *turnpb.ApplicationFailure
}

func (o *outgoing) Error() string                                  { return o.text }
func (o *outgoing) ApplicationFailure() *turnpb.ApplicationFailure { return o.app }

// sent turns what the author's code returned into what is recorded: the whole text, and kind, details and retryability
// of the [Error] in the chain.
func sent(codec Codec, err error) *outgoing {
	out := &outgoing{text: err.Error(), app: &turnpb.ApplicationFailure{Message: err.Error(), ErrorKind: KindError}}
	var e *Error
	if !errors.As(err, &e) {
		return out
	}
	if e.Kind != "" {
		out.app.ErrorKind = e.Kind
	}
	out.app.NonRetryable = e.NonRetryable
	switch d := e.Details.(type) {
	case nil:
	case wireDetails:
		out.app.Details = d.data
	case Raw:
		out.app.Details = bytes.Clone(d)
	default:
		data, failed := codec.Encode(d)
		if failed != nil {
			out.text = fmt.Sprintf("%s (its details cannot be encoded: %v)", out.text, failed)
			out.app.Message = out.text
		}
		out.app.Details = bytes.Clone(data)
	}
	return out
}

// sentByCode is sent for what an orchestration's code returned. What its own context refused it, and recorded bytes that
// are not what it takes them for, are the same at the next attempt, unless an [Error] says otherwise.
func sentByCode(codec Codec, err error) error {
	out := sent(codec, err)
	var own *Error
	var decode *DecodeError
	if !errors.As(err, &own) && (errors.Is(err, ErrInvalidInput) || errors.As(err, &decode)) {
		out.app.NonRetryable = true
	}
	return out
}

// sentByActivity is sent for what an activity's code returned. A value over its limit, such as the details of a heartbeat, is
// over it at the next attempt, unless an [Error] says otherwise.
func sentByActivity(codec Codec, err error) error {
	out := sent(codec, err)
	var own *Error
	var over *LimitError
	if !errors.As(err, &own) && errors.As(err, &over) {
		out.app.ErrorKind, out.app.NonRetryable = kindLimit, true
	}
	return out
}

// kindLimit is the kind of the error of a value that is over its limit.
const kindLimit = "Limit"

// kindCodec is the kind of the error of a value that cannot be encoded or decoded.
const kindCodec = "Codec"

// sentFinal is sent for what no other attempt changes: the codec's refusal of an input or a result.
func sentFinal(codec Codec, err error) error {
	out := sent(codec, err)
	out.app.ErrorKind, out.app.NonRetryable = kindCodec, true
	return out
}
