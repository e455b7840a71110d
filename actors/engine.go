package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/actors/partition"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Engine runs the instances of one journal in this process: the activator with its instances, the partitions with their
// dispatchers, and the attached consumers. All methods are safe for concurrent use and never block. Answers are calls of a
// function, once, from any goroutine; the function must not block.
type Engine struct {
	cfg       Config
	journal   persistence.Journal
	sys       *mailbox.System
	act       *activator
	parts     []*partition.Partition
	probation *partition.Probation

	waiters   waiters
	residents *residency
	memory    memory
	instances *instance.Host
	clock     *clock.Watch
	admission admission
	counts    counters
	turnsRun  consumer.Runner
	workRun   consumer.Runner
	owned     []func() // closes what Start made, in order

	unclean     atomic.Int64 // partitions whose last epoch had not ended cleanly when this engine opened them
	unknown     consumer.UnknownNames
	terminating atomic.Int64 // terminations on their way
	draining    atomic.Bool
	mu          struct {
		sync.Mutex
		consumers map[string]*consumer.Attached
		drained   func() // called once when no instance is active; only while draining
	}
}

// engine is the name of Engine within this package.
type engine = Engine

// Start builds an engine and opens an epoch in every partition. It returns at once; ready is called when all epochs
// are durable and the dispatchers have read the journal's rows, or with the first error. Consumers may be attached, and
// requests made, before that: requests are made durable, and run when the engine is ready.
func Start(cfg Config, ready func(error)) *Engine {
	e := &Engine{}
	cfg = e.withDefaults(cfg)
	e.cfg, e.journal = cfg, cfg.Journal
	e.turnsRun, e.workRun = cfg.Turns, cfg.Activities
	e.mu.consumers = map[string]*consumer.Attached{}
	e.waiters.init()
	e.admission.init(&e.counts, cfg.MemoryBytes)
	e.sys = mailbox.New(mailbox.Config{Executor: cfg.Executor, Logger: cfg.Logger, Clock: cfg.Clock})
	e.memory.max = cfg.MemoryBytes
	e.residents = newResidency(e, cfg.ResidentBytes)
	e.clock = clock.NewWatch(cfg.Clock, e.clockSet)
	e.instances = e.instanceHost()
	e.act = newActivator(e.sys, func(id string, c *mailbox.Carryover) actor.Actor { return instance.NewActor(e.instances, id, c) }, cfg.InstancesMax)
	n := cfg.Journal.Info().Partitions
	e.parts = make([]*partition.Partition, n)
	host := e.partitionHost()
	for i := range e.parts {
		e.parts[i] = partition.New(host, persistence.Partition(i))
	}
	all := newGather(n, func(err error) {
		e.reportUnclean()
		ready(err)
	})
	for _, p := range e.parts {
		p.Listen()
	}
	for _, p := range e.parts {
		p.Start(all.done)
	}
	return e
}

// reportUnclean logs once, for all partitions, that the process before this one did not stop cleanly. When a partition opens
// another epoch later, its supervisor has logged why.
func (e *Engine) reportUnclean() {
	if n := e.unclean.Load(); n > 0 {
		e.cfg.Logger.Warn("the store was not closed cleanly; what it holds is run carefully at first",
			logkey.Partitions, n, logkey.MaxPartitions, len(e.parts))
	}
}

// withDefaults fills in the fields that the caller left out. It adds what it makes to e.owned, which the stop closes.
func (e *Engine) withDefaults(cfg Config) Config {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real
	}
	if cfg.IDs == nil {
		cfg.IDs = ids.Real
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Logger = cfg.Logger.With(logkey.Target, logkey.TargetRuntime)
	if cfg.Executor == nil {
		executor := mailbox.NewElasticExecutor(0)
		cfg.Executor = executor
		e.owned = append(e.owned, executor.Release)
	}
	if cfg.Turns == nil {
		runner := mailbox.NewGoRunner(0)
		cfg.Turns = runner
		e.owned = append(e.owned, runner.Close)
	}
	if cfg.Activities == nil {
		runner := mailbox.NewGoRunner(0)
		cfg.Activities = runner
		e.owned = append(e.owned, runner.Close)
	}
	cfg.Limits = cfg.Limits.WithDefaults()
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&cfg.BackoffBase, time.Second}, {&cfg.BackoffMax, time.Minute},
		{&cfg.TurnLease, 5 * time.Second}, {&cfg.TurnLeaseBuffer, 2 * time.Second},
		{&cfg.WorkLease, 30 * time.Second}, {&cfg.WorkLeaseBuffer, 5 * time.Second},
		{&cfg.Grace, 10 * time.Second}, {&cfg.Drain, time.Second}, {&cfg.WatchdogAbandon, 5 * time.Second},
		{&cfg.CarefulFor, 30 * time.Second}, {&cfg.LeaseAfter, time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if cfg.WatchdogWarn == 0 {
		cfg.WatchdogWarn = min(time.Second, cfg.WatchdogAbandon)
	}
	cfg.Drain = max(cfg.Drain, 0)
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 10
	}
	if cfg.ResidentBytes == 0 {
		cfg.ResidentBytes = 128 << 20
	}
	if cfg.MemoryBytes == 0 {
		cfg.MemoryBytes = 512 << 20
	}
	if cfg.InstancesMax == 0 {
		cfg.InstancesMax = 200_000
	}
	if cfg.InboxPage == 0 {
		cfg.InboxPage = 1000
	}
	return cfg
}

