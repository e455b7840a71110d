package pebble

import (
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
)

// tickClock fires its timers by hand.
type tickClock struct {
	mu    sync.Mutex
	armed []*tickTimer
	set   atomic.Int64 // the wall clock, in milliseconds
}

type tickTimer struct {
	clock *tickClock
	after time.Duration
	f     func()
}

func (c *tickClock) Now() time.Time { return time.UnixMilli(c.set.Load()) }

func (c *tickClock) Elapsed() time.Duration { return time.Hour }

func (c *tickClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &tickTimer{clock: c, after: d, f: f}
	c.armed = append(c.armed, t)
	return t
}

func (t *tickTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	for i, armed := range t.clock.armed {
		if armed == t {
			t.clock.armed = append(t.clock.armed[:i], t.clock.armed[i+1:]...)
			return true
		}
	}
	return false
}

// fire runs the only armed timer and reports what it was armed for.
func (c *tickClock) fire(t *testing.T) time.Duration {
	t.Helper()
	c.mu.Lock()
	if len(c.armed) != 1 {
		c.mu.Unlock()
		t.Fatalf("%d timers are armed", len(c.armed))
	}
	timer := c.armed[0]
	c.armed = nil
	c.mu.Unlock()
	timer.f()
	return timer.after
}

func theWitness(t *testing.T, fs vfs.FS) *witness {
	t.Helper()
	w, err := readWitness(fs, "store")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWitnessIsRenewedEverySecond(t *testing.T) {
	fs, c := vfs.NewMem(), &tickClock{}
	s := live(t, Options{FS: fs, Partitions: 2, Clock: c})
	await(s, 1, persistence.Proposal{Command: &persistence.Sweep{}})
	await(s, 1, persistence.Proposal{Command: &persistence.Sweep{}})
	if w := theWitness(t, fs); w.durable[1] != 0 {
		t.Fatalf("before its time: %+v", w)
	}
	if after := c.fire(t); after != time.Second {
		t.Fatalf("the witness is renewed after %v", after)
	}
	w := theWitness(t, fs)
	if w.durable[0] != 0 || w.durable[1] != 2 || w.store != s.Info().ID || len(w.logs) == 0 {
		t.Fatalf("%+v", w)
	}
	c.fire(t) // and again: it is armed anew
}

// TestF18_TheWitnessIsRenewedWhateverTheWallClockSays.
func TestF18_TheWitnessIsRenewedWhateverTheWallClockSays(t *testing.T) {
	fs, c := vfs.NewMem(), &tickClock{}
	const hour = 3_600_000
	c.set.Store(20 * 365 * 24 * hour)
	s := live(t, Options{FS: fs, Partitions: 1, Clock: c})
	for i, by := range []int64{hour, -hour, 10 * 365 * 24 * hour, -hour} {
		await(s, 0, persistence.Proposal{Command: &persistence.Sweep{}})
		c.set.Add(by)
		if after := c.fire(t); after != time.Second {
			t.Errorf("set by %d ms, the witness is renewed after %v", by, after)
		}
		if w := theWitness(t, fs); w.durable[0] != uint64(i+1) {
			t.Errorf("set by %d ms, the witness says %d, want %d", by, w.durable[0], i+1)
		}
	}
}

func TestWitnessSaysOnlyWhatIsDurable(t *testing.T) {
	r := newRig(t, Options{Partitions: 1, FS: vfs.NewMem()})
	fs := r.s.o.FS
	r.ok(0, &persistence.Sweep{})
	r.s.Propose(0, persistence.Proposal{Command: &persistence.Sweep{}, Done: r.mustSucceed})
	r.s.Step(StepApply)
	if !r.s.Step(StepWitness) || theWitness(t, fs).durable[0] != 1 {
		t.Fatalf("the witness of one durable and one applied command: %+v", theWitness(t, fs))
	}
	if r.s.Step(StepWitness) {
		t.Fatal("there was nothing new to witness")
	}
	r.s.Step(StepSync)
	if !r.s.Step(StepWitness) || theWitness(t, fs).durable[0] != 2 {
		t.Fatalf("%+v", theWitness(t, fs))
	}
}

// TestWitnessForgetsLogsBeforeTheyGo fills memtables, so that Pebble drops logs. At each moment the witness
// names only files that are there, with at least the length that it says.
func TestWitnessForgetsLogsBeforeTheyGo(t *testing.T) {
	fs, c := vfs.NewMem(), &tickClock{}
	s := live(t, Options{FS: fs, Partitions: 1, Clock: c, Tuning: Tuning{
		MemTableBytes: 64 << 10, Pebble: func(o *pdb.Options) { o.MemTableSize = 64 << 10 },
	}})
	named := map[string]bool{}
	for range 40 {
		for range 5 {
			if r := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{
				ID: "i" + string(rune('a'+len(named))), Request: persistence.Request{Key: "k"}, Name: "o", Input: make([]byte, 8<<10),
			}}); r.Err != nil && r.Index == 0 {
				t.Fatal(r.Err)
			}
			s.Propose(0, persistence.Proposal{Command: &persistence.Enqueue{ID: "ia", Message: make([]byte, 8<<10)}, Done: func(persistence.Result) {}})
		}
		c.fire(t)
		w := theWitness(t, fs)
		for err := w.checkLogs(fs, "store/db"); err != nil; err = w.checkLogs(fs, "store/db") {
			// A log may have gone since the file was read: then the witness has changed, before it went.
			again := theWitness(t, fs)
			if reflect.DeepEqual(again, w) {
				t.Fatal(err)
			}
			w = again
		}
		for _, l := range w.logs {
			if isLog(l.name) {
				named[l.name] = true
			}
		}
	}
	if len(named) < 3 {
		t.Fatalf("only the logs %v were ever named: the test does not rotate them", named)
	}
}
