package sim

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// process is one run of a node: an engine on the shared store, with everything that dies with it.
type process struct {
	world    *World
	number   uint64
	executor *executor
	engine   *actors.Engine
	port     *port
	ready    bool
	dead     bool
	stopping bool
	detach   [2]func() // of the consumers that are attached
	twinOf   *process  // shares the other's epoch, as a second activation would
	build    string    // what it says that it is
	fails    bool      // it fails what its code does not fit
	misfit   [2]misfit // what is wrong with the code of the consumers
	mended   bool      // no other code comes any more
	doubled  bool      // was not alone on the journal at some time
}

// launch starts a process on the disk. The engine goes on by itself; ready is noted when it comes.
func (w *World) launch(twinOf *process) *process {
	w.processes++
	p := &process{world: w, number: w.processes, twinOf: twinOf}
	p.executor = &executor{world: w}
	p.port = &port{process: p, disk: w.disk}
	w.trace.add('L', []uint64{p.number}, func() string { return fmt.Sprintf("process %d starts (twin: %v)", p.number, twinOf != nil) })
	w.live = append(w.live, p)
	c := &w.config
	p.build, p.fails = w.drawBuild(p)
	w.failsSome = w.failsSome || p.fails
	p.engine = actors.Start(actors.Config{
		Journal: p.port, Node: "node", Process: p.name(),
		Clock: &processClock{w, p.number}, IDs: &entropy{newRandom(w.seed, 1000+p.number)}, Executor: p.executor,
		Turns:      &runner{process: p, what: "turn", before: w.turnDelay, after: w.turnDelay},
		Activities: &runner{process: p, what: "activity", before: w.activityDelay, after: w.activityDelay},
		Logger:     w.logger(),
		Limits:     limits.Limits{Carried: c.carried, CarriedBytes: c.carriedBytes},
		Build:      p.build, FailOnNondeterminism: p.fails,
		MaxAttempts: c.maxAttempts, BackoffBase: c.backoffBase, BackoffMax: c.backoffMax,
		ResidentBytes: c.residentBytes, MemoryBytes: c.memoryBytes, InstancesMax: c.instancesMax, InboxPage: c.inboxPage, LoseTell: w.loseTell,
	}, func(err error) {
		if p.dead {
			return
		}
		if err != nil {
			w.started(p, err)
			return
		}
		p.ready = true
		w.trace.add('L', []uint64{p.number, 1}, func() string { return fmt.Sprintf("process %d is ready", p.number) })
	})
	w.attachConsumers(p)
	return p
}

// name is the process's name in leases. A twin has the name of the process that it doubles.
func (p *process) name() string {
	if p.twinOf != nil {
		return p.twinOf.name()
	}
	return fmt.Sprint("process-", p.number)
}

// started takes the news that an engine could not open its epochs. A process whose store stopped, or who was fenced by
// a later process, may; any other may not.
func (w *World) started(p *process, err error) {
	select {
	case <-w.disk.store.Stopped():
	default:
		if errors.Is(err, errPlantedRead) {
			w.agenda.in(0, p.number, "end", func() { w.crash("the node cannot open") })
			return
		}
		if p.twinOf == nil && w.newest() == p {
			w.fail("L1", "process %d could not start: %v", p.number, err)
		}
	}
}

// attachConsumers attaches two runtimes with different handlers, one of them a little later.
func (w *World) attachConsumers(p *process) {
	p.attach(0)
	w.agenda.in(w.lives.duration(0, 2*time.Second), p.number, "attach", func() { p.attach(1) })
}

// attach attaches one of the two runtimes.
func (p *process) attach(n int) {
	w := p.world
	if p.dead || p.detach[n] != nil {
		return
	}
	p.misfit[n] = w.deploy(p)
	detach, err := p.engine.Attach(consumer.Consumer{
		ID: fmt.Sprint("consumer-", n+1), Handlers: &deployed{w.handlers[n], p.misfit[n]}, TurnSlots: w.config.turnSlots,
		ActivitySlots: w.config.activitySlots, EngineVersion: w.handlers[n].version,
	})
	if err != nil {
		if !p.dead && !errors.Is(err, persistence.ErrStopped) {
			w.fail("L1", "consumer %d could not be attached: %v", n+1, err)
		}
		return
	}
	p.detach[n] = detach
}

