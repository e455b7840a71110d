package partition

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Probation lets the suspects of the node start, both turns and activities, of all partitions; dispatch.ProbationQueue has
// the rules. All methods are safe for concurrent use.
type Probation struct {
	clock clock.Clock
	fresh atomic.Int64 // queue.FreshAt; every turn reads it before it starts, without mu
	mu    struct {
		sync.Mutex
		queue   *dispatch.ProbationQueue
		last    uint64
		waiting map[uint64]func() // by ticket: the call that its admission makes
		wakeAt  int64             // when the timer fires; 0: none is set
		timer   clock.Timer
		open    bool // the engine stops: no code starts any more, and no suspect waits
	}
}

// NewProbation makes the probation of a node. maxAttempts is Config.MaxAttempts.
func NewProbation(c clock.Clock, maxAttempts uint32) *Probation {
	p := &Probation{clock: c}
	p.mu.queue = dispatch.NewProbationQueue(maxAttempts)
	p.mu.waiting = map[uint64]func(){}
	return p
}

// ask queues a suspect and returns its ticket, and true if the suspect may start at once. Otherwise admitted is called when
// it may start, from any goroutine. attempts is the number in its row before this attempt is leased. An attempt must not be
// counted while the suspect waits here: a crash that another suspect causes would then use it up.
func (p *Probation) ask(attempts uint32, admitted func(ticket uint64)) (uint64, bool) {
	p.mu.Lock()
	p.mu.last++
	ticket, mine := p.mu.last, false
	p.mu.waiting[ticket] = func() { mine = true }
	p.mu.queue.Ask(ticket, attempts)
	calls := p.advance()
	if _, still := p.mu.waiting[ticket]; still {
		p.mu.waiting[ticket] = func() { admitted(ticket) }
	} else {
		mine = true
	}
	p.mu.Unlock()
	for _, call := range calls {
		call() // that of this ticket sets mine, which is already known
	}
	return ticket, mine
}

// done says that a suspect has ended, or will not start.
func (p *Probation) done(ticket uint64) {
	if ticket == 0 {
		return
	}
	p.mu.Lock()
	p.mu.queue.Done(ticket)
	delete(p.mu.waiting, ticket)
	calls := p.advance()
	p.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// freshAt returns the elapsed time from which code that is no suspect may start.
func (p *Probation) freshAt() int64 { return p.fresh.Load() }

// freshPauseLeft returns the time until turns that are not suspects may start again. A heavy suspect has just started: if it
// ends the process now, everything that runs beside it becomes a suspect too. Messages that wait meanwhile are accepted
// into the inbox after 10 ms.
func (p *Probation) freshPauseLeft() time.Duration {
	freshAt := p.freshAt()
	if freshAt == 0 {
		return 0
	}
	left := freshAt - clock.ElapsedMs(p.clock)
	if left <= 0 {
		return 0
	}
	return time.Duration(left) * time.Millisecond
}

// advance admits the suspects that may start now. The caller holds p.mu; it makes the returned calls after it unlocks.
func (p *Probation) advance() []func() {
	if invariants.Enabled {
		defer p.verify()
	}
	now := clock.ElapsedMs(p.clock)
	var calls []func()
	if p.mu.open {
		return p.admitAll()
	}
	for _, ticket := range p.mu.queue.Advance(now) {
		calls = append(calls, p.mu.waiting[ticket])
		delete(p.mu.waiting, ticket)
	}
	p.fresh.Store(p.mu.queue.FreshAt()) // before the calls: no other code may start beside a heavy suspect
	wake := p.mu.queue.Wake()
	if wake == dispatch.Never {
		p.stopTimer()
		return calls
	}
	if p.mu.wakeAt != wake {
		p.stopTimer()
		p.mu.wakeAt = wake
		p.mu.timer = p.clock.AfterFunc(time.Duration(max(wake-now, 0))*time.Millisecond, p.tick)
	}
	return calls
}

// admitAll admits all suspects that wait. The caller holds p.mu; it makes the returned calls after it unlocks.
func (p *Probation) admitAll() (calls []func()) {
	for _, ticket := range slices.Sorted(maps.Keys(p.mu.waiting)) {
		calls = append(calls, p.mu.waiting[ticket])
		delete(p.mu.waiting, ticket)
	}
	p.fresh.Store(0)
	p.stopTimer()
	return calls
}

// End admits all suspects that wait, and all that ask from now on. It is for a stop of the engine: an admitted suspect
// finds that no code starts any more, and leaves.
func (p *Probation) End() {
	p.mu.Lock()
	p.mu.open = true
	calls := p.advance()
	p.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

func (p *Probation) stopTimer() {
	if p.mu.timer != nil {
		p.mu.timer.Stop()
		p.mu.timer, p.mu.wakeAt = nil, 0
	}
}

func (p *Probation) tick() {
	p.mu.Lock()
	p.mu.timer, p.mu.wakeAt = nil, 0
	calls := p.advance()
	p.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// AdmitSuspect runs a suspect's turn when it is admitted; attempts is the number in its row before this attempt is leased.
// run is called once, perhaps within the call, and calls release when the turn has ended or will not run.
func (p *Partition) AdmitSuspect(attempts uint32, run func(release func())) {
	start := func(ticket uint64) { run(sync.OnceFunc(func() { p.probation.done(ticket) })) }
	if ticket, now := p.probation.ask(attempts, start); now {
		start(ticket)
	}
}

// suspects is the probation for the dispatcher of one serving. It records the tickets, so that they are returned when the
// serving ends.
type suspects struct {
	s    *serving
	open map[uint64]bool
}

// Ask implements dispatch.Probation.
func (a *suspects) Ask(key persistence.WorkKey, attempts uint32) (uint64, bool) {
	ticket, now := a.s.p.probation.ask(attempts, func(ticket uint64) {
		a.s.p.Post("suspect admitted", func() {
			if a.open[ticket] && a.s.live() {
				a.s.d.Admitted(a.s.now(), key, ticket)
			}
		})
	})
	a.open[ticket] = true
	return ticket, now
}

// Done implements dispatch.Probation.
func (a *suspects) Done(ticket uint64) {
	delete(a.open, ticket)
	a.s.p.probation.done(ticket)
}

// end returns all tickets.
func (a *suspects) end() {
	for _, ticket := range slices.Sorted(maps.Keys(a.open)) {
		a.s.p.probation.done(ticket)
	}
	a.open = map[uint64]bool{}
}
