package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// sweeper deletes expired request keys. It reads them in the order of expiry and stops at the first that has not expired,
// so it never reads keys that are not due. It reads the due keys in pages, with a short pause between them, and looks for
// new ones after a long pause.
type sweeper struct {
	// after is the last key that was read, so that a look does not walk over the keys deleted before. It is reset after
	// sweepAnew looks, and when the clock is set back: then the next look also finds keys that a refused command left, or
	// that were written with an earlier time.
	after   persistence.ExpiryRef
	rows    int // of a page
	nextAt  int64
	wallMs  int64 // at the last look
	drained int   // how often all due keys have been read since after was reset
	running bool
}

const (
	// sweepPauseMs is the pause after the last page of due keys, and sweepPageMs the one between two pages.
	sweepPauseMs = 60_000
	sweepPageMs  = 100
	// sweepAnew is how often the due keys are read to the end before a look starts at the first key again.
	sweepAnew = 60
)

// step asks for the next page when it is time; wallMs is the wall clock.
func (s *sweeper) step(now, wallMs int64, emit func(Action)) {
	if s.running || now < s.nextAt && wallMs >= s.wallMs {
		return
	}
	if wallMs < s.wallMs || s.drained >= sweepAnew {
		s.after, s.drained = persistence.ExpiryRef{}, 0
	}
	s.running = true
	s.wallMs, s.nextAt = wallMs, now+sweepPauseMs
	emit(Action{Kind: ScanRequests, Max: s.rows, AfterExpiry: s.after, ByMs: wallMs})
}

// page takes a page of due keys, and asks for their deletion.
func (s *sweeper) page(now int64, rows []persistence.ExpiryRef, emit func(Action)) {
	s.running = false
	if len(rows) == s.rows {
		s.nextAt = now + sweepPageMs
	} else {
		s.drained++
	}
	if len(rows) == 0 {
		return
	}
	s.after = rows[len(rows)-1]
	expired := make([]persistence.RequestRef, len(rows))
	for i := range rows {
		expired[i] = rows[i].RequestRef
	}
	emit(Action{Kind: SweepRequests, Requests: expired})
}
