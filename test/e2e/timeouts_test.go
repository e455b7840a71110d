package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// timeoutOf calls an activity and returns what its failure says.
func timeoutOf(a *turnstone.Activity[string, string], options ...turnstone.ActivityOption) *turnstone.Orchestration[string, string] {
	return text("O", func(ctx octx, in string) (string, error) {
		_, err := a.Call(ctx, in, options...)
		var f *turnstone.Failure
		if !errors.As(err, &f) || !errors.Is(err, turnstone.ErrTimeout) {
			return "", fmt.Errorf("no timeout: %w", err)
		}
		return string(f.Kind), nil
	})
}

const (
	startToClose    = string(turnstone.KindStartToCloseTimeout)
	scheduleToStart = string(turnstone.KindScheduleToStartTimeout)
	scheduleToClose = string(turnstone.KindScheduleToCloseTimeout)
	heartbeat       = string(turnstone.KindHeartbeatTimeout)
)

// The timeouts of a call, while code runs and while none does.
func TestTimeouts(t *testing.T) {
	scenario(t, "StartToClose ends the code and its late result is dropped", func(w *world) {
		deadlines, causes := make(chan time.Time, 1), make(chan error, 1)
		slow := turnstone.NewActivity("Slow", func(ctx actx, s string) (string, error) {
			at, _ := ctx.Deadline()
			deadlines <- at
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return "late", nil
		})
		began := time.Now()
		w.open(slow, timeoutOf(slow, turnstone.StartToClose(50*ms)))
		w.beginNamed("O", "i")
		completes(w, "i", startToClose)
		if at := <-deadlines; at.Before(began.Add(50*ms)) || at.After(time.Now()) {
			t.Errorf("the deadline is %v, begun %v", at, began)
		}
		if cause := <-causes; !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("the context ended for %v", cause)
		}
		if failed := w.history("i", 0).first(t, "ActivityFailed").GetActivityFailed(); failed.GetTimeout() != turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE {
			t.Errorf("recorded as %v", failed)
		}
	})
	scenario(t, "StartToClose is tried again", func(w *world) {
		runs := newTally()
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			if runs.add(s) == 1 {
				return "", slowly(ctx, time.Minute)
			}
			return fmt.Sprintf("attempt %d", ctx.Info().Attempt), nil
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.StartToClose(50*ms), turnstone.WithRetry(quick))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", "attempt 2")
	})
	scenario(t, "ScheduleToStart ends what no worker takes", func(w *world) {
		a := turnstone.ActivityRef[string, string]("Elsewhere")
		o := text("O", func(ctx octx, in string) (string, error) {
			_, err := a.Call(ctx, in, turnstone.ScheduleToStart(50*ms), turnstone.WithRetry(quick))
			return fmt.Sprint(err), nil
		})
		w.open(o)
		begin(w, o, "i", "x")
		completes(w, "i", "timeout: no worker took activity Elsewhere within its ScheduleToStart")
		if h := w.history("i", 0); h.count("ActivityScheduled") != 1 {
			t.Errorf("it was tried again: %v", h.kinds())
		}
	})
	scenario(t, "ScheduleToStart is no bound of the code", func(w *world) {
		a := lasting("A", 150*ms, "done ")
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.ScheduleToStart(50*ms))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", "done x")
	})
	scenario(t, "ScheduleToClose ends the code", func(w *world) {
		slow := lasting("Slow", time.Minute, "")
		w.open(slow, timeoutOf(slow, turnstone.ScheduleToClose(50*ms), turnstone.StartToClose(time.Minute)))
		w.beginNamed("O", "i")
		completes(w, "i", scheduleToClose)
	})
	scenario(t, "ScheduleToClose bounds all attempts", func(w *world) {
		a := turnstone.NewActivity("A", func(_ actx, s string) (string, error) { return "", errors.New("no luck") })
		o := text("O", func(ctx octx, in string) (string, error) {
			_, err := a.Call(ctx, in, turnstone.ScheduleToClose(200*ms),
				turnstone.WithRetry(turnstone.NewRetryPolicy(1000).WithBackoff(turnstone.FixedBackoff(60*ms))))
			return fmt.Sprint(errors.Is(err, turnstone.ErrTimeout), " ", err), nil
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		want := "true timeout: the ScheduleToClose of activity A, 200ms, leaves no time for another attempt after: no luck"
		completes(w, "i", want)
		h := w.history("i", 0)
		if n := h.count("ActivityScheduled"); n < 2 || n > 4 {
			t.Errorf("%d attempts", n)
		}
		left := int64(200)
		for _, e := range h {
			if s := e.GetActivityScheduled(); s != nil {
				if ms := s.GetTimeouts().GetScheduleToCloseMs(); ms > left || ms <= 0 {
					t.Errorf("attempt %d has %d ms of %d", s.GetAttempt(), ms, left)
				} else {
					left = ms
				}
			}
		}
	})
	scenario(t, "total time of a policy", func(w *world) {
		a := turnstone.NewActivity("A", func(_ actx, s string) (string, error) { return "", errors.New("no luck") })
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.WithRetry(turnstone.NewRetryPolicy(1000).
				WithBackoff(turnstone.FixedBackoff(60*ms)).WithTotalTime(150*ms)))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		if f := w.failure("i"); f.Message != "no luck" {
			t.Errorf("failure %v", f)
		}
		if n := w.history("i", 0).count("ActivityScheduled"); n < 2 || n > 3 {
			t.Errorf("%d attempts", n)
		}
	})
	scenario(t, "HeartbeatTimeout ends code that is silent", func(w *world) {
		slow := lasting("Slow", time.Minute, "")
		w.open(slow, timeoutOf(slow, turnstone.HeartbeatTimeout(50*ms)))
		w.beginNamed("O", "i")
		completes(w, "i", heartbeat)
	})
	scenario(t, "what a client sees of a timeout", func(w *world) {
		slow := lasting("Slow", time.Minute, "")
		o := text("O", func(ctx octx, in string) (string, error) {
			return slow.Call(ctx, in, turnstone.StartToClose(30*ms))
		})
		w.open(slow, o)
		begin(w, o, "i", "x")
		f := w.failure("i")
		var own *turnstone.Error
		if !errors.As(f, &own) || own.Kind != startToClose || errors.Is(f, turnstone.ErrTimeout) {
			t.Errorf("failure %+v, error %+v", f, own)
		}
	})
}

