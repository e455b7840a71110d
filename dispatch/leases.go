package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// Leases is the book of the leases that a node holds in one partition: when each is renewed, and which are lost. It is
// for leases of one duration. Times are milliseconds.
type Leases struct {
	ttl    int64
	every  int64
	byDue  heap[*lease]
	tokens map[persistence.Token]*lease
}

type lease struct {
	token    persistence.Token
	due      int64 // when it must be renewed, or ends
	expires  int64
	renewing bool // a renewal has been proposed and not answered
	at       int
}

// A renewal that failed for a reason that may pass is tried again after a quarter of what remains, within these bounds.
const (
	renewRetryMinMs = 20
	renewRetryMaxMs = 1000
)

// NewLeases makes an empty book for leases that last ttl and should be renewed buffer before their end; see RenewalMs.
func NewLeases(ttlMs, bufferMs int64) *Leases {
	return &Leases{
		ttl: ttlMs, every: RenewalMs(ttlMs, bufferMs),
		byDue: heap[*lease]{
			less: func(a, b *lease) bool {
				if a.due != b.due {
					return a.due < b.due
				}
				return a.token < b.token
			},
			place: func(l *lease, at int) { l.at = at },
		},
		tokens: map[persistence.Token]*lease{},
	}
}

// TTLMs is how long a lease of this book lasts.
func (b *Leases) TTLMs() int64 { return b.ttl }

// Hold adds a lease that was proposed at takenAt.
func (b *Leases) Hold(token persistence.Token, takenAt int64) {
	b.Drop(token)
	l := &lease{token: token, expires: takenAt + b.ttl, due: takenAt + b.every}
	l.due = min(l.due, l.expires)
	b.tokens[token] = l
	b.byDue.push(l)
}

// Drop removes a lease: it was used, given back, or lost.
func (b *Leases) Drop(token persistence.Token) {
	if l := b.tokens[token]; l != nil {
		delete(b.tokens, token)
		if l.at >= 0 {
			b.byDue.remove(l.at)
		}
	}
}

// Due returns the leases that must be renewed now, and those that ended without having been renewed; the latter are
// dropped. A lease that is being renewed is not named again before Renewed or Retry, but it can still end.
func (b *Leases) Due(now int64) (renew, lost []persistence.Token) {
	for b.byDue.len() > 0 && b.byDue.top().due <= now {
		l := b.byDue.pop()
		if l.expires <= now {
			delete(b.tokens, l.token)
			lost = append(lost, l.token)
			continue
		}
		if !l.renewing {
			renew = append(renew, l.token)
		}
		l.renewing = true
		l.due = l.expires
		b.byDue.push(l)
	}
	return renew, lost
}

// Renewed says that a lease was renewed by a proposal made at proposedAt.
func (b *Leases) Renewed(token persistence.Token, proposedAt int64) {
	l := b.tokens[token]
	if l == nil {
		return
	}
	l.renewing = false
	l.expires = max(l.expires, proposedAt+b.ttl)
	b.move(l, min(proposedAt+b.every, l.expires))
}

// Retry says that a renewal failed for a reason that may pass.
func (b *Leases) Retry(token persistence.Token, now int64) {
	l := b.tokens[token]
	if l == nil {
		return
	}
	l.renewing = false
	pause := min(max((l.expires-now)/4, renewRetryMinMs), renewRetryMaxMs)
	b.move(l, min(now+pause, l.expires))
}

func (b *Leases) move(l *lease, due int64) {
	b.byDue.remove(l.at)
	l.due = due
	b.byDue.push(l)
}

// Len is how many leases are held.
func (b *Leases) Len() int { return len(b.tokens) }

// Wake returns when Due has a lease to name; Never if no lease is held.
func (b *Leases) Wake() int64 {
	if b.byDue.len() == 0 {
		return Never
	}
	return b.byDue.top().due
}
