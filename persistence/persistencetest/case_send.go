package persistencetest

import (
	"slices"
	"strings"

	"github.com/turnstone-dev/turnstone/persistence"
)

// carryAll delivers what waits anywhere, and what that leads to, as often as asked.
func (s *story) carryAll(times int) {
	s.Helper()
	partitions := s.store.Journal().Info().Partitions
	for range times {
		for from := range partitions {
			for to := range partitions {
				if from != to {
					s.carry(persistence.Partition(from), persistence.Partition(to))
				}
			}
		}
	}
}

func messages(s *story) {
	for _, to := range []string{"a::sub::near", s.elsewhere("a")} {
		s.start(to)
		s.mustFetch().mustAck()
	}
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.message("a::sub::near", "one", 0)
	p.message("a::sub::near", "two", 0)
	p.message(s.elsewhere("a"), "one", 0)
	p.message(s.elsewhere("a"), "two", 0)
	f.mustCommit(p)
	s.crash()
	s.carryAll(3) // again and again: each arrives once
	s.reopen()
	want := map[string]string{
		"a":              "send of 2: SEND_OUTCOME_DELIVERED, send of 3: SEND_OUTCOME_DELIVERED, send of 4: SEND_OUTCOME_DELIVERED, send of 5: SEND_OUTCOME_DELIVERED",
		"a::sub::near":   "one, two",
		s.elsewhere("a"): "one, two",
	}
	for range len(want) {
		f := s.mustFetch()
		wantTexts(s, f, want[f.head.ID])
		f.mustCommit(f.plan())
	}
	s.noFetch("nothing else was told")
}

func messagesRefused(s *story) {
	far := s.elsewhere("a")
	for _, id := range []string{"a::sub::ended", "a::sub::full", far} {
		s.start(id)
		f := s.mustFetch()
		p := f.plan()
		if id == "a::sub::ended" {
			p.complete(persistence.Link{})
		}
		f.mustCommit(p)
	}
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.message("nobody", "x", 0)
	p.message("a::sub::ended", "x", 0)
	p.message("a::sub::full", "x", 1)
	p.message("a::sub::full", "y", 1)
	p.message(far, "x", 1)
	p.message(far, "y", 1)
	f.mustCommit(p)
	s.carryAll(2)
	want := map[string]string{
		"a": "send of 2: SEND_OUTCOME_NOT_FOUND, send of 3: SEND_OUTCOME_ENDED, send of 4: SEND_OUTCOME_DELIVERED, " +
			"send of 5: SEND_OUTCOME_BUSY, send of 6: SEND_OUTCOME_DELIVERED, send of 7: SEND_OUTCOME_BUSY",
		"a::sub::full": "x", far: "x",
	}
	for range len(want) {
		f := s.mustFetch()
		got := strings.Split(f.texts(), ", ")
		slices.Sort(got) // the answers from near come first
		if text := strings.Join(got, ", "); text != want[f.head.ID] {
			s.Errorf("%s fetched %q, want %q", f.head.ID, text, want[f.head.ID])
		}
		f.mustCommit(f.plan())
	}
	if head, _ := s.head("a::sub::ended"); head.Inbox != 0 {
		s.Errorf("the ended one has %d messages", head.Inbox)
	}
}
