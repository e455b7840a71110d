package actors

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

// listExecutor is a simulator's executor in small: it runs nothing by itself.
type listExecutor struct{ waiting []func() }

func (l *listExecutor) Go(f func())     { l.waiting = append(l.waiting, f) }
func (l *listExecutor) Throughput() int { return messagesPerRun }

// drain runs everything, in the order that pick draws.
func (l *listExecutor) drain(pick func(n int) int) {
	for len(l.waiting) > 0 {
		i, last := pick(len(l.waiting)), len(l.waiting)-1
		f := l.waiting[i]
		if i == 0 {
			l.waiting = l.waiting[1:]
		} else {
			l.waiting[i] = l.waiting[last]
			l.waiting = l.waiting[:last]
		}
		f()
	}
}

// stepExecutor has one message for each run.
type stepExecutor struct{ listExecutor }

func (*stepExecutor) Throughput() int { return 1 }

func TestExecutorRunsEverythingOnce(t *testing.T) {
	e := NewElasticExecutor(4)
	var runs [10000]atomic.Int32
	var callers sync.WaitGroup
	for from := range 4 {
		callers.Go(func() {
			for i := from; i < len(runs); i += 4 {
				e.Go(func() { runs[i].Add(1) })
			}
		})
	}
	callers.Wait()
	e.Close()
	for i := range runs {
		if n := runs[i].Load(); n != 1 {
			t.Fatalf("function %d ran %d times", i, n)
		}
	}
	if e.Running() != 0 {
		t.Errorf("%d goroutines after Close", e.Running())
	}
}

// A function that blocks holds up no other, however few goroutines are kept.
func TestExecutorDoesNotDeadlock(t *testing.T) {
	e := NewElasticExecutor(1)
	defer e.Close()
	const deep = 100
	release := make(chan struct{})
	blocked := newLatch(deep)
	for range deep {
		e.Go(func() { blocked.down(); <-release })
	}
	<-blocked.open
	ran := newLatch(1)
	e.Go(ran.down)
	<-ran.open
	close(release)
}

func TestExecutorReusesParkedGoroutines(t *testing.T) {
	e := NewElasticExecutor(2)
	defer e.Close()
	for range 1000 {
		done := make(chan struct{})
		e.Go(func() { close(done) })
		<-done
	}
	if n := e.Running(); n > 3 {
		t.Errorf("%d goroutines for one function at a time", n)
	}
}

func TestExecutorSurvivesGoexit(t *testing.T) {
	e := NewElasticExecutor(2)
	ended := newLatch(50)
	for range 50 {
		e.Go(func() { defer ended.down(); runtime.Goexit() })
	}
	<-ended.open
	e.Close()
	if e.Running() != 0 {
		t.Errorf("%d goroutines counted after Close", e.Running())
	}
	ran := newLatch(1)
	e.Go(ran.down)
	<-ran.open
	e.Close()
}

func TestGoRunnerAlwaysSaysDone(t *testing.T) {
	r := NewGoRunner(2)
	defer r.Close()
	for name, code := range map[string]func(){"returns": func() {}, "goexit": runtime.Goexit} {
		t.Run(name, func(*testing.T) {
			done := newLatch(1)
			r.Run(code, done.down)
			<-done.open
		})
	}
}

// The same seed draws the same run of messages, spawns, restarts and passivations, whatever GOMAXPROCS is.
func TestSeededExecutorIsDeterministic(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	distinct := map[uint64]bool{}
	const seeds = 100
	for seed := range uint64(seeds) {
		runtime.GOMAXPROCS(1)
		first := seededTrace(seed)
		runtime.GOMAXPROCS(2)
		if second := seededTrace(seed); first != second {
			t.Fatalf("seed %d: traces %x and %x", seed, first, second)
		}
		distinct[first] = true
	}
	if len(distinct) != seeds {
		t.Errorf("%d distinct traces of %d seeds", len(distinct), seeds)
	}
}

func seededTrace(seed uint64) uint64 {
	random := rand.New(rand.NewPCG(seed, 1))
	list := &stepExecutor{}
	s := newSystem(Config{Executor: list, Logger: silent()})
	trace := fnv.New64a()
	var a *activator
	a = newActivator(s, func(id string, c *cell) actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *numberMsg:
				c.receive(m)
				fmt.Fprintf(trace, "%s got %d as %d\n", id, m.n, c.received)
				if m.n > 0 && random.IntN(3) > 0 {
					_ = a.tell(fmt.Sprint("i", random.IntN(20)), &numberMsg{m.n - 1})
				}
				if random.IntN(17) == 0 {
					panic("planted")
				}
				if random.IntN(3) == 0 {
					fmt.Fprintf(trace, "%s idle %v\n", id, a.idle(id, ctx.Self(), c.received))
				}
			case *leaveMsg:
				fmt.Fprintf(trace, "%s leaves\n", id)
				ctx.Stop(ctx.Self())
			}
		})
	}, 0)
	for n := range 100 {
		_ = a.tell(fmt.Sprint("i", n%20), &numberMsg{n})
	}
	list.drain(random.IntN)
	fmt.Fprintf(trace, "%v %d", a.identities(), s.restarts())
	return trace.Sum64()
}
