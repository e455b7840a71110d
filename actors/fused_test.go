package actors

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func (w *world) raiseOnce(id, name, data, key string) *reply {
	return w.deliver(arrival.Delivery{ID: id, RequestKey: key, Message: &turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: name, Data: []byte(data)}}}})
}

// blocked attaches a consumer whose only slot another instance keeps until free is called.
func (w *world) blocked(name string, code replay.Func) (detach, free func()) {
	w.t.Helper()
	gate := make(chan struct{})
	handlers := newRegistry().orchestration(name, code).
		orchestration("block", func(*replay.Context, []byte) ([]byte, error) { <-gate; return nil, nil })
	detach, err := w.e.Attach(consumer.Consumer{ID: "blocked", Handlers: handlers, TurnSlots: 1, ActivitySlots: 1, EngineVersion: "0.1.0"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ask(arrival.StartRequest{ID: "blocker", Name: "block"})
	synctest.Wait()
	return detach, func() { close(gate) }
}

// inOneTurn has one turn take all that send delivers, a start first: the turn that takes the start is given back when all
// has come, and the next one takes it all.
func (w *world) inOneTurn(name string, code replay.Func, send func()) {
	w.t.Helper()
	detach, free := w.blocked(name, code)
	send()
	synctest.Wait()
	w.attachAs("other", newRegistry().orchestration(name, code))
	detach()
	synctest.Wait()
	free()
	synctest.Wait()
}

// answered checks that all requests are answered well.
func answered(t *testing.T, replies ...*reply) {
	t.Helper()
	for i, r := range replies {
		if err := r.wait(); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

// An event that is larger than what an execution holds, in the turn of the start that it is for: it is accepted alone, and
// the start before it.
func TestF05_a_large_event_beside_a_fused_start(t *testing.T) {
	inWorld(t, func(w *world) {
		data := strings.Repeat("x", 100<<10)
		var replies []*reply
		w.inOneTurn("later", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Timer(time.Second).Await()
			return waiter(c, nil)
		}, func() {
			replies = append(replies, w.ask(arrival.StartRequest{ID: "a", Name: "later"}), w.raise("a", "go", data))
		})
		answered(t, replies...)
		if n := w.e.Counters().Deferred; n == 0 {
			t.Error("nothing was deferred")
		}
		pass(2 * time.Second)
		w.completed("a", data)
		nothingLost(w)
	})
}

// A turn that takes a start and two equal events with one key is refused, and what it has taken is accepted alone: the start
// first, and in the order in which it came.
func TestF04_equal_events_beside_a_fused_start_have_one_answer(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		var replies []*reply
		var other *reply
		w.inOneTurn("collect", collect, func() {
			replies = append(replies, w.ask(arrival.StartRequest{ID: "a", Name: "collect", Input: []byte("3"), RequestKey: "k"}))
			synctest.Wait()
			replies = append(replies, w.raise("a", "go", "0"), w.raiseOnce("a", "go", "1", "m"), w.raise("a", "go", "2"), w.raiseOnce("a", "go", "1", "m"))
			other = w.raiseOnce("a", "go", "1", "k")
		})
		answered(t, replies...)
		if err := other.wait(); !errors.Is(err, persistence.ErrKeyReused) {
			t.Errorf("an event with the key of the start: %v", err)
		}
		w.completed("a", "0 1 2")
	})
}

// sleepThenCollect gives the data of as many events "go" as its input says, after a second.
func sleepThenCollect(c *replay.Context, input []byte) ([]byte, error) {
	c.Timer(time.Second).Await()
	return collect(c, input)
}

// next has one turn of an instance that is running take all that send delivers: it comes while another turn commits.
func (w *world) next(id string, send func()) {
	w.t.Helper()
	w.journal.hold()
	first := w.raise(id, "first", "")
	synctest.Wait()
	send()
	synctest.Wait()
	w.journal.release()
	answered(w.t, first)
}

// A turn keeps an event, leaves a later one of its name, and is refused for a third: what it has kept is accepted before
// what it leaves.
func TestF05_what_a_refused_turn_has_left_does_not_overtake_what_it_has_kept(t *testing.T) {
	inWorldWith(t, Config{Limits: limits.Limits{Carried: 4}}, func(w *world) {
		w.attach(newRegistry().orchestration("collect", sleepThenCollect))
		w.start("a", "collect", "2")
		answered(t, w.raiseOnce("a", "key", "", "m"))
		var replies []*reply
		w.next("a", func() {
			replies = append(replies, w.raiseOnce("a", "key", "", "m"), w.raise("a", "go", "0"), w.raise("a", "go", "1"))
		})
		answered(t, replies...)
		if w.e.Counters().Stale == 0 {
			t.Error("no turn was refused")
		}
		pass(2 * time.Second)
		w.completed("a", "0 1")
		nothingLost(w)
	})
}

// Of two equal events with one key the second is refused: the first answer is known as soon as one is accepted, behind what
// came before it.
func TestF05_a_refused_event_does_not_overtake_an_older_one_of_its_name(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(newRegistry().orchestration("collect", collect))
		w.start("a", "collect", "3")
		var replies []*reply
		w.next("a", func() {
			replies = append(replies, w.raise("a", "go", "0"), w.raiseOnce("a", "go", "1", "m"), w.raise("a", "go", "2"), w.raiseOnce("a", "go", "1", "m"))
		})
		answered(t, replies...)
		if w.e.Counters().Stale == 0 {
			t.Error("no turn was refused")
		}
		w.completed("a", "0 1 2")
	})
}

