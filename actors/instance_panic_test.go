package actors

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// flaky is a registry that panics for a number of lookups, as a defect in an instance's own handling would.
type flaky struct {
	*registry
	panics atomic.Int64
}

func (f *flaky) Orchestration(name, version string) (string, replay.Func, bool) {
	if f.panics.Add(-1) >= 0 {
		panic("a defect")
	}
	return f.registry.Orchestration(name, version)
}

// TestAnActorThatPanicsIsStartedAgain: the sender whose message it had is told that what became of it is uncertain, and the
// next message finds the instance as the journal has it.
func TestAnActorThatPanicsIsStartedAgain(t *testing.T) {
	for _, panics := range []int64{1, instance.PanicsMax, instance.PanicsMax + 2} {
		inWorldForPanics(t, func(w *world, f *flaky) {
			uncertain := func(r *reply) {
				t.Helper()
				if err := r.wait(); !errors.Is(err, persistence.ErrUncertain) {
					t.Errorf("%d panics: %v", panics, err)
				}
			}
			f.panics.Store(panics)
			uncertain(w.ask(arrival.StartRequest{ID: "a", Name: "wait"}))
			f.panics.Store(0)
			w.start("a", "wait", "")
			f.panics.Store(panics)
			lost := w.raise("a", "go", "x")
			synctest.Wait()
			if f.panics.Swap(0) < panics { // a resident machine looks for no handler
				uncertain(lost)
			}
			if err := w.raise("a", "go", "x").wait(); err != nil && lost.wait() != nil {
				t.Errorf("raise: %v", err)
			}
			pass(time.Second)
			w.completed("a", "x")
		})
	}
}

// inWorldForPanics is a world in which restarts are expected.
func inWorldForPanics(t *testing.T, f func(w *world, f *flaky)) {
	t.Helper()
	for _, resident := range []int64{0, -1} {
		inOneWorld(t, Config{ResidentBytes: resident}, func(w *world) {
			w.panicsExpected = true
			registry := &flaky{registry: basics()}
			if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: registry, TurnSlots: 2, ActivitySlots: 2}); err != nil {
				t.Fatal(err)
			}
			f(w, registry)
		})
	}
}

// collectAll gives the data of as many events "go" as its input says, and then the result of an activity. interrupt is called
// in the turn that takes the result.
func collectAll(interrupt func(c *replay.Context)) replay.Func {
	return func(c *replay.Context, input []byte) ([]byte, error) {
		work := c.Activity("work", []byte("work"), replay.ActivityOptions{})
		all, err := collect(c, input)
		if err != nil {
			return nil, err
		}
		v, err := work.Await()
		if err != nil {
			return nil, err
		}
		interrupt(c)
		return append(append(all, ' '), v.([]byte)...), nil
	}
}

// defect is a panic that happens once, at a place where the instance's actor calls something that a test gave it.
type defect struct {
	slog.Handler           // as a logger: at a message that begins with at
	consumer.Runner        // as a runner: after the code has been handed over
	at              string // logger
	where           string // which of these: log, run or reply
	armed           atomic.Bool
	hold            chan struct{} // runner: the code that was handed over when it panicked waits for this
}

func (d *defect) strike(where string) {
	if d.where == where && d.armed.Swap(false) {
		panic("a defect")
	}
}

func (d *defect) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, d.at) {
		d.strike("log")
	}
	return nil
}

func (d *defect) Run(code, done func()) {
	if d.where == "run" && d.armed.Load() {
		inner := code
		code = func() { <-d.hold; inner() }
	}
	d.Runner.Run(code, done)
	d.strike("run")
}

// reply is an answer whose receiver panics.
func (d *defect) reply(r *reply) func(error) {
	return func(err error) {
		r.set(err, false)
		d.strike("reply")
	}
}

// raiseTo raises an event whose answer goes through a function of the test's.
func (w *world) raiseTo(id, data string, reply func(error)) {
	w.e.Deliver(arrival.Delivery{ID: id, Message: &turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "go", Data: []byte(data)}}}}, reply)
}

