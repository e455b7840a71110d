package actors

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// partition opens a partition's epochs and serves it: it owns the dispatcher, the activities that run, and the parts
// of the supervisors that concern this partition (leases, backoff, cancellation), because each of them acts on the rows
// of one partition, at the times and in the order that its dispatcher sees.
//
// The struct outlives restarts of its actor. Fields above the line may be used from any goroutine; those below belong to
// the actor.
type partition struct {
	e    *engine
	id   persistence.Partition
	gate *carefulGate // one for all partitions of the engine
	pid  *actor.PID   // set before anything is posted

	epoch     atomic.Uint64
	careful   atomic.Bool
	held      atomic.Int64 // instances that are held, as the dispatcher knows them
	left      atomic.Bool  // the actor has been told to stop itself
	list      consumer.List
	effects   effectsBox
	acks      acknowledgements
	givebacks quietGivebacks
	counts    activityCounters

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

// newPartition makes the partition; start opens it.
func newPartition(e *engine, id persistence.Partition) *partition {
	p := &partition{e: e, id: id}
	if id == 0 {
		p.gate = newCarefulGate(e.cfg.Clock, e.cfg.MaxAttempts)
	} else {
		p.gate = e.parts[0].gate
	}
	return p
}

// listen spawns the actor and takes the partition's effects. Every partition listens before any is started: one that
// has been started sends to the others.
func (p *partition) listen() {
	p.pid = p.e.sys.Spawn("partition", func() actor.Actor { return &partitionActor{p: p} })
	p.e.journal.Attach(p.id, func(e *persistence.Effects) {
		if p.effects.put(e) {
			p.post("effects", func() {})
		}
	})
}

// start opens an epoch. done is called once: when the epoch is durable and what the partition holds has been handed to
// the dispatcher, or with the reason why not.
func (p *partition) start(done func(error)) {
	p.post("open", func() {
		p.opened = append(p.opened, done)
		p.open()
	})
}

// epochNow is the current epoch; 0 until BeginEpoch is durable, and after the end.
func (p *partition) epochNow() uint64 { return p.epoch.Load() }

// carefulNow reports whether every message must be accepted first and every turn leased.
func (p *partition) carefulNow() bool { return p.careful.Load() }

// attach makes a consumer known to the partition: whatever comes to the actor afterwards sees it.
func (p *partition) attach(c *consumer.Attached) {
	p.list.Add(c)
	p.post("attach", func() {})
}

// detach makes a consumer unknown again, after it was stopped.
func (p *partition) detach(c *consumer.Attached) {
	p.list.Remove(c)
	p.post("detach", func() {})
}

// stopActivities tells the activities of a consumer to stop, because it leaves.
func (p *partition) stopActivities(c *consumer.Attached) {
	p.post("consumer stops", func() {
		if p.s != nil {
			p.s.stopActivities(c)
		}
	})
}

// stop ends the epoch cleanly, once what runs has ended or been given up, and then the actor.
func (p *partition) stop(done func(error)) {
	p.post("stop", func() {
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
func (p *partition) end(err error) {
	p.drop()
	if !p.left.Swap(true) {
		p.e.sys.Send(p.pid, &partitionLeave{})
	}
	if answer := p.answer; answer != nil {
		p.answer = nil
		answer(err)
	}
}

// drop ends what is served, if anything is.
func (p *partition) drop() {
	p.epoch.Store(0)
	p.held.Store(0)
	if s := p.s; s != nil {
		p.s = nil
		s.close(errServingEnded)
	}
}

// post has the actor run a step. It is how every answer comes back: from the journal, from slots, from the clock. What
// names the step in traces. After the end nobody is there to care: code that was given up may still return.
func (p *partition) post(what string, run func()) {
	if p.left.Load() {
		return
	}
	p.e.sys.Send(p.pid, &partitionStep{what: what, run: run})
}

// postLast is post for a goroutine that has nothing else to do; see sendLast.
func (p *partition) postLast(what string, run func()) {
	if p.left.Load() {
		return
	}
	p.e.sys.SendLast(p.pid, &partitionStep{what: what, run: run})
}

// after posts a step when d has passed.
func (p *partition) after(d time.Duration, what string, run func()) clock.Timer {
	return p.e.cfg.Clock.AfterFunc(d, func() { p.post(what, run) })
}

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
type partitionActor struct{ p *partition }

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

func (p *partition) run(m *partitionStep) {
	if p.s == nil {
		p.passEnds()
	} else {
		p.s.lookAtClock()
		p.s.attachAll() // who was attached before an effect is known when it comes
		p.s.drain()     // and effects come before whatever was answered after them
	}
	m.run()
	if p.s != nil {
		p.s.pump()
	}
}

// passEnds takes effects while no epoch is served: they are for those who wait for an end only. The rest is found by the
// scans of the next epoch.
func (p *partition) passEnds() {
	for _, e := range p.effects.take() {
		for _, end := range e.Ended {
			p.e.ended(end)
		}
	}
}

// errPartitionFailed is why an epoch did not end cleanly although the engine was stopped.
var errPartitionFailed = errors.New("its actor failed while the engine stopped; see the log")

// restart drops what the failed step left behind and opens a new epoch: at once, unless that happens again and again,
// since each epoch is a commit. While the engine stops there is no new epoch, and the caller that waits for the stop is answered.
func (p *partition) restart() {
	if p.stopped || p.e.draining.Load() {
		p.failure = p.error("end the epoch", errPartitionFailed)
		p.drop()
		if p.stopped {
			p.end(p.failure)
		}
		return
	}
	now := p.e.elapsed()
	if now-p.restarted > restartCalm {
		p.restarts = 0
	}
	p.restarts, p.restarted = p.restarts+1, now
	pause := mailbox.RestartPause(p.restarts)
	p.e.cfg.Logger.Error("the partition's actor failed and starts a new epoch", logkey.Partition, p.id,
		logkey.Failures, p.restarts, logkey.Backoff, pause.Seconds())
	if pause > 0 {
		p.after(pause, "open", p.open)
	} else {
		p.post("open", p.open)
	}
	p.drop()
}

// restartCalm: a partition that has served for so long has recovered. It is longer than the longest pause.
const restartCalm = time.Minute

// answerOpened answers whoever waits for the open.
func (p *partition) answerOpened(err error) {
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
func (p *partition) error(what string, err error) error {
	return fmt.Errorf("partition %d: %s: %w", p.id, what, err)
}
