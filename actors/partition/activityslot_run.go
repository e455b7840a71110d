package partition

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// activityCall is one call of user code with its input and outcome. The runner's goroutine owns it until the call ends.
type activityCall struct {
	fn      consumer.ActivityFunc
	ctx     context.Context
	info    consumer.ActivityInfo
	input   []byte
	limits  *limits.Limits
	outcome *activityOutcome
	of      *activity // only what never changes of it
	before  []byte    // the details of the last heartbeat of an earlier run or attempt
	heart   heart
}

// run calls the code and encodes its outcome. A panic is a failure with the panic's text. Code that ends its goroutine
// (runtime.Goexit, a test's FailNow) has failed, too.
func (c *activityCall) run() {
	returned := false
	defer func() {
		text := recover()
		if returned {
			return
		}
		message := "the activity ended its goroutine without returning"
		if text != nil {
			message = fmt.Sprintf("activity panicked: %v\n%s", text, cutText(debug.Stack(), panicStackBytesMax))
		}
		c.outcome = c.fail(failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, message))
	}()
	output, err := c.fn(c.ctx, c.info, c, c.input)
	returned = true
	switch {
	case err != nil:
		c.outcome = c.fail(failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, err))
	default:
		c.outcome = c.succeed(output)
	}
}

// panicStackBytesMax bounds the stack in the text of a panic.
const panicStackBytesMax = 4096

func cutText(text []byte, most int) []byte { return text[:min(len(text), most)] }

func (c *activityCall) succeed(output []byte) *activityOutcome {
	if err := limits.Check("activity result bytes", len(output), c.limits.PayloadBytes, "PayloadBytes"); err != nil {
		return c.fail(tooLarge(err))
	}
	return c.encode(&turnpb.Message{Kind: &turnpb.Message_ActivityResult{
		ActivityResult: &turnpb.ActivityResult{Result: output},
	}}, false)
}

func (c *activityCall) fail(f *turnpb.Failure) *activityOutcome {
	key := persistence.WorkKey{Execution: c.info.Execution, Event: c.info.Event}
	return encodeActivityFailure(&key, &turnpb.ActivityFailure{Failure: f, LastHeartbeat: c.latest()}, c.limits)
}

func (c *activityCall) encode(m *turnpb.Message, failed bool) *activityOutcome {
	m.Execution, m.Event = c.info.Execution, c.info.Event
	encoded, err := proto.Marshal(m)
	if err != nil { // bytes and numbers always encode; texts have been made valid
		return c.fail(failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, "encode the result: "+err.Error()))
	}
	return &activityOutcome{message: m, encoded: encoded, failed: failed}
}

// encodeFailure makes the message of a failed activity. One that is too large is replaced by one that says so.
func encodeFailure(key *persistence.WorkKey, f *turnpb.Failure, l *limits.Limits) *activityOutcome {
	return encodeActivityFailure(key, &turnpb.ActivityFailure{Failure: f}, l)
}

// encodeActivityFailure is encodeFailure of one that says more than the failure.
func encodeActivityFailure(key *persistence.WorkKey, f *turnpb.ActivityFailure, l *limits.Limits) *activityOutcome {
	m := &turnpb.Message{
		Execution: key.Execution, Event: key.Event, Kind: &turnpb.Message_ActivityFailure{ActivityFailure: f},
	}
	if err := limits.Check("activity failure bytes", proto.Size(f.GetFailure()), l.PayloadBytes, "PayloadBytes"); err != nil {
		f.Failure = tooLarge(err)
	}
	encoded, err := proto.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("actors: a failure cannot be encoded: %v", err)) // package failure promises that it can
	}
	return &activityOutcome{message: m, encoded: encoded, failed: true}
}

// tooLarge is the failure of an activity whose result is over a limit. It is not retryable: the next result would be as
// large.
func tooLarge(err error) *turnpb.Failure {
	f := failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, err.Error())
	f.GetApplication().ErrorKind, f.GetApplication().NonRetryable = "Limit", true
	return f
}

// unreadable gives back work whose input cannot be read. The attempt counts, so that the attempts end.
func (a *activity) unreadable(err error) {
	s, item, token, attempts := a.s, a.item, a.token, a.attempts
	s.host.Config.Logger.Error("the input of an activity cannot be read; it is tried again later", logkey.Instance, item.ID,
		logkey.Activity, item.Name, logkey.ActivityID, item.Key.Event, logkey.Error, err)
	a.close()
	attempt := attempts
	if token == "" {
		attempt++
	}
	s.abandonWork(&persistence.AbandonWork{Key: item.Key, Token: token, Attempts: attempts, Counts: true,
		DelayMs: s.backoffMs(attempt)}, 0)
}
