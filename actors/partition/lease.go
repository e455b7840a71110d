package partition

import (
	"errors"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/persistence"
)

// leaseBook is the lease supervisor of one partition: it renews the leases of turns and activities that run here, and stops
// the holder of a lost lease before it could commit. Grants need no renewal.
type leaseBook struct {
	s       *serving
	turns   *dispatch.Leases
	work    *dispatch.Leases
	watches map[persistence.Token]*turnWatch
	holders map[persistence.Token]*activity
}

// turnWatch is a turn's lease that is renewed until it is stopped or lost.
type turnWatch struct {
	token   persistence.Token
	lost    func()
	stopped atomic.Bool
}

func (b *leaseBook) init(s *serving) {
	cfg := &s.host.Config
	b.s = s
	b.turns = dispatch.NewLeases(cfg.TurnLease.Milliseconds(), cfg.TurnLeaseBuffer.Milliseconds())
	b.work = dispatch.NewLeases(cfg.WorkLease.Milliseconds(), cfg.WorkLeaseBuffer.Milliseconds())
	b.watches = map[persistence.Token]*turnWatch{}
	b.holders = map[persistence.Token]*activity{}
}

// WatchTurnLease renews a turn's lease until stop is called. lost is called at most once, from the partition's actor, when
// the lease cannot be renewed: its holder must not commit under it, and the journal would refuse the commit.
func (p *Partition) WatchTurnLease(token persistence.Token, lost func()) (stop func()) {
	w := &turnWatch{token: token, lost: lost}
	takenAt := p.host.Config.Clock.Elapsed().Milliseconds()
	p.Post("watch lease", func() {
		if w.stopped.Load() {
			return
		}
		if p.s == nil {
			lost()
			return
		}
		p.s.leases.watches[token] = w
		p.s.leases.turns.Hold(token, takenAt)
	})
	return func() {
		w.stopped.Store(true)
		p.Post("leave lease", func() {
			if p.s != nil && p.s.leases.watches[token] == w {
				p.s.leases.dropTurn(token)
			}
		})
	}
}

func (b *leaseBook) dropTurn(token persistence.Token) {
	delete(b.watches, token)
	b.turns.Drop(token)
}

func (b *leaseBook) wake() int64 { return min(b.turns.Wake(), b.work.Wake()) }

// renew proposes the renewals that are due, and stops the holders of leases that ended.
func (b *leaseBook) renew(now int64) {
	renew, lost := b.turns.Due(now)
	for _, token := range lost {
		b.turnLost(token)
	}
	for _, token := range renew {
		b.renewTurn(token)
	}
	renew, lost = b.work.Due(now)
	for _, token := range lost {
		b.workLost(token)
	}
	if len(renew) > 0 {
		b.renewWork(renew)
	}
}

func (b *leaseBook) renewTurn(token persistence.Token) {
	b.s.propose("turn lease renewed", &persistence.RenewTurn{Token: token, TTLMs: b.turns.TTLMs()},
		func(r persistence.Result, at int64) {
			switch {
			case r.Err == nil:
				b.turns.Renewed(token, at)
			case transient(r.Err):
				b.turns.Retry(token, b.s.now())
			default:
				b.turnLost(token)
			}
		})
}

func (b *leaseBook) turnLost(token persistence.Token) {
	w := b.watches[token]
	b.dropTurn(token)
	if w != nil && !w.stopped.Load() {
		b.s.p.counts.lostLeases.Add(1)
		w.lost()
	}
}

func (b *leaseBook) renewWork(tokens []persistence.Token) {
	b.s.propose("work leases renewed", &persistence.RenewWork{Tokens: tokens, TTLMs: b.work.TTLMs()},
		func(r persistence.Result, at int64) {
			for i, token := range tokens {
				switch {
				case r.Err == nil && r.Live[i]:
					b.work.Renewed(token, at)
				case r.Err != nil && transient(r.Err):
					b.work.Retry(token, b.s.now())
				default:
					b.workLost(token)
				}
			}
		})
}

// workLost stops the holder of a lease that is lost. The work row says which process may run the activity next.
func (b *leaseBook) workLost(token persistence.Token) {
	a := b.holders[token]
	b.work.Drop(token)
	delete(b.holders, token)
	if a == nil {
		return
	}
	b.s.p.counts.lostLeases.Add(1)
	a.leaseLost()
}

// transient reports whether a proposal may be repeated: it is not in the log.
func transient(err error) bool {
	if errors.Is(err, persistence.ErrStopped) { // the error of a closed journal is ErrNotLeader, too
		return false
	}
	return errors.Is(err, persistence.ErrBusy) || errors.Is(err, persistence.ErrNotLeader)
}

// takeLease proposes a lease for the activity: before its code runs, or in the background while it runs.
func (a *activity) takeLease() {
	if a.phase != activityLeasing && a.phase != activityRunning || a.leasing || a.token != "" {
		return
	}
	cfg := &a.s.host.Config
	a.leasing = true
	a.s.propose("work leased", &persistence.LeaseWork{
		Key: a.item.Key, Attempts: a.attempts, TTLMs: cfg.WorkLease.Milliseconds(), Nonce: ids.Uint64(cfg.IDs),
		Holder: persistence.Holder{Node: cfg.Node, Process: cfg.Process, Consumer: a.c.ID},
	}, a.leased)
}

// leased takes the answer to LeaseWork. A result that waited for it is sent now, under the token.
func (a *activity) leased(r persistence.Result, at int64) {
	a.leasing = false
	if a.phase == activityOver {
		return // the lease ends by itself, or with the row
	}
	if r.Err == nil {
		a.token, a.attempts = r.Token, r.Attempts
		a.s.leases.holders[a.token] = a
		a.s.leases.work.Hold(a.token, at)
	}
	if a.phase == activityRunning && a.expired != 0 && (r.Err == nil || transient(r.Err)) {
		a.timeUp(a.expired)
		return
	}
	switch {
	case a.phase == activityAnswering && (r.Err == nil || transient(r.Err)):
		a.answer()
	case r.Err == nil && a.phase == activityLeasing:
		a.prepare()
	case r.Err == nil && a.beatWaits:
		a.recordBeat()
	case r.Err == nil:
	case transient(r.Err):
		a.retry(a.takeLease)
	case errors.Is(r.Err, persistence.ErrUncertain), errors.Is(r.Err, persistence.ErrStopped):
		// The journal has stopped: nothing more leaves this process.
	case a.phase == activityLeasing:
		a.putBack(a.s.now() + refusedPauseMs)
	case a.phase == activityAnswering:
		a.void()
	default:
		a.leaseLost()
	}
}

// refusedPauseMs is how long work pauses after the journal refused a command for it: the row has changed, and the effect of
// the change is on its way.
const refusedPauseMs = 50

func (a *activity) dropLease() {
	if a.token != "" {
		a.s.leases.work.Drop(a.token)
		delete(a.s.leases.holders, a.token)
	}
}
