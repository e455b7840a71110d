package actors

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// notingReader notes each history that is read.
type notingReader struct {
	persistence.Reader
	note func()
}

func (r notingReader) Parts(iid persistence.Incarnation, execution, from uint64, yield func(persistence.StoredPart) bool) error {
	r.note()
	return r.Reader.Parts(iid, execution, from, yield)
}

// notedParts calls note before each read of a history, until the test ends.
func (w *world) notedParts(note func()) {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.journal.spoil = func(r persistence.Reader) persistence.Reader { return notingReader{r, note} }
}

// TestF06_HistoriesWaitForTheBudget: instances that are woken at once read no more than the budget allows, each once, and
// all come to their end. One that is larger than the whole budget is read alone.
func TestF06_HistoriesWaitForTheBudget(t *testing.T) {
	const size, slack = 16 << 10, 8 << 10
	n := fullOrShort(200, 80)
	for _, c := range []struct {
		budget   int64
		reopen   bool
		resident int64
	}{{512 << 10, false, -1}, {512 << 10, false, 0}, {512 << 10, true, -1}, {1, false, -1}, {1, true, 0}} {
		t.Run(fmt.Sprintf("budget %d, reopened %v, resident %d", c.budget, c.reopen, c.resident), func(t *testing.T) {
			inOneWorld(t, Config{ResidentBytes: c.resident, MemoryBytes: c.budget}, func(w *world) {
				detach := w.attach(basics().orchestration("collect", collect))
				data := strings.Repeat("x", size)
				for i := range n {
					w.start(fmt.Sprint("i", i), "collect", "2")
					if err := w.raise(fmt.Sprint("i", i), "go", data).wait(); err != nil {
						t.Fatal(err)
					}
				}
				if c.reopen {
					detach()
				}
				var mu sync.Mutex
				var most, reads uint64
				note := func() {
					mu.Lock()
					defer mu.Unlock()
					most, reads = max(most, w.e.Counters().MemoryBytes), reads+1
				}
				w.notedParts(note)
				w.journal.slowLoads(time.Millisecond) // so that many are under way
				for i := range n {
					w.raise(fmt.Sprint("i", i), "go", "y")
				}
				if c.reopen {
					pass(time.Second)
					w.close()
					w.open()
					w.journal.slowLoads(time.Millisecond)
					w.notedParts(note)
					w.attach(basics().orchestration("collect", collect))
				}
				pass(time.Second)
				for i := range n {
					w.completed(fmt.Sprint("i", i), data+" y")
				}
				got := w.e.Counters()
				if bound := uint64(max(c.budget, 3*size+slack)); most > bound || got.MemoryBytes != 0 {
					t.Errorf("%d bytes were taken at once and %d are at the end; the bound is %d", most, got.MemoryBytes, bound)
				}
				if c.resident < 0 && got.MemoryWaits == 0 || reads > 2*uint64(n) { // n of them are the test's own
					t.Errorf("%d waited, %d histories were read", got.MemoryWaits, reads)
				}
			})
		})
	}
}

// mostOver passes a second and says by how much more than the budget was taken at most.
func (w *world) mostOver() (most int64) {
	most = w.e.MemoryOver()
	for range 10_000 {
		pass(100 * time.Microsecond)
		most = max(most, w.e.MemoryOver())
	}
	return most
}

// The head does not tell how large a start is: each asks for the rest when it has been read, after a clean end and in
// careful mode.
func TestF06_F08_starts_that_are_pending_after_an_end_wait_for_the_budget(t *testing.T) {
	const n, size, budget = 60, 64 << 10, 512 << 10
	for _, unclean := range []bool{false, true} {
		t.Run(fmt.Sprintf("unclean %v", unclean), func(t *testing.T) {
			inOneWorld(t, Config{ResidentBytes: -1, MemoryBytes: budget}, func(w *world) {
				for i := range n {
					w.start(fmt.Sprint("i", i), "wait", strings.Repeat("x", size))
				}
				if unclean {
					w.crash()
				} else {
					w.close()
				}
				w.open()
				w.journal.slowLoads(time.Millisecond)
				w.attach(basics())
				if over := w.mostOver(); over > 0 {
					t.Errorf("%d bytes more than the budget of %d were taken", over, budget)
				}
				pass(time.Minute)
				for i := range n {
					if s := w.head(fmt.Sprint("i", i)).Status; s != persistence.StatusRunning {
						t.Fatalf("i%d is %v", i, s)
					}
				}
				if c := w.e.Counters(); c.MemoryWaits == 0 || c.MemoryBytes != 0 || unclean != (c.CarefulTurns > 0) {
					t.Errorf("%d waited, %d bytes are taken at the end, %d turns were careful", c.MemoryWaits, c.MemoryBytes, c.CarefulTurns)
				}
			})
		})
	}
}

