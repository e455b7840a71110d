package dispatch

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// While reads are paused because the journal was busy, nothing that needs a read is due: else the caller would tick
// without a pause until it is.
func TestWakeWaitsForPausedReads(t *testing.T) {
	now := int64(1_000_000)
	d := New(Config{}, now, false)
	d.AttachTurns()
	for range 50 {
		d.Tick(now)
		actions := d.Actions()
		for _, a := range actions {
			switch a.Kind {
			case ScanStarts, ScanInbox, ScanLeases, ScanWork, ScanTimers, ScanRequests, ScanStreams, ReadOutbox:
				d.ReadFailed(now, a)
			}
		}
		if len(actions) > 0 {
			d.Tick(now)
			if more := d.Actions(); len(more) == 0 && d.Wake(now) <= now {
				t.Fatalf("at %d everything failed, nothing can be done, and Wake is %d", now, d.Wake(now))
			}
		}
		next := d.Wake(now)
		if next == Never {
			t.Fatal("what failed is never asked for again")
		}
		now = max(next, now+1)
	}
}

// tellsOf takes the tells among a dispatcher's actions.
func tellsOf(d *Dispatcher, now int64) (tells []Action) {
	d.Tick(now)
	for _, a := range d.Actions() {
		switch a.Kind {
		case ScanLeases:
			d.LeasesPage(now, nil)
		case ScanStarts:
			d.StartsPage(now, nil)
		case ScanInbox:
			d.InboxPage(now, nil)
		case TellNudge, TellStart, TellRetry:
			tells = append(tells, a)
		}
	}
	return tells
}

// An instance leaves what it was told, because no consumer is attached, and one is attached before its dispatcher hears so.
func TestF01_WhatIsLeftTooEarlyIsToldAgain(t *testing.T) {
	now := int64(1_000_000)
	d := New(Config{}, now, false)
	d.AttachTurns()
	for range 5 {
		tellsOf(d, now)
	}
	d.Effects(now, &persistence.Effects{Inbox: []persistence.InboxEffect{{ID: "a", IID: 7, Seq: 3}}})
	told := tellsOf(d, now)
	if len(told) != 1 || told[0].Seq != 3 {
		t.Fatalf("told %+v", told)
	}
	d.DetachTurns()
	d.AttachTurns()
	d.Unserved(7, told[0].Number)
	again := tellsOf(d, now)
	if len(again) != 1 || again[0].IID != 7 || again[0].Seq != 3 || again[0].Again {
		t.Fatalf("told %+v", again)
	}
	d.Unserved(7, told[0].Number) // an old answer
	if more := tellsOf(d, now); len(more) != 0 {
		t.Errorf("told %+v", more)
	}
}

// What is told again is all of it: the start, the newest row, and that it is a retry after an attach.
func TestF01_WhatIsLeftTooEarlyIsToldAgainWhole(t *testing.T) {
	const now = 1_000_000
	for name, want := range map[string]tell{
		"a start": {id: "a", iid: 7, start: &persistence.StartEffect{ID: "a", IID: 7}},
		"a row":   {id: "a", iid: 7, seq: 3},
		"a retry": {id: "a", iid: 7, retry: true},
		"a fresh": {id: "a", iid: 7, retry: true, fresh: 1},
	} {
		tells := newReadyQueue(&wallClock{}, 10, 10)
		tells.enqueue(want)
		x := tells.due(now)
		tells.sent(now, x)
		number := x.number
		tells.requeue(7, number-1) // an answer to what was told before
		if tells.unacked[7] == nil || tells.due(now) != nil {
			t.Errorf("%s: an older answer counts", name)
		}
		tells.requeue(7, number)
		got := tells.due(now)
		if got == nil || got.id != want.id || got.iid != want.iid || got.seq != want.seq || got.start != want.start ||
			got.retry != want.retry || got.fresh != want.fresh {
			t.Errorf("%s: told again as %+v, want %+v", name, got, want)
		}
		if tells.unacked[7] != nil || tells.anyUnserved {
			t.Errorf("%s: it still owes an answer, or waits for an attach: %t", name, tells.anyUnserved)
		}
	}
}

// An instance that is held and leaves what it was told is told again when it may be tried, and not before; an answer to
// something older leaves all as it is.
func TestWhatAHeldInstanceLeavesIsToldAtItsTime(t *testing.T) {
	now := int64(1_000_000)
	d := New(Config{}, now, false)
	at := func(ms int64) []Action {
		now += ms
		d.SetWall(now, now)
		return tellsOf(d, now)
	}
	d.AttachTurns()
	for range 5 {
		at(0)
	}
	nudge := func(seq uint64) []Action {
		d.Effects(now, &persistence.Effects{Inbox: []persistence.InboxEffect{{ID: "a", IID: 7, Seq: seq}}})
		return at(0)
	}
	first, second := nudge(3), nudge(4)
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("told %+v and %+v", first, second)
	}
	d.LeftHeld(now, 7, first[0].Number, 0, nil)
	again := at(tellAgainMs)
	if len(again) != 1 || !again[0].Again || again[0].Seq != 4 {
		t.Fatalf("after an answer to something older: told %+v", again)
	}
	d.LeftHeld(now, 7, again[0].Number, now+3*tellAgainMs, nil)
	if early := at(3*tellAgainMs - 1); len(early) != 0 {
		t.Fatalf("before its time: told %+v", early)
	}
	if due := at(1); len(due) != 1 || due[0].Seq != 4 || due[0].Again {
		t.Errorf("at its time: told %+v", due)
	}
}

// What an instance is told under one number is one action: if two were, the answer to the one would pay for the other, and a
// message would be forgotten when that is lost on its way.
func TestF01_WhatHasOneNumberIsOneAction(t *testing.T) {
	now := int64(1_000_000)
	d := New(Config{}, now, false)
	d.AttachTurns()
	for range 5 {
		tellsOf(d, now)
	}
	d.Effects(now, &persistence.Effects{
		Starts: []persistence.StartEffect{{ID: "a", IID: 7, Execution: 1}}, Inbox: []persistence.InboxEffect{{ID: "a", IID: 7, Seq: 3}},
	})
	told := tellsOf(d, now)
	if len(told) != 1 || told[0].Start == nil || told[0].Seq != 3 {
		t.Fatalf("told %+v", told)
	}
	d.Busy(now, told[0])
	if told = tellsOf(d, now+busyPauseMs); len(told) != 1 || told[0].Start == nil || told[0].Seq != 3 {
		t.Errorf("when the node has room, told %+v", told)
	}
}
