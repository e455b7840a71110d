package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/partition"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
	"github.com/turnstone-dev/turnstone/replay"
)

// once runs f in one world; what it shows does not depend on residency.
func once(t *testing.T, cfg Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(4), cfg: cfg}
		w.open()
		f(w)
		w.close()
	})
}

// reopen ends the process in the given way and starts another on the same disk.
func (w *world) reopen(end func()) {
	w.t.Helper()
	end()
	w.open()
}

// dump is the state of all partitions.
func (w *world) dump() (all []*persistence.Dump) {
	w.t.Helper()
	for p := range w.journal.Info().Partitions {
		d, err := w.journal.Dump(persistence.Partition(p))
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// rows is all work rows.
func (w *world) rows() (work []persistence.WorkItem) {
	for _, d := range w.dump() {
		work = append(work, d.Work...)
	}
	return work
}

// call is an orchestration of one activity of the name that its input says.
func call(c *replay.Context, input []byte) ([]byte, error) {
	v, err := c.Activity(string(input), input, replay.ActivityOptions{}).Await()
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

// worker is an activity that tells when it runs, and ends when it is let, or is told to stop.
type worker struct {
	mu       sync.Mutex
	starts   []time.Time
	infos    []consumer.ActivityInfo
	running  int
	most     int
	gate     chan struct{} // closed or sent to: one call may end
	deaf     bool          // do not listen to the context
	whys     []error       // why calls were told to stop
	failWith error
}

func newWorker() *worker { return &worker{gate: make(chan struct{})} }

func (k *worker) run(ctx context.Context, info consumer.ActivityInfo, _ consumer.Heart, input []byte) ([]byte, error) {
	k.mu.Lock()
	k.starts, k.infos = append(k.starts, time.Now()), append(k.infos, info)
	k.running++
	k.most = max(k.most, k.running)
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.running--
		k.mu.Unlock()
	}()
	told := ctx.Done()
	if k.deaf {
		told = nil
	}
	select {
	case <-k.gate:
		return input, k.failWith
	case <-told:
		k.mu.Lock()
		k.whys = append(k.whys, context.Cause(ctx))
		k.mu.Unlock()
		return nil, ctx.Err()
	}
}

// state is how often it ran, how many run now, and how many ran at once.
func (k *worker) state() (calls, running, most int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.starts), k.running, k.most
}

func (k *worker) wantCalls(t *testing.T, calls, running int) {
	t.Helper()
	synctest.Wait()
	if c, r, _ := k.state(); c != calls || r != running {
		t.Fatalf("it was called %d times and runs %d times now, want %d and %d", c, r, calls, running)
	}
}

// take keeps proposals of one kind from the journal and answers them with answer, one at a time, or lets them through if
// it returns false.
func (w *world) take(answer func(p persistence.Partition, proposal persistence.Proposal) bool) {
	if answer == nil {
		w.journal.on(nil)
		return
	}
	var mu sync.Mutex
	w.journal.on(func(p persistence.Partition, proposal persistence.Proposal) bool {
		mu.Lock()
		defer mu.Unlock()
		return answer(p, proposal)
	})
}

// busyFor refuses the first n proposals of a command's kind with ErrBusy.
func busyFor[C persistence.Command](n int) func(persistence.Partition, persistence.Proposal) bool {
	return func(_ persistence.Partition, p persistence.Proposal) bool {
		if _, is := p.Command.(C); !is || n == 0 {
			return false
		}
		n--
		p.Done(persistence.Result{Err: persistence.ErrBusy})
		return true
	}
}

// TestEpochsRise by one with each process, and their end is noted.
func TestEpochsRise(t *testing.T) {
	once(t, Config{}, func(w *world) {
		for i := range 3 {
			for _, d := range w.dump() {
				if d.State.Epoch != uint64(i+1) || d.State.Clean {
					t.Errorf("process %d: epoch %d, clean %v", i+1, d.State.Epoch, d.State.Clean)
				}
			}
			if w.e.parts[0].Careful() {
				t.Error("careful after a clean end")
			}
			w.reopen(w.close)
		}
	})
}

// TestAnEpochThatAnotherProcessTookIsReadAgain, and a busy journal is asked again.
func TestAnEpochThatAnotherProcessTookIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(1)}
		w.journal = newTape(w.disk)
		tries := 0
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			if _, is := p.Command.(persistence.BeginEpoch); !is || tries == 2 {
				return false
			}
			tries++
			err := []error{&persistence.Refusal{Code: persistence.Fenced}, persistence.ErrBusy}[tries-1]
			p.Done(persistence.Result{Err: err})
			return true
		})
		opened := make(chan error, 1)
		w.e = Start(Config{Journal: w.journal, Node: "n", Process: "p", Logger: silent()},
			func(err error) { opened <- err })
		if err := <-opened; err != nil || tries != 2 {
			t.Errorf("opened after %d refusals: %v", tries, err)
		}
		w.close()
	})
}

