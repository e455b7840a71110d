package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/node"
)

// workload is one line's work. n is the default number.
type workload struct {
	n        int
	inFlight int // 0: the -c option
	// beside prepares what is measured beside the workload with -limit.
	beside func(b *bench, dir string)
	run    func(ctx context.Context, b *bench) error
}

var workloads = map[string]workload{
	"w1":  {n: 20_000, beside: besideCommits, run: runOne},
	"w1k": {n: 50_000, inFlight: 1024, beside: besideCommits, run: runOne},
	"w2":  {n: 3_000, run: func(ctx context.Context, b *bench) error { return b.each(ctx, b.programs.seq, 10) }},
	"w3":  {n: 500, run: func(ctx context.Context, b *bench) error { return b.each(ctx, b.programs.fan, 50) }},
	"w4":  {n: 1_000, inFlight: 1, beside: besideSyncs, run: runOne},
	"w5":  {n: 20_000, inFlight: 1, run: runSteps},
	"w6":  {n: 100_000, run: runWaiting},
	"w7":  {n: 8_000, run: runRounds},
	"w8":  {n: 10_000, inFlight: 1, run: runPending},
	"w9":  {n: 3_000, run: runInbox},
}

func runOne(ctx context.Context, b *bench) error { return b.each(ctx, b.programs.one, 1) }

// bench is one workload on one new store.
type bench struct {
	client   *client.Client
	programs *programs
	node     *node.Node
	config   node.Config
	opened   node.Metrics // of the node, when it was opened
	line     Line
	window   int // of w5

	// limit measures what the machine allows, between two rounds of the workload; nil if it is not asked for.
	limit  func(n int) (float64, error)
	limits []float64
	ratios []float64
	// limitSeconds is what the limit's rounds took together.
	limitSeconds float64
}

func measure(ctx context.Context, o options, name string, w workload) (Line, error) {
	b := &bench{window: o.window, line: Line{Engine: "turnstone", Workload: name, N: o.n, InFlight: w.inFlight}}
	if b.line.N == 0 {
		b.line.N = w.n
	}
	if b.line.InFlight == 0 {
		b.line.InFlight = o.inFlight
	}
	debug.SetGCPercent(o.gc)
	b.line.GOGC = o.gc
	dir, err := os.MkdirTemp(o.dir, "bench")
	if err != nil {
		return b.line, err
	}
	defer os.RemoveAll(dir)
	if o.limit && w.beside != nil {
		w.beside(b, dir)
	}
	err = b.measureOn(ctx, o, dir, w)
	return b.line, err
}

func (b *bench) measureOn(ctx context.Context, o options, dir string, w workload) error {
	b.programs = newPrograms()
	registry, err := b.programs.registry()
	if err != nil {
		return err
	}
	// Workloads of tens of thousands of steps in one execution need more history than the default.
	b.config = node.Config{
		Dir: dir, Registry: registry, TurnSlots: o.turns, ActivitySlots: o.slots,
		Limits: limits.Limits{HistoryEvents: 1 << 20, HistoryBytes: 1 << 30},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	err = w.run(ctx, b)
	l := &b.line
	l.PerSec = float64(l.N) / l.Seconds
	l.CPUMicros /= float64(l.N)
	if l.RSSMB == 0 {
		l.RSSMB = rssMB()
	}
	l.DiskBytes = diskBytes(dir)
	return errors.Join(err, b.close(ctx))
}

// open opens the node.
func (b *bench) open(ctx context.Context) (err error) {
	if b.node, err = node.Open(ctx, b.config); err != nil {
		return err
	}
	b.client, b.opened = b.node.Client(), b.node.Metrics()
	return nil
}

// close closes the node and adds what it has done since it was opened.
func (b *bench) close(ctx context.Context) error {
	l, after := &b.line, b.node.Metrics()
	l.Commits += int64(after.Commands - b.opened.Commands)
	l.Syncs += int64(after.Syncs - b.opened.Syncs)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err := b.node.Shutdown(ctx)
	l.Accepted += int64(b.node.Metrics().Accepted) // only now it is exact
	return err
}

// timed counts f's time and processor time as the workload's.
func (b *bench) timed(f func() error) error {
	cpu, start := cpuSeconds(), time.Now()
	err := f()
	b.line.Seconds += time.Since(start).Seconds()
	b.line.CPUMicros += (cpuSeconds() - cpu) * 1e6
	return err
}

// each starts n instances, in flight at a time, and waits for each. With a limit it does so in rounds.
func (b *bench) each(ctx context.Context, o *turnstone.Orchestration[int, string], input int) error {
	ms := make([]float64, b.line.N)
	err := b.rounds(func(from, to int) error {
		return parallel(to-from, b.line.InFlight, func(i int) error {
			start := time.Now()
			run, err := client.Start(ctx, b.client, fmt.Sprintf("%s-%d", b.line.Workload, from+i), o, input)
			if err != nil {
				return err
			}
			if _, err := run.Wait(ctx); err != nil {
				return err
			}
			ms[from+i] = float64(time.Since(start)) / 1e6
			return nil
		})
	})
	b.line.latencies(ms)
	b.compare()
	return err
}

// runWaiting starts n instances that wait for an event, then raises all, then waits for all.
func runWaiting(ctx context.Context, b *bench) error {
	id := func(i int) string { return fmt.Sprintf("w6-%d", i) }
	start := time.Now()
	err := b.timed(func() error {
		err := parallel(b.line.N, b.line.InFlight, func(i int) error {
			_, err := client.Start(ctx, b.client, id(i), b.programs.wait, 0)
			return err
		})
		if err != nil {
			return err
		}
		return b.allWait(ctx)
	})
	if err != nil {
		return err
	}
	b.line.WaitingS, b.line.RSSMB = time.Since(start).Seconds(), rssMB()
	start = time.Now()
	err = b.timed(func() error {
		return parallel(b.line.N, b.line.InFlight, func(i int) error {
			if err := client.Raise(ctx, b.client, id(i), "go", "now"); err != nil {
				return err
			}
			_, err := client.Attach[string](b.client, id(i)).Wait(ctx)
			return err
		})
	})
	b.line.FinishS = time.Since(start).Seconds()
	return err
}

// allWait waits until every instance has come to its wait.
func (b *bench) allWait(ctx context.Context) error {
	for b.programs.waiting.Load() < int64(b.line.N) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d wait: %w", b.programs.waiting.Load(), b.line.N, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// parallel calls f(0) to f(n-1), inFlight at a time, and returns the first error.
func parallel(n, inFlight int, f func(i int) error) error {
	var next atomic.Int64
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for first.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}
