package dispatch

// The rules of careful mode for suspects: code that may be what ended the process.
const (
	// heavyAttempts: a suspect with so many attempts, or more, runs alone among the suspects of the node.
	heavyAttempts = 3
	// AloneMs is the longest time that it keeps other suspects waiting.
	AloneMs = 5000
	// HushMs is the time after its start in which nothing else starts.
	HushMs = 1000
)

// Gate admits the suspects of a node, in the order in which they asked. A light suspect waits while a heavy one runs;
// a heavy one waits until no suspect runs. A suspect that has run for AloneMs keeps no other suspect waiting.
// There is one for all partitions of a node.
type Gate struct {
	heavyFrom uint32

	running []suspect // in order of admission
	waiting []suspect // in order of asking
	hush    int64
}

type suspect struct {
	ticket uint64
	heavy  bool
	since  int64
}

// NewGate makes a gate for work that is attempted at most maxAttempts times, which is 1 or more.
func NewGate(maxAttempts uint32) *Gate { return &Gate{heavyFrom: HeavyFrom(maxAttempts)} }

// HeavyFrom is how many recorded attempts make a suspect run alone: what stands beside a killer must have an attempt left
// for the time when it does. With a single attempt every suspect runs alone.
func HeavyFrom(maxAttempts uint32) uint32 { return min(heavyAttempts, max(maxAttempts, 1)-1) }

// Ask puts a suspect in line. The ticket is the caller's; it must not be in use. Call Advance afterwards.
func (g *Gate) Ask(ticket uint64, attempts uint32) {
	g.waiting = append(g.waiting, suspect{ticket: ticket, heavy: attempts >= g.heavyFrom})
}

// Done says that a suspect has ended, or no longer wants to start. Call Advance afterwards.
func (g *Gate) Done(ticket uint64) {
	g.running = without(g.running, ticket)
	g.waiting = without(g.waiting, ticket)
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
func (g *Gate) Advance(now int64) []uint64 {
	var admitted []uint64
	for len(g.waiting) > 0 {
		s := g.waiting[0]
		if !g.free(now, s.heavy) {
			break
		}
		g.waiting = g.waiting[1:]
		s.since = now
		g.running = append(g.running, s)
		if s.heavy {
			g.hush = max(g.hush, now+HushMs)
		}
		admitted = append(admitted, s.ticket)
	}
	return admitted
}

// free reports whether no running suspect keeps one of this kind waiting.
func (g *Gate) free(now int64, heavy bool) bool {
	for _, r := range g.running {
		if (heavy || r.heavy) && now < r.since+AloneMs {
			return false
		}
	}
	return true
}

// FreshAt is the time from which what is not a suspect may start again; it may lie in the past.
func (g *Gate) FreshAt() int64 { return g.hush }

// Wake returns the time at which Advance may admit a suspect although none has ended since, and Never if none waits.
func (g *Gate) Wake() int64 {
	if len(g.waiting) == 0 {
		return Never
	}
	wake := int64(0)
	for _, r := range g.running {
		if g.waiting[0].heavy || r.heavy {
			wake = max(wake, r.since+AloneMs)
		}
	}
	return wake
}
