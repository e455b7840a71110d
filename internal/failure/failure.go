package failure

import (
	"errors"
	"strings"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// PlainKind is the error kind of a plain Go error, one that does not say its own.
const PlainKind = "Error"

// Applicator is an error that knows its own recorded form: kind, details and whether it may be retried. FromError
// looks for it through wrapping.
type Applicator interface {
	ApplicationFailure() *turnpb.ApplicationFailure
}

// Error is a recorded failure as Go code sees it. Failure is never nil and must not be changed.
type Error struct {
	Failure *turnpb.Failure
	// Timeout says which bound of its call ended the activity; unspecified: none did.
	Timeout turnpb.TimeoutKind
	// LastHeartbeat has the details of the last heartbeat of the activity; nil if there was none.
	LastHeartbeat []byte
}

// New wraps a recorded failure; nil if there is none.
func New(f *turnpb.Failure) *Error {
	if f == nil {
		return nil
	}
	return &Error{Failure: f}
}

// Error is Display of the failure.
func (e *Error) Error() string { return Display(e.Failure) }

// Category is Category of the failure.
func (e *Error) Category() string { return Category(e.Failure) }

// ApplicationFailure is the recorded form; nil if the failure is of another category.
func (e *Error) ApplicationFailure() *turnpb.ApplicationFailure { return e.Failure.GetApplication() }

// Cancelled reports whether this failure means that something was cancelled.
func (e *Error) Cancelled() bool { return IsCancelled(e.Failure) }

// IsCancelled reports whether a failure means that something was cancelled.
func IsCancelled(f *turnpb.Failure) bool {
	return f.GetApplication().GetKind() == turnpb.ApplicationKind_APPLICATION_KIND_CANCELLED
}

// Of finds the recorded failure in an error, through wrapping; nil if there is none.
func Of(err error) *turnpb.Failure {
	var e *Error
	if errors.As(err, &e) {
		return e.Failure
	}
	return nil
}

// FromError records an error that user code returned, as the application failure of the given kind. The message is
// the error's text. An error's own kind, details and non-retryable flag are kept if it, or an error that it wraps,
// says them (Applicator); a plain error gets PlainKind. A nil error gives nil.
func FromError(kind turnpb.ApplicationKind, err error) *turnpb.Failure {
	if err == nil {
		return nil
	}
	a := &turnpb.ApplicationFailure{Kind: kind, ErrorKind: PlainKind}
	a.Message = Clean(err.Error())
	var own Applicator
	if !errors.As(err, &own) {
		return application(a)
	}
	src := own.ApplicationFailure()
	if src == nil {
		return application(a)
	}
	if _, recorded := err.(*Error); !recorded && src.GetMessage() != "" {
		if _, direct := err.(Applicator); direct {
			a.Message = Clean(src.GetMessage())
		}
	}
	if src.GetErrorKind() != "" {
		a.ErrorKind = Clean(src.GetErrorKind())
	}
	a.Details = src.GetDetails()
	a.NonRetryable = src.GetNonRetryable()
	return application(a)
}

// Application makes an application failure without details.
func Application(kind turnpb.ApplicationKind, message string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{Kind: kind, Message: Clean(message), ErrorKind: PlainKind})
}

// Limit makes the failure of an orchestration that went over a limit. The message names limit and size.
func Limit(message string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{
		Kind:         turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED,
		Message:      Clean(message),
		ErrorKind:    "Limit",
		NonRetryable: true,
	})
}

// Panicked makes the failure of orchestration code that panicked; text is the panic's value.
func Panicked(text string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{
		Kind:      turnpb.ApplicationKind_APPLICATION_KIND_PANICKED,
		Message:   Clean(text),
		ErrorKind: PlainKind,
	})
}

// Cancelled makes the failure of something that was cancelled. Its message is empty; the reason tells.
func Cancelled(reason string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{
		Kind:      turnpb.ApplicationKind_APPLICATION_KIND_CANCELLED,
		Reason:    Clean(reason),
		ErrorKind: PlainKind,
	})
}

// Terminated makes the failure of an instance that an operator ended without its code.
func Terminated(reason string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{
		Kind:      turnpb.ApplicationKind_APPLICATION_KIND_TERMINATED,
		Reason:    Clean(reason),
		ErrorKind: PlainKind,
	})
}