// rows are the activities that are stored.
func (w *world) rows() (all []persistence.WorkItem) {
	w.t.Helper()
	store := stores.Of(w.node)
	for p := range store.Info().Partitions {
		done := make(chan error, 1)
		store.View(persistence.Partition(p), func(r persistence.Reader) error {
			found, err := r.ScanWork(persistence.WorkKey{}, 100)
			all = append(all, found...)
			return err
		}, func(err error) { done <- err })
		if err := <-done; err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// beginNamed starts an orchestration of texts by its name.
func (w *world) beginNamed(name, id string) {
	w.t.Helper()
	if _, err := w.c.Start(w.ctx, id, name, []byte(`"x"`)); err != nil {
		w.t.Fatalf("start %s: %v", id, err)
	}
}

// The times go on across a crash.
func TestTimeoutsAcrossCrashes(t *testing.T) {
	scenario(t, "ScheduleToStart passes while the node is down", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) {
			_, err := turnstone.ActivityRef[string, string]("Elsewhere").Call(ctx, in, turnstone.ScheduleToStart(200*ms))
			return fmt.Sprint(errors.Is(err, turnstone.ErrTimeout), err), nil
		})
		w.open(o)
		begin(w, o, "i", "x")
		w.restart()
		if got := result[string](w, "i"); !strings.HasPrefix(got, "true") {
			t.Error(got)
		}
	})
	scenario(t, "StartToClose is counted again by the run after a crash", func(w *world) {
		runs := newTally()
		slow := turnstone.NewActivity("Slow", func(ctx actx, s string) (string, error) {
			runs.add(s)
			<-ctx.Done()
			return "", ctx.Err()
		})
		w.open(slow, timeoutOf(slow, turnstone.StartToClose(300*ms)))
		w.beginNamed("O", "i")
		w.until("it runs", func() bool { return runs.of("x") == 1 })
		w.restart()
		completes(w, "i", startToClose)
		if runs.of("x") != 2 {
			t.Errorf("%d runs", runs.of("x"))
		}
	})
	scenario(t, "ScheduleToClose passes in a crash loop", func(w *world) {
		runs := newTally()
		slow := turnstone.NewActivity("Slow", func(ctx actx, s string) (string, error) {
			runs.add(s)
			<-ctx.Done()
			return "", ctx.Err()
		})
		w.open(slow, timeoutOf(slow, turnstone.ScheduleToClose(500*ms)))
		w.beginNamed("O", "i")
		for n := 1; n <= 2; n++ {
			w.until("it runs", func() bool { return runs.of("x") == n })
			w.restart()
		}
		completes(w, "i", scheduleToClose)
	})
}

