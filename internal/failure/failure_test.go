package failure_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

func TestDisplay(t *testing.T) {
	const activityFailed = turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED
	cases := []struct {
		f              *turnpb.Failure
		category, text string
	}{
		{failure.Infrastructure("commit", "disk full", true), "infrastructure", "infrastructure:commit: disk full"},
		{failure.Nondeterminism("TimerCreated", "mismatch at 3"), "configuration", "nondeterministic: mismatch at 3"},
		{failure.Nondeterminism("TimerCreated", ""), "configuration", "nondeterministic in TimerCreated"},
		{failure.Application(activityFailed, "declined"), "application", "declined"},
		{failure.Limit("tag is 300 bytes"), "application", "tag is 300 bytes"},
		{failure.Panicked("oops"), "application", "orchestration panicked: oops"},
		{failure.Cancelled("user"), "application", "canceled: user"},
		{failure.Terminated("stuck"), "application", "terminated: stuck"},
		{failure.PoisonOrchestration("i", 2, 11, 10, "m"), "poison", "poison: orchestration i exceeded 11 attempts (max 10)"},
		{failure.PoisonActivity("i", 2, "A", 7, 11, 10, "m"), "poison", "poison: activity A#7 exceeded 11 attempts (max 10)"},
		{failure.PoisonUnreadable("i", 2, 11, 10, "bad row"), "poison", "poison: orchestration i history deserialization failed after 11 attempts (max 10): bad row"},
		{&turnpb.Failure{}, "unknown", "unknown failure"},
		{nil, "unknown", "unknown failure"},
	}
	for _, c := range cases {
		if got := failure.Category(c.f); got != c.category {
			t.Errorf("category %q, want %q", got, c.category)
		}
		if got := failure.Display(c.f); got != c.text {
			t.Errorf("display %q, want %q", got, c.text)
		}
		if _, err := proto.Marshal(c.f); err != nil {
			t.Error(err)
		}
	}
}

// ownError says its own recorded form, as the public error type does.
type ownError struct{ message string }

func (e *ownError) Error() string { return "Declined: " + e.message }

func (e *ownError) ApplicationFailure() *turnpb.ApplicationFailure {
	return &turnpb.ApplicationFailure{Message: e.message, ErrorKind: "Declined", Details: []byte("{}"), NonRetryable: true}
}

func TestFromError(t *testing.T) {
	const kind = turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED
	own := &ownError{"no funds"}
	recorded := failure.New(failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, own))
	cases := []struct {
		name      string
		err       error
		message   string
		errorKind string
		final     bool
	}{
		{"plain", errors.New("bad"), "bad", failure.PlainKind, false},
		{"own", own, "no funds", "Declined", true},
		{"own, wrapped", fmt.Errorf("paying: %w", own), "paying: Declined: no funds", "Declined", true},
		{"recorded", recorded, "no funds", "Declined", true},
		{"recorded, wrapped", fmt.Errorf("paying: %w", recorded), "paying: no funds", "Declined", true},
		{"a child that was cancelled", failure.New(failure.Cancelled("stop")), "canceled: stop", failure.PlainKind, false},
		{"a child that panicked", failure.New(failure.Panicked("oops")), "orchestration panicked: oops", failure.PlainKind, false},
		{"an engine failure", failure.New(failure.Infrastructure("op", "m", true)), "infrastructure:op: m", failure.PlainKind, false},
		{"not UTF-8", errors.New("a\xffb"), "a\uFFFDb", failure.PlainKind, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := failure.FromError(kind, c.err)
			a := f.GetApplication()
			if a.GetKind() != kind || a.GetMessage() != c.message || a.GetErrorKind() != c.errorKind || a.GetNonRetryable() != c.final {
				t.Errorf("got %v", a)
			}
			if c.final && string(a.GetDetails()) != "{}" {
				t.Errorf("details %q", a.GetDetails())
			}
			if _, err := proto.Marshal(f); err != nil {
				t.Error(err)
			}
		})
	}
	if failure.FromError(kind, nil) != nil || failure.New(nil) != nil {
		t.Error("a failure out of nothing")
	}
}

func TestOf(t *testing.T) {
	f := failure.Cancelled("stop")
	err := fmt.Errorf("outer: %w", failure.New(f))
	if failure.Of(err) != f || failure.Of(errors.New("other")) != nil {
		t.Error("the recorded failure is not found")
	}
	var e *failure.Error
	if !errors.As(err, &e) || !e.Cancelled() || e.Category() != "application" || e.ApplicationFailure().GetReason() != "stop" {
		t.Errorf("error %v", e)
	}
	if !failure.IsNondeterminism(failure.Nondeterminism("", "")) || failure.IsNondeterminism(f) {
		t.Error("nondeterminism is not told apart")
	}
	for f, want := range map[*turnpb.Failure]bool{
		failure.Infrastructure("", "", false): true, failure.Nondeterminism("", ""): true,
		failure.PoisonActivity("", 1, "", 1, 1, 1, ""): true, failure.Panicked(""): false, f: false, nil: false,
	} {
		if failure.Aborts(f) != want {
			t.Errorf("%s: aborts %v", failure.Display(f), !want)
		}
	}
}

// Errors of what is below the code: a store's, or the engine's own.
func TestErrorsOfAStore(t *testing.T) {
	retryable, permanent := failure.Infrastructure("commit", "disk full", true), failure.Infrastructure("commit", "disk full", false)
	t.Run("INT_053 errors of a store are retryable or permanent and name the operation", func(t *testing.T) {
		for f, want := range map[*turnpb.Failure]bool{retryable: true, permanent: false} {
			if i := f.GetInfrastructure(); i.GetRetryable() != want || failure.Display(f) != "infrastructure:commit: disk full" {
				t.Errorf("it is %q, retryable %v", failure.Display(f), i.GetRetryable())
			}
		}
	})
	t.Run("INT_054 a text becomes a retryable error", func(t *testing.T) {
		f := failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, errors.New("disk full"))
		if a := f.GetApplication(); a.GetErrorKind() != failure.PlainKind || a.GetMessage() != "disk full" || a.GetNonRetryable() {
			t.Errorf("it is %v", f)
		}
	})
	t.Run("INT_055 an error of a store becomes an infrastructure failure", func(t *testing.T) {
		err := fmt.Errorf("the turn: %w", failure.New(retryable))
		if f := failure.Of(err); failure.Category(f) != "infrastructure" || !f.GetInfrastructure().GetRetryable() {
			t.Errorf("%v is %v", err, f)
		}
	})
	t.Run("INT_056 errors of a store differ by whether they are retryable", func(t *testing.T) {
		if proto.Equal(retryable, permanent) || !proto.Equal(retryable, failure.Infrastructure("commit", "disk full", true)) {
			t.Error("a retryable error equals a permanent one, or not itself")
		}
	})
}
