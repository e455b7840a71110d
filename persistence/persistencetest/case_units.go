package persistencetest

import (
	"cmp"
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// unitCases are what a store of one piece of work after the other shows.
func unitCases() []Case {
	return []Case{
		{"INT_057 a message is queued, fetched and answered", func(s *story) {
			running(s, "a", "hello").mustAck("said")
			s.noFetch("it was answered")
			if head, _ := s.head("a"); head.Inbox != 0 || head.Turn != 2 {
				s.Errorf("%d messages wait after %d turns", head.Inbox, head.Turn)
			}
		}},
		{"INT_058 several pieces of work of one turn are written at once", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			p := f.plan()
			for i := range 3 {
				p.schedule(fmt.Sprint("w", i))
			}
			s.noWork("the turn is not made")
			f.mustCommit(p)
			for i := range 3 {
				s.mustFetchWork(fmt.Sprint("w", i), lockMs)
			}
		}},
		{"INT_059 a lease of 2 s ends and its token changes", func(s *story) {
			s.start("a")
			first, err := s.lease(s.candidates()[0], 2000)
			must(s, err)
			s.later(1999)
			s.noFetch("the lease is not over")
			s.later(1)
			if second := s.mustFetch(); second.token == first.token {
				s.Errorf("two leases have one token")
			}
		}},
		{"INT_060 two executions have their own histories", func(s *story) {
			s.start("a")
			if head, _ := s.head("a"); head.Execution != 1 {
				s.Errorf("a new instance is in execution %d", head.Execution)
			}
			continueWith(s, "A", "")
			s.mustFetch().mustAck("B")
			s.wantHistory("a", 1, "1 Started, 2 A, 3 ContinuedAsNew")
			s.wantHistory("a", 2, "1 Started, 2 B")
		}},
		{"INT_061 an abandoned message is free", func(s *story) {
			f := running(s, "a", "hello")
			must(s, f.abandon(0, true))
			wantTexts(s, s.mustFetch(), "hello")
		}},
		{"INT_062 three instances are listed", func(s *story) {
			ids := map[string]bool{}
			for i := range 3 {
				s.start(fmt.Sprint("i", i))
			}
			for p := range s.epochs {
				s.view(persistence.Partition(p), func(r persistence.Reader) error {
					heads, err := r.List([]persistence.Status{persistence.StatusPending}, persistence.ListCursor{}, 10)
					for _, h := range heads {
						ids[h.ID] = true
					}
					return err
				})
			}
			if len(ids) != 3 || !ids["i0"] || !ids["i1"] || !ids["i2"] {
				s.Errorf("listed %v", ids)
			}
		}},
		{"INT_063 work is queued, fetched and answered", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", lockMs).mustComplete("ok")
			s.noWork("it was answered")
			wantTexts(s, s.mustFetch(), "result of 2: ok")
		}},
	}
}

// unitTimeCases are what time does to one piece of work.
func unitTimeCases() []Case {
	return []Case{
		{"INT_064 a start that is delayed is hidden until then", func(s *story) {
			s.must("a", &persistence.StartInstance{ID: "a", Name: "a", Version: "1.0.0", DelayMs: 2000})
			s.noFetch("the start is delayed")
			s.later(1999)
			s.noFetch("the delay has not passed")
			s.later(1)
			if f := s.mustFetch(); f.start == nil {
				s.Errorf("fetched %+v without a start", f.head)
			}
		}},
		{"INT_065 an abandon with a delay hides", func(s *story) {
			s.start("a")
			must(s, s.mustFetch().abandon(500, true))
			s.later(499)
			s.noFetch("the delay has not passed")
			s.later(1)
			s.mustFetch()
		}},
		{"INT_066 a timer is hidden until it is due", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			p := f.plan()
			p.timer(s.nowMs + 1000)
			f.mustCommit(p)
			s.later(999)
			s.noFetch("the timer is not due")
			s.later(1)
			wantTexts(s, s.mustFetch(), "timer fired")
		}},
		{"INT_067 abandoned work is fetched again", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", lockMs).mustAbandon(0, true)
			s.mustFetchWork("w", lockMs)
		}},
		{"INT_068 abandoning work with a wrong token is refused for good", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			wrong := *j
			wrong.token = persistence.NewWorkToken(0, j.item.Key, 7, 7)
			for range 2 {
				s.refused(wrong.abandon(0, true), persistence.ErrLeaseLost, "abandon with a wrong token")
			}
			j.mustComplete("ok")
		}},
		{"INT_069 abandoning work uncounted leaves attempt 1", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", lockMs).mustAbandon(0, false)
			wantAttempts(s, s.mustFetchWork("w", lockMs).attempts, 1)
		}},
		{"INT_070 abandoning an instance uncounted leaves attempt 1", func(s *story) {
			s.start("a")
			must(s, s.mustFetch().abandon(0, false))
			wantAttempts(s, s.mustFetch().attempts, 1)
		}},
		{"INT_071 abandoning uncounted never goes below zero", func(s *story) {
			s.start("b")
			s.withWork("a", "w")
			for range 3 {
				f, j := s.mustFetch(), s.mustFetchWork("w", lockMs)
				wantAttempts(s, cmp.Or(f.attempts, j.attempts), 1)
				must(s, f.abandon(0, false))
				j.mustAbandon(0, false)
			}
		}},
		{"INT_072 a turn's lease is renewed", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			s.later(lockMs - 1)
			must(s, f.renew(lockMs))
			s.later(lockMs - 1)
			s.noFetch("the lease was renewed")
			f.mustAck()
		}},
		{"INT_073 a turn's lease with a wrong token is refused for good", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			wrong := *f
			wrong.token = "wrong"
			for range 2 {
				s.refused(wrong.renew(lockMs), persistence.ErrLeaseLost, "renewing with a wrong token")
			}
			f.mustAck()
		}},
	}
}
