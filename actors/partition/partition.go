package partition

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Partition opens a partition's epochs and serves it. It owns the dispatcher, the activities that run, and the supervisors
// of leases, backoff and cancellation, because each of these acts on the rows of one partition, in the order that its
// dispatcher sees.
//
// The struct outlives restarts of its actor. Fields above the line may be used from any goroutine; those below belong to
// the actor.
type Partition struct {
	host      *Host
	id        persistence.Partition
	probation *Probation // the host's, one for all its partitions
	pid       *actor.PID // set before anything is posted

	epoch     atomic.Uint64
	careful   atomic.Bool
	held      atomic.Int64 // instances that are held, as the dispatcher knows them
	closed    atomic.Bool  // the actor has been told to stop itself
	consumers consumer.List
	effects   effectsBox
	acks      acknowledgements
	givebacks quietGivebacks
	counts    counters

	// -- the actor's own

	s       *serving // nil while no epoch is open
	opening uint64   // counts attempts to open, so that an answer to an older one is known
	opened  []func(error)
	stopped bool
	// answer takes the end of the stop, once. failure is why no epoch can end cleanly any more.
	answer  func(error)
	failure error
	// restarts counts failures in a row; the last one was at restarted, in elapsed time.
	restarts  int
	restarted time.Duration
}

// New makes the partition; start opens it.
func New(host *Host, id persistence.Partition) *Partition {
	return &Partition{host: host, id: id, probation: host.Probation}
}

// Listen spawns the actor and takes the partition's effects. All partitions listen before the first is started, because a
// partition that was started sends to the others.
func (p *Partition) Listen() {
	p.pid = p.host.System.Spawn("partition", func() actor.Actor { return &partitionActor{p: p} })
	p.host.Journal.Attach(p.id, func(e *persistence.Effects) {
		if p.effects.put(e) {
			p.Post("effects", func() {})
		}
	})
}

// Start opens an epoch. done is called once: when the epoch is durable and the dispatcher has read the partition's rows, or
// with the error that prevented that.
func (p *Partition) Start(done func(error)) {
	p.Post("open", func() {
		p.opened = append(p.opened, done)
		p.open()
	})
}

// Epoch returns the current epoch; 0 until BeginEpoch is durable, and after the end.
func (p *Partition) Epoch() uint64 { return p.epoch.Load() }

// Careful reports whether every message must be accepted first and every turn leased.
func (p *Partition) Careful() bool { return p.careful.Load() }

// Consumers are those that the partition knows.
func (p *Partition) Consumers() *consumer.List { return &p.consumers }

// FreshPauseLeft returns the time until turns that are not suspects may start: see [Probation].
func (p *Partition) FreshPauseLeft() time.Duration { return p.probation.freshPauseLeft() }

// Attach adds a consumer to the partition: all steps that the actor runs afterwards see it.
func (p *Partition) Attach(c *consumer.Attached) {
	p.consumers.Add(c)
	p.Post("attach", func() {})
}

// Detach removes a consumer that was stopped.
func (p *Partition) Detach(c *consumer.Attached) {
	p.consumers.Remove(c)
	p.Post("detach", func() {})
}

// StopActivities tells the activities of a consumer to stop, because it leaves.
func (p *Partition) StopActivities(c *consumer.Attached) {
	p.Post("consumer stops", func() {
		if p.s != nil {
			p.s.stopActivities(c)
		}
	})
}

// Stop ends the epoch cleanly, once the activities that run have ended or been given up, and then the actor.
func (p *Partition) Stop(done func(error)) {
	p.Post("stop", func() {
		if p.stopped {
			done(errors.New("the partition is stopping already"))
			return
		}
		p.stopped, p.answer = true, done
		if p.s == nil {
			p.end(p.failure)
			return
		}
		p.s.stop()
	})
}

// end stops the actor and answers the caller of Stop, if there is one. When a step of end panics, restart calls end again,
// which does what is left.
func (p *Partition) end(err error) {
	p.drop()
	if !p.closed.Swap(true) {
		p.host.System.Send(p.pid, &partitionLeave{})
	}
	if answer := p.answer; answer != nil {
		p.answer = nil
		answer(err)
	}
}

// drop ends the serving of the epoch, if one is open.
func (p *Partition) drop() {
	p.epoch.Store(0)
	p.held.Store(0)
	if s := p.s; s != nil {
		p.s = nil
		s.close(ErrServingEnded)
	}
}

// Post has the actor run a step. Every answer of the journal, of slots and of the clock comes back this way. what names the
// step in traces. After the partition has stopped, Post drops the step: code that was given up may still return then.
func (p *Partition) Post(what string, run func()) {
	if p.closed.Load() {
		return
	}
	p.host.System.Send(p.pid, &partitionStep{what: what, run: run})
}

// postLast is Post for a goroutine that has nothing else to do; see mailbox.System.SendLast.
func (p *Partition) postLast(what string, run func()) {
	if p.closed.Load() {
		return
	}
	p.host.System.SendLast(p.pid, &partitionStep{what: what, run: run})
}