// The journal has no room for a message when it has waited for 10 ms: what came after it is accepted after it. Neither is
// taken by a turn, as a read goes on.
func TestF05_a_message_that_found_no_room_is_not_overtaken(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: -1}, func(w *world) {
		w.attach(newRegistry().orchestration("collect", collect))
		w.start("a", "collect", "2")
		w.journal.slowLoads(100 * time.Millisecond)
		w.take(busyFor[*persistence.Enqueue](1))
		first := w.raise("a", "go", "0")
		pass(5 * time.Millisecond)
		second := w.raise("a", "go", "1")
		pass(14 * time.Millisecond)
		answered(t, first, second)
		pass(time.Second)
		w.completed("a", "0 1")
	})
}

// The same when a turn has taken the first, and is given back.
func TestF05_a_message_of_a_turn_that_found_no_room_is_not_overtaken(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: -1}, func(w *world) {
		w.start("a", "collect", "2")
		var replies []*reply
		w.inOneTurn("collect", collect, func() {
			w.take(busyFor[*persistence.Enqueue](1))
			replies = append(replies, w.raise("a", "go", "0"))
			pass(5 * time.Millisecond)
			replies = append(replies, w.raise("a", "go", "1"))
			pass(14 * time.Millisecond)
			answered(t, replies...)
		})
		w.completed("a", "0 1")
	})
}

// An event waits for the start before it, which the journal has no room for: no turn takes it, a turn waits for its slot
// with it, or its turn is being committed.
func TestF05_a_start_that_found_no_room_is_not_overtaken(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, send func())
	}{
		{"no turn", func(w *world, send func()) {
			w.take(busyFor[*persistence.StartInstance](3)) // now, in 5 ms and in 10 ms
			send()
			pass(20 * time.Millisecond)
			w.attach(basics())
		}},
		{"no turn, and room for the event first", func(w *world, send func()) {
			w.take(busyFor[*persistence.StartInstance](8))
			send()
			pass(60 * time.Millisecond)
			w.attach(basics())
		}},
		{"a turn that waits", func(w *world, send func()) {
			w.take(busyFor[*persistence.StartInstance](1))
			w.inOneTurn("wait", waiter, func() {
				send()
				pass(20 * time.Millisecond)
			})
		}},
		{"a turn that is committed", func(w *world, send func()) {
			w.attach(basics())
			w.take(busyFor[*persistence.CommitTurn](8))
			send()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inOneWorld(t, Config{}, func(w *world) {
				var replies []*reply
				c.run(w, func() {
					replies = append(replies, w.ask(arrival.StartRequest{ID: "a", Name: "wait"}))
					pass(time.Millisecond)
					replies = append(replies, w.raise("a", "go", "x"))
				})
				pass(time.Second)
				answered(t, replies...)
				w.completed("a", "x")
			})
		})
	}
}
