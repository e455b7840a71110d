package step

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/persistence"
)

// clocked is facts of which only the time and the epoch are asked for.
type clocked struct{ Facts }

func (clocked) Epoch() uint64    { return 1 }
func (clocked) Draining() bool   { return false }
func (clocked) Outstanding() int { return 0 }
func (clocked) NowMs() int64     { return time.Now().UnixMilli() }

// An instance that is held begins to leave what it was told, and waits for a message that is being accepted. Its time comes
// meanwhile. It must say that it leaves: nothing else would have it told of this again but its retelling after a while.
func TestF50_the_time_of_a_held_instance_comes_while_it_leaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &turn.Shared{Config: turn.Config{Build: "1", BackoffMax: time.Minute}}
		in := &Machine{host: host, id: "a", facts: clocked{}, out: &Effects{}, view: view.View{
			Known: true, Exists: true, Held: persistence.Held{Reason: "no", Build: "1"}, NotBeforeMs: time.Now().UnixMilli() + 10,
		}}
		in.tell = openTell{any: true, first: 1, number: 1}
		in.holdBack()
		if !in.leftHeld() {
			t.Fatal("it is not held back")
		}
		<-time.After(20 * time.Millisecond)
		in.holdBack()
		if !in.leftHeld() {
			t.Error("it leaves what it was told, and says no reason")
		}
		in.leaving = false // it was told something new, and decides anew
		in.noteWhyLeft()
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
	in := &Machine{id: "a"}
	in.view.Due = []persistence.TimerKey{key, other}
	in.giveBack(&turn.Turn{Timers: []persistence.TimerKey{key}})
	if due := in.view.Due; len(due) != 2 || due[0] != key || due[1] != other {
		t.Errorf("due are %v", due)
	}
}
