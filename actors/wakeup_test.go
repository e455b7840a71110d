package actors

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// parents waits for a child of its own that waits for an event.
func parents(child string) *registry {
	return basics().orchestration("parent", func(c *replay.Context, _ []byte) ([]byte, error) {
		value, err := c.Child("wait", nil, replay.ChildOptions{ID: child}).Await()
		if err != nil {
			return nil, err
		}
		return value.([]byte), nil
	})
}

func nothingLost(w *world) {
	w.t.Helper()
	if n := w.e.Counters().Retold; n != 0 {
		w.t.Errorf("%d wake-ups had to be told again, want none", n)
	}
}

// The parent has been told of its child's answer and reads its inbox when the residency evicts it.
func TestF01_an_eviction_while_the_inbox_is_read_loses_no_wake_up(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		w.attach(parents("c"))
		w.start("p", "parent", "")
		synctest.Wait()
		w.journal.slowLoads(100 * time.Millisecond)
		if err := w.raise("c", "go", "answer").wait(); err != nil {
			t.Fatal(err)
		}
		pass(150 * time.Millisecond) // the outbox has been read, and the parent reads its inbox
		for n := range uint64(4) {
			w.e.EvictOne(n)
		}
		pass(time.Second)
		if w.e.Counters().EvictedInLoad == 0 {
			t.Error("nothing was evicted while it read")
		}
		w.completed("p", "answer")
		nothingLost(w)
	})
}

// The eviction comes while a repeated start of a resident instance is being accepted.
func TestF01_an_eviction_beside_an_accept_in_flight_loses_no_wake_up(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		w.attach(parents("c"))
		w.start("p", "parent", "")
		synctest.Wait()
		w.journal.hold()
		again := w.ask(arrival.StartRequest{ID: "p", Name: "parent"})
		raised := w.raise("c", "go", "answer")
		synctest.Wait()
		for n := range uint64(4) {
			w.e.EvictOne(n)
		}
		synctest.Wait()
		if w.e.Counters().EvictedInAccept == 0 {
			t.Error("nothing was evicted while it waited for an acceptance")
		}
		w.journal.release()
		pass(time.Second)
		if err := again.wait(); !errors.Is(err, persistence.ErrAlreadyExists) {
			t.Errorf("the repeated start: %v, want ErrAlreadyExists", err)
		}
		if err := raised.wait(); err != nil {
			t.Error(err)
		}
		w.completed("p", "answer")
		nothingLost(w)
	})
}

// Inboxes of about a page, and of several: every row is taken, in order.
func TestF02_every_row_of_a_full_page_is_taken_in_order(t *testing.T) {
	for _, rows := range []int{999, 1000, 1001, 2000}[fullOrShort(0, 1):fullOrShort(4, 3)] {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			inOneWorld(t, Config{}, func(w *world) {
				w.start("a", "collect", "")
				for i := range rows {
					if err := w.raise("a", "n", fmt.Sprint(i)).wait(); err != nil {
						t.Fatal(err)
					}
					if i%100 == 99 {
						pass(20 * time.Millisecond)
					}
				}
				pass(time.Second)
				w.attach(basics().orchestration("collect", func(c *replay.Context, _ []byte) ([]byte, error) {
					for i := range rows + 1 {
						value, err := c.WaitEvent("n", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
						if err != nil {
							return nil, err
						}
						if got := string(value.([]byte)); got != fmt.Sprint(i) {
							return nil, fmt.Errorf("message %d is %s", i, got)
						}
					}
					return []byte("all"), nil
				}))
				pass(time.Minute)
				if err := w.raise("a", "n", fmt.Sprint(rows)).wait(); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				w.completed("a", "all")
				nothingLost(w)
			})
		})
	}
}

// The client's start of an id waits for room in the journal when another instance's start of it becomes durable.
func TestF03_a_refusal_that_contradicts_a_belief_discards_it(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		w.attach(parents("x").without("wait"))
		refused := 0
		w.journal.on(func(_ persistence.Partition, p persistence.Proposal) bool {
			start, ok := p.Command.(*persistence.StartInstance)
			if !ok || start.ID != "x" || refused == 10 {
				return false
			}
			refused++
			done := p.Done
			time.AfterFunc(time.Millisecond, func() { done(persistence.Result{Err: persistence.ErrBusy}) })
			return true
		})
		start := w.ask(arrival.StartRequest{ID: "x", Name: "wait"})
		synctest.Wait()
		w.start("p", "parent", "")
		pass(10 * time.Second)
		if err := start.wait(); !errors.Is(err, persistence.ErrAlreadyExists) {
			t.Fatalf("the client's start: %v, want ErrAlreadyExists", err)
		}
		if w.e.Counters().Contradictions == 0 {
			t.Error("no refusal contradicted what was known")
		}
		w.attachAs("late", basics())
		pass(time.Minute)
		if err := w.raise("x", "go", "answer").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.completed("p", "answer")
		nothingLost(w)
	})
}

// What a dispatcher tells is lost on its way: it tells again, and counts it.
func TestF01_a_wake_up_that_is_lost_is_told_again(t *testing.T) {
	var lose atomic.Bool
	inOneWorld(t, Config{LoseTell: lose.Load}, func(w *world) {
		w.attach(parents("c"))
		w.start("p", "parent", "")
		synctest.Wait()
		lose.Store(true)
		if err := w.raise("c", "go", "answer").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		lose.Store(false)
		if head := w.head("p"); head.Status.Terminal() {
			t.Fatal("nothing was lost")
		}
		pass(10 * time.Second)
		w.completed("p", "answer")
		if n := w.e.Counters().Retold; n != 1 {
			t.Errorf("%d were told again, want 1", n)
		}
	})
}

// A read that fails is made again; what is asked meanwhile is made durable and answered.
func TestF01_a_read_that_fails_is_made_again(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: -1}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		synctest.Wait()
		w.journal.failLoads(3)
		raised := w.raise("a", "go", "answer")
		pass(time.Second)
		if err := raised.wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "answer")
		nothingLost(w)
	})
}

// A consumer goes while an instance that was told reads, and another one comes. What the instance says of it reaches its
// dispatcher before or after the new one does.
func TestF01_what_is_left_unserved_is_found_by_the_next_consumer(t *testing.T) {
	for _, gap := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 30 * time.Second} {
		t.Run(gap.String(), func(t *testing.T) {
			inOneWorld(t, Config{ResidentBytes: -1}, func(w *world) {
				detach := w.attach(basics())
				w.start("a", "wait", "")
				pass(time.Minute)
				w.journal.slowLoads(100 * time.Millisecond)
				raised := w.raise("a", "go", "answer")
				pass(30 * time.Millisecond) // the event is durable, and the instance reads
				if err := raised.wait(); err != nil {
					t.Fatal(err)
				}
				detach()
				pass(200 * time.Millisecond)
				if head := w.head("a"); head.Status.Terminal() {
					t.Fatal("it has ended without a consumer")
				}
				pass(gap)
				w.attachAs("next", basics())
				pass(time.Second)
				w.completed("a", "answer")
				nothingLost(w)
			})
		})
	}
}
