package dispatch

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF18_SettingTheWallClockMovesNoPause: what was released for a while rests for that while, what is not before a time
// of the wall clock is looked at again, and the tick wakes for both.
func TestF18_SettingTheWallClockMovesNoPause(t *testing.T) {
	const hour = 3_600_000
	for _, ahead := range []int64{hour, -hour, 10 * 365 * 24 * hour} {
		w := newWorld(Config{Node: "n", Process: "p"}, t.Fatalf)
		w.open(false)
		w.attach("alpha")
		w.settle()
		w.schedule(1, "alpha", 0)
		w.settle()
		g, ok := w.next(0)
		if !ok {
			t.Fatal("the work is not handed out")
		}
		delete(w.held, g.Item.Key)
		w.d.Release(w.now, g.Item.Key, w.now+50)
		w.schedule(2, "alpha", w.wall()+1000)
		w.settle()
		w.set(ahead)
		w.latest = max(w.latest, 1<<50) // the world does not know that a backoff of an hour is none
		w.settle()
		if g, ok := w.next(0); !ok || g.Item.Key.Event != 2 {
			t.Errorf("after a step by %d: %v, %v; no backoff lasts an hour", ahead, g, ok)
		}
		if wake := w.d.Wake(w.now); wake != w.now+50 {
			t.Errorf("after a step by %d it wakes in %d ms, want 50", ahead, wake-w.now)
		}
		w.pass(49)
		w.tick()
		if g, ok := w.next(0); ok {
			t.Errorf("%v is handed out before its rest is over", g)
		}
		w.pass(1)
		w.tick()
		if g, ok := w.next(0); !ok || g.Item.Key.Event != 1 {
			t.Errorf("%v, %v after the rest", g, ok)
		}
	}
}

// TestF18_WhatFoundNoRoomIsLookedAtAfterAStepBack: of the activities and the instances that back off some are not in memory.
// The dispatcher knows only when the first of them is due.
func TestF18_WhatFoundNoRoomIsLookedAtAfterAStepBack(t *testing.T) {
	const hour = 3_600_000
	w := newWorld(Config{Node: "n", Process: "p", WorkMax: 4, TellsMax: 4, PageRows: 4}, t.Fatalf)
	w.open(false)
	w.attach("alpha")
	w.d.AttachTurns()
	w.settle()
	for i := range uint64(8) {
		w.schedule(i+1, "alpha", w.wall()+1000)
	}
	for i := range persistence.Incarnation(8) {
		w.commit(persistence.Effects{Leases: []persistence.LeaseEffect{{ID: "i", IID: 100 + i, Attempts: 1, NotBeforeMs: w.wall() + 1000}}})
	}
	w.settle()
	if w.d.work.bounds.laterAt == Never || w.d.ready.rewalkAt == Never {
		t.Fatal("everything found room")
	}
	w.set(-hour)
	w.latest = 1 << 50
	w.settle()
	for range 8 {
		g, ok := w.next(0)
		if !ok {
			t.Fatal("an activity waits for an hour: it found no room before the clock was set back")
		}
		w.end(g.Item.Key)
		w.settle()
	}
	if w.d.ready.rewalkAt != Never {
		t.Error("the instances that found no room are not looked for")
	}
}

// TestF17_ATimerIsDueByTheWallClock, which may have been set since the timer was known.
func TestF17_ATimerIsDueByTheWallClock(t *testing.T) {
	w := newWorld(Config{}, t.Fatalf)
	w.open(false)
	w.d.AttachTurns()
	w.set(7_000_000)
	key := persistence.TimerKey{FireAtMs: w.wall() + 9000, IID: 1, Execution: 1, Event: 1}
	w.timers[key] = true
	w.commit(persistence.Effects{Timers: []persistence.TimerItem{{ID: "i1", Key: key}}})
	w.settle()
	if !w.d.WaitsForWall() {
		t.Error("a timer waits, and nothing waits for the wall clock")
	}
	if wake := w.d.Wake(w.now); wake != w.now+9000 {
		t.Errorf("it wakes in %d ms, want 9000", wake-w.now)
	}
	w.set(7_000_000 - 3_600_000)
	w.tick()
	w.pass(3_608_999)
	w.settle()
	if w.told[key] != 0 {
		t.Error("set back by an hour, it is told before its time")
	}
	if wake := w.d.Wake(w.now); wake != w.now+1 {
		t.Errorf("it wakes in %d ms, want 1", wake-w.now)
	}
	w.set(w.ahead - 1000)
	w.set(w.ahead + 3_600_000)
	w.tick()
	if w.told[key] != 1 {
		t.Error("the timer fell due by the step and is not told")
	}
	delete(w.timers, key)
	w.commit(persistence.Effects{TimersDeleted: []persistence.TimerKey{key}})
	w.settle()
	if w.d.WaitsForWall() {
		t.Error("nothing is left that waits for the wall clock")
	}
}

// TestTheEndOfTimeIsNeverReached: a time that does not come does not come in elapsed time either.
func TestTheEndOfTimeIsNeverReached(t *testing.T) {
	for _, c := range []struct{ ahead, wall, want int64 }{
		{5, Never, Never}, {-5, Never, Never}, {-5, Never - 4, Never}, {-5, Never - 5, Never}, {-5, Never - 6, Never - 1}, {5, 10, 5}, {-5, 10, 15},
	} {
		if got := (&wallClock{ahead: c.ahead}).until(c.wall); got != c.want {
			t.Errorf("ahead by %d, wall clock %d: elapsed %d, want %d", c.ahead, c.wall, got, c.want)
		}
	}
}

// TestF18_ABackoffThatNoBackoffCanBeIsOver.
func TestF18_ABackoffThatNoBackoffCanBeIsOver(t *testing.T) {
	for _, c := range []struct {
		notBefore, wall, most int64
		want                  bool
	}{
		{0, 1000, 500, false}, {1000, 1000, 500, false}, {1001, 1000, 500, true},
		{1000 + backoffLongMs, 1000, 500, true}, {1001 + backoffLongMs, 1000, 500, false},
		{1000 + 2*backoffLongMs, 1000, 2 * backoffLongMs, true}, {1001 + 2*backoffLongMs, 1000, 2 * backoffLongMs, false},
	} {
		if got := BacksOff(c.notBefore, c.wall, c.most); got != c.want {
			t.Errorf("not before %d, at %d, at most %d: %v", c.notBefore, c.wall, c.most, got)
		}
	}
}