// instanceHost returns what the instances share.
func (e *Engine) instanceHost() *instance.Host {
	c := &e.cfg
	h := &instance.Host{
		Shared: turn.Shared{Unknown: &e.unknown, Config: turn.Config{
			Node: c.Node, Process: c.Process, Build: c.Build, Clock: c.Clock, IDs: c.IDs, Logger: c.Logger, Limits: c.Limits,
			MaxAttempts: c.MaxAttempts, BackoffBase: c.BackoffBase, BackoffMax: c.BackoffMax, TurnLease: c.TurnLease,
			WatchdogAbandon: c.WatchdogAbandon, InboxPage: c.InboxPage, FailOnNondeterminism: c.FailOnNondeterminism,
		}},
		Journal: e.journal, Engine: instancePort{e}, System: e.sys, Memory: &e.memory, Run: e.turnsRun,
		Draining: &e.draining,
	}
	h.Init()
	return h
}

// partitionHost returns what the partitions share.
func (e *Engine) partitionHost() *partition.Host {
	c := &e.cfg
	e.probation = partition.NewProbation(c.Clock, c.MaxAttempts)
	return &partition.Host{
		Config: partition.Config{
			Node: c.Node, Process: c.Process, Clock: c.Clock, IDs: c.IDs, Logger: c.Logger, Limits: c.Limits,
			MaxAttempts: c.MaxAttempts, BackoffBase: c.BackoffBase, BackoffMax: c.BackoffMax,
			TurnLease: c.TurnLease, TurnLeaseBuffer: c.TurnLeaseBuffer,
			WorkLease: c.WorkLease, WorkLeaseBuffer: c.WorkLeaseBuffer,
			Grace: c.Grace, Drain: c.Drain, CarefulFor: c.CarefulFor, LeaseAfter: c.LeaseAfter, LoseTell: c.LoseTell,
		},
		Journal: e.journal, Engine: partitionPort{e}, System: e.sys, Probation: e.probation, Watch: e.clock, Run: e.workRun,
		Unknown: &e.unknown, Draining: &e.draining, Unclean: &e.unclean,
	}
}

// tell sends a message to an instance through the activator, which starts the instance if it is not active. The error wraps
// persistence.ErrBusy; nothing was sent then, and the caller must repeat the message.
func (e *Engine) tell(id string, msg any) error {
	err := e.act.tell(id, msg)
	if err != nil {
		e.residents.evictOldest() // so that the next try finds room, if there is an idle instance
	}
	return err
}

// partitionOf returns the partition of an instance id.
func (e *Engine) partitionOf(id string) *partition.Partition {
	return e.parts[e.journal.PartitionOf(id)]
}

// elapsed returns the elapsed time, which does not jump when the wall clock is set. All waits in memory use it.
func (e *Engine) elapsed() time.Duration { return e.cfg.Clock.Elapsed() }

// clockSet has every partition check again which rows are due by the wall clock.
func (e *Engine) clockSet() {
	for _, p := range e.parts {
		p.ClockSet()
	}
}

// propose puts a command into a partition's log, stamped with the time and the partition's epoch.
func (e *Engine) propose(p persistence.Partition, c persistence.Command, done func(persistence.Result)) {
	e.proposeAs(p, e.parts[p].Epoch(), c, done)
}

// proposeAs is propose under a given epoch: that of a grant, which may be older than the partition's present one, or 0 for a
// command that needs none. It is the only place where a proposal gets its time. That is the time of the wall clock, because
// it is stored, and compared with stored times.
func (e *Engine) proposeAs(p persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result)) {
	e.journal.Propose(p, persistence.Proposal{TimeMs: clock.WallMs(e.cfg.Clock), Epoch: epoch, Command: c, Done: done})
}

