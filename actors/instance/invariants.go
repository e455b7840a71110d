package instance

import (
	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// verify checks the invariants of an instance's fields after each message. A panic may leave counts wrong, so after a panic it
// checks nothing until a turn has been committed.
func (s *instance) verify() {
	if s.failed > 0 || s.lost {
		return
	}
	s.core.Verify()
	s.verifyOutstanding()
	s.verifyMemory()
	for at, a := range s.unanswered {
		invariants.Check(a.At == at, "the unanswered message at index %d says that its index is %d", at, a.At)
	}
}

// verifyOutstanding checks that outstanding counts each answer that is on its way. It may be larger only after an answer came
// too late to be called off.
func (s *instance) verifyOutstanding() {
	n := s.core.Awaited()
	if s.acceptTimer != nil {
		n++
	}
	if s.evicting {
		n++
	}
	invariants.Check(s.outstanding == n || s.overdue && s.outstanding > n, "%d answers are outstanding, of which %d are known", s.outstanding, n)
}

// verifyMemory checks that either the instance or its place accounts for its memory.
func (s *instance) verifyMemory() {
	invariants.Check(s.charge >= 0, "%d bytes are taken of the memory", s.charge)
	if s.place != nil {
		invariants.Check(s.core.Resident() && s.charge == 0, "a place among the residents, with %d bytes of the memory", s.charge)
	}
}
