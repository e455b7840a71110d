package dispatch

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// bounded schedules work that has deadlines.
func (w *world) bounded(event uint64, name string, d persistence.Deadlines) persistence.WorkKey {
	key := w.schedule(event, name, 0)
	w.change(key, func(i *persistence.WorkItem) { i.Deadlines = d })
	w.settle()
	return key
}

func (w *world) passAndTick(ms int64) {
	w.pass(ms)
	w.d.SetWall(w.now, w.wall())
	w.tick()
}

// TestWaitingWorkExpires: what no consumer has taken in time is given up, once, and not a moment earlier.
func TestWaitingWorkExpires(t *testing.T) {
	w := opened(t, smallConfig(), false)
	at := w.wall() + 100
	w.bounded(1, "alpha", persistence.Deadlines{ScheduleToStartAtMs: at})
	w.bounded(2, "alpha", persistence.Deadlines{ScheduleToCloseAtMs: at + 50})
	w.bounded(3, "alpha", persistence.Deadlines{StartToCloseMs: 1, HeartbeatMs: 1})
	if got := w.d.Wake(w.now); got > w.now+100 || !w.d.WaitsForWall() {
		t.Errorf("it wakes at %d, at %d", got, w.now)
	}
	w.passAndTick(99)
	wantResults(t, w.results)
	w.passAndTick(1)
	wantResults(t, w.results, "1/1/1 Expire")
	w.passAndTick(50)
	wantResults(t, w.results, "1/1/1 Expire", "2/1/2 Expire")
	w.attach("all")
	wantEvents(t, w.grants(0), 3)
}

// TestStartedWorkHasNoScheduleToStart: what a consumer had does not expire by the wait for one, but by the time of its call.
func TestStartedWorkHasNoScheduleToStart(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.attach("all")
	at := w.wall() + 100
	key := w.bounded(1, "alpha", persistence.Deadlines{ScheduleToStartAtMs: at, ScheduleToCloseAtMs: at + 100})
	wantEvents(t, w.grants(0), 1)
	w.passAndTick(150)
	delete(w.held, key)
	w.d.Release(w.now, key, w.now+1000)
	w.tick()
	wantResults(t, w.results, "1/1/1 granted")
	w.passAndTick(50)
	wantResults(t, w.results, "1/1/1 granted", "1/1/1 Expire")
}

// TestLeasedElsewhereExpiresLate: what another node has leased is looked after there, until the lease ends.
func TestLeasedElsewhereExpiresLate(t *testing.T) {
	w := opened(t, smallConfig(), false)
	at := w.wall() + 100
	key := w.bounded(1, "alpha", persistence.Deadlines{ScheduleToCloseAtMs: at})
	w.change(key, func(i *persistence.WorkItem) {
		i.Token, i.Holder, i.ExpiresAtMs = "t", persistence.Holder{Node: "other", Process: "p"}, at+300
	})
	w.settle()
	w.passAndTick(399)
	wantResults(t, w.results)
	w.passAndTick(1)
	wantResults(t, w.results, "1/1/1 Expire")
}