// TestAnOpenThatCannotReadSaysWhy.
func TestAnOpenThatCannotReadSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(1)}
		w.journal = newTape(w.disk)
		w.journal.Stop(errors.New("the disk is on fire"))
		opened := make(chan error, 1)
		w.e = Start(Config{Journal: w.journal, Node: "n", Process: "p", Logger: silent()},
			func(err error) { opened <- err })
		if err := <-opened; !errors.Is(err, persistence.ErrStopped) {
			t.Errorf("opened with %v", err)
		}
		w.close()
	})
}

// TestREL_003_WhatWaitsIsFoundAtTheOpen: starts, messages, activities and timers, more of them than a page holds.
func TestREL_003_WhatWaitsIsFoundAtTheOpen(t *testing.T) {
	for _, end := range []string{"clean", "crash"} {
		t.Run(end, func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				n := fullOrShort(600, 120) // on 4 partitions, with their children rows a few hundred each
				w.take(nil)
				w.attach(basics().orchestration("sleep", func(c *replay.Context, _ []byte) ([]byte, error) {
					_, err := c.Timer(time.Hour).Await()
					return []byte("slept"), err
				}).orchestration("call", call).activity("held", func(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, _ []byte) ([]byte, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}))
				for i := range n {
					w.start(fmt.Sprint("sleep", i), "sleep", "")
					w.start(fmt.Sprint("call", i), "call", "held")
				}
				if end == "clean" {
					w.reopen(w.close)
				} else {
					w.reopen(w.crash)
				}
				for i := range n { // no consumer is attached: these stay pending
					w.start(fmt.Sprint("new", i), "echo", "hi")
				}
				w.attach(basics().orchestration("sleep", func(c *replay.Context, _ []byte) ([]byte, error) {
					_, err := c.Timer(time.Hour).Await()
					return []byte("slept"), err
				}).orchestration("call", call).activity("held", echoActivity))
				pass(2 * time.Hour)
				for i := range n {
					w.completed(fmt.Sprint("sleep", i), "slept")
					w.completed(fmt.Sprint("call", i), "held")
					w.completed(fmt.Sprint("new", i), "hi")
				}
				for _, s := range w.partitionSizes() {
					if s != 0 {
						t.Errorf("a dispatcher still holds %d rows", s)
					}
				}
			})
		})
	}
}

// partitionSizes is how much each dispatcher holds.
func (w *world) partitionSizes() []int {
	sizes := make([]int, len(w.e.parts))
	var wait sync.WaitGroup
	for i, p := range w.e.parts {
		wait.Add(1)
		p.Sizes(func(s dispatch.Sizes, activities int) {
			sizes[i] = s.Work + s.Timers + s.Tells + activities
			wait.Done()
		})
	}
	wait.Wait()
	return sizes
}

