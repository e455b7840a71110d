package turnstone

import (
	"errors"
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// ActivityOption changes how an activity is called.
type ActivityOption interface{ activity(*activityCall) }

// ChildOption changes how a child orchestration is started.
type ChildOption interface{ child(*childCall) }

// DetachedOption changes how a detached orchestration is started.
type DetachedOption interface{ detached(*detachedCall) }

// ContinueOption changes how an execution continues as new.
type ContinueOption interface{ continued(*continueCall) }

// OrchestrationOption changes what [NewOrchestration] makes.
type OrchestrationOption interface{ orchestration(*orchestrationSpec) }

type activityCall struct {
	retry    *RetryPolicy
	timeouts *turnpb.ActivityTimeouts // nil: none
	err      error                    // of an option that says nothing
}

type childCall struct {
	life    life
	retry   *RetryPolicy
	id      string
	named   bool // an id was given, if only an empty one
	version versionChoice
	policy  ChildPolicy
}

// check refuses options that say nothing.
func (c *childCall) check() error {
	if c.named && c.id == "" {
		return fmt.Errorf("%w: the child's id is empty; leave WithChildID out for an id made from the parent's", ErrInvalidInput)
	}
	if c.policy > WaitForChild {
		return fmt.Errorf("%w: there is no ChildPolicy(%d); name CancelChild, AbandonChild or WaitForChild", ErrInvalidInput, c.policy)
	}
	return errors.Join(c.life.check(), c.version.check())
}

type detachedCall struct {
	version versionChoice
	life    life
}

func (c *detachedCall) check() error { return errors.Join(c.life.check(), c.version.check()) }

type continueCall struct{ version versionChoice }

type orchestrationSpec struct {
	version      versionChoice
	strictInputs bool
	mayEndEarly  bool
	cleanup      *cleanupStep
}

type orchestrationOption func(*orchestrationSpec)

func (o orchestrationOption) orchestration(s *orchestrationSpec) { o(s) }

// StrictInputs has a changed input not fit: where the code gives an activity, a child or a detached orchestration another
// input than the history has, byte by byte, the instance is held as for any other difference ([FailOnNondeterminism] has it
// fail). Without it the recorded input stands, the node logs a warning once, and the instance goes on, so that a type of
// input may gain a field while instances run. Use it where equal names are told apart by their inputs alone.
func StrictInputs() OrchestrationOption {
	return orchestrationOption(func(s *orchestrationSpec) { s.strictInputs = true })
}

// MayEndEarly lets the code end where the history of an instance goes on. Without it an instance is held whose code returns,
// fails, panics or continues as new before it has asked for all that the history has, as for any other difference: a check
// that a new build makes first ends no instance that the old build has carried further. With it such an end stands, what
// the history has open is given up, and undo steps that the history has and the code never pushed do not run. Use it to end
// running instances by a deploy.
func MayEndEarly() OrchestrationOption {
	return orchestrationOption(func(s *orchestrationSpec) { s.mayEndEarly = true })
}

// RetryOption is what [WithRetry] makes: good for activities and children.
type RetryOption struct{ policy RetryPolicy }

// WithRetry tries a failed activity or child again under a policy. All attempts of an activity have one idempotency key
// ([ActivityContext.IdempotencyKey]). Each attempt of a child is a new child: under a [WithChildID] the first has that id,
// and the ones after it have the id with the attempt's number behind it, such as order-7::attempt::2.
func WithRetry(policy RetryPolicy) RetryOption { return RetryOption{policy} }

func (o RetryOption) activity(c *activityCall) { c.retry = &o.policy }
func (o RetryOption) child(c *childCall)       { c.retry = &o.policy }

// VersionOption is what [WithVersion] makes.
type VersionOption struct{ version versionChoice }

// WithVersion names a semantic version, such as 1.2.0: the version that a handler is registered as, and that its handle
// starts (without it: registered as 1.0.0, and a start leaves the version to the registry's policy), or the version that
// one child, detached orchestration or continue-as-new runs. A text that is no semantic version is refused with a
// [VersionError]. An instance of a version that no runtime has is tried Config.MaxAttempts times, for about
// 5 minutes with the defaults, and then fails for good with [ErrPoisoned].
func WithVersion(version string) VersionOption { return VersionOption{versionChoice{version, true}} }

func (o VersionOption) orchestration(s *orchestrationSpec) { s.version = o.version }
func (o VersionOption) child(c *childCall)                 { c.version = o.version }
func (o VersionOption) detached(c *detachedCall)           { c.version = o.version }
func (o VersionOption) continued(c *continueCall)          { c.version = o.version }

// ChildIDOption is what [WithChildID] makes.
type ChildIDOption struct{ id string }

// WithChildID gives a child an instance id of its own, used as it is. Without it the id is derived from the parent's:
// parent::sub::event. An empty id is an [ErrInvalidInput]. If the id is taken, the child fails with [ErrAlreadyExists], which no retry policy tries again.
func WithChildID(id string) ChildIDOption { return ChildIDOption{id} }

func (o ChildIDOption) child(c *childCall) { c.id, c.named = o.id, true }

// ChildPolicy says what happens to a child that still runs when its parent ends or continues as new.
type ChildPolicy uint8

// The child policies. The zero value cancels.
const (
	// CancelChild cancels the child.
	CancelChild ChildPolicy = iota
	// AbandonChild lets it run on; its result is dropped.
	AbandonChild
	// WaitForChild ends the parent only when the child has ended.
	WaitForChild
)

// ChildPolicyOption is what [WithChildPolicy] makes.
type ChildPolicyOption struct{ policy ChildPolicy }

// WithChildPolicy sets what happens to the child when its parent ends first. The default is [CancelChild]. A policy that
// there is not is an [ErrInvalidInput].
func WithChildPolicy(p ChildPolicy) ChildPolicyOption { return ChildPolicyOption{p} }

func (o ChildPolicyOption) child(c *childCall) { c.policy = o.policy }

// recorded is the form that history has of the policy.
func (p ChildPolicy) recorded() turnpb.ChildPolicy {
	switch p {
	case AbandonChild:
		return turnpb.ChildPolicy_CHILD_POLICY_ABANDON
	case WaitForChild:
		return turnpb.ChildPolicy_CHILD_POLICY_WAIT
	default:
		return turnpb.ChildPolicy_CHILD_POLICY_CANCEL
	}
}

// WaitOption changes how an event is waited for. The zero value changes nothing, and a value without a name is an
// [ErrInvalidInput].
type WaitOption uint8

// Positional makes a wait take only an event that arrives while it waits. An event that arrives when no wait is open is
// recorded and lost. An event arrives when the instance takes it from its inbox: one that stays there because the instance
// holds as many events as it may has not arrived yet. Without Positional an early event is kept for the next wait of its
// name.
const Positional WaitOption = 1

func waitMode(options []WaitOption) (turnpb.WaitMode, error) {
	mode := turnpb.WaitMode_WAIT_MODE_BUFFERED
	for _, o := range options {
		switch o {
		case 0:
		case Positional:
			mode = turnpb.WaitMode_WAIT_MODE_POSITIONAL
		default:
			return mode, fmt.Errorf("%w: there is no WaitOption(%d); name Positional, or none", ErrInvalidInput, o)
		}
	}
	return mode, nil
}
