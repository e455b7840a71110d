package dispatch

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// opened is a world whose dispatcher has seen everything that was there.
func opened(t *testing.T, cfg Config, careful bool) *world {
	t.Helper()
	w := newWorld(cfg, t.Fatalf)
	w.open(careful)
	w.d.AttachTurns()
	w.settle()
	return w
}

// grants hands out work to a consumer until there is none, and returns the events in order.
func (w *world) grants(consumer int) (events []uint64) {
	for {
		g, ok := w.next(consumer)
		if !ok {
			return events
		}
		events = append(events, g.Item.Key.Event)
	}
}

func wantEvents(t *testing.T, got []uint64, want ...uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("handed out %v, want %v", got, want)
	}
}

// TestPV_038_WorkIsHandedOutInOrder: oldest first, whatever its key, its name and the order of its effects.
func TestPV_038_WorkIsHandedOutInOrder(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.attach("all")
	for _, event := range []uint64{9, 3, 7, 1, 4} {
		w.schedule(event, names[event%3], 0)
	}
	w.settle()
	wantEvents(t, w.grants(0), 9, 3, 7, 1, 4)
}

// TestPV_044_DelayedWorkIsSkipped: what was given back with a delay is passed over, and comes when its time has come.
func TestPV_044_DelayedWorkIsSkipped(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.attach("all")
	first := w.schedule(1, "alpha", 0)
	w.schedule(2, "alpha", 0)
	w.settle()
	g, _ := w.next(0)
	w.change(g.Item.Key, func(i *persistence.WorkItem) { i.NotBeforeMs = w.now + 500 })
	w.settle()
	delete(w.held, first)
	w.d.Release(w.now, first, 0)
	wantEvents(t, w.grants(0), 2)
	w.now += 499
	w.tick()
	wantEvents(t, w.grants(0))
	w.now++
	w.tick()
	wantEvents(t, w.grants(0), 1)
}

// TestPV_042_AnotherHoldersLeaseIsWaitedFor until it ends; one of another process of this node is dead at once.
func TestPV_042_AnotherHoldersLeaseIsWaitedFor(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.attach("all")
	leased := func(event uint64, h persistence.Holder) {
		w.change(w.schedule(event, "alpha", 0), func(i *persistence.WorkItem) {
			i.Token, i.Holder, i.ExpiresAtMs, i.Attempts = "token", h, w.now+1000, 1
		})
	}
	leased(1, persistence.Holder{Node: "other", Process: "x"})
	leased(2, persistence.Holder{Node: "n", Process: "before"})
	leased(3, persistence.Holder{Node: "n", Process: "p"}) // ours
	w.settle()
	wantEvents(t, w.grants(0), 2)
	if wake := w.d.Wake(w.now); wake != w.now+1000 {
		t.Fatalf("wakes at %d, want when the lease ends, at %d", wake, w.now+1000)
	}
	w.now += 1000
	w.tick()
	wantEvents(t, w.grants(0), 1, 3)
}

func TestEachConsumerGetsWhatItHasHandlersFor(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.attach("alpha")
	w.attach("beta alpha")
	w.schedule(1, "beta", 0)
	w.schedule(2, "alpha", 0)
	w.schedule(3, "beta", 0)
	w.settle()
	wantEvents(t, w.grants(0), 2)
	w.d.DetachActivities(w.now, 1)
	if _, ok := w.next(0); ok {
		t.Fatal("work was handed to a consumer without its handler")
	}
	w.tick() // the others have no consumer now: they are given back, counted
	wantResults(t, w.results[1:], "1/1/1 BackOff", "3/1/3 BackOff")
}

func wantResults(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("became %v, want %v", got, want)
	}
}

// TestVER_054_UnregisteredWorkIsBackedOffAndThenPoison; while no consumer at all is attached it only waits.
func TestVER_054_UnregisteredWorkIsBackedOffAndThenPoison(t *testing.T) {
	w := opened(t, smallConfig(), false)
	key := w.schedule(1, "gamma", 0)
	w.settle()
	if len(w.results) != 0 {
		t.Fatalf("with no consumer attached, the work became %v", w.results)
	}
	w.attach("alpha")
	for attempt := uint32(1); attempt <= 3; attempt++ {
		w.settle()
		wantResults(t, w.results, "1/1/1 BackOff")
		delay := BackoffMs(100, 1000, attempt)
		w.change(key, func(i *persistence.WorkItem) { i.Attempts, i.NotBeforeMs = attempt, w.now+delay })
		w.settle()
		w.results = nil
		delete(w.held, key)
		w.d.Release(w.now, key, 0)
		w.settle()
		wantResults(t, w.results)
		w.now += delay
	}
	w.settle()
	wantResults(t, w.results, "1/1/1 Poison")
}