// Attach adds a consumer. detach removes it: the consumer gets no new work, its turns end, and its activities are told to
// stop. An id that is attached already is refused.
func (e *Engine) Attach(c consumer.Consumer) (detach func(), err error) {
	if c.ID == "" || c.Handlers == nil {
		return nil, errors.New("attach: a runtime needs an ID and handlers")
	}
	e.mu.Lock()
	if e.draining.Load() {
		e.mu.Unlock()
		return nil, fmt.Errorf("attach %q: %w", c.ID, persistence.ErrStopped)
	}
	if _, taken := e.mu.consumers[c.ID]; taken {
		e.mu.Unlock()
		return nil, fmt.Errorf("attach %q: a runtime with this ID is attached; detach it first or choose another", c.ID)
	}
	attached := consumer.Attach(c, e.turnConfig())
	e.mu.consumers[c.ID] = attached
	e.mu.Unlock()
	for _, p := range e.parts {
		p.Attach(attached)
	}
	return sync.OnceFunc(func() { e.detach(attached) }), nil
}

func (e *Engine) detach(c *consumer.Attached) {
	e.mu.Lock()
	delete(e.mu.consumers, c.ID)
	e.mu.Unlock()
	e.stopConsumer(c, func() {})
	for _, p := range e.parts {
		p.Detach(c)
	}
}

// turnConfig returns the configuration of a consumer's turn slots.
func (e *Engine) turnConfig() consumer.TurnConfig {
	return consumer.TurnConfig{
		Clock: e.cfg.Clock, Run: e.turnsRun, Warn: e.cfg.WatchdogWarn, Abandon: e.cfg.WatchdogAbandon,
	}
}

// stopConsumer gives the consumer no new work and tells its activities to stop. done is called when the last of them has
// ended or been given up.
func (e *Engine) stopConsumer(c *consumer.Attached, done func()) {
	c.Close(func() {
		if n := c.GivenUp(); n > 0 { // not counted as leaks, because their code ends with the process
			e.cfg.Logger.Warn("activities did not end when they were told to stop; they run again later", logkey.Worker, c.ID,
				logkey.Activities, n, logkey.Duration, e.cfg.Drain.Milliseconds())
		}
		done()
	})
	for _, p := range e.parts {
		p.StopActivities(c)
	}
}

// Runs reports whether a consumer that runs turns is attached and has this orchestration. An empty version means the one
// that the consumer's policy names.
func (e *Engine) Runs(name, version string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.mu.consumers {
		if c.TurnSlots == 0 {
			continue
		}
		if _, _, ok := c.Handlers.Orchestration(name, version); ok {
			return true
		}
	}
	return false
}

// WatchEnd calls f once when the instance reaches a terminal status after this call, or within it if the end is recent. If
// sure is true, f has been called or will be, and the caller needs no read. If not, a read that begins after this call sees
// an earlier end. cancel withdraws the wait and may be called at any time.
//
// damaged is called with the damage of an instance that is set aside: within this call if the damage is known, and each time
// that it is found, until f is called or the wait is withdrawn.
func (e *Engine) WatchEnd(id string, f func(persistence.EndEffect), damaged func(error)) (cancel func(), sure bool) {
	cancel, told := e.waiters.add(id, f, damaged)
	if told {
		return cancel, true
	}
	if err := e.instances.DamageOf(id); err != nil {
		damaged(err)
	}
	// Register the waiter before reading open: an instance that ends between the two would otherwise never be reported.
	return cancel, e.act.isOpen(id) || plantedOpen
}

// ended calls the waiters of the instance. The partition calls it for each end in its effects.
func (e *Engine) ended(end persistence.EndEffect) {
	e.instances.ForgetDamage(end.ID)
	e.act.noteEnd(end.ID) // before the waiters are called: a caller that found the instance open is one of them
	e.waiters.ended(end)
}

// gather calls done once: with the first error, or with nil when all results have come.
type gather struct {
	mu   sync.Mutex
	left int
	err  error
	all  func(error)
}

func newGather(n int, all func(error)) *gather { return &gather{left: n, all: all} }

func (g *gather) done(err error) {
	g.mu.Lock()
	if g.err == nil {
		g.err = err
	}
	g.left--
	last, first := g.left == 0, g.err
	g.mu.Unlock()
	if last {
		g.all(first)
	}
}
