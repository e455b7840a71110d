package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// misfit is what is wrong with the code of a runtime: it cannot go on with histories that it finds.
type misfit uint8

const (
	fits     misfit = iota
	diverges        // it does something first that the history does not have
	misuses         // it uses its context on another goroutine
	strict          // it gives activities other inputs, with StrictInputs
	lenient         // it gives activities other inputs, and the recorded ones stand: it fits
)

// inputs is which inputs the code gives activities.
func (m misfit) inputs() inputs {
	switch m {
	case strict:
		return inputsStrict
	case lenient:
		return inputsOther
	default:
		return inputsSame
	}
}

// harmless reports whether code goes on with what it finds.
func (m misfit) harmless() bool { return m == fits || m == lenient }

// deployed is a registry whose code may not fit.
type deployed struct {
	*handlers
	misfit misfit
}

// Orchestration implements consumer.Handlers.
func (d *deployed) Orchestration(name, version string) (string, replay.Func, bool) {
	resolved, fn, ok := d.handlers.code(name, version, d.misfit.inputs())
	if !ok || d.misfit != diverges && d.misfit != misuses {
		return resolved, fn, ok
	}
	return resolved, func(ctx *replay.Context, input []byte) ([]byte, error) {
		if ctx.Replaying() {
			d.strike(ctx)
		}
		return fn(ctx, input)
	}, true
}

// strike does what does not fit.
func (d *deployed) strike(ctx *replay.Context) {
	if d.misfit == diverges {
		ctx.Activity("misfit", nil, replay.ActivityOptions{})
		return
	}
	ended := make(chan struct{})
	d.world.code.Go(func() {
		defer close(ended)
		ctx.Timer(time.Second)
	})
	<-ended
}

// deploy draws the code of a runtime that is attached.
func (w *World) deploy(p *process) misfit {
	switch {
	case !w.faults.deploys, w.healing, p.mended:
		return fits
	case w.faults.stuck:
		return diverges
	case !w.lives.chance(3):
		return pick(w.lives, fits, lenient)
	}
	return pick(w.lives, diverges, diverges, misuses, strict)
}

// drawBuild draws what a process is built as, and whether it fails what does not fit.
func (w *World) drawBuild(p *process) (build string, fail bool) {
	switch {
	case p.twinOf != nil:
		return p.twinOf.build, p.twinOf.fails
	case !w.faults.deploys || w.healing:
		return "build-1", false
	}
	return pick(w.lives, "build-1", "build-2"), w.lives.chance(4) && !w.faults.stuck
}

// misfits says that a process has code that does not fit.
func (p *process) misfits() bool {
	return p.detach[0] != nil && !p.misfit[0].harmless() || p.detach[1] != nil && !p.misfit[1].harmless() || p.fails
}

// heldTurn notes a turn that was given back because its code does not fit.
func (l *ledger) heldTurn(key instanceKey, c *persistence.AbandonTurn) {
	reason := c.Reason
	if rec := l.known[key]; rec != nil && reason != "" && !strings.Contains(reason, "registered") && !strings.Contains(reason, "no attached runtime") {
		if rec.build != c.Build {
			rec.build, rec.tries = c.Build, 0
		}
		rec.held = true
		rec.tries++
		if c.DelayMs == 0 {
			l.world.reach("held until other code comes")
			for _, p := range l.world.live {
				p.comes()
			}
		}
	}
}

// leased notes a turn that has its lease. While an instance that is held is tried, other code may come.
func (l *ledger) leased(key instanceKey) {
	w := l.world
	if rec := l.known[key]; rec != nil && rec.held && rec.tries == step.HeldTriesMax-1 && w.seed%4 < 2 {
		w.mend()
	}
	if rec := l.known[key]; rec != nil && rec.held && w.faults.deploys && !w.healing && w.lives.chance(4) {
		w.agenda.in(w.lives.duration(0, 2*w.config.slowestSync+2*time.Millisecond), 0, "other code", w.replace)
	}
}

// replace has one runtime make room for another one at once.
func (w *World) replace() {
	p, n := w.newest(), w.lives.below(2)
	if w.healing || p == nil || p.stopping || p.detach[n] == nil {
		return
	}
	w.reach("other code during a try")
	p.goes(n, w.lives.duration(0, time.Millisecond))
}

// lastTry has code that fits come while a held instance is given back that no time is to have tried again.
func (w *World) lastTry(c persistence.Command) {
	abandon, ok := c.(*persistence.AbandonTurn)
	switch p := w.newest(); {
	case !ok || abandon.Reason == "" || abandon.DelayMs > 0:
	case w.seed%4 < 2:
		w.mend()
	case w.faults.deploys && !w.healing && p != nil:
		w.agenda.in(0, p.number, "code that fits", func() { p.mend(time.Second) })
	}
}

