package instance

import "github.com/turnstone-dev/turnstone/actors/instance/arrival"

// owe notes that the sender of a message waits for an answer.
func (s *instance) owe(a *arrival.Arrival) {
	a.At = len(s.unanswered)
	s.unanswered = append(s.unanswered, a)
}

// answer tells a sender what has become of its message, once.
func (s *instance) answer(a *arrival.Arrival, err error, repeated bool) {
	if a.At < 0 {
		return
	}
	last := len(s.unanswered) - 1
	s.unanswered[a.At] = s.unanswered[last]
	s.unanswered[a.At].At = a.At
	s.unanswered[last] = nil
	s.unanswered = s.unanswered[:last]
	a.At = -1 // before the sender's function runs: if it panics, it is not called again
	a.Reply(err, repeated)
}

// answerAll tells each sender that waits. Those that came last are told first.
func (s *instance) answerAll(err error) {
	for n := len(s.unanswered); n > 0; n = len(s.unanswered) {
		s.answer(s.unanswered[n-1], err, false)
	}
}
