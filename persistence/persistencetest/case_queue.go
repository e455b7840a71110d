package persistencetest

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

func queueCases() []Case {
	return []Case{
		{"PV_038 five activities are taken in the order in which they were scheduled", func(s *story) {
			names := []string{"w1", "w2", "w3", "w4", "w5"}
			s.withWork("a", names...)
			for _, name := range names {
				s.mustFetchWork(name, lockMs)
			}
			s.noWork("all are held")
		}},
		{"PV_039 a fetched activity is invisible until it is answered, and then gone", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			s.noWork("it is held")
			j.mustComplete("ok")
			s.later(10 * lockMs)
			s.noWork("it was answered")
		}},
		{"PV_040 answering an activity removes it and puts the result into its instance's inbox, at once", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			s.noFetch("no result yet")
			j.mustComplete("ok")
			wantTexts(s, s.mustFetch(), "result of 2: ok")
			s.refused(j.complete("again"), persistence.ErrNotFound, "a second answer")
		}},
		{"PV_041 a timer of 5 s is not seen now; after 5.1 s it is, alone", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			p := f.plan()
			p.timer(s.nowMs + 5000)
			f.mustCommit(p)
			s.noFetch("the timer is not due")
			s.later(5100)
			wantTexts(s, s.mustFetch(), "timer fired")
		}},
		{"PV_042 an activity whose token was lost comes again after its timeout", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", lockMs)
			s.later(lockMs)
			s.mustFetchWork("w", lockMs)
		}},
		{"PV_043 a freshly scheduled activity is seen at once", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", lockMs)
		}},
		{"PV_044 an activity that waits out its delay does not hold up the next", func(s *story) {
			s.withWork("a", "w1", "w2")
			s.mustFetchWork("w1", lockMs).mustAbandon(500, true)
			s.mustFetchWork("w2", lockMs)
			s.noWork("one waits, one is held")
			s.later(500)
			s.mustFetchWork("w1", lockMs)
		}},
	}
}

func executionCases() []Case {
	return []Case{
		{"PV_051 executions of 3 and 2 events are read apart; a plain read gives the second", func(s *story) {
			s.start("a")
			continueWith(s, "A", "3.0.0")
			s.mustFetch().mustAck("B")
			s.wantHistory("a", 1, "1 Started, 2 A, 3 ContinuedAsNew")
			s.wantHistory("a", 2, "1 Started, 2 B")
			s.wantHistory("a", 0, "1 Started, 2 B")
		}},
		{"PV_052 after execution 2's turn the latest read has only its events, and execution 1 its own", func(s *story) {
			s.start("a")
			continueWith(s, "A", "")
			s.mustFetch().mustAck("B")
			s.wantHistory("a", 0, "1 Started, 2 B")
			s.wantHistory("a", 1, "1 Started, 2 A, 3 ContinuedAsNew")
		}},
		{"PV_053 a start is execution 1; after its turn continued as new, execution 2 is current", func(s *story) {
			s.start("a")
			if f := s.mustFetch(); f.head.Execution != 1 {
				s.Errorf("execution %d, want 1", f.head.Execution)
			} else if err := f.abandon(0, false); err != nil {
				s.Fatalf("abandon: %v", err)
			}
			continueWith(s, "A", "")
			if f := s.mustFetch(); f.head.Execution != 2 || f.head.Turn != 0 || f.head.NextEvent != 1 {
				s.Errorf("fetched %+v, want execution 2 at its beginning", f.head)
			}
		}},
		{"PV_054 what continue-as-new asks for starts execution 2 with its own name, version and input, and stays", func(s *story) {
			s.start("a")
			continueWith(s, "A", "9.0.0")
			f := s.mustFetch()
			if f.start == nil || f.start.Execution != 2 || f.start.Version != "9.0.0" || len(f.start.Start) == 0 {
				s.Fatalf("the start of execution 2 is %+v", f.start)
			}
			f.mustAck("B")
			s.send("a", "x", 0)
			if f = s.mustFetch(); f.head.Execution != 2 || f.head.Version != "9.0.0" {
				s.Errorf("later it is execution %d of version %s", f.head.Execution, f.head.Version)
			}
		}},
		{"PV_055 three executions with an event each are all readable; the latest is 3", func(s *story) {
			s.start("a")
			continueWith(s, "A", "")
			continueWith(s, "B", "")
			s.mustFetch().mustAck("C")
			s.wantHistory("a", 1, "1 Started, 2 A, 3 ContinuedAsNew")
			s.wantHistory("a", 2, "1 Started, 2 B, 3 ContinuedAsNew")
			s.wantHistory("a", 3, "1 Started, 2 C")
			if head, _ := s.head("a"); head.Execution != 3 {
				s.Errorf("latest execution is %d, want 3", head.Execution)
			}
		}},
	}
}

