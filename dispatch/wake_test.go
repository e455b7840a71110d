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