// TestAHandlerThatComesLaterIsFound at the next attempt.
func TestAHandlerThatComesLaterIsFound(t *testing.T) {
	w := opened(t, smallConfig(), false)
	registered := false
	n, _ := w.d.AttachActivities(w.now, func(string) bool { return registered })
	w.consumers[n] = "alpha"
	key := w.schedule(1, "alpha", 0)
	w.settle()
	wantResults(t, w.results, "1/1/1 BackOff")
	registered = true
	delete(w.held, key)
	w.d.Release(w.now, key, 0)
	w.settle()
	wantEvents(t, w.grants(n), 1)
}

// TestWorkScheduledBehindAWalkIsFound: the walk of the open has passed its place, so no page shows it.
func TestWorkScheduledBehindAWalkIsFound(t *testing.T) {
	cfg := smallConfig()
	cfg.WorkMax = 64
	w := newWorld(cfg, t.Fatalf)
	for _, event := range []uint64{2, 3, 4, 5, 6} { // keys of rising incarnations: two pages
		w.schedule(event, "alpha", 0)
	}
	w.open(false)
	w.attach("all")
	w.tick()
	i := slices.IndexFunc(w.reads, func(r *read) bool { return r.a.Kind == ScanWork })
	w.answer(i) // seen
	w.answer(i) // taken: the walk is at incarnation 4
	w.schedule(8, "alpha", 0)
	w.takeEffects(1)
	w.settle()
	wantEvents(t, w.grants(0), 2, 3, 4, 5, 6, 8)
}

// TestMoreWorkThanFitsComesInOrder: what is left out of memory is found again, oldest first.
func TestMoreWorkThanFitsComesInOrder(t *testing.T) {
	for _, before := range []int{0, 60} {
		t.Run(fmt.Sprint(before, " before the open"), func(t *testing.T) {
			w := newWorld(smallConfig(), t.Fatalf)
			add := func(n int) {
				for range n {
					w.schedule(w.index*13%101+1, "alpha", 0)
				}
			}
			add(before)
			w.open(false)
			w.attach("all")
			w.settle()
			add(60 - before)
			w.settle()
			var last uint64
			for n := range 60 {
				g, ok := w.next(0)
				if !ok {
					t.Fatalf("nothing is handed out after %d of 60", n)
				}
				if g.Item.Order <= last {
					t.Fatalf("order %d comes after %d", g.Item.Order, last)
				}
				last = g.Item.Order
				w.end(g.Item.Key)
				w.settle()
			}
			if held := w.maxSizes.Work; held > w.cfg.WorkMax {
				t.Errorf("%d were held, want at most %d", held, w.cfg.WorkMax)
			}
		})
	}
}

// TestDelayedWorkDoesNotCrowdOutWhatCanRun, and is found when its time comes.
func TestDelayedWorkDoesNotCrowdOutWhatCanRun(t *testing.T) {
	w := newWorld(smallConfig(), t.Fatalf)
	for event := uint64(1); event <= 30; event++ {
		w.schedule(event, "alpha", w.now+10_000+int64(event))
	}
	w.schedule(31, "alpha", 0)
	w.open(false)
	w.attach("all")
	w.settle()
	wantEvents(t, w.grants(0), 31)
	count := 0
	for range 200 {
		w.later()
		w.settle()
		count += len(w.grants(0))
	}
	if count != 30 {
		t.Errorf("%d of 30 delayed activities were handed out", count)
	}
}

// TestDelayedWorkBeyondTheCapIsLeftOutAndFound: of the memory for work, no more than half is for what must wait for its
// time, so there is always room for what can run. What is left out comes at its time, not later, also when more of it is
// due at once than there is room for.
func TestDelayedWorkBeyondTheCapIsLeftOutAndFound(t *testing.T) {
	const delayed, together = 40, 10
	for _, before := range []int{0, 25, delayed} {
		t.Run(fmt.Sprint(before, " before the open"), func(t *testing.T) {
			w := newWorld(smallConfig(), t.Fatalf)
			due := map[uint64]int64{}
			add := func(from, to int) {
				for i := from; i < to; i++ {
					event := uint64(i*17%delayed + 1)
					due[event] = w.now + 10_000 + int64(event)*100
					if event > delayed-together {
						due[event] = 1_020_000
					}
					w.schedule(event, "alpha", due[event])
				}
			}
			most := 0
			look := func() {
				w.settle()
				most = max(most, w.d.work.later.len())
			}
			add(0, before)
			w.open(false)
			w.attach("all")
			look()
			add(before, delayed)
			look()
			for ready := uint64(101); ready <= 110; ready++ { // not crowded out
				key := w.schedule(ready, "alpha", 0)
				look()
				wantEvents(t, w.grants(0), ready)
				w.end(key)
			}
			for rounds := 0; len(due) > 0; rounds++ {
				if rounds > 1000 {
					t.Fatalf("%d of %d are never handed out: %v", len(due), delayed, due)
				}
				w.later()
				look()
				for events := w.grants(0); len(events) > 0; events = w.grants(0) {
					for _, event := range events {
						if w.now != due[event] {
							t.Errorf("event %d is due at %d and comes at %d", event, due[event], w.now)
						}
						delete(due, event)
						w.end(persistence.WorkKey{IID: persistence.Incarnation(event % 7), Execution: 1, Event: event})
					}
					look()
				}
			}
			if limit := w.cfg.WorkMax / 2; most > limit || most < limit {
				t.Errorf("%d rows that must wait were held at once, want %d", most, limit)
			}
		})
	}
}

