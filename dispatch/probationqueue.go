package dispatch

// The rules of careful mode for suspects. Each of them may be the code that ended the process.
const (
	// heavyAttempts: a suspect with so many attempts, or more, is heavy: it runs alone among the suspects of the node.
	heavyAttempts = 3
	// AloneMs is the longest time that a heavy suspect keeps other suspects waiting.
	AloneMs = 5000
	// HeavyPauseMs is the time after the start of a heavy suspect in which no other code starts.
	HeavyPauseMs = 1000
)

// ProbationQueue admits the suspects of a node, in the order in which they asked. A light suspect waits while a heavy one
// runs; a heavy one waits until no suspect runs. A suspect that has run for AloneMs keeps no other suspect waiting. A node
// has one queue for all its partitions.
type ProbationQueue struct {
	heavyFrom uint32

	running []suspect // in order of admission
	waiting []suspect // in order of asking
	freshAt int64
}

type suspect struct {
	ticket uint64
	heavy  bool
	since  int64
}

// NewProbationQueue makes a queue for work that is attempted at most maxAttempts times, which is 1 or more.
func NewProbationQueue(maxAttempts uint32) *ProbationQueue {
	return &ProbationQueue{heavyFrom: HeavyFrom(maxAttempts)}
}

// HeavyFrom is the number of recorded attempts that makes a suspect heavy. A suspect that ran beside code which ended the
// process needs one attempt more, in which it runs alone. With a single attempt every suspect is heavy.
func HeavyFrom(maxAttempts uint32) uint32 { return min(heavyAttempts, max(maxAttempts, 1)-1) }

// Ask queues a suspect. The caller chooses the ticket, which must not be in use. Call Advance afterwards.
func (q *ProbationQueue) Ask(ticket uint64, attempts uint32) {
	q.waiting = append(q.waiting, suspect{ticket: ticket, heavy: attempts >= q.heavyFrom})
}

// Done says that a suspect has ended, or no longer wants to start. Call Advance afterwards.
func (q *ProbationQueue) Done(ticket uint64) {
	q.running = without(q.running, ticket)
	q.waiting = without(q.waiting, ticket)
}

func without(list []suspect, ticket uint64) []suspect {
	for i, s := range list {
		if s.ticket == ticket {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// Advance admits the suspects that may start now, and returns their tickets in order.
func (q *ProbationQueue) Advance(now int64) []uint64 {
	var admitted []uint64
	for len(q.waiting) > 0 {
		s := q.waiting[0]
		if !q.free(now, s.heavy) {
			break
		}
		q.waiting = q.waiting[1:]
		s.since = now
		q.running = append(q.running, s)
		if s.heavy {
			q.freshAt = max(q.freshAt, now+HeavyPauseMs)
		}
		admitted = append(admitted, s.ticket)
	}
	return admitted
}

// free reports whether no running suspect keeps a heavy (or a light) one waiting.
func (q *ProbationQueue) free(now int64, heavy bool) bool {
	for _, r := range q.running {
		if (heavy || r.heavy) && now < r.since+AloneMs {
			return false
		}
	}
	return true
}

// FreshAt is the time from which code that is no suspect may start again; it may lie in the past.
func (q *ProbationQueue) FreshAt() int64 { return q.freshAt }

// Wake returns the time at which Advance may admit a suspect even if none ends before, and Never if none waits.
func (q *ProbationQueue) Wake() int64 {
	if len(q.waiting) == 0 {
		return Never
	}
	wake := int64(0)
	for _, r := range q.running {
		if q.waiting[0].heavy || r.heavy {
			wake = max(wake, r.since+AloneMs)
		}
	}
	return wake
}