// mend has the runtimes whose code does not fit make room for those whose code does, now or in a moment, and has no other
// code come to this process.
func (w *World) mend() {
	if p := w.newest(); w.faults.deploys && !w.healing && p != nil && (w.faults.stuck || w.lives.chance(2)) {
		w.agenda.in(w.lives.duration(0, 2*w.config.slowestSync+2*time.Millisecond), p.number, "code that fits", func() {
			p.mend(w.lives.duration(0, time.Millisecond))
		})
	}
}

// mend takes away the runtimes whose code does not fit. Those whose code does come after a while, or with the next answer that
// an instance is held without a time for another try, in the same moment.
func (p *process) mend(back time.Duration) {
	if p.mended || p.stopping || p.fails || !p.misfits() {
		return
	}
	p.mended = true
	p.world.reach("code that fits during the last try")
	for n := range p.detach {
		if p.detach[n] != nil && !p.misfit[n].harmless() {
			p.goes(n, back)
		}
	}
}

// comes has the code that fits come now.
func (p *process) comes() {
	for n := range p.detach {
		if p.mended && p.detach[n] == nil {
			p.world.agenda.in(0, p.number, "attach", func() { p.attach(n) })
		}
	}
}

// ranOn notes the next turn of an instance.
func (l *ledger) ranOn(rec *record) {
	if rec.held {
		rec.held, rec.tries = false, 0
		l.world.reach("held and released")
	}
}

// terminated adds the end of an instance that was terminated.
func (l *ledger) terminated(n persistence.Partition, c *persistence.Terminate, r *persistence.Result) {
	if r.Repeated {
		return
	}
	w, rec := l.world, l.instance(instanceKey{n, c.IID}, c.ID)
	if rec.held {
		w.reach("held and terminated")
	}
	w.reach("terminated")
	rec.held = false
	rec.append(c.Execution, &c.Segment)
	rec.execution, rec.turn, rec.terminal = c.Execution, c.Turn+1, persistence.StatusFailed
}

// operate has an operator release and terminate instances at any moment.
func (c *client) operate(id string) {
	w := c.world
	if !w.faults.deploys {
		return
	}
	for range c.random.below(4) {
		c.later(func() { c.release(id) })
	}
	if c.random.chance(8) {
		key := ""
		if c.random.chance(2) {
			key = "terminate-" + id
		}
		c.later(func() { c.terminate(id, key) })
		c.later(func() { c.terminate(id, key) })
	}
}

// release lets an instance that is held run.
func (c *client) release(id string) {
	r, p := c.call(func() {})
	if p == nil {
		return
	}
	c.world.trace.add('C', []uint64{text(id)}, func() string { return "an operator releases " + id })
	p.engine.Release(id, func(err error) {
		if c.answered(r, "release of "+id) {
			c.operated("release", id, err)
		}
	})
}

// terminate ends an instance, whatever it does.
func (c *client) terminate(id, key string) {
	retry := func() { c.again(func() { c.terminate(id, key) }) }
	r, p := c.call(retry)
	if p == nil {
		return
	}
	c.world.trace.add('C', []uint64{text(id), text(key)}, func() string { return fmt.Sprintf("an operator terminates %s, key %q", id, key) })
	p.engine.Terminate(instance.Termination{ID: id, Reason: "an operator has seen enough", RequestKey: key}, func(err error) {
		if c.answered(r, "termination of "+id) && !c.operated("termination", id, err) {
			retry()
		}
	})
}

// operated checks the answer to an operator. False: it is to be asked for again.
func (c *client) operated(what, id string, err error) bool {
	c.world.trace.add('c', []uint64{text(id), codeOf(err)}, func() string { return fmt.Sprintf("%s of %s: %v", what, id, err) })
	switch {
	case err == nil, errors.Is(err, persistence.ErrNotFound), errors.Is(err, persistence.ErrEnded):
		if err == nil && what == "termination" {
			if rec := c.world.disk.ledger.of(id); rec == nil || rec.terminal == 0 {
				c.world.fail("S6", "the termination of %s was acknowledged before it was durable", id)
			}
		}
		return true
	case errors.Is(err, persistence.ErrBusy), errors.Is(err, persistence.ErrNotLeader), errors.Is(err, persistence.ErrStopped),
		errors.Is(err, persistence.ErrUncertain), errors.Is(err, errPlantedRead):
		return false
	default:
		c.world.fail("answers", "the %s of %s ended with an unknown error: %v", what, id, err)
		return true
	}
}
