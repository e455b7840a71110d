package actors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"
)

// TestRecovery_from_a_panic_at_each_call_while_the_engine_stops stops the engine while messages are under way.
func TestRecovery_from_a_panic_at_each_call_while_the_engine_stops(t *testing.T) {
	for _, resident := range []int64{0, -1} {
		for _, memory := range []int64{0, 1} {
			for _, wait := range []time.Duration{0, 12 * time.Millisecond} {
				cfg := Config{ResidentBytes: resident, MemoryBytes: memory}
				t.Run(fmt.Sprintf("resident %d memory %d wait %v", resident, memory, wait), func(t *testing.T) {
					stride := 1
					switch {
					case testing.Short():
						stride = 23
					case underRace:
						stride = 7
					}
					for at := 1; ; at += stride {
						c := &stopCase{t: t, s: &saboteur{at: at, row: 1}}
						synctest.Test(t, func(t *testing.T) { c.run(newWorld(t, cfg), wait) })
						if c.s.what == "" {
							break
						}
					}
				})
			}
		}
	}
}

// stopCase is a stop with a panic at one call.
type stopCase struct {
	*world
	t       *testing.T
	s       *saboteur
	start   *reply
	replies []*reply // of the events
}

func (c *stopCase) bad(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("at call %d (%s): %s", c.s.at, c.s.what, fmt.Sprintf(format, args...))
}

func (c *stopCase) run(w *world, wait time.Duration) {
	c.world = w
	w.panicsExpected = true
	w.open()
	k := &counted{}
	r := newRegistry().orchestration("collect", k.wrap(collect))
	c.s.into(w)
	w.attach(r)
	c.send(wait)
	c.stop()
	pass(time.Minute)
	for i, r := range append([]*reply{c.start}, c.replies...) {
		if r.times != 1 {
			c.bad("message %d is answered %d times", i, r.times)
		}
	}
	k.check(c.bad)
	// The answer to a proposal whose count the panic has spoilt is not waited for.
	if n := w.e.Counters().DeadLetters; n > 0 && !strings.Contains(c.s.what, "Propose") && !strings.Contains(c.s.what, "Epoch") {
		c.bad("%d dead letters", n)
	}
	if n := w.e.memory.used.Load(); n != 0 {
		c.bad("%d bytes of the memory are in use", n)
	}
	w.e.instances.DiscardMachines()
	_ = w.journal.Close()
	w.journal.end()
	synctest.Wait()
	w.open()
	w.attach(r)
	if c.start.wait() == nil {
		c.checkHistory()
	}
	w.close()
}

// send starts an instance and raises events: two at once, two more, one that waits for the journal, and one behind it.
func (c *stopCase) send(wait time.Duration) {
	c.start = &reply{}
	c.e.StartInstance(arrival.StartRequest{ID: "a", Name: "collect", Input: []byte("9")}, func(r arrival.StartReply) { c.start.set(r.Err, false) })
	raise := func() {
		r := &reply{}
		c.replies = append(c.replies, r)
		c.e.Deliver(event("a", "go", fmt.Sprint(len(c.replies)), ""), func(err error) { r.set(err, false) })
	}
	raise()
	raise()
	synctest.Wait()
	raise()
	raise()
	pass(time.Millisecond)
	c.journal.hold()
	raise()
	synctest.Wait()
	raise()
	pass(wait)
}

func (c *stopCase) stop() {
	began := time.Now()
	done := make(chan error, 1)
	c.e.Stop(func(err error) { done <- err })
	c.journal.release()
	select {
	case <-done:
		if d := time.Since(began); d > time.Second {
			c.bad("the stop took %v", d)
		}
	case <-time.After(time.Hour):
		c.bad("the engine does not stop")
	}
}

// checkHistory has the instance end, and compares what it took with what the senders were told.
func (c *stopCase) checkHistory() {
	for range 9 {
		c.raise("a", "go", "z")
		pass(time.Second)
	}
	if c.head("a").Status != persistence.StatusCompleted {
		c.bad("the instance is %v", c.head("a").Status)
		return
	}
	taken := strings.Fields(string(c.last("a").GetCompleted().GetOutput()))
	if !slices.IsSorted(taken) {
		c.bad("the events are taken in the order %v", taken)
	}
	for i, r := range c.replies {
		n := 0
		for _, event := range taken {
			if event == fmt.Sprint(i+1) {
				n++
			}
		}
		err := r.wait()
		if err == nil && n != 1 || err != nil && !errors.Is(err, persistence.ErrUncertain) && n != 0 || n > 1 {
			c.bad("event %d: the sender is told %v, and it is taken %d times: %v", i+1, err, n, taken)
		}
	}
}