// Heartbeats and their details.
func TestHeartbeats(t *testing.T) {
	type progress struct{ Done int }
	scenario(t, "code that beats goes on", func(w *world) {
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			for n := range 10 {
				if err := errors.Join(slowly(ctx, 30*ms), ctx.Heartbeat(progress{n})); err != nil {
					return "", err
				}
			}
			return "done", ctx.Heartbeat(nil)
		})
		o := text("O", func(ctx octx, in string) (string, error) { return a.Call(ctx, in, turnstone.HeartbeatTimeout(200*ms)) })
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", "done")
	})
	scenario(t, "the next attempt reads the details", func(w *world) {
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			before, ok := turnstone.LastHeartbeat[progress](ctx)
			switch ctx.Info().Attempt {
			case 1:
				for n := 1; n <= 100; n++ {
					if err := ctx.Heartbeat(progress{n}); err != nil {
						return "", err
					}
				}
				return "", errors.New("halfway")
			case 2:
				return "", errors.New("at once")
			case 3:
				return "", slowly(ctx, time.Minute)
			}
			return fmt.Sprint(before.Done, ok), nil
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.HeartbeatTimeout(100*ms), turnstone.WithRetry(quick))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", "100 true")
	})
	scenario(t, "the run after a crash reads what was recorded", func(w *world) {
		runs := newTally()
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			before, ok := turnstone.LastHeartbeat[progress](ctx)
			if runs.add(s) > 1 {
				return fmt.Sprint(before.Done, ok, ctx.Info().Attempt), nil
			}
			err := ctx.Heartbeat(progress{7})
			<-ctx.Done()
			return "", err
		})
		o := text("O", func(ctx octx, in string) (string, error) { return a.Call(ctx, in) })
		w.open(a, o)
		begin(w, o, "i", "x")
		w.until("the details are recorded", func() bool {
			for _, item := range w.rows() {
				if item.HeartbeatAtMs > 0 {
					return string(item.Heartbeat) == `{"Done":7}`
				}
			}
			return false
		})
		w.restart()
		completes(w, "i", "7 true 1")
	})
	resident(t, "details are recorded three times in a timeout", func(w *world) {
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			for range 300 {
				if err := errors.Join(ctx.Heartbeat("details"), slowly(ctx, ms)); err != nil {
					return "", err
				}
			}
			return "done", nil
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.HeartbeatTimeout(3*time.Second))
		})
		w.open(a, o)
		before := w.node.Metrics().Commands
		begin(w, o, "i", "x")
		completes(w, "i", "done")
		// Two turns, the lease and one heartbeat; on a slow machine another heartbeat.
		if n := w.node.Metrics().Commands - before; n < 4 || n > 5 {
			t.Errorf("%d commands", n)
		}
	})
	resident(t, "details that are refused are not tried again", func(w *world) {
		var runs atomic.Int32
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			runs.Add(1)
			if s == "large" {
				return "", fmt.Errorf("beat: %w", ctx.Heartbeat(strings.Repeat("x", 9)))
			}
			return "", ctx.Heartbeat(make(chan int))
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			_, err := a.Call(ctx, in, turnstone.WithRetry(turnstone.NewRetryPolicy(3).WithBackoff(turnstone.NoBackoff())))
			var own *turnstone.Error
			if !errors.As(err, &own) || !own.NonRetryable {
				return "", err
			}
			return own.Kind + ": " + own.Message, nil
		})
		w.cfg.Limits.HeartbeatBytes = 10
		w.open(a, o)
		begin(w, o, "large", "large")
		completes(w, "large", "Limit: beat: limit exceeded: heartbeat bytes is 11, the limit is 10; make it smaller, or raise Config.Limits.HeartbeatBytes")
		begin(w, o, "chan", "chan")
		completes(w, "chan", "Codec: invalid input: the details of a heartbeat of activity A cannot be encoded: the type chan int cannot make the round trip through JSON: it is a chan, which JSON does not have")
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
	resident(t, "a limit and a stop are told", func(w *world) {
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			var over *turnstone.LimitError
			if err := ctx.Heartbeat(strings.Repeat("x", 9)); !errors.As(err, &over) || over.Size != 11 || over.Max != 10 {
				return "", fmt.Errorf("over the limit: %w", err)
			}
			if err := ctx.Heartbeat(strings.Repeat("x", 8)); err != nil {
				return "", err
			}
			if err := ctx.Heartbeat(make(chan int)); !errors.Is(err, turnstone.ErrInvalidInput) {
				return "", fmt.Errorf("not encodable: %w", err)
			}
			<-ctx.Done()
			return "", ctx.Heartbeat(nil)
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			_, err := a.Call(ctx, in, turnstone.StartToClose(50*ms))
			return fmt.Sprint(err), nil
		})
		w.cfg.Limits.HeartbeatBytes = 10
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", "timeout: activity A ran longer than its StartToClose of 50ms")
	})
}

