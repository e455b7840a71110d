package actors

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestTheDoorRefusesBeforeAnythingIsWritten: each limit at its value and one above it.
func TestTheDoorRefusesBeforeAnythingIsWritten(t *testing.T) {
	l := limits.Limits{NameBytes: 8, IDBytes: 8, PayloadBytes: 8, RequestKeyBytes: 8, ReasonBytes: 8}
	inOneWorld(t, Config{Limits: l}, func(w *world) {
		registry := basics().orchestration("12345678", waiter)
		w.attach(registry)
		at, above := "12345678", "123456789"
		start := func(id, name, version, input, key string) func() error {
			return func() error {
				return w.ask(arrival.StartRequest{ID: id, Name: name, Version: version, Input: []byte(input), RequestKey: key}).wait()
			}
		}
		raise := func(name, data, key string) func() error {
			return func() error {
				return w.deliver(arrival.Delivery{ID: at, RequestKey: key, Message: &turnpb.Message{
					Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: name, Data: []byte(data)}}}}).wait()
			}
		}
		cancel := func(reason string) func() error { return func() error { return w.cancel(at, reason).wait() } }
		for _, c := range []struct {
			limit   string
			refused func() error
		}{
			{"instance id bytes", start(above, at, "", at, at)}, {"orchestration name bytes", start(at, above, "", at, at)},
			{"orchestration version bytes", start(at, at, above, at, at)}, {"input bytes", start(at, at, "", above, at)},
			{"request key bytes", start(at, at, "", at, above)}, {"event name bytes", raise(above, at, at)},
			{"event data bytes", raise(at, above, at)}, {"request key bytes", raise(at, at, above)},
			{"cancel reason bytes", cancel(above)},
		} {
			var limit *limits.Error
			if err := c.refused(); !errors.As(err, &limit) || limit.Limit != c.limit || limit.Size != 9 || limit.Max != 8 {
				t.Errorf("%s: %v", c.limit, err)
			}
		}
		for _, id := range []string{"", "a\nb", "\xff", "a\x00"} {
			var bad *limits.IDError
			if err := start(id, at, "", "", "")(); !errors.As(err, &bad) {
				t.Errorf("id %q: %v", id, err)
			}
		}
		if n := w.journal.count(&persistence.CommitTurn{}); n != 0 {
			t.Fatalf("%d commits", n)
		}
		for what, allowed := range map[string]func() error{"start": start(at, at, "", at, at), "raise": raise(at, at, at)} {
			if what == "start" {
				if err := allowed(); err != nil {
					t.Errorf("%s at the limit: %v", what, err)
				}
			}
		}
		if err := raise(at, at, "other")(); err != nil {
			t.Errorf("raise at the limit: %v", err)
		}
		if err := cancel(at)(); err != nil {
			t.Errorf("cancel at the limit: %v", err)
		}
	})
}

// TestAFullInboxRefuses: what is beyond it is a typed refusal, and nothing is lost of the rest.
func TestAFullInboxRefuses(t *testing.T) {
	inOneWorld(t, Config{Limits: limits.Limits{Inbox: 3}}, func(w *world) {
		w.start("a", "wait", "") // no consumer is attached: it stays pending
		for range 3 {
			if err := w.raise("a", "go", "x").wait(); err != nil {
				t.Fatal(err)
			}
		}
		err := w.raise("a", "go", "x").wait()
		var refusal *persistence.Refusal
		if !errors.Is(err, persistence.ErrLimit) || !errors.As(err, &refusal) || refusal.Size != 4 || refusal.Max != 3 {
			t.Errorf("the fourth: %v", err)
		}
	})
}

// TestF52_a_cancel_finds_room_in_a_full_inbox: an instance that cannot run, and whose inbox is full, can be cancelled.
func TestF52_a_cancel_finds_room_in_a_full_inbox(t *testing.T) {
	inOneWorld(t, Config{Limits: limits.Limits{Inbox: 3, InboxBytes: 1000}}, func(w *world) {
		w.attach(basics().without("wait"))
		for id, size := range map[string]int{"many": 1, "large": 900} {
			w.ask(arrival.StartRequest{ID: id, Name: "wait"})
			for i := range 4 {
				err := w.raise(id, "go", strings.Repeat("x", size)).wait()
				if full := errors.Is(err, persistence.ErrLimit); !full && (err != nil || i == 3) {
					t.Fatalf("event %d of %s: %v", i+1, id, err)
				}
			}
			w.cancelledNow(id)
		}
	})
}

