package dispatch

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestNoQueueIsIteratedOnTheHotPath: once the open's scans are over, work, timers, messages and starts come and go, with
// 10 and with 100,000 waiting, and no scan is asked for.
func TestNoQueueIsIteratedOnTheHotPath(t *testing.T) {
	for _, waiting := range []int{10, 100_000} {
		t.Run(fmt.Sprint(waiting), func(t *testing.T) {
			d, now := served(t, waiting)
			scans := 0
			for i := range 2000 {
				cycle(d, now, uint64(waiting+i+1), func(a Action) {
					switch a.Kind {
					case ScanWork, ScanTimers, ScanStarts, ScanInbox, ScanLeases, ScanRequests, ReadOutbox:
						scans++
					}
				})
				now++
			}
			if scans != 0 {
				t.Errorf("%d scans in 2,000 cycles", scans)
			}
		})
	}
}

// served is a dispatcher that has been opened on so many activities and timers, none of which can be handed out yet.
func served(t testing.TB, waiting int) (*Dispatcher, int64) {
	t.Helper()
	now := int64(1_000_000)
	d := New(Config{Node: "n", Process: "p", BackoffMaxMs: 3_600_000, WorkMax: 1 << 20, TimersMax: 1 << 20, PageRows: 1 << 20}, now, false)
	d.AttachTurns()
	if _, ok := d.AttachActivities(now, func(string) bool { return true }); !ok {
		t.Fatal("no place for a consumer")
	}
	work := make([]persistence.WorkItem, waiting)
	timers := make([]persistence.TimerItem, waiting)
	for i := range waiting {
		event := uint64(i + 1)
		work[i] = persistence.WorkItem{ID: "i", Key: persistence.WorkKey{IID: 1, Execution: 1, Event: event}, Name: "a",
			Order: persistence.WorkOrder(event, 0), NotBeforeMs: now + 3_600_000}
		timers[i] = persistence.TimerItem{ID: "i", Key: persistence.TimerKey{FireAtMs: now + 300_000, IID: 1, Execution: 1, Event: event}}
	}
	for range 10 {
		d.Tick(now)
		for _, a := range d.Actions() {
			switch a.Kind {
			case ScanWork:
				d.WorkPage(now, work)
			case ScanTimers:
				d.TimersPage(now, timers)
			case ScanStarts:
				d.StartsPage(now, nil)
			case ScanInbox:
				d.InboxPage(now, nil)
			case ScanLeases:
				d.LeasesPage(now, nil)
			}
		}
	}
	if !d.Opened() || d.Sizes().Timers != waiting || d.Sizes().Work != waiting {
		t.Fatalf("opened %v with %+v", d.Opened(), d.Sizes())
	}
	return d, now
}

// cycle is what one step of an orchestration gives a dispatcher: work that comes, is handed out and is answered, with a
// timer beside it and a message.
func cycle(d *Dispatcher, now int64, event uint64, seen func(Action)) {
	key := persistence.WorkKey{IID: 1, Execution: 1, Event: event}
	timer := persistence.TimerKey{FireAtMs: now + 60_000, IID: 1, Execution: 1, Event: event}
	d.Effects(now, &persistence.Effects{
		Index:  event,
		Work:   []persistence.WorkItem{{ID: "i", Key: key, Name: "a", Order: persistence.WorkOrder(event, 0), Orchestration: "o"}},
		Timers: []persistence.TimerItem{{ID: "i", Key: timer}},
		Inbox:  []persistence.InboxEffect{{ID: "i", IID: 1, Seq: event}},
	})
	act := func() {
		d.Tick(now)
		for _, a := range d.Actions() {
			seen(a)
		}
	}
	act()
	if !d.Wants(now, 0) {
		panic("the work is not wanted")
	}
	if g, ok := d.Next(now, 0); !ok || g.Item.Key != key {
		panic("the work is not handed out")
	}
	d.Effects(now, &persistence.Effects{Index: event, WorkDeleted: []persistence.WorkKey{key}, TimersDeleted: []persistence.TimerKey{timer}})
	act()
}

// BenchmarkCycle is the dispatcher's part of one sequential step.
func BenchmarkCycle(b *testing.B) {
	for _, waiting := range []int{10, 100_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			d, now := served(b, waiting)
			event := uint64(waiting)
			b.ReportAllocs()
			for b.Loop() {
				event++
				cycle(d, now, event, func(Action) {})
			}
		})
	}
}