// TestAStepThatPanicsCostsTheEpochOnly: the actor is started again, reads everything anew, and work goes on.
func TestAStepThatPanicsCostsTheEpochOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(1)}
		w.open()
		k := newWorker()
		w.attach(basics().orchestration("call", call).activity("work", k.run))
		w.start("a", "call", "work")
		w.start("b", "wait", "")
		k.wantCalls(t, 1, 1)
		w.e.parts[0].Post("panic", func() { panic("a bug") })
		synctest.Wait()
		if got := w.e.parts[0].Epoch(); got != 2 {
			t.Errorf("epoch %d, want 2", got)
		}
		if !w.e.parts[0].Careful() {
			t.Error("not careful, although the epoch did not end cleanly")
		}
		k.wantCalls(t, 2, 1) // the first was told to stop; the second runs under the new epoch
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
		if err := w.raise("b", "go", "on").wait(); err != nil {
			t.Error(err)
		}
		w.completed("b", "on")
		if c := w.e.Counters(); c.Restarts != 1 {
			t.Errorf("%d restarts", c.Restarts)
		}
		if c := w.e.ActivityCounters(); c.Leaked != 0 {
			t.Errorf("%d leaked", c.Leaked)
		}
		done := make(chan error, 1)
		w.e.Stop(func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = w.journal.Close()
		w.journal.end()
	})
}

// TestAFencedPartitionStopsServing: another process has begun a newer epoch. Its activities are told to stop, nothing is
// handed out any more, and its end is said to be what it is.
func TestAFencedPartitionStopsServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(1)}
		w.open()
		k := newWorker()
		w.attach(newRegistry().orchestration("call", call).orchestration("wait", waiter).activity("work", k.run))
		w.start("a", "call", "work")
		w.start("c", "call", "nobody") // held back for a second at first
		k.wantCalls(t, 1, 1)
		w.journal.Propose(0, persistence.Proposal{TimeMs: time.Now().UnixMilli(), Epoch: 2,
			Command: persistence.BeginEpoch{Epoch: 2, Node: "node-1", Process: "another"}, Done: func(persistence.Result) {}})
		pass(2 * time.Second) // the work that is given back finds out
		k.wantCalls(t, 1, 0)
		if len(k.whys) != 1 || !errors.Is(k.whys[0], partition.ErrServingEnded) {
			t.Errorf("told to stop because of %v", k.whys)
		}
		if got := w.e.parts[0].Epoch(); got != 0 {
			t.Errorf("the epoch is %d", got)
		}
		if c := w.e.ActivityCounters(); c.Fenced != 1 || c.Leaked != 0 {
			t.Errorf("counters %+v", c)
		}
		before := w.journal.count(&persistence.AbandonWork{})
		pass(time.Hour)
		if n := w.journal.count(&persistence.AbandonWork{}); n != before {
			t.Errorf("%d proposals after it was fenced", n-before)
		}
		w.close()
	})
}

// TestConsumersWithTheSameHandlersTakeTurns, and one without slots for turns gets none.
func TestConsumersWithTheSameHandlersTakeTurns(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attachAs("one", basics())
		w.attachAs("two", basics())
		if _, err := w.e.Attach(consumer.Consumer{ID: "three", Handlers: basics(), ActivitySlots: 1}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for range 6 {
			c, version, fn, ok := w.e.parts[1].Consumers().Find("echo", "", "", -1)
			if !ok || version != "1.0.0" || fn == nil {
				t.Fatal("nobody was found")
			}
			got = append(got, c.ID)
		}
		slices.Sort(got)
		if counts := slices.Compact(slices.Clone(got)); len(counts) != 2 || slices.Contains(got, "three") {
			t.Errorf("turns went to %v", got)
		}
		if _, _, _, ok := w.e.parts[1].Consumers().Find("nothing", "", "", -1); ok {
			t.Error("a consumer was found for a name that nobody has")
		}
	})
}