// What an activity is told, and whom it can ask.
func TestActivityInfo(t *testing.T) {
	scenario(t, "all of it", func(w *world) {
		infos := make(chan turnstone.ActivityInfo, 1)
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			infos <- ctx.Info()
			c, ok := client.FromContext(ctx)
			if !ok {
				return "", errors.New("no client")
			}
			d, err := c.Describe(ctx, ctx.Info().Instance)
			return string(d.State), err
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.ScheduleToClose(time.Hour), turnstone.HeartbeatTimeout(time.Minute))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", string(client.StateRunning))
		i := <-infos
		if left := time.Until(i.Deadline); left > time.Hour || left < 50*time.Minute {
			t.Errorf("the deadline is %v", i.Deadline)
		}
		key := fmt.Sprintf("i/%d/1/2", i.Incarnation)
		i.Deadline, i.Worker, i.Incarnation = time.Time{}, "", 0
		want := turnstone.ActivityInfo{
			Instance: "i", Execution: 1, Event: 2, FirstEvent: 2, Orchestration: "O", Version: "1.0.0", Name: "A",
			Attempt: 1, Delivery: 1, HeartbeatTimeout: time.Minute,
		}
		if i != want {
			t.Errorf("info %+v", i)
		}
		i.Incarnation = 0
		if got := i.IdempotencyKey(); got != "i/0/1/2" || !strings.HasPrefix(key, "i/") {
			t.Errorf("key %q", got)
		}
	})
	scenario(t, "bounds that are none", func(w *world) {
		a := lasting("A", 0, "")
		o := text("O", func(ctx octx, in string) (string, error) {
			var all []string
			for _, option := range []turnstone.ActivityOption{
				turnstone.StartToClose(0), turnstone.ScheduleToStart(-1), turnstone.ScheduleToClose(0), turnstone.HeartbeatTimeout(0),
			} {
				if _, err := a.Call(ctx, in, option); errors.Is(err, turnstone.ErrInvalidInput) {
					all = append(all, "refused")
				}
			}
			return strings.Join(all, " "), nil
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		completes(w, "i", "refused refused refused refused")
	})
}

// A cancel reaches running code by push: the median of several, from when the end of the instance is known.
func TestCancelReachesActivitiesSoon(t *testing.T) {
	resident(t, "within 20 ms", func(w *world) {
		began, ended := make(chan struct{}, 1), make(chan time.Time, 1)
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			began <- struct{}{}
			<-ctx.Done()
			ended <- time.Now()
			return "", ctx.Err()
		})
		o := text("O", func(ctx octx, in string) (string, error) { return a.Call(ctx, in) })
		w.open(a, o)
		var delays []time.Duration
		for n := range 11 {
			id := fmt.Sprint("i", n)
			begin(w, o, id, "x")
			<-began
			w.cancel(id, "stop")
			w.cancelled(id, "stop")
			known := time.Now()
			delays = append(delays, (<-ended).Sub(known))
		}
		slices.Sort(delays)
		t.Logf("the context ended %v after the commit was known (median; longest %v)", delays[5], delays[10])
		if delays[5] > 20*ms {
			t.Errorf("the delays were %v", delays)
		}
	})
}