// after posts a step when d has passed.
func (p *Partition) after(d time.Duration, what string, run func()) clock.Timer {
	return p.host.Config.Clock.AfterFunc(d, func() { p.Post(what, run) })
}

// Sizes passes the sizes of the dispatcher and the number of activities in slots to take. It is for tests.
func (p *Partition) Sizes(take func(s dispatch.Sizes, activities int)) {
	p.Post("sizes", func() { take(p.s.d.Sizes(), len(p.s.activities)) })
}

// Held returns how many instances are held, as the dispatcher knows them.
func (p *Partition) Held() uint64 { return uint64(p.held.Load()) }

// ClockSet has the partition check again which rows are due by the wall clock.
func (p *Partition) ClockSet() { p.Post("wall clock set", func() {}) }

// partitionStep is the one message of the partition actor.
type partitionStep struct {
	what string
	run  func()
}

// String names the step.
func (m *partitionStep) String() string { return "partition step: " + m.what }

// partitionLeave is the last message: the actor stops itself.
type partitionLeave struct{}

// partitionActor runs the partition's steps one at a time. A step that panics ends the epoch: the state of the epoch is
// dropped, the supervisor restarts the actor, and a new epoch reads all rows. Activities that ran under a grant are granted
// again at once. Leased activities wait until their lease has ended, at most Config.WorkLease: a lease outlives its epoch,
// and the code that was told to stop may still run.
type partitionActor struct{ p *Partition }

// Receive implements actor.Actor.
func (a *partitionActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *partitionStep:
		a.p.run(m)
	case *partitionLeave:
		ctx.Stop(ctx.Self())
	case *actor.Restarting:
		a.p.restart()
	}
}

func (p *Partition) run(m *partitionStep) {
	if p.s == nil {
		p.reportEnds()
	} else {
		p.s.setWall()
		p.s.attachAll() // before drain: a consumer that was attached before an effect is known when the effect is taken
		p.s.drain()     // before m.run: an answer of the journal comes after the effects that preceded it
	}
	m.run()
	if p.s != nil {
		p.s.pump()
	}
	if invariants.Enabled && p.s != nil { // the step or the pump may have ended it
		p.s.verify()
	}
}

// reportEnds takes effects while no epoch is served. It reports only the ends, for which callers wait; the scans of the next
// epoch find the other rows.
func (p *Partition) reportEnds() {
	for _, e := range p.effects.take() {
		for _, end := range e.Ended {
			p.host.Engine.Ended(end)
		}
	}
}

// ErrPartitionFailed is why an epoch did not end cleanly although the engine was stopped.
var ErrPartitionFailed = errors.New("its actor failed while the engine stopped; see the log")

// restart drops the state that the failed step left behind and opens a new epoch: at once, unless failures repeat, since
// each epoch is a commit. While the engine stops there is no new epoch, and restart answers the caller that waits for the
// stop.
func (p *Partition) restart() {
	if p.stopped || p.host.Draining.Load() {
		p.failure = p.error("end the epoch", ErrPartitionFailed)
		p.drop()
		if p.stopped {
			p.end(p.failure)
		}
		return
	}
	now := p.host.Config.Clock.Elapsed()
	if now-p.restarted > RestartCalm {
		p.restarts = 0
	}
	p.restarts, p.restarted = p.restarts+1, now
	pause := mailbox.RestartPause(p.restarts)
	p.host.Config.Logger.Error("the partition's actor failed and starts a new epoch", logkey.Partition, p.id,
		logkey.Failures, p.restarts, logkey.Backoff, pause.Seconds())
	if pause > 0 {
		p.after(pause, "open", p.open)
	} else {
		p.Post("open", p.open)
	}
	p.drop()
}

// RestartCalm is how long a partition must serve until its earlier failures no longer count. It is longer than the longest
// pause.
const RestartCalm = time.Minute

// answerOpened answers the callers that wait for the epoch to open.
func (p *Partition) answerOpened(err error) {
	waiting := p.opened
	p.opened = nil
	for _, done := range waiting {
		done(err)
	}
}

// effectsBox passes effects from the journal's goroutine to the actor. It never blocks. One message is sent for all effects
// that the actor has not taken yet.
type effectsBox struct {
	mu    sync.Mutex
	items []*persistence.Effects
	spare []*persistence.Effects
}

// put adds effects, and reports whether a message must be sent to the actor.
func (b *effectsBox) put(e *persistence.Effects) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if invariants.Enabled && len(b.items) > 0 {
		last := b.items[len(b.items)-1].Index
		invariants.Check(last < e.Index, "effects of index %d come after those of index %d", e.Index, last)
	}
	b.items = append(b.items, e)
	return len(b.items) == 1
}

// take returns the effects that were added, in order. The slice is valid until the next call.
func (b *effectsBox) take() []*persistence.Effects {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	clear(b.spare)
	b.items, b.spare = b.spare[:0], items
	return items
}

// error adds the partition and the operation to an error.
func (p *Partition) error(what string, err error) error {
	return fmt.Errorf("partition %d: %s: %w", p.id, what, err)
}
