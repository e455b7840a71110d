package partition

import (
	"errors"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// serving is one epoch of a partition: the dispatcher, and all that acts under the epoch. It belongs to the partition's
// actor; a restart of the actor drops it as a whole.
type serving struct {
	p        *Partition
	host     *Host
	epoch    uint64
	d        *dispatch.Dispatcher
	suspects *suspects

	numbers    map[*consumer.Attached]int // of the consumers of activities, as the dispatcher knows them
	consumers  []*consumer.Attached       // the built-in one, and the others in the order in which they were attached
	builtin    *consumer.Attached
	seen       *[]*consumer.Attached // the partition's list that consumers reflects
	newTurns   bool                  // a consumer that runs turns was attached since the last drain
	activities map[persistence.WorkKey]*activity
	leaving    []*activity // timed out, and their code has not ended
	answering  answering
	inputs     inputs
	leases     leaseBook
	alarms     alarms

	timer     clock.Timer
	timerAt   int64
	needsWall bool // something waits for a time of the wall clock, and the engine's watch knows that
	rerun     bool // a step has been posted because there is more to do at once
	stopping  bool // the epoch is being ended
	checking  bool // the epoch is being read, because something was fenced
	ending    bool // EndEpoch has been proposed
	ended     bool
}

// ErrServingEnded is why an activity of an epoch that is over is told to stop.
var ErrServingEnded = errors.New("the partition's epoch has ended")

func newServing(p *Partition, epoch uint64, careful, draining bool) *serving {
	cfg := &p.host.Config
	s := &serving{
		p: p, host: p.host, epoch: epoch, numbers: map[*consumer.Attached]int{}, activities: map[persistence.WorkKey]*activity{},
	}
	s.suspects = &suspects{s: s, open: map[uint64]bool{}}
	s.leases.init(s)
	s.inputs.init()
	s.d = dispatch.New(dispatch.Config{
		Node: cfg.Node, Process: cfg.Process,
		BackoffBaseMs: cfg.BackoffBase.Milliseconds(), BackoffMaxMs: cfg.BackoffMax.Milliseconds(),
		MaxAttempts: cfg.MaxAttempts, WorkLeaseMs: cfg.WorkLease.Milliseconds(), CarefulForMs: cfg.CarefulFor.Milliseconds(), Probation: s.suspects, FirstTell: epoch << 32,
		Draining: draining,
	}, s.now(), careful)
	s.setWall()
	s.attachBuiltin()
	return s
}

// now returns the elapsed time in milliseconds. Waits in this package do not depend on the wall clock.
func (s *serving) now() int64 { return clock.ElapsedMs(s.host.Config.Clock) }

// setWall passes the time of the wall clock, which rows use, to the dispatcher.
func (s *serving) setWall() { s.d.SetWall(s.now(), clock.WallMs(s.host.Config.Clock)) }

// live reports whether this epoch is still served. Answers that come after its end are dropped.
func (s *serving) live() bool { return s.p.s == s && !s.ended }

// post brings an answer back to the actor, unless the epoch has ended meanwhile.
func (s *serving) post(what string, run func()) {
	s.p.Post(what, func() {
		if s.live() {
			run()
		}
	})
}

// propose puts a command into the partition's log under this epoch; done runs in the actor. at is when it was proposed, in
// elapsed time.
func (s *serving) propose(what string, c persistence.Command, done func(r persistence.Result, at int64)) {
	at := s.now()
	s.host.Engine.Propose(s.p.id, s.epoch, c, func(r persistence.Result) {
		s.post(what, func() { done(r, at) })
	})
}

// attachAll makes the dispatcher's consumers those that are attached.
func (s *serving) attachAll() {
	list := s.p.consumers.All()
	if list == s.seen {
		return
	}
	s.seen = list
	for _, c := range slices.Clone(s.consumers) {
		if c != s.builtin && !slices.Contains(*list, c) {
			s.detach(c)
		}
	}
	for _, c := range *list {
		if !slices.Contains(s.consumers, c) {
			s.attach(c)
		}
	}
}

func (s *serving) attach(c *consumer.Attached) {
	s.consumers = append(s.consumers, c)
	if c.TurnSlots > 0 {
		s.d.AttachTurns()
		s.newTurns = true
	}
	if c.ActivitySlots <= 0 {
		return
	}
	n, ok := s.d.AttachActivities(s.now(), c.Handles)
	if !ok {
		s.host.Config.Logger.Error("too many runtimes with ActivitySlots are attached; this one gets no activities", logkey.Partition, s.p.id,
			logkey.Worker, c.ID, logkey.MaxWorkers, dispatch.ConsumersMax)
		return
	}
	s.numbers[c] = n
}

func (s *serving) detach(c *consumer.Attached) {
	s.consumers = slices.DeleteFunc(s.consumers, func(other *consumer.Attached) bool { return other == c })
	if c.TurnSlots > 0 {
		s.d.DetachTurns()
	}
	if n, ok := s.numbers[c]; ok {
		delete(s.numbers, c)
		s.d.DetachActivities(s.now(), n)
	}
	s.stopActivities(c)
}

// drain takes the effects and acknowledgements that have come.
func (s *serving) drain() {
	s.acknowledged()
	taken := s.p.effects.take()
	for _, e := range taken { // the ends of all effects first: after a panic below no scan would find them again
		for _, end := range e.Ended {
			s.host.Engine.Ended(end)
		}
	}
	for _, e := range taken {
		s.d.Effects(s.now(), s.withoutQuiet(e))
		for _, key := range e.WorkDeleted {
			if a := s.activities[key]; a != nil {
				a.rowDeleted()
			}
		}
	}
	s.tryHeld()
}

// tryHeld has the instances tried whose holds came in one drain with a new consumer. Such a hold may be older than the
// consumer, and its instance has gone on without knowing of the consumer. A hold of a later drain is newer than the consumer:
// its instance gets the answer after the effect and compares consumer.List.Added.
func (s *serving) tryHeld() {
	if s.newTurns {
		s.d.TryHeld()
	}
	s.newTurns = false
}

// pump carries out the dispatcher's actions, grants work, and sets the timer.
func (s *serving) pump() {
	s.drain()
	now := s.now()
	s.alarms.ring(now)
	s.leases.renew(now)
	if s.ended {
		return
	}
	for range 2 { // actions may lead to more actions; those left after the second round come with the next step
		if s.startsNothing() {
			break
		}
		s.d.PauseFresh(s.p.probation.freshAt())
		s.d.Tick(now)
		for _, a := range s.d.Actions() {
			s.do(now, a)
		}
		s.grant(now)
	}
	s.p.held.Store(int64(s.d.Held()))
	if s.p.careful.Load() && !s.d.Careful() {
		s.p.careful.Store(false)
	}
	if len(s.p.opened) > 0 && s.d.Opened() {
		s.p.answerOpened(nil)
	}
	if s.stopping && len(s.activities)+len(s.leaving) == 0 {
		s.endEpoch()
	}
	s.arm(now)
}

// startsNothing reports whether no code may start here any more: the epoch ends, or the engine drains.
func (s *serving) startsNothing() bool { return s.stopping || s.host.Draining.Load() }

// armMost is how far ahead the timer is set at most. When it fires early it is set again.
const armMost = 24 * time.Hour

// armFor returns how long the timer waits for a time. A wait of centuries, which a durable timer may need, does not fit into
// a time.Duration: without armMost the timer would fire at once, again and again.
func armFor(now, wake int64) time.Duration {
	return time.Duration(min(wake-now, armMost.Milliseconds())) * time.Millisecond
}

// arm sets the timer for the earliest time at which a step has something to do.
func (s *serving) arm(now int64) {
	quiet := s.startsNothing()
	s.watchClock(!quiet && s.d.WaitsForWall())
	wake := min(s.alarms.wake(), s.leases.wake())
	if !quiet {
		wake = min(wake, s.d.Wake(now))
	}
	if wake <= now {
		if !s.rerun {
			s.rerun = true
			s.post("again", func() { s.rerun = false })
		}
		return
	}
	if wake == dispatch.Never || s.timer != nil && s.timerAt <= wake {
		return
	}
	wait := armFor(now, wake)
	wake = now + wait.Milliseconds()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timerAt = wake
	s.timer = s.p.after(wait, "tick", func() {
		if s.live() && s.timerAt == wake {
			s.timer = nil
		}
	})
}

// watchClock has the engine notice when the wall clock is set, as long as rows wait for a time of it.
func (s *serving) watchClock(need bool) {
	switch {
	case need && !s.needsWall:
		s.host.Watch.Need()
	case !need && s.needsWall:
		s.host.Watch.Spare()
	}
	s.needsWall = need
}

// grant gives work to the consumers that have a free slot, one activity to each in turn.
func (s *serving) grant(now int64) {
	for granted := true; granted; {
		granted = false
		for _, c := range s.consumers {
			n, ok := s.numbers[c]
			if !ok || c.Closed() || !s.d.Wants(now, n) || !c.Activities.Acquire(s.p, s.offer(c)) {
				continue
			}
			if g, ok := s.d.Next(now, n); ok {
				s.begin(c, g)
				granted = true
			} else {
				c.Activities.Release()
			}
		}
	}
}

// offer is called when a slot of the consumer has become free for this partition.
func (s *serving) offer(c *consumer.Attached) func() {
	return func() {
		s.p.Post("slot free", func() {
			if n, ok := s.numbers[c]; ok && s.live() && !s.startsNothing() {
				if g, ok := s.d.Next(s.now(), n); ok {
					s.begin(c, g)
					return
				}
			}
			c.Activities.Release()
		})
	}
}

// do carries out one action of the dispatcher.
func (s *serving) do(now int64, a dispatch.Action) {
	switch a.Kind {
	case dispatch.TellStart, dispatch.TellNudge, dispatch.TellRetry, dispatch.TimerDue:
		s.tell(now, a)
	case dispatch.BackOff:
		s.backOff(now, a)
	case dispatch.GiveBack:
		w := a.Work
		s.abandonWork(&persistence.AbandonWork{Key: w.Key, Token: w.Token, Attempts: w.Attempts, Counts: true}, 0)
	case dispatch.Poison:
		s.poison(*a.Work)
	case dispatch.Expire:
		s.p.counts.timedOutActivities.Add(1)
		s.expire(*a.Work, a.Expiry)
	case dispatch.DeliverOutbox:
		s.deliver(a)
	case dispatch.AckOutbox:
		s.acknowledge(a)
	case dispatch.DrainWatchers:
		s.drainWatchers(a)
	case dispatch.SweepRequests:
		s.propose("swept", &persistence.Sweep{Requests: a.Requests}, func(persistence.Result, int64) {})
	default:
		s.read(a)
	}
}

// tell sends an action to its instance, or tells the dispatcher that the node is full.
func (s *serving) tell(now int64, a dispatch.Action) {
	if s.host.Draining.Load() {
		return // no turn starts any more; the next epoch finds the pending rows
	}
	if lose := s.host.Config.LoseTell; lose != nil && lose() {
		return
	}
	if err := s.host.Engine.Tell(a); err != nil {
		s.d.Busy(now, a)
		return
	}
	s.d.TellAccepted()
}
