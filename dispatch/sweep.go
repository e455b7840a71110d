package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// sweeper has the request keys deleted that have expired: it reads them in the order of expiry and stops at the first that
// is still remembered, so it never looks at what is not due. What is due is drained in pages, with a short pause between
// them, and then looked for again after a long one.
type sweeper struct {
	// after is what was named last: what was swept lies before it, and is not walked over again. It is forgotten now and
	// then, and when the clock is set back, so that what a refused command left, or an earlier time brought, is found.
	after   persistence.ExpiryRef
	rows    int // of a page
	nextAt  int64
	wallMs  int64 // of the last look
	drained int
	running bool
}

const (
	// sweepPauseMs is the pause after everything that was due is named, and sweepPageMs the one between two pages.
	sweepPauseMs = 60_000
	sweepPageMs  = 100
	// sweepAnew is how often what is due is drained until the next look starts at the beginning.
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

// page takes what the scan found.
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
