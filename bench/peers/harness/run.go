package harness

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// run is one workload on one engine.
type run struct {
	settings
	ctx    context.Context
	engine Engine
	prefix string
	began  time.Time
	// lat are the latencies in ms; nil for a workload that has none.
	lat    []float64
	result Result
}

// measure opens the engine, warms it up, runs the workload and fills in the result.
func (r *run) measure(open func(storage, dir string) (Engine, error)) error {
	work, ok := workloads[r.workload]
	if !ok {
		return fmt.Errorf("unknown workload %q", r.workload)
	}
	if r.dir == "" {
		dir, err := os.MkdirTemp("", "peer")
		if err != nil {
			return err
		}
		r.dir = dir
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	if r.duDir == "" {
		r.duDir = r.dir
	}
	var err error
	if r.engine, err = open(r.storage, r.dir); err != nil {
		return err
	}
	// one warm-up orchestration so that lazy set-up is not in the figures
	h, err := r.engine.Start(r.ctx, Hello, r.prefix+"warm", 1)
	if err != nil {
		return err
	}
	if err := r.engine.Wait(r.ctx, h); err != nil {
		return err
	}
	disk, own, server := du(r.duDir), cpu(), srvCPU(r.server)
	r.began = time.Now()
	if err := work(r); err != nil {
		return err
	}
	out := &r.result
	out.Seconds = time.Since(r.began).Seconds()
	out.PerSec = float64(r.n) / out.Seconds
	out.CPU, out.SrvCPU = cpu()-own, srvCPU(r.server)-server
	out.P50, out.P99 = pct(r.lat, .5), pct(r.lat, .99)
	if out.RSS == 0 {
		r.memory()
	}
	out.PeakRSS = vm("self", "VmHWM")
	out.DiskBytes = du(r.duDir) - disk
	return nil
}

func (r *run) memory() {
	r.result.RSS, r.result.SrvRSS = vm("self", "VmRSS"), srvRSS(r.server)
}

// workloads by name.
var workloads = map[string]func(*run) error{
	"w1":  func(r *run) error { return parallel(r.n, r.conc, r.whole(Hello, 1)) },
	"w1o": (*run).open,
	"w2":  func(r *run) error { return parallel(r.n, r.conc, r.whole(Seq, 10)) },
	"w3":  func(r *run) error { return parallel(r.n, r.conc, r.whole(Fan, 50)) },
	"w4": func(r *run) error {
		r.result.Conc = 1
		return parallel(r.n, 1, r.whole(Hello, 1))
	},
	"w4p": func(r *run) error {
		r.result.Conc = 1
		return parallel(r.n, 1, r.polled)
	},
	"w5": func(r *run) error {
		r.result.Conc, r.lat = 1, r.lat[:1]
		return r.whole(Seq, r.n)(0)
	},
	"w6": (*run).waiting,
}

// whole starts orchestration i and waits for it with the engine's own wait.
func (r *run) whole(wf string, k int) func(i int) error {
	return func(i int) error {
		t := time.Now()
		h, err := r.engine.Start(r.ctx, wf, r.prefix+strconv.Itoa(i), k)
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		if err := r.engine.Wait(r.ctx, h); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		r.lat[i] = float64(time.Since(t)) / 1e6
		return nil
	}
}

// polled starts orchestration i and reads its status every millisecond.
func (r *run) polled(i int) error {
	t := time.Now()
	h, err := r.engine.Start(r.ctx, Hello, r.prefix+strconv.Itoa(i), 1)
	for done := false; err == nil && !done; {
		if done, err = r.engine.Done(r.ctx, h); err == nil && !done {
			time.Sleep(time.Millisecond)
		}
	}
	r.lat[i] = float64(time.Since(t)) / 1e6
	return err
}

// startAll starts n orchestrations with conc starters and waits for none.
func (r *run) startAll(wf string) ([]any, error) {
	hs := make([]any, r.n)
	err := parallel(r.n, r.conc, func(i int) (err error) {
		hs[i], err = r.engine.Start(r.ctx, wf, r.prefix+strconv.Itoa(i), 1)
		return err
	})
	r.result.StartS = time.Since(r.began).Seconds()
	r.lat = nil
	return hs, err
}

// open: it waits for the instances only after all are started.
func (r *run) open() error {
	hs, err := r.startAll(Hello)
	if err != nil {
		return err
	}
	return waitDone(r.ctx, r.engine, hs)
}

// waiting: all wait for an event, then all are raised.
func (r *run) waiting() error {
	hs, err := r.startAll(Wait)
	if err != nil {
		return err
	}
	for parkedN.Load() < int64(r.n) && r.ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.result.ParkedS = time.Since(r.began).Seconds()
	r.memory()
	raised := time.Now()
	if err := parallel(r.n, r.conc, func(i int) error { return r.engine.Raise(r.ctx, hs[i]) }); err != nil {
		return err
	}
	if err := waitDone(r.ctx, r.engine, hs); err != nil {
		return err
	}
	r.result.FinishS = time.Since(raised).Seconds()
	return nil
}
