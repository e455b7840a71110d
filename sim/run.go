package sim

import (
	"fmt"
	"io"
	"time"

	cmap "github.com/orcaman/concurrent-map"
)

func init() { cmap.SHARD_COUNT = 1 } // a process has few actors: 1,024 x 32 maps would cost more than the rest of a seed

// Options are what a run may be asked for beside its seed.
type Options struct {
	// Story, if not nil, gets a line for everything that happens.
	Story io.Writer
	// Planted is the name of a fault to plant; empty for none.
	Planted string
	// MaxSteps ends a run that does not come to its end; 0 means two million.
	MaxSteps uint64
}

// Result is how a run ended.
type Result struct {
	Seed     uint64
	Trace    uint64 // equal for equal seeds
	Steps    uint64
	Virtual  time.Duration
	Crashes  int
	Reached  map[string]int
	Failures []Failure
}

// Run simulates one seed.
func Run(seed uint64, o Options) Result {
	p, err := plant(o.Planted)
	if err != nil {
		return Result{Seed: seed, Failures: []Failure{{Invariant: "options", What: err.Error()}}}
	}
	if p.inside != nil {
		p.inside(true)
		defer p.inside(false)
	}
	w := newWorld(seed, p, o.Story)
	defer w.close()
	w.run(o)
	return w.result()
}

// run takes steps until everything has come to its end or a check has failed.
func (w *World) run(o Options) {
	w.trace.add('S', []uint64{w.seed}, func() string { return fmt.Sprintf("seed %d: %+v %+v", w.seed, w.config, w.faults) })
	if w.way == nil {
		w.client.plan()
		w.planFaults()
	} else {
		w.client.planSettled()
	}
	w.agenda.in(w.config.busyFor+12*time.Second, 0, "healing", w.heal)
	w.boot()
	most := o.MaxSteps
	if most == 0 {
		most = 2_000_000
	}
	for !w.over && len(w.failures) == 0 {
		if !w.step() {
			w.fail("L1", "nothing is left to happen and the work is not done")
		}
		if w.steps > most {
			w.fail("L1", "the run has not ended after %d steps", w.steps)
		}
	}
	if len(w.failures) == 0 {
		w.inspect()
		w.examine()
		if w.way != nil {
			w.ended = w.ends()
		}
		w.down(w.closeStore)
		w.disk.verify()
	}
}

func (w *World) result() Result {
	return Result{
		Seed: w.seed, Trace: w.trace.hash, Steps: w.steps, Virtual: w.agenda.now, Crashes: w.crashes, Reached: w.reached,
		Failures: w.failures,
	}
}

// close leaves nothing behind.
func (w *World) close() {
	for len(w.live) > 0 {
		w.live[0].kill()
	}
	if w.disk.store != nil {
		_ = w.disk.store.Drop() // what is left of it is of no interest any more
	}
	w.code.Close()
}