// TestWhatFoundNoRoomIsToldLater: the node takes no more, the queue fills up, and what is dropped is found again.
func TestWhatFoundNoRoomIsToldLater(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.busy = true
	for iid := persistence.Incarnation(1); iid <= 30; iid++ {
		w.starts[iid] = true
		w.commit(persistence.Effects{Starts: []persistence.StartEffect{{ID: fmt.Sprint("i", iid), IID: iid, Execution: 1}}})
	}
	w.takeEffects(30)
	w.tick()
	if len(w.begun) != 0 {
		t.Fatalf("%d were told although the node was busy", len(w.begun))
	}
	w.busy = false
	for range 200 {
		w.settle()
		w.later()
	}
	if len(w.begun) != 30 {
		t.Errorf("%d of 30 instances were told", len(w.begun))
	}
	if w.maxSizes.Tells > w.cfg.TellsMax {
		t.Errorf("%d were held, want at most %d", w.maxSizes.Tells, w.cfg.TellsMax)
	}
}

// TestPV_041_AHiddenMessageIsToldInTime, also when it is alone and nothing else happens.
func TestPV_041_AHiddenMessageIsToldInTime(t *testing.T) {
	w := opened(t, smallConfig(), false)
	w.commit(persistence.Effects{Inbox: []persistence.InboxEffect{
		{ID: "i1", IID: 1, Seq: 1, NotBeforeMs: w.now + 5000}, {ID: "i1", IID: 1, Seq: 2},
	}})
	w.settle()
	if w.nudged[1] != 2 {
		t.Fatalf("told up to %d, want 2", w.nudged[1])
	}
	w.nudged[1] = 0
	w.now += 4999
	w.tick()
	if w.nudged[1] != 0 {
		t.Fatal("told early")
	}
	w.now++
	w.tick()
	if w.nudged[1] == 0 { // up to what has not been acknowledged
		t.Fatal("not told when the message became visible")
	}
}

// TestAnInstanceInBackoffIsTriedAgainInTime: its lease row says when.
func TestAnInstanceInBackoffIsTriedAgainInTime(t *testing.T) {
	w := opened(t, smallConfig(), false)
	var retries []int64
	look := func() {
		w.d.Tick(w.now)
		for _, a := range slices.Clone(w.d.Actions()) {
			if a.Kind == TellRetry {
				retries = append(retries, w.now)
			} else {
				w.do(a)
			}
		}
	}
	at := w.now
	lease := func(l persistence.LeaseEffect) {
		l.ID, l.IID = "i1", 1
		w.commit(persistence.Effects{Leases: []persistence.LeaseEffect{l}})
		w.takeEffects(1)
	}
	lease(persistence.LeaseEffect{Attempts: 1, NotBeforeMs: at + 1000})
	lease(persistence.LeaseEffect{Attempts: 1, Token: "t", ExpiresAtMs: at + 3000}) // leased: it replaces the time
	for ; w.now < at+5000; w.now += 100 {
		look()
	}
	if !slices.Equal(retries, []int64{at + 3000}) {
		t.Errorf("tried again at %v, want at %d", retries, at+3000)
	}
}

// TestADelayedStartIsToldInTime, whether the dispatcher learned of it from its commit or from the rows.
func TestADelayedStartIsToldInTime(t *testing.T) {
	for _, scanned := range []bool{false, true} {
		w := opened(t, smallConfig(), false)
		start := persistence.StartEffect{ID: "i1", IID: 1, Execution: 1, NotBeforeMs: w.now + 5000}
		if scanned {
			w.d.StartsPage(w.now, []persistence.StartEffect{start})
		} else {
			w.commit(persistence.Effects{Starts: []persistence.StartEffect{start}})
		}
		w.settle()
		w.pass(4999)
		w.tick()
		if w.begun[1] {
			t.Fatalf("scanned: %t: told early", scanned)
		}
		w.pass(1)
		w.tick()
		if !w.begun[1] {
			t.Fatalf("scanned: %t: not told when its time came", scanned)
		}
	}
}