// panicCase is a world with an instance "a" that runs collectAll and whose activity runs. Every case lets the actor panic
// while it has the activity's result.
type panicCase struct {
	*world
	d       *defect
	k       *worker
	events  int
	replies []*reply // of the events
}

// event raises the next event; with panics its receiver does when it is answered.
func (c *panicCase) event(panics bool) {
	c.events++
	r := &reply{}
	c.replies = append(c.replies, r)
	answer := func(err error) { r.set(err, false) }
	if panics {
		answer = c.d.reply(r)
	}
	c.raiseTo("a", strconv.Itoa(c.events), answer)
	synctest.Wait()
}

// result lets the activity end.
func (c *panicCase) result() {
	close(c.k.gate)
	synctest.Wait()
}

// TestAnActorThatPanicsWithAResultLosesNothing, whatever it was doing: its instance is read again and goes on, the
// activity's result is consumed once and its code is not run again, and each sender that waits is answered once. What is
// answered without an error is in the history.
func TestAnActorThatPanicsWithAResultLosesNothing(t *testing.T) {
	for _, test := range []struct {
		name      string
		where     string // the defect is
		events    int
		log       string
		interrupt func(c *replay.Context, first bool, hold chan struct{})
		run       func(c *panicCase)
	}{
		{name: "a turn comes back worthless", where: "log", log: "an instance is held",
			interrupt: func(c *replay.Context, first bool, _ chan struct{}) {
				if first {
					called := make(chan struct{})
					go func() {
						defer close(called)
						c.Now()
					}()
					<-called
				}
			},
			run: func(c *panicCase) {
				c.d.armed.Store(true)
				c.result()
			}},
		{name: "a turn is given up", where: "log", log: "a turn is given up",
			interrupt: func(_ *replay.Context, first bool, hold chan struct{}) {
				if first {
					<-hold
				}
			},
			run: func(c *panicCase) {
				c.d.armed.Store(true)
				c.result()
				pass(10 * time.Second)
				close(c.d.hold)
			}},
		{name: "a commit was recorded", run: func(c *panicCase) { c.confuse(true) }},
		{name: "a commit was not recorded", run: func(c *panicCase) { c.confuse(false) }},
		{name: "a commit's senders are answered", where: "reply", events: 4, run: func(c *panicCase) {
			c.journal.hold()
			c.event(false) // its turn commits while the others come
			c.event(true)
			c.result()
			c.event(false)
			c.d.armed.Store(true)
			c.journal.release()
			pass(time.Second)
			c.event(false)
		}},
		{name: "the next turn has begun", where: "run", events: 3, run: func(c *panicCase) {
			c.journal.hold()
			c.event(false)
			c.event(false)
			c.result()
			c.d.armed.Store(true)
			c.journal.release()
			pass(5 * time.Millisecond)
			if c.d.armed.Load() {
				c.t.Error("no turn has begun")
			}
			close(c.d.hold)
			pass(time.Second)
			c.event(false)
		}},
		{name: "a turn waits for the accept", where: "reply", events: 2,
			interrupt: func(_ *replay.Context, first bool, hold chan struct{}) {
				if first {
					<-hold
				}
			},
			run: (*panicCase).acceptInTurn},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, resident := range []int64{0, -1} {
				synctest.Test(t, func(t *testing.T) {
					runner := mailbox.NewGoRunner(0)
					d := &defect{Handler: silent().Handler(), Runner: runner, at: test.log, where: test.where, hold: make(chan struct{})}
					w := newWorld(t, Config{ResidentBytes: resident, Turns: d})
					w.panicsExpected = true
					w.open()
					if test.log != "" {
						w.logTo(d)
					}
					c := &panicCase{world: w, d: d, k: newWorker()}
					var interrupted atomic.Bool
					w.attach(newRegistry().activity("work", c.k.run).orchestration("collectAll", collectAll(func(ctx *replay.Context) {
						if test.interrupt != nil {
							test.interrupt(ctx, !interrupted.Swap(true), d.hold)
						}
					})))
					w.start("a", "collectAll", strconv.Itoa(test.events))
					c.k.wantCalls(t, 1, 1)
					test.run(c)
					pass(time.Minute)
					c.check(t, test.events)
					w.close()
					runner.Close()
				})
			}
		})
	}
}

