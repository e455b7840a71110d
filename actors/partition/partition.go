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

// Partition opens a partition's epochs and serves it: it owns the dispatcher, the activities that run, and the parts
// of the supervisors that concern this partition (leases, backoff, cancellation), because each of them acts on the rows
// of one partition, at the times and in the order that its dispatcher sees.
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
	left      atomic.Bool  // the actor has been told to stop itself
	list      consumer.List
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

// Listen spawns the actor and takes the partition's effects. Every partition listens before any is started: one that
// has been started sends to the others.
func (p *Partition) Listen() {
	p.pid = p.host.System.Spawn("partition", func() actor.Actor { return &partitionActor{p: p} })
	p.host.Journal.Attach(p.id, func(e *persistence.Effects) {
		if p.effects.put(e) {
			p.Post("effects", func() {})
		}
	})
}

// Start opens an epoch. done is called once: when the epoch is durable and what the partition holds has been handed to
// the dispatcher, or with the reason why not.
func (p *Partition) Start(done func(error)) {
	p.Post("open", func() {
		p.opened = append(p.opened, done)
		p.open()
	})
}

// Epoch is the current epoch; 0 until BeginEpoch is durable, and after the end.
func (p *Partition) Epoch() uint64 { return p.epoch.Load() }

// Careful reports whether every message must be accepted first and every turn leased.
func (p *Partition) Careful() bool { return p.careful.Load() }

// Consumers are those that the partition knows.
func (p *Partition) Consumers() *consumer.List { return &p.list }

// HushLeft is how long no turn may start that is not a suspect: see Probation.
func (p *Partition) HushLeft() time.Duration { return p.probation.hushLeft() }

// Attach makes a consumer known to the partition: whatever comes to the actor afterwards sees it.
func (p *Partition) Attach(c *consumer.Attached) {
	p.list.Add(c)
	p.Post("attach", func() {})
}

// Detach makes a consumer unknown again, after it was stopped.
func (p *Partition) Detach(c *consumer.Attached) {
	p.list.Remove(c)
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

// Stop ends the epoch cleanly, once what runs has ended or been given up, and then the actor.
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

// end stops the actor and answers the stop, if there is one. A failure on the way ends here again, and goes on with what
// is left.
func (p *Partition) end(err error) {
	p.drop()
	if !p.left.Swap(true) {
		p.host.System.Send(p.pid, &partitionLeave{})
	}
	if answer := p.answer; answer != nil {
		p.answer = nil
		answer(err)
	}
}

// drop ends what is served, if anything is.
func (p *Partition) drop() {
	p.epoch.Store(0)
	p.held.Store(0)
	if s := p.s; s != nil {
		p.s = nil
		s.close(ErrServingEnded)
	}
}

// Post has the actor run a step. Every answer comes back this way: from the journal, from slots, from the clock. what
// names the step in traces. After the partition has stopped, Post drops the step: code that was given up may still
// return then.
func (p *Partition) Post(what string, run func()) {
	if p.left.Load() {
		return
	}
	p.host.System.Send(p.pid, &partitionStep{what: what, run: run})
}

// postLast is post for a goroutine that has nothing else to do; see sendLast.
func (p *Partition) postLast(what string, run func()) {
	if p.left.Load() {
		return
	}
	p.host.System.SendLast(p.pid, &partitionStep{what: what, run: run})
}

// after posts a step when d has passed.
func (p *Partition) after(d time.Duration, what string, run func()) clock.Timer {
	return p.host.Config.Clock.AfterFunc(d, func() { p.Post(what, run) })
}

// Sizes gives how much the dispatcher holds, and how many activities are in slots. It is for tests.
func (p *Partition) Sizes(take func(s dispatch.Sizes, activities int)) {
	p.Post("sizes", func() { take(p.s.d.Sizes(), len(p.s.activities)) })
}

// Held is how many instances are held, as the dispatcher knows them.
func (p *Partition) Held() uint64 { return uint64(p.held.Load()) }

// ClockSet has the partition look again at what waits for a time of the wall clock.
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

// partitionActor runs the partition's steps one at a time. A step that panics costs the epoch: what it has half done is
// dropped, the supervisor starts the actor again, and a new epoch reads everything anew. Activities that ran under a
// grant are handed out again at once; leased ones when their lease has ended, because a lease outlives its epoch and the
// code that was told to stop may not have stopped. That is a delay of at most Config.WorkLease.
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
		p.passEnds()
	} else {
		p.s.lookAtClock()
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

// passEnds takes effects while no epoch is served, and passes on only the ends, for which callers wait. The scans of the
// next epoch find the rest.
func (p *Partition) passEnds() {
	for _, e := range p.effects.take() {
		for _, end := range e.Ended {
			p.host.Engine.Ended(end)
		}
	}
}

// ErrPartitionFailed is why an epoch did not end cleanly although the engine was stopped.
var ErrPartitionFailed = errors.New("its actor failed while the engine stopped; see the log")

// restart drops what the failed step left behind and opens a new epoch: at once, unless that happens again and again,
// since each epoch is a commit. While the engine stops there is no new epoch, and the caller that waits for the stop is answered.
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

// RestartCalm: a partition that has served for so long has recovered. It is longer than the longest pause.
const RestartCalm = time.Minute

// answerOpened answers the callers that wait for the open.
func (p *Partition) answerOpened(err error) {
	waiting := p.opened
	p.opened = nil
	for _, done := range waiting {
		done(err)
	}
}

// effectsBox takes effects from the journal's goroutine to the actor: it never blocks, and one message brings all that
// have come together.
type effectsBox struct {
	mu    sync.Mutex
	items []*persistence.Effects
	spare []*persistence.Effects
}

// put adds effects, and reports whether the actor must be told.
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

// take returns what has come, in order. The slice is valid until the next call.
func (b *effectsBox) take() []*persistence.Effects {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	clear(b.spare)
	b.items, b.spare = b.spare[:0], items
	return items
}

// partitionError says which partition could not do what.
func (p *Partition) error(what string, err error) error {
	return fmt.Errorf("partition %d: %s: %w", p.id, what, err)
}
