package actors

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// takeOne takes one event and continues as new, until it has seen as many as its input says; the input is then the list of
// what it took.
func takeOne(most int) replay.Func {
	return func(c *replay.Context, input []byte) ([]byte, error) {
		v, err := c.WaitEvent("n", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
		if err != nil {
			return nil, err
		}
		seen := string(input) + " " + string(v.([]byte))
		if strings.Count(seen, " ") == most {
			return []byte(seen), nil
		}
		c.ContinueAsNew([]byte(seen), "")
		return nil, nil
	}
}

func TestF05_3000_events_from_8_senders_to_take_one_and_continue_as_new(t *testing.T) {
	const senders = 8
	each := fullOrShort(375, 75)
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("take", takeOne(senders*each)))
		w.start("a", "take", "")
		for n := range each {
			replies := make([]*reply, senders)
			for s := range replies {
				replies[s] = w.raise("a", "n", fmt.Sprintf("%d-%d", s, n))
			}
			pass(11 * time.Millisecond)
			for _, r := range replies {
				if err := r.wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass(time.Minute)
		if got := w.head("a").Status; got != persistence.StatusCompleted {
			t.Fatalf("%v after %d executions", got, w.head("a").Execution)
		}
		next := make([]int, senders)
		for _, x := range strings.Fields(string(w.last("a").GetCompleted().GetOutput())) {
			var s, n int
			if _, err := fmt.Sscanf(x, "%d-%d", &s, &n); err != nil || next[s] != n {
				t.Fatalf("%q comes as number %d of its sender: %v", x, next[s], err)
			}
			next[s]++
		}
		nothingLost(w)
	})
}

func TestF05_a_full_inbox_answers_its_sender(t *testing.T) {
	for _, l := range []limits.Limits{{Inbox: 3}, {InboxBytes: 40}} {
		inOneWorld(t, Config{Limits: l}, func(w *world) {
			w.start("a", "wait", "") // nothing runs it
			var err error
			for range 10 {
				if err = w.raise("a", "go", "0123456").wait(); err != nil {
					break
				}
			}
			if !errors.Is(err, persistence.ErrLimit) || w.head("a").Inbox == 0 {
				t.Errorf("%v with %d in the inbox", err, w.head("a").Inbox)
			}
		})
	}
}

// What cannot be held stays in the inbox; a cancel and a wanted event behind it pass, now and after a load.
func TestF11_what_is_left_in_front_holds_up_nothing_behind_it(t *testing.T) {
	inWorldWith(t, Config{Limits: limits.Limits{Carried: 1}, InboxPage: 2}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.start("b", "wait", "")
		for i := range 20 {
			for _, id := range []string{"a", "b"} {
				if err := w.raise(id, "other", fmt.Sprint(i)).wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass(2 * time.Minute)
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		if err := w.cancel("b", "enough").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.completed("a", "x")
		w.failed("b")
		if w.e.Counters().Deferred == 0 {
			t.Error("nothing was deferred")
		}
		nothingLost(w)
	})
}

// slowIDs lets time pass after many turns: an instance that runs without an end stands still in virtual time else.
type slowIDs struct{ turns atomic.Int64 }

func (s *slowIDs) Entropy() (b [16]byte) {
	if s.turns.Add(1) > 100 {
		<-time.After(time.Second)
	}
	return b
}

// What the code does not wait for fills the turn, so the message that it waits for is not taken, and nothing is consumed:
// such a turn is not run again and again until the message has waited for 10 ms.
func TestF05_F07_an_idle_turn_is_not_run_again_as_it_was(t *testing.T) {
	ids := &slowIDs{}
	inOneWorld(t, Config{InboxPage: 2, IDs: ids, Limits: limits.Limits{Carried: 2, CarriedBytes: 1}}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		for i := range 5 {
			if err := w.raise("a", "other", fmt.Sprint(i)).wait(); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		before, at := ids.turns.Load(), time.Now()
		raised := w.raise("a", "go", "x")
		synctest.Wait()
		if err := raised.wait(); err != nil {
			t.Error(err)
		}
		w.completed("a", "x")
		if n, d := ids.turns.Load()-before, time.Since(at); n > 3 || d > 0 {
			t.Errorf("%d turns were run in %v", n, d)
		}
	})
}
