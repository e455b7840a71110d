package dispatch

import "testing"

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
