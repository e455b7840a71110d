package actors

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// unwound is a waiter that counts its unwound coroutines, and those that began.
type unwound struct{ began, ended atomic.Int64 }

func (u *unwound) wait(c *replay.Context, input []byte) ([]byte, error) {
	u.began.Add(1)
	defer u.ended.Add(1)
	return waiter(c, input)
}

func event(id, name, data, key string) arrival.Delivery {
	return arrival.Delivery{ID: id, RequestKey: key, Message: &turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: name, Data: []byte(data)}}}}
}

// panicking is a reply whose receiver panics.
func panicking(r *reply) func(error) {
	return func(err error) {
		r.set(err, false)
		panic("a defect")
	}
}

func (u *unwound) check(t *testing.T) {
	t.Helper()
	if b, e := u.began.Load(), u.ended.Load(); b != e {
		t.Errorf("%d coroutines began and %d were unwound", b, e)
	}
}

// Two receivers panic: the second panics within the recovery from the first.
func TestRecovery_that_panics_forgets_no_coroutine(t *testing.T) {
	u := &unwound{}
	inOneWorld(t, Config{}, func(w *world) {
		w.panicsExpected = true
		w.attach(newRegistry().orchestration("wait", u.wait))
		w.start("a", "wait", "")
		w.journal.hold()
		first, second := &reply{}, &reply{}
		w.e.Deliver(event("a", "other", "1", ""), panicking(first))
		w.e.Deliver(event("a", "other", "2", ""), panicking(second))
		synctest.Wait()
		w.journal.release()
		pass(time.Minute)
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Error(err)
		}
		pass(time.Second)
		w.completed("a", "x")
		u.check(t)
		w.e.instances.DiscardMachines()
	})
}

// An instance is terminated beside its actor while a message that it does not wait for is being accepted. The receiver of that
// message's answer panics; the same step lets the replay machine go.
func TestRecovery_unwinds_what_an_effect_behind_the_panic_had_to_unwind(t *testing.T) {
	u := &unwound{}
	inOneWorld(t, Config{}, func(w *world) {
		w.panicsExpected = true
		w.attach(newRegistry().orchestration("wait", u.wait))
		w.start("a", "wait", "")
		terminated := &reply{}
		var once atomic.Bool
		var held []persistence.Proposal
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			if _, is := p.Command.(*persistence.Enqueue); is && !once.Swap(true) {
				held = append(held, p)
				return true
			}
			return false
		})
		w.journal.hold()
		w.raise("a", "other", "0")
		synctest.Wait()
		first := &reply{}
		w.e.Deliver(event("a", "other", "1", ""), panicking(first)) // accepted on its own, while the other's turn commits
		pass(20 * time.Millisecond)
		w.journal.release()
		synctest.Wait()
		w.e.Terminate(instance.Termination{ID: "a", Reason: "why"}, func(err error) { terminated.set(err, false) })
		synctest.Wait()
		for _, p := range held {
			w.journal.Memory.Propose(w.journal.PartitionOf("a"), p)
			w.journal.poke()
		}
		pass(time.Minute)
		pass(time.Minute)
		u.check(t)
		w.e.instances.DiscardMachines()
	})
}

// The engine stops while a lost instance's turn is in its slot.
func TestRecovery_a_stop_waits_for_the_turn_in_its_slot(t *testing.T) {
	u := &unwound{}
	inOneWorld(t, Config{}, func(w *world) {
		w.panicsExpected = true
		hold := make(chan struct{})
		w.attach(newRegistry().orchestration("block", func(c *replay.Context, in []byte) ([]byte, error) {
			u.began.Add(1)
			defer u.ended.Add(1)
			if _, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await(); err != nil {
				return nil, err
			}
			<-hold
			_, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
			return nil, err
		}))
		w.start("a", "block", "")
		first := &reply{}
		w.e.Deliver(event("a", "go", "1", ""), panicking(first)) // accepted after 10 ms, while the turn runs
		pass(100 * time.Millisecond)
		stopped := false
		w.e.Stop(func(error) { stopped = true })
		synctest.Wait()
		if stopped {
			t.Error("the stop is answered while the code runs")
		}
		close(hold)
		pass(10 * time.Second)
		u.check(t)
		w.e.instances.DiscardMachines()
		_ = w.journal.Close()
		w.journal.end()
		synctest.Wait()
		w.open() // for close
	})
}

