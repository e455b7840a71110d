package instance

import "github.com/turnstone-dev/turnstone/actors/instance/arrival"

// owe records that the sender of a message waits for an answer.
func (s *instance) owe(a *arrival.Arrival) {
	a.At = len(s.unanswered)
	s.unanswered = append(s.unanswered, a)
}

// answer tells the sender what has become of its message. It answers each message only once.
func (s *instance) answer(a *arrival.Arrival, err error, repeated bool) {
	if a.At < 0 {
		return
	}
	last := len(s.unanswered) - 1
	s.unanswered[a.At] = s.unanswered[last]
	s.unanswered[a.At].At = a.At
	s.unanswered[last] = nil
	s.unanswered = s.unanswered[:last]
	a.At = -1 // before Reply: if the sender's function panics, it must not be called again
	a.Reply(err, repeated)
}

// answerAll answers each sender that waits, from the end of the list.
func (s *instance) answerAll(err error) {
	for n := len(s.unanswered); n > 0; n = len(s.unanswered) {
		s.answer(s.unanswered[n-1], err, false)
	}
}
