package persistencetest

import (
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// cleanupCases are about what a head says of undo steps.
func cleanupCases() []Case {
	return []Case{
		{"KIT_100 a head says how far undo steps are, until the end, a termination or a turn that says nothing of them", cleanupTurns},
		{"KIT_101 a head says where the history is read from for how a cleanup ends", cleanupPart},
	}
}

// cleans is a turn that says how far undo steps are.
func (s *story) cleans(id string, c persistence.Cleanup, events ...string) {
	s.Helper()
	s.turn(id, func(p *plan) {
		for _, e := range events {
			if e == "begin" {
				p.add(&turnpb.Event{Kind: &turnpb.Event_CompensationStarted{CompensationStarted: &turnpb.CompensationStarted{}}})
			} else {
				p.note(e)
			}
		}
		p.commit.Cleanup = c
	})
}

func (s *story) wantCleanup(id string, want persistence.Cleanup) {
	s.Helper()
	if head, _ := s.head(id); head.Cleanup != want {
		s.Errorf("the head of %s says %+v of its undo steps, want %+v", id, head.Cleanup, want)
	}
}

func cleanupTurns(s *story) {
	for i, end := range []func(id string){
		func(id string) { s.turn(id, func(p *plan) { p.fail(persistence.Link{}) }) },
		func(id string) {
			if err := s.terminate(id); err != nil {
				s.Errorf("terminate: %v", err)
			}
		},
		func(id string) { s.turn(id, func(p *plan) { p.note("without a word") }) },
	} {
		id := string(rune('a' + i))
		s.turn(id, func(p *plan) { p.note("work") })
		s.wantCleanup(id, persistence.Cleanup{})
		head, _ := s.head(id)
		begun := persistence.Cleanup{Event: head.NextEvent + 1, SinceMs: 5, DeadlineMs: 9, Left: 2}
		s.cleans(id, begun, "before", "begin")
		begun.Part = head.NextEvent
		s.wantCleanup(id, begun)
		s.cleans(id, persistence.Cleanup{Event: begun.Event, SinceMs: 5, DeadlineMs: 9, Left: 1})
		begun.Left = 1
		s.wantCleanup(id, begun)
		s.reopen()
		s.wantCleanup(id, begun)
		end(id)
		s.wantCleanup(id, persistence.Cleanup{})
	}
}

// cleanupPart: of a cleanup that an older build began the head does not know the part, so it is read from the beginning on.
func cleanupPart(s *story) {
	s.turn("a", func(p *plan) { p.note("work") })
	head, _ := s.head("a")
	s.cleans("a", persistence.Cleanup{}, "begin")
	s.cleans("a", persistence.Cleanup{Event: head.NextEvent, Left: 3}, "step")
	s.wantCleanup("a", persistence.Cleanup{Event: head.NextEvent, Left: 3})
}
