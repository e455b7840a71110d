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

// Probation lets the suspects of the node start, turns and activities of all partitions alike; dispatch.Gate has the
// rules. All methods are safe for concurrent use.
type Probation struct {
	clock clock.Clock
	fresh atomic.Int64 // gate.FreshAt; every turn reads it before it starts, without mu
	mu    struct {
		sync.Mutex
		gate    *dispatch.Gate
		last    uint64
		waiting map[uint64]func() // what to call when a ticket is admitted
		wakeAt  int64             // when the timer fires; 0: none is set
		timer   clock.Timer
		open    bool // the engine stops: no code starts any more, and no suspect waits
	}
}

// NewProbation makes the one of a node. maxAttempts is the engine's; dispatch.Gate has the rules.
func NewProbation(c clock.Clock, maxAttempts uint32) *Probation {
	g := &Probation{clock: c}
	g.mu.gate = dispatch.NewGate(maxAttempts)
	g.mu.waiting = map[uint64]func(){}
	return g
}

// ask queues a suspect and returns its ticket, and true if it may start at once. Otherwise admitted is called when it
// may, from any goroutine. attempts is the number in its row before this attempt is leased. An attempt must not be
// counted while it waits here: a crash that another suspect causes would then use it up.
func (g *Probation) ask(attempts uint32, admitted func(ticket uint64)) (uint64, bool) {
	g.mu.Lock()
	g.mu.last++
	ticket, mine := g.mu.last, false
	g.mu.waiting[ticket] = func() { mine = true }
	g.mu.gate.Ask(ticket, attempts)
	calls := g.advance()
	if _, still := g.mu.waiting[ticket]; still {
		g.mu.waiting[ticket] = func() { admitted(ticket) }
	} else {
		mine = true
	}
	g.mu.Unlock()
	for _, call := range calls {
		call() // the one for this ticket only says what is known already
	}
	return ticket, mine
}

// done says that a suspect has ended, or will not start.
func (g *Probation) done(ticket uint64) {
	if ticket == 0 {
		return
	}
	g.mu.Lock()
	g.mu.gate.Done(ticket)
	delete(g.mu.waiting, ticket)
	calls := g.advance()
	g.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// freshAt is from when on, in elapsed time, what is not a suspect may start.
func (g *Probation) freshAt() int64 { return g.fresh.Load() }

// hushLeft returns the time until turns that are not suspects may start again. A heavy suspect has just started: if it
// ends the process now, everything that runs beside it becomes a suspect too. Messages that wait meanwhile are accepted
// into the inbox after 10 ms.
func (g *Probation) hushLeft() time.Duration {
	freshAt := g.freshAt()
	if freshAt == 0 {
		return 0
	}
	left := freshAt - clock.ElapsedMs(g.clock)
	if left <= 0 {
		return 0
	}
	return time.Duration(left) * time.Millisecond
}

// advance admits the suspects that may start now. The caller holds g.mu, and calls what is returned after it unlocks.
func (g *Probation) advance() []func() {
	if invariants.Enabled {
		defer g.verify()
	}
	now := clock.ElapsedMs(g.clock)
	var calls []func()
	if g.mu.open {
		return g.admitAll()
	}
	for _, ticket := range g.mu.gate.Advance(now) {
		calls = append(calls, g.mu.waiting[ticket])
		delete(g.mu.waiting, ticket)
	}
	g.fresh.Store(g.mu.gate.FreshAt()) // before any of them is called: nothing new comes between
	wake := g.mu.gate.Wake()
	if wake == dispatch.Never {
		g.stopTimer()
		return calls
	}
	if g.mu.wakeAt != wake {
		g.stopTimer()
		g.mu.wakeAt = wake
		g.mu.timer = g.clock.AfterFunc(time.Duration(max(wake-now, 0))*time.Millisecond, g.tick)
	}
	return calls
}

// admitAll admits all suspects that wait. The caller holds g.mu, and calls what is returned after it unlocks.
func (g *Probation) admitAll() (calls []func()) {
	for _, ticket := range slices.Sorted(maps.Keys(g.mu.waiting)) {
		calls = append(calls, g.mu.waiting[ticket])
		delete(g.mu.waiting, ticket)
	}
	g.fresh.Store(0)
	g.stopTimer()
	return calls
}

// End admits all suspects that wait, and all that ask from now on. It is for a stop of the engine: an admitted suspect
// finds that no code starts any more, and leaves.
func (g *Probation) End() {
	g.mu.Lock()
	g.mu.open = true
	calls := g.advance()
	g.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

func (g *Probation) stopTimer() {
	if g.mu.timer != nil {
		g.mu.timer.Stop()
		g.mu.timer, g.mu.wakeAt = nil, 0
	}
}

func (g *Probation) tick() {
	g.mu.Lock()
	g.mu.timer, g.mu.wakeAt = nil, 0
	calls := g.advance()
	g.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// AdmitSuspect runs a suspect's turn when the gate lets it; attempts are those of the row before it is leased. run is
// called once, perhaps at once, and calls release when the turn has ended or will not run.
func (p *Partition) AdmitSuspect(attempts uint32, run func(release func())) {
	start := func(ticket uint64) { run(sync.OnceFunc(func() { p.probation.done(ticket) })) }
	if ticket, now := p.probation.ask(attempts, start); now {
		start(ticket)
	}
}

// suspects is the gate as one serving's dispatcher sees it. It remembers what it has asked for, so that nothing stays
// behind when the serving ends.
type suspects struct {
	s    *serving
	open map[uint64]bool
}

// Ask implements dispatch.Admission.
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

// Done implements dispatch.Admission.
func (a *suspects) Done(ticket uint64) {
	delete(a.open, ticket)
	a.s.p.probation.done(ticket)
}

// end gives back everything that was asked for.
func (a *suspects) end() {
	for _, ticket := range slices.Sorted(maps.Keys(a.open)) {
		a.s.p.probation.done(ticket)
	}
	a.open = map[uint64]bool{}
}