// acceptInTurn has a turn with the result and an event run for so long that both are accepted, and end before they are.
// The actor panics when the event's sender is answered.
func (c *panicCase) acceptInTurn() {
	c.journal.hold()
	c.event(false)
	c.result()
	c.event(true)
	c.journal.release()
	synctest.Wait() // the turn that has both runs
	c.journal.hold()
	pass(step.AcceptAfter)
	close(c.d.hold)
	synctest.Wait() // it has ended
	c.d.armed.Store(true)
	c.journal.release()
}

// confuse answers the commit that brings the result with something that makes the instance's actor panic.
func (c *panicCase) confuse(recorded bool) {
	done := false
	c.take(func(n persistence.Partition, p persistence.Proposal) bool {
		commit, is := p.Command.(*persistence.CommitTurn)
		if !is || done || len(commit.AcceptedResults) == 0 {
			return false
		}
		done = true
		answer := p.Done
		p.Done = func(persistence.Result) { answer(persistence.Result{Err: persistence.ErrStale}) } // which positions?
		if recorded {
			c.journal.Memory.Propose(n, p)
			c.journal.poke()
		} else {
			p.Done(persistence.Result{})
		}
		return true
	})
	c.result()
}

func (c *panicCase) check(t *testing.T, events int) {
	t.Helper()
	for range events { // those that were lost
		if c.head("a").Status != persistence.StatusRunning {
			break
		}
		c.event(false)
		pass(time.Second)
	}
	output := strings.Fields(string(c.last("a").GetCompleted().GetOutput()))
	if len(output) != events+1 || output[events] != "work" {
		t.Fatalf("the output is %q", output)
	}
	seen := map[string]int{}
	for _, event := range output[:events] {
		seen[event]++
	}
	for i, r := range c.replies {
		name := strconv.Itoa(i + 1)
		err := r.wait()
		if err != nil && !errors.Is(err, persistence.ErrUncertain) {
			t.Errorf("event %s: %v", name, err)
		}
		if n := seen[name]; n > 1 || err == nil && n == 0 {
			t.Errorf("event %s was answered with %v and is %d times in the history", name, err, n)
		}
	}
	completed := 0
	for _, kind := range c.story("a", 1) {
		if kind == "ActivityCompleted" {
			completed++
		}
	}
	if completed != 1 {
		t.Errorf("the result is %d times in the history: %v", completed, c.story("a", 1))
	}
	c.k.wantCalls(t, 1, 0)
	if n := c.e.Counters().Restarts; n != 1 {
		t.Errorf("%d restarts, want 1", n)
	}
	if n := c.e.ActivityCounters().Void; n != 0 {
		t.Errorf("%d results were void", n)
	}
}

// TestAnActorThatWaitsInVainIsGivenUp: the panic has kept a proposal from being made that the instance waits for.
func TestAnActorThatWaitsInVainIsGivenUp(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.panicsExpected = true
		w.attach(basics())
		w.start("a", "wait", "")
		var armed atomic.Bool
		armed.Store(true)
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			if _, is := p.Command.(*persistence.CommitTurn); is && armed.Swap(false) {
				panic("a defect")
			}
			return false
		})
		first, second := w.raise("a", "go", "x"), w.raise("a", "go", "y")
		synctest.Wait()
		if err := first.wait(); !errors.Is(err, persistence.ErrUncertain) {
			t.Errorf("the sender is told %v", err)
		}
		pass(time.Minute)
		if err := second.wait(); !errors.Is(err, persistence.ErrUncertain) {
			t.Errorf("the sender that came meanwhile is told %v", err)
		}
		if err := w.raise("a", "go", "z").wait(); err != nil {
			t.Error(err)
		}
		pass(time.Second)
		w.completed("a", "z")
	})
}
