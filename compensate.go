package turnstone

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/replay"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// DefaultCleanupTimeout is how long the undo steps of an execution may take together, unless [WithCleanup] says otherwise.
const DefaultCleanupTimeout = replay.CleanupTime

// Compensate adds an undo step:
//
//	ctx.Compensate(func(ctx *turnstone.Context) error {
//		_, err := Refund.Call(ctx, payment)
//		return err
//	})
//
// The steps run if the execution does not end well: by an error that the code returns, a panic, a cancel, an activity or a
// child that was given up, or a limit. How it ends is fixed first. Then the code is unwound: its deferred functions run, and
// nothing that they ask of the context happens. Then the steps run one after the other, the one that was added last first.
// Each may call activities, start timers and children, and wait. One that returns an error or panics is recorded, and the
// next one runs. Then the execution ends as it was fixed.
//
// All steps together may take [DefaultCleanupTimeout], or what [WithCleanup] says: then the one that runs is given up, and
// those that have not begun are not run. A cancel does nothing while they run; a termination ends them. If the execution
// completes or continues as new, they are forgotten. They do not run for an instance that is poisoned itself, and for a
// termination. While code does not fit its history, the instance is held; they run when code that fits is there.
//
// An activity that the end gives up is told to stop, and a step does not wait until it has: it may undo what the activity then
// does after all. Have the service refuse what was undone before it arrived, by a key that both give it.
//
// A step runs at least once for what it undoes, also if that was asked for and has not happened, so what it does must
// be idempotent. It must use the context that it is given, adds no steps and does not continue as new: both panic. Adding a
// step costs an entry in the history and no turn.
func (c *Context) Compensate(step func(ctx *Context) error) {
	c.rc.Check() // a panic on a goroutine of the author's would end the process
	if step == nil {
		panic("Compensate needs a function")
	}
	env := c.env
	c.rc.Compensate(func(rc *replay.Context) error { return undo(env, rc, step) })
}

// undo runs an undo step. Its error is recorded as that of an orchestration is.
func undo(env *environment, rc *replay.Context, step func(ctx *Context) error) error {
	if err := step(fresh(rc, env)); err != nil {
		return sentByCode(env.codec, err)
	}
	return nil
}

// cleanupStep is what WithCleanup says.
type cleanupStep struct {
	run     func(ctx *Context, why *Failure) error
	timeout time.Duration
}

// WithCleanup gives every execution an undo step from its start on, as if its code began with [Context.Compensate]: it runs
// last of all. why is how the execution ends. timeout bounds all undo steps of the execution together; 0 is
// [DefaultCleanupTimeout], and with a negative one they may take any time. An execution that began without the option has
// no such step, also if its code has it now.
func WithCleanup(step func(ctx *Context, why *Failure) error, timeout time.Duration) OrchestrationOption {
	return orchestrationOption(func(s *orchestrationSpec) { s.cleanup = &cleanupStep{run: step, timeout: timeout} })
}

// check refuses a cleanup without a function.
func (s *cleanupStep) check(name string) error {
	if s != nil && s.run == nil {
		return fmt.Errorf("orchestration %s: WithCleanup needs a function", name)
	}
	return nil
}

// add tells the replay core of the step, before the code runs.
func (s *cleanupStep) add(env *environment, rc *replay.Context) {
	rc.Cleanup(func(rc *replay.Context, why *turnpb.Failure) error {
		return undo(env, rc, func(ctx *Context) error { return s.run(ctx, newFailure(why, env.codec)) })
	}, s.timeout)
}
