package actors

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// overtaken is a reader to which another activation has just consumed the first message of an inbox: the head counts one
// less, in a later turn. It says so to reads of an inbox only, which do not resolve the id.
type overtaken struct {
	persistence.Reader
	resolved bool
	reads    *atomic.Int64
}

func (r *overtaken) Resolve(id string) (persistence.Incarnation, bool, error) {
	r.resolved = true
	return r.Reader.Resolve(id)
}

func (r *overtaken) Head(iid persistence.Incarnation) (persistence.Head, bool, error) {
	h, ok, err := r.Reader.Head(iid)
	if !r.resolved && r.reads.Add(1) == 1 {
		h.Turn++
		h.Inbox--
	}
	return h, ok, err
}

// While a page of an inbox is read, another activation has consumed a message that is in memory here. That is no damage:
// the instance is loaded anew.
func TestF20_what_another_activation_has_consumed_is_no_damage(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		log := w.logged()
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", "2")
		for i := range 2 {
			w.raise("a", fmt.Sprint("other", i), "x")
		}
		pass(time.Minute)
		if err := w.raise("a", "go", "1").wait(); err != nil {
			t.Fatal(err)
		}
		var reads atomic.Int64
		w.journal.mu.Lock()
		w.journal.spoil = func(r persistence.Reader) persistence.Reader { return &overtaken{Reader: r, reads: &reads} }
		w.journal.mu.Unlock()
		w.enqueue("a")
		pass(time.Minute)
		if reads.Load() == 0 {
			t.Fatal("no inbox was read by itself")
		}
		if text := log.String(); strings.Contains(text, "damaged") {
			t.Errorf("it is said to be damaged:\n%s", text)
		}
		if err := w.raise("a", "go", "2").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "1 2")
	})
}

// A turn's commit is refused, because another activation has the lease. That one ends without doing what waits: the
// instance is told of it again, and is not forgotten.
func TestF01_what_is_left_to_another_activation_is_told_again(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a", "collect", "1")
		if err := w.raise("a", "go", "1").wait(); err != nil {
			t.Fatal(err)
		}
		refused := false
		w.take(func(_ persistence.Partition, proposal persistence.Proposal) bool {
			if _, is := proposal.Command.(*persistence.CommitTurn); !is || refused {
				return false
			}
			refused = true
			proposal.Done(persistence.Result{Index: 1, Err: &persistence.Refusal{Code: persistence.LeaseLost}})
			return true
		})
		w.attach(basics().orchestration("collect", collect))
		pass(5 * time.Second)
		if !refused {
			t.Fatal("no commit was refused")
		}
		w.completed("a", "1")
		if c := w.e.Counters(); c.Retold != 0 {
			t.Errorf("%d wake-ups were lost", c.Retold)
		}
	})
}

// An instance that is held begins to leave what it was told, and waits for a message that is being accepted. Its time comes
// meanwhile. It must say that it leaves: nothing else would have it told of this again but the dispatcher's patience.
func TestF50_the_time_of_a_held_instance_comes_while_it_leaves(t *testing.T) {
	inOneWorld(t, Config{Build: "1"}, func(w *world) {
		in := &instance{e: w.e, id: "a", view: view{
			known: true, exists: true, held: persistence.Held{Reason: "no", Build: "1"}, notBeforeMs: time.Now().UnixMilli() + 10,
		}}
		in.told = told{any: true, first: 1, number: 1}
		in.holdBack()
		if !in.leftHeld() {
			t.Fatal("it is not held back")
		}
		pass(20 * time.Millisecond)
		in.holdBack()
		if !in.leftHeld() {
			t.Error("it leaves what it was told, and says no reason")
		}
		in.leaving = false // it was told something new, and decides anew
		in.noteLeft()
		in.leaving = true
		if in.leftHeld() {
			t.Error("it is held back when its time has come")
		}
	})
}

// A timer is told again while a turn that takes it runs, and the turn is given back. It is due once: taken twice, the
// journal would refuse the next turn, and the timer would be dropped as one that is gone.
func TestF50_a_timer_that_is_told_again_during_a_turn_is_due_once(t *testing.T) {
	key, other := persistence.TimerKey{IID: 1, Execution: 1, Event: 2}, persistence.TimerKey{IID: 1, Execution: 1, Event: 3}
	in := &instance{id: "a"}
	in.view.due = []persistence.TimerKey{key, other}
	in.giveBack(&turn{in: in, timers: []persistence.TimerKey{key}})
	if due := in.view.due; len(due) != 2 || due[0] != key || due[1] != other {
		t.Errorf("due are %v", due)
	}
}

// The dispatcher is told of a release while the instance gives its lease back in quiet. The journal may refuse that: then
// nothing else would tell the dispatcher that the instance is not held, and its timers would wait for ever.
func TestF50_a_release_beside_a_quiet_give_back_is_told(t *testing.T) {
	s := &serving{p: &partition{}, d: dispatch.New(dispatch.Config{}, 0, false)}
	s.p.givebacks.add(7)
	released := &persistence.Effects{Leases: []persistence.LeaseEffect{{ID: "a", IID: 7}}}
	if rest := s.withoutQuiet(released); len(rest.Leases) != 1 {
		t.Error("the release is taken for the give-back")
	}
	givenBack := &persistence.Effects{Leases: []persistence.LeaseEffect{{ID: "a", IID: 7, GivenBack: true}, {ID: "b", IID: 8}}}
	if rest := s.withoutQuiet(givenBack); len(rest.Leases) != 1 || rest.Leases[0].IID != 8 {
		t.Errorf("the dispatcher is told of %+v", rest.Leases)
	}
}