// detach takes a runtime away for a while, or both of them, as a program does that replaces its runtime.
func (w *World) detach() {
	p, n := w.newest(), w.lives.below(2)
	if w.healing || p == nil || p.stopping || p.detach[n] == nil {
		return
	}
	w.reach("consumer detached")
	back := w.lives.duration(0, 3*time.Second)
	p.goes(n, back)
	if p.detach[1-n] != nil && w.lives.chance(2) {
		w.reach("no consumer is left")
		p.goes(1-n, back)
	}
}

// detachAll takes both runtimes away shortly before the faults end, and has an instance started meanwhile: it is taken up
// when they come back, although nothing else happens to it.
func (w *World) detachAll() {
	p := w.newest()
	if w.healing || p == nil || p.stopping || p.detach[0] == nil || p.detach[1] == nil {
		return
	}
	w.reach("no consumer is left")
	back := w.lives.duration(time.Second, 3*time.Second)
	p.goes(0, back)
	p.goes(1, back)
	s := &startRecord{id: "started-last", program: &Program{Op: "seq", Kids: []*Program{{Op: "activity", Name: activityCommon}}}}
	s.input = s.program.encode()
	w.client.starts = append(w.client.starts, s)
	w.client.byID[s.id] = s
	w.agenda.in(w.lives.duration(0, back), 0, "start", func() { w.client.start(s) })
}

// goes takes one runtime away until it comes back.
func (p *process) goes(n int, back time.Duration) {
	w := p.world
	w.trace.add('X', []uint64{p.number, uint64(n)}, func() string { return fmt.Sprintf("consumer %d of process %d is detached", n+1, p.number) })
	p.detach[n]()
	p.detach[n] = nil
	w.agenda.in(back, p.number, "attach", func() { p.attach(n) })
}

// kill ends a process as kill -9 does: its memory is gone, its timers and code never come back, it sends nothing more.
func (p *process) kill() {
	p.count()
	p.dead = true
	p.executor.dead = true
	p.executor.waiting = nil
	p.world.disk.detach(p)
	for i, q := range p.world.live {
		if q == p {
			p.world.live = append(p.world.live[:i], p.world.live[i+1:]...)
			break
		}
	}
	p.engine.Discard()
	p.world.client.lost(p)
}

// newest is the process that was started last and lives, or nil.
func (w *World) newest() *process {
	if len(w.live) == 0 {
		return nil
	}
	return w.live[len(w.live)-1]
}

func (w *World) logger() *slog.Logger {
	if w.trace.story == nil {
		return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	}
	return slog.New(slog.NewTextHandler(w.trace.story, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// count notes which rare states the process has been through.
func (p *process) count() {
	c := p.engine.Counters()
	for _, s := range []struct {
		state string
		times uint64
	}{
		{"10 ms accept", c.SlowAccepts}, {"buffer overflow to the inbox", c.Overflows}, {"careful turn", c.CarefulTurns},
		{"abandoned turn", c.AbandonedTurns}, {"second activation's turn", c.SecondActivations},
		{"eviction during a load", c.EvictedInLoad}, {"eviction beside an accept in flight", c.EvictedInAccept},
		{"exactly full page", c.FullPages}, {"refusal that contradicts a belief", c.Contradictions}, {"re-told nudge", c.Retold}, {"deferred message", c.Deferred},
		{"unregistered handler", c.Unregistered}, {"busy", c.Refused}, {"waited for memory", c.MemoryWaits}, {"passivation", c.Passivations}, {"held turn", c.HeldTurns},
	} {
		if s.times > 0 {
			p.world.reached[s.state] += int(s.times)
		}
	}
	if c.ReplayedEvents > 0 {
		p.world.reach("history read again")
	}
	if c.Evictions > 0 && c.ReplayedEvents > 0 {
		p.world.reach("eviction and reload")
	}
	if c.Restarts > 0 {
		p.world.fail("actors", "%d actors panicked", c.Restarts)
	}
	if c.Retold > 0 && !p.world.faults.lostTells {
		p.world.fail("L1", "%d wake-ups were lost and had to be told again", c.Retold)
	}
	if c.SpoiledTurns > 0 && !p.world.faults.deploys || c.Unreadable > 0 {
		p.world.fail("actors", "%d turns were spoiled, %d histories were unreadable", c.SpoiledTurns, c.Unreadable)
	}
}