// An instance that waits for memory is given up: the grant that comes later belongs to nothing.
func TestRecovery_memory_that_is_granted_too_late_is_given_back(t *testing.T) {
	const size = 16 << 10
	data := strings.Repeat("x", size)
	inOneWorld(t, Config{ResidentBytes: -1, MemoryBytes: 3 * size}, func(w *world) {
		w.panicsExpected = true
		w.attach(basics().orchestration("collect", collect))
		for _, id := range []string{"a", "b", "c"} {
			w.start(id, "collect", "3")
			if err := w.raise(id, "go", data).wait(); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		var stashed []func()
		stash := true
		w.take(func(n persistence.Partition, p persistence.Proposal) bool { // the commits of a and c take 20 s
			if _, is := p.Command.(*persistence.CommitTurn); is && stash {
				stashed = append(stashed, func() { w.journal.Memory.Propose(n, p); w.journal.poke() })
				return true
			}
			return false
		})
		w.raise("a", "go", "1")
		w.raise("c", "go", "1")
		synctest.Wait()
		lost := &reply{}
		w.e.Deliver(event("b", "go", "1", ""), panicking(lost))
		pass(20 * time.Second)
		w.take(nil)
		stash = false
		for _, f := range stashed {
			f()
		}
		pass(time.Minute)
		for _, id := range []string{"a", "c"} {
			w.raise(id, "go", "2")
		}
		pass(time.Hour)
		for _, id := range []string{"a", "c"} {
			if got := w.head(id).Status; got != persistence.StatusCompleted {
				t.Errorf("%s is %v: it waits for memory for ever", id, got)
			}
		}
		pass(time.Hour)
		if n := w.e.Counters().MemoryBytes; n != 0 {
			t.Errorf("%d bytes of the budget of %d are in use, and %d instances wait for memory", n, 3*size, w.e.memory.waiting.Load())
		}
	})
}

// A commit is stale because of an event, and the proposal of that event on its own panics: the coroutine that is being
// unwound is unwound a second time, on another goroutine.
func TestRecovery_no_coroutine_is_unwound_twice(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		w.panicsExpected = true
		release := make(chan struct{})
		var inside, most atomic.Int64
		blocks := func() {
			most.Store(max(most.Load(), inside.Add(1)))
			<-release
			inside.Add(-1)
		}
		w.attach(newRegistry().orchestration("collect", func(c *replay.Context, in []byte) ([]byte, error) {
			defer blocks()
			c.Go(func(c *replay.Context) (any, error) {
				defer blocks()
				return c.WaitEvent("never", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
			})
			return collect(c, in)
		}))
		w.start("a", "collect", "3")
		if err := w.deliver(event("a", "go", "1", "k")).wait(); err != nil {
			t.Fatal(err)
		}
		var armed atomic.Bool
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			switch p.Command.(type) {
			case *persistence.CommitTurn:
				armed.Store(true)
			case *persistence.Enqueue:
				if armed.Swap(false) {
					panic("a defect")
				}
			}
			return false
		})
		w.deliver(event("a", "go", "1", "k"))
		pass(100 * time.Millisecond)
		if n := most.Load(); n > 1 {
			t.Errorf("%d coroutines of one replay machine run at once", n)
		}
		close(release)
		pass(time.Minute)
		w.raise("a", "go", "2")
		w.raise("a", "go", "3")
		pass(time.Minute)
		w.completed("a", "1 2 3")
	})
}

// A turn of a heavy suspect runs in its slot when its actor panics.
func TestRecovery_a_heavy_suspect_runs_alone_until_its_code_returns(t *testing.T) {
	inOneWorld(t, Config{MaxAttempts: 1}, func(w *world) {
		w.panicsExpected = true
		hold := make(chan struct{})
		var running, most atomic.Int64
		reg := func() *registry {
			return newRegistry().orchestration("block", func(c *replay.Context, in []byte) ([]byte, error) {
				if _, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await(); err != nil {
					return nil, err
				}
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-hold
				running.Add(-1)
				_, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
				return nil, err
			})
		}
		w.attach(reg())
		w.start("a", "block", "")
		w.start("b", "block", "")
		w.crash()
		w.open()
		w.attach(reg())
		w.raise("a", "go", "1")
		synctest.Wait()
		first := &reply{}
		w.raise("b", "go", "1")
		synctest.Wait()
		w.e.Deliver(event("a", "go", "2", ""), panicking(first))
		pass(100 * time.Millisecond)
		if most.Load() > 1 {
			t.Errorf("%d heavy suspects run at once", most.Load())
		}
		close(hold)
		pass(time.Minute)
	})
}

// An instance whose actor panics too often is given up with a due timer, a raised event and a result on its way.
func TestRecovery_an_instance_that_is_given_up_is_not_forgotten(t *testing.T) {
	for _, resident := range []int64{0, -1} {
		for panics := int64(1); panics < 12; panics++ {
			inOneWorld(t, Config{ResidentBytes: resident}, func(w *world) {
				w.panicsExpected = true
				f := &flaky{registry: basics().orchestration("sleep", func(c *replay.Context, _ []byte) ([]byte, error) {
					_, err := c.Timer(time.Hour).Await()
					return []byte("x"), err
				})}
				if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: f, TurnSlots: 2, ActivitySlots: 2}); err != nil {
					t.Fatal(err)
				}
				w.start("a", "sleep", "")
				pass(59 * time.Minute) // it has left memory
				f.panics.Store(panics)
				pass(time.Minute + time.Millisecond)
				pass(2 * time.Minute)
				if got := w.head("a").Status; got != persistence.StatusCompleted {
					t.Errorf("resident %d: after %d panics the timer is forgotten: %v; panics left %d, restarts %d", resident, panics, got, f.panics.Load(), w.e.Counters().Restarts)
					pass(time.Hour)
				}
			})
		}
	}
}

// The turn of a lost instance waits for a slot for longer than the actor waits for it.
func TestRecovery_waits_for_a_turn_that_waits_for_its_slot(t *testing.T) {
	u := &unwound{}
	inOneWorld(t, Config{}, func(w *world) {
		w.panicsExpected = true
		hold := make(chan struct{})
		r := newRegistry().orchestration("wait", u.wait).orchestration("block", func(c *replay.Context, in []byte) ([]byte, error) {
			<-hold
			return nil, nil
		})
		if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: r, TurnSlots: 1, ActivitySlots: 1}); err != nil {
			t.Fatal(err)
		}
		w.start("a", "wait", "")
		for _, id := range []string{"b1", "b2", "b3", "b4", "b5"} {
			w.ask(arrival.StartRequest{ID: id, Name: "block"})
			synctest.Wait()
		}
		first := &reply{}
		w.e.Deliver(event("a", "other", "1", ""), panicking(first)) // its turn waits for the slot; it is accepted after 10 ms
		pass(100 * time.Millisecond)
		pass(19 * time.Second)
		pass(20 * time.Second)
		close(hold)
		pass(time.Minute)
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		w.completed("a", "x")
		u.check(t)
		w.e.instances.DiscardMachines()
	})
}