// continueWith makes one turn with one event that then continues as new.
func continueWith(s *story, text, version string) {
	s.Helper()
	f := s.mustFetch()
	p := f.plan()
	p.note(text)
	p.continueAsNew(f.head.Name, version)
	f.mustCommit(p)
}

func attemptCases() []Case {
	return []Case{
		{"PV_063 the first fetch of an instance is attempt 1", func(s *story) {
			s.start("a")
			wantAttempts(s, s.mustFetch().attempts, 1)
		}},
		{"PV_064 fetched and abandoned three times: attempts 1, 2, 3; a turn that is made forgets them", func(s *story) {
			s.start("a")
			var f *fetched
			for want := uint32(1); want <= 3; want++ {
				f = s.mustFetch()
				wantAttempts(s, f.attempts, want)
				if want < 3 {
					must(s, f.abandon(0, true))
				}
			}
			f.mustAck()
			s.send("a", "x", 0)
			wantAttempts(s, s.mustFetch().attempts, 1)
		}},
		{"PV_065 the first fetch of an activity is attempt 1", func(s *story) {
			s.withWork("a", "w")
			wantAttempts(s, s.mustFetchWork("w", lockMs).attempts, 1)
		}},
		{"PV_066 an activity whose lease expired is fetched as attempt 2", func(s *story) {
			s.withWork("a", "w")
			s.mustFetchWork("w", 1000)
			s.later(1000)
			wantAttempts(s, s.mustFetchWork("w", lockMs).attempts, 2)
		}},
		{"PV_067 two activities count apart", func(s *story) {
			s.withWork("a", "w1", "w2")
			wantAttempts(s, s.mustFetchWork("w1", lockMs).attempts, 1)
			wantAttempts(s, s.mustFetchWork("w2", lockMs).attempts, 1)
		}},
		{"PV_068 an activity abandoned uncounted takes its attempt back", func(s *story) {
			s.withWork("a", "w")
			j := s.mustFetchWork("w", lockMs)
			wantAttempts(s, j.attempts, 1)
			j.mustAbandon(0, true)
			j = s.mustFetchWork("w", lockMs)
			wantAttempts(s, j.attempts, 2)
			j.mustAbandon(0, false)
			wantAttempts(s, s.mustFetchWork("w", lockMs).attempts, 2)
		}},
		{"PV_069 an instance abandoned uncounted takes its attempt back", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			wantAttempts(s, f.attempts, 1)
			must(s, f.abandon(0, true))
			f = s.mustFetch()
			wantAttempts(s, f.attempts, 2)
			must(s, f.abandon(0, false))
			wantAttempts(s, s.mustFetch().attempts, 2)
		}},
		{"PV_070 abandoned uncounted again and again, an activity is always attempt 1", func(s *story) {
			s.withWork("a", "w")
			for range 4 {
				j := s.mustFetchWork("w", lockMs)
				wantAttempts(s, j.attempts, 1)
				j.mustAbandon(0, false)
			}
		}},
	}
}

func wantAttempts(s *story, got, want uint32) {
	s.Helper()
	if got != want {
		s.Errorf("attempt %d, want %d", got, want)
	}
}

func must(s *story, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%v", err)
	}
}
