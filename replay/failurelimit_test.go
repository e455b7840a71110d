package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// detailed is an author's error whose bytes are in its details.
type detailed int

func (detailed) Error() string { return "see the details" }

func (d detailed) ApplicationFailure() *turnpb.ApplicationFailure {
	return &turnpb.ApplicationFailure{Message: "see the details", ErrorKind: "Detailed", Details: make([]byte, int(d))}
}

// held is code that fails when an activity is done, and whose failure is not recorded before a child has answered.
func held(fail replay.Func) replay.Func {
	return func(c *replay.Context, in []byte) ([]byte, error) {
		policyChild(c, "C", policyWait)
		activity(c, "A", "").Await()
		return fail(c, in)
	}
}

// ways are those in which code fails with so many bytes.
var ways = map[string]func(n int) replay.Func{
	"error": func(n int) replay.Func {
		return func(*replay.Context, []byte) ([]byte, error) { return nil, errors.New(strings.Repeat("e", n)) }
	},
	"details": func(n int) replay.Func {
		return func(*replay.Context, []byte) ([]byte, error) { return nil, fmt.Errorf("wrapped: %w", detailed(n)) }
	},
	"panic": func(n int) replay.Func {
		return func(*replay.Context, []byte) ([]byte, error) { panic(strings.Repeat("p", n)) }
	},
	"panic of a coroutine": func(n int) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Go(func(*replay.Context) (any, error) { panic(strings.Repeat("p", n)) }).Await()
			return nil, nil
		}
	},
	"text that is not UTF-8, which takes more room when it is recorded": func(n int) replay.Func {
		return func(*replay.Context, []byte) ([]byte, error) { return nil, errors.New(strings.Repeat("\xff-", n/2)) }
	},
}

// What code fails with is held to the limit of payloads: as it is at the limit, and replaced one byte above it.
func TestFailureBytes(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			fn := way(3000)
			whole := limited(t, replay.Limits{}, fn)
			size := proto.Size(whole.Failure)
			if whole.Outcome != replay.Failed || size < 3000 {
				t.Fatalf("outcome %d, %d bytes", whole.Outcome, size)
			}
			at := limited(t, replay.Limits{PayloadBytes: size}, fn)
			if !proto.Equal(at.Failure, whole.Failure) || at.Origin != turnpb.SegmentOrigin_SEGMENT_ORIGIN_CODE {
				t.Errorf("at the limit: %v, origin %v", at.Failure, at.Origin)
			}
			above := limited(t, replay.Limits{PayloadBytes: size - 1}, fn)
			wantLimit(t, above, "application", fmt.Sprintf("orchestration failure is %d bytes, the limit is %d bytes", size, size-1))
			a := above.Failure.GetApplication()
			if a.GetErrorKind() != "Limit" || a.GetKind() != turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED ||
				len(a.GetDetails()) != 0 || proto.Size(above.Failure) > 200 {
				t.Errorf("the failure above the limit: %v", above.Failure)
			}
			if last := above.Events[len(above.Events)-1].GetFailed().GetFailure(); !proto.Equal(last, above.Failure) {
				t.Errorf("recorded is %v", last)
			}
		})
	}
}

// An end that waits for a child is recorded in a later turn. It is the same whether the machine was resident when the
// code failed or has replayed that since.
func TestFailureBytesOfAnEndThatWaited(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			cfg := config(held(way(3000)))
			cfg.Limits.PayloadBytes = 1000
			m := replay.New(cfg)
			defer m.Close()
			var history []replay.Segment
			turn := func(msg *turnpb.Message) replay.Decision {
				in := input(msg)
				d := m.Advance(in)
				history = append(history, d.Segment(uint64(len(history)+1), in, "test"))
				return d
			}
			first := turn(msgStart())
			childID, activityID := first.Children[0].Event, first.Activities[0].Event
			wantRunning(t, turn(msgAC(activityID, "")))
			again := replay.New(cfg)
			defer again.Close()
			again.Load(replay.Segments(history))
			replayed := again.Advance(input(msgSC(childID, "answer")))
			resident := turn(msgSC(childID, "answer"))
			wantLimit(t, resident, "application", "the limit is 1000 bytes")
			if a, b := render(resident), render(replayed); string(a) != string(b) {
				t.Errorf("resident:\n%s\nreplayed:\n%s", a, b)
			}
			if err := replay.Verify(cfg, history); err != nil {
				t.Error(err)
			}
		})
	}
}

// A failure that was recorded when there was no limit stays as it is, for machines and for the oracle, which still
// finds one that is not what the code fails with.
func TestFailureBytesOfARecordedFailure(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			cfg := config(way(3000))
			m := replay.New(cfg)
			defer m.Close()
			in := input(msgStart())
			d := m.Advance(in)
			history := []replay.Segment{d.Segment(1, in, "test")}
			cfg.Limits.PayloadBytes = 1000
			if err := replay.Verify(cfg, history); err != nil {
				t.Error(err)
			}
			again := replay.New(cfg)
			defer again.Close()
			again.Load(replay.Segments(history))
			if late := again.Advance(input(msgXE("e", ""))); !again.Ended() || len(late.Events) != 0 || len(late.Rejected) != 1 {
				t.Errorf("after the end: %+v", late)
			}
			other := proto.CloneOf(history[0].Events[1])
			other.GetFailed().GetFailure().GetApplication().Message += "!"
			history[0].Events = []*turnpb.Event{history[0].Events[0], other}
			if err := replay.Verify(cfg, history); !errors.Is(err, replay.ErrVerify) {
				t.Errorf("of another failure: %v", err)
			}
		})
	}
}