// A termination reads all of an instance: it waits for the budget, too.
func TestF06_terminations_wait_for_the_budget(t *testing.T) {
	const n, size, budget = 30, 64 << 10, 512 << 10
	inOneWorld(t, Config{ResidentBytes: -1, MemoryBytes: budget}, func(w *world) {
		w.attach(basics())
		for i := range n {
			w.start(fmt.Sprint("i", i), "wait", strings.Repeat("x", size))
		}
		pass(time.Second)
		w.journal.slowLoads(time.Millisecond)
		replies := make([]*reply, n)
		for i := range replies {
			replies[i] = &reply{}
			w.e.Terminate(instance.Termination{ID: fmt.Sprint("i", i), Reason: "enough"}, func(err error) { replies[i].set(err, false) })
		}
		if over := w.mostOver(); over > 0 {
			t.Errorf("%d bytes more than the budget of %d were taken", over, budget)
		}
		for i, r := range replies {
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			w.terminated(fmt.Sprint("i", i), "enough")
		}
		if c := w.e.Counters(); c.MemoryWaits == 0 || c.MemoryBytes != 0 {
			t.Errorf("%d waited, %d bytes are taken at the end", c.MemoryWaits, c.MemoryBytes)
		}
	})
}

// TestF06_TheLeaseComesBeforeTheHistory in careful mode: whatever reading it does to the process, the attempt is counted.
func TestF06_TheLeaseComesBeforeTheHistory(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: -1}, func(w *world) {
		detach := w.attach(basics())
		w.start("a", "wait", "")
		detach()
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.crash()
		w.open()
		leases := -1
		w.notedParts(func() {
			if leases < 0 {
				leases = w.journal.count(&persistence.LeaseTurn{})
			}
		})
		w.attach(basics())
		pass(time.Second)
		if leases != 1 {
			t.Errorf("the history was first read after %d leases", leases)
		}
		w.completed("a", "x")
	})
}

// TestF06_AStopLetsGoOfWhatWaitsForMemory, and a message is durable after 10 ms although its instance waits.
func TestF06_AStopLetsGoOfWhatWaitsForMemory(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: -1, MemoryBytes: 1 << 20}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.e.memory.used.Add(1 << 30)
		answer := w.raise("a", "go", "x")
		if err := answer.wait(); err != errNoAnswer {
			t.Fatalf("answered although it waits: %v", err)
		}
		pass(20 * time.Millisecond)
		if err := answer.wait(); err != nil {
			t.Fatal(err)
		}
		if got := w.e.Counters(); got.MemoryWaits != 1 || got.Active != 1 || got.Commits != 1 {
			t.Fatalf("%d wait, %d are active, %d turns were committed", got.MemoryWaits, got.Active, got.Commits)
		}
		began := time.Now()
		w.close()
		if took := time.Since(began); took > 0 {
			t.Errorf("the stop took %v", took)
		}
		w.open()
		w.attach(basics())
		synctest.Wait()
		w.completed("a", "x")
	})
}

// What waits for an answer is bounded by the one budget, too: by half of it, or 8 MiB if that is more.
func TestF06_messages_that_wait_in_instances_are_bounded_by_the_budget(t *testing.T) {
	for budget, most := range map[int64]int{1 << 20: 8, 32 << 20: 16} {
		inOneWorld(t, Config{MemoryBytes: budget}, func(w *world) {
			w.attach(basics())
			for i := range 30 {
				w.start(fmt.Sprint("i", i), "wait", "")
			}
			w.journal.hold()
			held := 0
			for i := range 30 {
				switch err := w.raise(fmt.Sprint("i", i), "go", strings.Repeat("x", 1<<20)).wait(); {
				case err == errNoAnswer:
					held++
				case !errors.Is(err, persistence.ErrBusy):
					t.Error(err)
				}
			}
			if held == 0 || held > most {
				t.Errorf("%d MiB are held with a budget of %d MiB", held, budget>>20)
			}
			w.journal.release()
			pass(time.Second)
		})
	}
}

// A suspect that has run, and waits until it may run again, has given back what it took: the one that runs meanwhile, which
// may read nothing else, does not wait for it.
func TestF06_a_suspect_that_waits_for_its_admission_keeps_no_memory(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: -1, MemoryBytes: 1, MaxAttempts: 1}, func(w *world) {
		for _, id := range []string{"a", "b"} {
			w.start(id, "wait", "")
		}
		w.crash()
		w.open()
		free := make(chan struct{})
		var runs atomic.Int64
		w.attach(newRegistry().orchestration("wait", func(c *replay.Context, _ []byte) ([]byte, error) {
			runs.Add(1)
			<-free
			return waiter(c, nil)
		}))
		synctest.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("%d run, want 1: each is alone", n)
		}
		for _, id := range []string{"a", "b"} {
			w.raise(id, "go", "x")
		}
		pass(20 * time.Millisecond) // they are durable
		close(free)
		pass(time.Second)
		if c := w.e.Counters(); c.CarefulTurns < 3 {
			t.Errorf("%d turns were careful, want 3", c.CarefulTurns)
		}
		w.completed("a", "x")
		w.completed("b", "x")
	})
}
