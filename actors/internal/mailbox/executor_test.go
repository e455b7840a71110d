package mailbox

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

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