// TestF59_a_turn_counts_each_byte_once: inputs of children are in the events and in what is sent, an output is in the
// terminal event and in the answer to the parent, the input of the next execution is in the event and in its start.
func TestF59_a_turn_counts_each_byte_once(t *testing.T) {
	const big, slack = 10_000, 1_500
	parent := func(c *replay.Context, in []byte) ([]byte, error) {
		if len(in) > 0 {
			return []byte("done"), nil
		}
		var all []*replay.Future
		for range 8 {
			all = append(all, c.Child("child", make([]byte, big), replay.ChildOptions{}))
		}
		c.Detached("child", "detached", make([]byte, big), replay.DetachedOptions{})
		c.All(all...)
		for _, f := range all {
			if _, err := f.Await(); err != nil {
				return nil, err
			}
		}
		if _, err := c.Child("child", nil, replay.ChildOptions{}).Await(); err != nil {
			return nil, err
		}
		if _, err := c.Timer(time.Millisecond).Await(); err != nil {
			return nil, err
		}
		_, err := c.ContinueAsNew(make([]byte, 7*big), "").Await()
		return nil, err
	}
	child := func(_ *replay.Context, in []byte) ([]byte, error) { return make([]byte, 8*(big-len(in))), nil }
	inWorldWith(t, Config{Limits: limits.Limits{TurnBytes: 9*big + slack}}, func(w *world) {
		w.attach(basics().orchestration("parent", parent).orchestration("child", child))
		w.start("p", "parent", "")
		pass(time.Second)
		w.completed("p", "done")
	})
	inWorldWith(t, Config{Limits: limits.Limits{TurnBytes: 9*big - 1}}, func(w *world) {
		w.attach(basics().orchestration("parent", parent).orchestration("child", child))
		w.start("p", "parent", "")
		pass(time.Second)
		if text := failure.Display(w.failed("p")); !strings.Contains(text, "turn bytes") {
			t.Errorf("failed with %q", text)
		}
	})
}

// TestLimitsOfATurn end the instance before anything of the turn is written, and its parent hears of it.
func TestLimitsOfATurn(t *testing.T) {
	const big = 10_000
	fan := func(c *replay.Context, _ []byte) ([]byte, error) {
		for range 20 {
			c.Activity("echo", make([]byte, big), replay.ActivityOptions{})
		}
		_, err := c.Timer(time.Hour).Await()
		return nil, err
	}
	steps := func(c *replay.Context, _ []byte) ([]byte, error) {
		child := c.Child("wait", nil, replay.ChildOptions{ID: "left behind"})
		for range 100 {
			if _, err := c.Activity("echo", nil, replay.ActivityOptions{}).Await(); err != nil {
				return nil, err
			}
		}
		_, err := child.Await()
		return nil, err
	}
	for _, c := range []struct {
		name, limit string
		fn          replay.Func
		limits      limits.Limits
	}{
		{"turn bytes", "turn bytes", fan, limits.Limits{TurnBytes: 20*big - 1}},
		{"history events", "history events", steps, limits.Limits{HistoryEvents: 50}},
		{"history bytes", "history bytes", steps, limits.Limits{HistoryBytes: 5000}},
		{"pending", "pending", fan, limits.Limits{Pending: 19}},
		{"payload", "input", fan, limits.Limits{PayloadBytes: big - 1}},
		{"child id", "the id of sub-orchestration", func(c *replay.Context, _ []byte) ([]byte, error) {
			return nil, second(c.Child("wait", nil, replay.ChildOptions{}).Await())
		}, limits.Limits{DerivedIDBytes: 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorldWith(t, Config{Limits: c.limits}, func(w *world) {
				w.attach(basics().orchestration("over", c.fn).orchestration("parent",
					func(c *replay.Context, _ []byte) ([]byte, error) {
						_, err := c.Child("over", nil, replay.ChildOptions{ID: "o"}).Await()
						return []byte(fmt.Sprint(err)), nil
					}))
				w.start("p", "parent", "")
				pass(time.Second)
				why := w.failed("o")
				if text := failure.Display(why); !strings.Contains(text, c.limit) {
					t.Errorf("failed with %q, want the limit %q", text, c.limit)
				}
				if got := w.head("p").Status; got != persistence.StatusCompleted {
					t.Errorf("the parent is %v", got)
				}
				h := w.head("o")
				if h.Work+h.Timers+h.Children != 0 {
					t.Errorf("left open: %d activities, %d timers, %d children", h.Work, h.Timers, h.Children)
				}
				segments := w.history("o", 1)
				if got := segments[len(segments)-1].Header.GetOrigin(); got != turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT {
					t.Errorf("origin %v", got)
				}
				if c.name == "history events" {
					w.failed("left behind")
				}
			})
		})
	}
}

func second(_ any, err error) error { return err }

// TestAnUnreadableHistory: a history that cannot be read is tried again every second; then a failure is recorded behind it.
func TestAnUnreadableHistory(t *testing.T) {
	inOneWorld(t, Config{MaxAttempts: 3, ResidentBytes: -1}, func(w *world) {
		w.attach(basics().orchestration("steps", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Child("wait", nil, replay.ChildOptions{ID: "child"})
			return waiter(c, nil)
		}))
		w.start("a", "steps", "")
		synctest.Wait()
		w.journal.damage("a")
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatalf("a message for it is still accepted: %v", err)
		}
		pass(2 * time.Second)
		if got := w.head("a").Status; got != persistence.StatusRunning {
			t.Fatalf("%v after two attempts", got)
		}
		next := w.head("a").NextEvent
		pass(3 * time.Second)
		w.journal.damage("")
		why := w.failed("a")
		if why.GetPoison().GetTarget() != turnpb.PoisonTarget_POISON_TARGET_UNREADABLE_HISTORY {
			t.Errorf("failed with %v", why)
		}
		if got := w.last("a").GetId(); got != next {
			t.Errorf("recorded at event %d, want %d", got, next)
		}
		pass(time.Second)
		w.failed("child")
		if c := w.e.Counters(); c.Unreadable != 1 {
			t.Errorf("%d unreadable", c.Unreadable)
		}
	})
}