// TestAConsumerThatMayNotReplayAPinIsPassedOver: what its engine version cannot replay stays for one that can.
func TestAConsumerThatMayNotReplayAPinIsPassedOver(t *testing.T) {
	once(t, Config{}, func(w *world) {
		attach := func(id string, h consumer.Handlers) {
			if _, err := w.e.Attach(consumer.Consumer{ID: id, Handlers: h, TurnSlots: 1, EngineVersion: "0.1.0"}); err != nil {
				t.Fatal(err)
			}
		}
		attach("old", replaysOnly{basics(), "1.0.0"})
		find := func(pin string) string {
			ids := map[string]bool{}
			for range 4 {
				c, _, _, ok := w.e.parts[0].Consumers().Find("wait", "", pin, -1)
				if !ok {
					return ""
				}
				ids[c.ID] = true
			}
			return fmt.Sprint(ids)
		}
		if got := find("2.0.0"); got != "" {
			t.Errorf("a pin that nobody replays goes to %s", got)
		}
		attach("new", replaysOnly{basics(), "2.0.0"})
		for pin, want := range map[string]string{"1.0.0": "map[old:true]", "2.0.0": "map[new:true]"} {
			if got := find(pin); got != want {
				t.Errorf("pin %s goes to %s, want %s", pin, got, want)
			}
		}
	})
}

// replaysOnly is handlers of an engine that replays one version.
type replaysOnly struct {
	*registry
	version string
}

func (r replaysOnly) Replays(pin string) bool { return pin == "" || pin == r.version }

// TestWorkIsHandedOutTheMomentItIsDurable, and not before.
func TestWorkIsHandedOutTheMomentItIsDurable(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
		begun := time.Now()
		w.journal.hold()
		answer := w.ask(arrival.StartRequest{ID: "a", Name: "call", Input: []byte("work")})
		k.wantCalls(t, 0, 0)
		if err := answer.wait(); !errors.Is(err, errNoAnswer) {
			t.Errorf("answered before it was durable: %v", err)
		}
		w.journal.release()
		k.wantCalls(t, 1, 1)
		if err := answer.wait(); err != nil || !time.Now().Equal(begun) {
			t.Errorf("answered %v after %v", err, time.Since(begun))
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}

// TestRequestKeysAreSweptWhenTheyHaveExpired, and not before.
func TestRequestKeysAreSweptWhenTheyHaveExpired(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(basics())
		if err := w.ask(arrival.StartRequest{ID: "a", Name: "wait", RequestKey: "k"}).wait(); err != nil {
			t.Fatal(err)
		}
		count := func() (n int) {
			for _, d := range w.dump() {
				n += len(d.Requests)
			}
			return n
		}
		pass(23 * time.Hour)
		if n := count(); n != 1 {
			t.Fatalf("%d request keys are remembered after 23 hours, want 1", n)
		}
		pass(70 * time.Minute)
		if n := count(); n != 0 {
			t.Errorf("%d request keys are remembered after 24 hours, want none", n)
		}
	})
}

// panicsOnce is handlers whose lookup of an activity panics once when it is armed.
type panicsOnce struct {
	*registry
	armed atomic.Bool
}

func (p *panicsOnce) Activity(name string) (consumer.ActivityFunc, bool) {
	if p.armed.Swap(false) {
		panic("a defect")
	}
	return p.registry.Activity(name)
}

// TestAnEndIsToldAlthoughTheDispatcherFails: the same effects bring an end and work that makes the dispatcher panic. No
// scan of the next epoch would find the end again.
func TestAnEndIsToldAlthoughTheDispatcherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(1), panicsExpected: true}
		w.open()
		handlers := &panicsOnce{registry: basics()}
		if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: handlers, TurnSlots: 2, ActivitySlots: 2}); err != nil {
			t.Fatal(err)
		}
		w.start("ends", "wait", "")
		synctest.Wait()
		told := 0
		w.e.WatchEnd("ends", func(persistence.EndEffect) { told++ }, func(error) {})
		gate := make(chan struct{})
		w.e.parts[0].Post("block", func() { <-gate })
		synctest.Wait()
		w.start("works", "echo", "x") // its work comes first
		if err := w.raise("ends", "go", "y").wait(); err != nil {
			t.Fatal(err)
		}
		handlers.armed.Store(true)
		close(gate)
		pass(time.Second)
		if handlers.armed.Load() || w.e.parts[0].Epoch() != 2 {
			t.Fatalf("the dispatcher did not fail: epoch %d", w.e.parts[0].Epoch())
		}
		if told != 1 {
			t.Errorf("the end was told %d times, want once", told)
		}
		w.completed("ends", "y")
		w.completed("works", "x")
		w.close()
	})
}
