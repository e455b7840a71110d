package actors

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// inOneWorld is inWorldWith in one mode only.
func inOneWorld(t *testing.T, cfg Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg)
		w.open()
		f(w)
		w.close()
	})
}

// TestResidencyIsBounded: the least recently used leave first, and come back by a replay.
func TestResidencyIsBounded(t *testing.T) {
	const n, bound = 200, 256 << 10
	inOneWorld(t, Config{ResidentBytes: bound}, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		for i := range n {
			w.start(fmt.Sprint("i", i), "collect", "2")
		}
		c := w.e.Counters()
		if c.ResidentBytes > bound || c.Resident == 0 || c.Resident == n {
			t.Errorf("%d resident with %d bytes, the bound is %d", c.Resident, c.ResidentBytes, bound)
		}
		if c.Active != c.Resident {
			t.Errorf("%d active, %d resident: who is evicted must leave", c.Active, c.Resident)
		}
		if err := w.raise(fmt.Sprint("i", n-1), "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		if got := w.e.Counters().ReplayedEvents; got != 0 {
			t.Errorf("the most recently used replayed %d events", got)
		}
		for i := range n {
			w.raise(fmt.Sprint("i", i), "go", "a")
			w.raise(fmt.Sprint("i", i), "go", "b")
			synctest.Wait()
		}
		for i := range n - 1 {
			w.completed(fmt.Sprint("i", i), "a b")
		}
		if got := w.e.Counters().ReplayedEvents; got == 0 {
			t.Error("nobody replayed anything")
		}
	})
}

// TestWhoOnlyWaitsLeaves: after a minute, and after a second when memory is short.
func TestWhoOnlyWaitsLeaves(t *testing.T) {
	for _, c := range []struct {
		resident int64
		after    time.Duration
	}{{0, residentRelaxed}, {16 << 10, residentPressured}} {
		inOneWorld(t, Config{ResidentBytes: c.resident}, func(w *world) {
			w.attach(basics())
			w.start("a", "wait", "")
			pass(c.after - 10*time.Millisecond)
			if got := w.e.Counters().Active; got != 1 {
				t.Errorf("%d active before its time", got)
			}
			pass(c.after)
			if got := w.e.Counters(); got.Active != 0 || got.Evictions != 1 {
				t.Errorf("%d active, %d evictions", got.Active, got.Evictions)
			}
			if err := w.raise("a", "go", "x").wait(); err != nil {
				t.Fatal(err)
			}
			w.completed("a", "x")
		})
	}
}

// TestAnEvictionMeetsAMessage: whatever comes while an instance is told to leave is served.
func TestAnEvictionMeetsAMessage(t *testing.T) {
	inOneWorld(t, Config{ResidentBytes: 1}, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		const n = 50
		for i := range n {
			w.ask(arrival.StartRequest{ID: fmt.Sprint("i", i), Name: "collect", Input: []byte("20")})
		}
		for i := range 20 {
			for j := range n {
				w.raise(fmt.Sprint("i", j), "go", strconv.Itoa(i))
			}
			if i%3 == 0 {
				synctest.Wait()
			}
		}
		pass(time.Second)
		for i := range n {
			w.completed(fmt.Sprint("i", i), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19")
		}
	})
}

// TestStopMakesDurableWhatIsHeld, unwinds what is resident, and ends the epochs.
func TestStopMakesDurableWhatIsHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		unwound := 0
		w.attach(basics().orchestration("block", func(c *replay.Context, _ []byte) ([]byte, error) {
			defer func() { unwound++ }()
			if c.Execution() == 1 && !c.Replaying() {
				<-gate
			}
			return waiter(c, nil)
		}))
		w.ask(arrival.StartRequest{ID: "a", Name: "block"}).wait()
		w.start("b", "wait", "")
		pass(time.Millisecond)
		event := w.raise("a", "go", "x")
		done := make(chan error, 1)
		w.e.Stop(func(err error) { done <- err })
		if err := w.raise("b", "go", "y").wait(); !errors.Is(err, persistence.ErrNotLeader) {
			t.Errorf("a request to a node that shuts down: %v", err)
		}
		pass(20 * time.Millisecond)
		if err := event.wait(); err != nil {
			t.Errorf("held during the stop: %v", err)
		}
		close(gate)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		_ = w.journal.Close()
		w.journal.end()
		synctest.Wait()
		if unwound == 0 {
			t.Error("nothing was unwound")
		}
		w.open()
		w.attach(basics().orchestration("block", waiter))
		pass(time.Second)
		w.completed("a", "x")
	})
}

// TestUncertain: the journal stops under a commit. No caller is told that it was done, or that it was not.
func TestUncertain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.journal.hold()
		event := w.raise("a", "go", "x")
		start := w.ask(arrival.StartRequest{ID: "b", Name: "echo", RequestKey: "k"})
		synctest.Wait()
		w.crash()
		for what, r := range map[string]*reply{"raise": event, "start": start} {
			if err := r.wait(); !errors.Is(err, persistence.ErrUncertain) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got := w.e.Counters().Uncertain; got < 2 {
			t.Errorf("%d uncertain", got)
		}
		w.open()
		w.attach(basics())
		if err := w.ask(arrival.StartRequest{ID: "b", Name: "echo", Input: []byte("z"), RequestKey: "k"}).wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.completed("b", "z")
	})
}

// TestAFullJournalIsTriedAgain: a commit that finds no room is proposed again, and a message is still held.
func TestAFullJournalIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		busy := 10
		w.journal.on(func(_ persistence.Partition, proposal persistence.Proposal) bool {
			if _, ok := proposal.Command.(*persistence.CommitTurn); ok && busy > 0 {
				busy--
				proposal.Done(persistence.Result{Err: persistence.ErrBusy})
				return true
			}
			return false
		})
		start := w.ask(arrival.StartRequest{ID: "a", Name: "echo", Input: []byte("x")})
		pass(time.Second)
		if err := start.wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
	})
}