// TimedOut makes the failure of an execution that took longer than it may; message says how long that is.
func TimedOut(message string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{
		Kind:      turnpb.ApplicationKind_APPLICATION_KIND_TIMED_OUT,
		Message:   Clean(message),
		ErrorKind: "Timeout",
	})
}

// Nondeterminism makes the failure of code that does not fit its history. It is never retryable.
func Nondeterminism(resource, message string) *turnpb.Failure {
	return &turnpb.Failure{Category: &turnpb.Failure_Configuration{Configuration: &turnpb.ConfigurationFailure{
		Kind:     turnpb.ConfigurationKind_CONFIGURATION_KIND_NONDETERMINISM,
		Resource: Clean(resource),
		Message:  Clean(message),
	}}}
}

// Undecodable makes the failure of code that cannot decode what history has. It is a form of nondeterminism, and its message
// says all.
func Undecodable(resource, message string) *turnpb.Failure {
	f := Nondeterminism(resource, message)
	f.GetConfiguration().Kind = turnpb.ConfigurationKind_CONFIGURATION_KIND_UNDECODABLE
	return f
}

// IsNondeterminism reports whether a failure means that code did not fit its history.
func IsNondeterminism(f *turnpb.Failure) bool {
	return f.GetConfiguration().GetKind() != turnpb.ConfigurationKind_CONFIGURATION_KIND_UNSPECIFIED
}

// Infrastructure makes a failure of what the engine stands on.
func Infrastructure(operation, message string, retryable bool) *turnpb.Failure {
	return &turnpb.Failure{Category: &turnpb.Failure_Infrastructure{Infrastructure: &turnpb.InfrastructureFailure{
		Operation: Clean(operation), Message: Clean(message), Retryable: retryable,
	}}}
}

// PoisonOrchestration makes the failure of an instance whose turns failed too often.
func PoisonOrchestration(instance string, execution uint64, attempts, attemptsMax uint32, message string) *turnpb.Failure {
	return poison(&turnpb.PoisonFailure{
		Target: turnpb.PoisonTarget_POISON_TARGET_ORCHESTRATION, Instance: Clean(instance), Execution: execution,
		Attempts: attempts, AttemptsMax: attemptsMax, Message: Clean(message),
	})
}

// PoisonActivity makes the failure of an activity that was tried too often.
func PoisonActivity(instance string, execution uint64, name string, id uint64, attempts, attemptsMax uint32, message string) *turnpb.Failure {
	return poison(&turnpb.PoisonFailure{
		Target: turnpb.PoisonTarget_POISON_TARGET_ACTIVITY, Instance: Clean(instance), Execution: execution,
		ActivityName: Clean(name), ActivityId: id, Attempts: attempts, AttemptsMax: attemptsMax, Message: Clean(message),
	})
}

// PoisonUnreadable makes the failure of an instance whose history cannot be read; message says why.
func PoisonUnreadable(instance string, execution uint64, attempts, attemptsMax uint32, message string) *turnpb.Failure {
	return poison(&turnpb.PoisonFailure{
		Target: turnpb.PoisonTarget_POISON_TARGET_UNREADABLE_HISTORY, Instance: Clean(instance), Execution: execution,
		Attempts: attempts, AttemptsMax: attemptsMax, Message: Clean(message),
	})
}

// Aborts reports whether a failed activity or child ends the waiting orchestration at once instead of being given to
// its code: every category but application does.
func Aborts(f *turnpb.Failure) bool {
	switch f.GetCategory().(type) {
	case *turnpb.Failure_Infrastructure, *turnpb.Failure_Configuration, *turnpb.Failure_Poison:
		return true
	default:
		return false
	}
}

func application(a *turnpb.ApplicationFailure) *turnpb.Failure {
	return &turnpb.Failure{Category: &turnpb.Failure_Application{Application: a}}
}

func poison(p *turnpb.PoisonFailure) *turnpb.Failure {
	return &turnpb.Failure{Category: &turnpb.Failure_Poison{Poison: p}}
}

// Clean makes a text encodable: protobuf refuses strings that are not valid UTF-8.
func Clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
