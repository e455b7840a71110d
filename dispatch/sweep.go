package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// sweeper walks the remembered request keys, a page at a time and with long pauses, and has the expired ones deleted.
type sweeper struct {
	after   persistence.RequestRef
	rows    int // of a page
	nextAt  int64
	running bool
}

// sweepPauseMs is the pause between two pages.
const sweepPauseMs = 60_000

func (s *sweeper) step(now int64, emit func(Action)) {
	if s.running || now < s.nextAt {
		return
	}
	s.running = true
	s.nextAt = now + sweepPauseMs
	emit(Action{Kind: ScanRequests, Max: s.rows, AfterRequest: s.after})
}

// page takes a page of the walk; wallMs is the wall clock.
func (s *sweeper) page(wallMs int64, rows []persistence.RequestItem, emit func(Action)) {
	s.running = false
	s.after = persistence.RequestRef{} // from the start again, unless there is more
	var expired []persistence.RequestRef
	for i := range rows {
		ref := persistence.RequestRef{ID: rows[i].ID, Key: rows[i].Key}
		if len(rows) == s.rows {
			s.after = ref
		}
		if rows[i].ExpiresAtMs <= wallMs {
			expired = append(expired, ref)
		}
	}
	if len(expired) > 0 {
		emit(Action{Kind: SweepRequests, Requests: expired})
	}
}
