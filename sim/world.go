package sim

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// World is one simulation: everything in it belongs to one goroutine.
type World struct {
	seed    uint64
	config  config
	faults  faults
	planted *planted
	way     *way // how settled programs are run; nil for a run that draws everything
	trace   trace
	agenda  agenda

	schedule *random // which step is next
	lives    *random // how long things take, what goes wrong

	disk      *disk
	handlers  [2]*handlers
	client    *client
	code      actors.Goroutines // runs user code
	live      []*process
	processes uint64

	// of the step that is being taken
	killed bool          // user code ended the process
	linger time.Duration // how much longer the code of the activity takes that has run
	claims []func()

	runs           uint64 // of activities
	given          map[activityKey][]string
	pulses         map[activityKey]*pulse
	handedOut      map[string]bool // what code was given of what clients sent
	kills          map[string]int
	cleanRestarts  int
	releases       int                  // of instances that were held
	failsSome      bool                 // some process failed what its code did not fit
	leftToDouble   map[instanceKey]bool // by a process whose lease its double's turn has ended
	crashes        int
	lateRegistered bool
	computed       int // side effects
	clockOffset    time.Duration
	setBack        bool // the clock was set back
	healing        bool
	healedAt       time.Duration
	crashesAtHeal  int
	over           bool              // everything has come to its end
	ended          map[string]string // how, if there is a way
	steps          uint64

	reached  map[string]int
	failures []Failure
}

// Failure is a broken invariant.
type Failure struct {
	Invariant string
	What      string
	Step      uint64
	At        time.Duration
}

// Error says which invariant was broken and how.
func (f Failure) Error() string {
	return fmt.Sprintf("%s broken at step %d, %v: %s", f.Invariant, f.Step, f.At.Truncate(time.Microsecond), f.What)
}

func newWorld(seed uint64, p *planted, story io.Writer) *World {
	w := &World{
		seed: seed, planted: p, schedule: newRandom(seed, 1), lives: newRandom(seed, 2),
		given: map[activityKey][]string{}, pulses: map[activityKey]*pulse{}, handedOut: map[string]bool{}, kills: map[string]int{}, leftToDouble: map[instanceKey]bool{}, reached: map[string]int{},
	}
	w.trace = trace{story: story, world: w}
	w.config, w.faults = drawConfig(newRandom(seed, 3))
	w.handlers = newHandlers(w)
	w.disk = newDisk(w)
	w.client = newClient(w)
	w.code = actors.NewGoroutines(4)
	return w
}

// fail notes a broken invariant. The run ends after this step.
func (w *World) fail(invariant, format string, args ...any) {
	f := Failure{invariant, fmt.Sprintf(format, args...), w.steps, w.agenda.now}
	w.failures = append(w.failures, f)
	w.trace.add('!', []uint64{text(invariant)}, f.Error)
}

// reach counts a rare state.
func (w *World) reach(state string) { w.reached[state]++ }

// claim has a check made at the end of the step, when all that the step released is known.
func (w *World) claim(f func()) { w.claims = append(w.claims, f) }

// die is called by user code that ends its process: nothing that runs after it counts.
func (w *World) die(who string) {
	w.killed = true
	w.kills[who]++
	w.trace.add('K', []uint64{text(who)}, func() string { return who + " ends its process, time number " + fmt.Sprint(w.kills[who]) })
	allowed := int(w.config.maxAttempts)*(1+w.releases) + 2 + w.cleanRestarts // a release forgets the attempts
	if w.kills[who] > allowed {
		w.fail("attempts", "%s has ended its process %d times, the most is %d", who, w.kills[who], allowed)
	}
	runtime.Goexit()
}

// step takes one step: one of all that could happen now. False: nothing is left to do and nothing is to come.
func (w *World) step() bool {
	w.steps++
	choices := w.choices()
	if choices.total == 0 {
		next := w.agenda.next()
		if next == nil {
			return false
		}
		w.agenda.now = max(w.agenda.now, next.at)
		return true
	}
	choices.take(w)
	w.agenda.now += time.Duration(w.lives.below(w.config.pace))
	for _, check := range w.claims {
		check()
	}
	w.claims = w.claims[:0]
	for _, p := range w.live {
		if over := p.engine.MemoryOver(); over > 0 && !p.stopping {
			w.fail("memory", "process %d has taken %d bytes more than its budget", p.number, over)
		}
	}
	return true
}

// choice is what could happen now, by kind, with how likely each kind is.
type choice struct {
	total     int
	executors int
	due       int
	store     []pebble.StepKind
}

const (
	weightExecutor = 6
	weightDue      = 4
	weightStore    = 2
)

func (w *World) choices() (c choice) {
	for _, p := range w.live {
		if len(p.executor.waiting) > 0 {
			c.executors += weightExecutor
		}
	}
	if next := w.agenda.next(); next != nil && next.at <= w.agenda.now {
		c.due = weightDue
	}
	if w.disk.store != nil && !w.disk.failed {
		c.store = w.disk.steps()
	}
	c.total = c.executors + c.due + len(c.store)*weightStore
	return c
}

func (c *choice) take(w *World) {
	n := w.schedule.below(c.total)
	if n < c.executors {
		n /= weightExecutor
		for _, p := range w.live {
			if len(p.executor.waiting) == 0 {
				continue
			}
			if n == 0 {
				w.trace.add('E', []uint64{p.number, uint64(len(p.executor.waiting))}, func() string { return fmt.Sprintf("process %d runs one of %d", p.number, len(p.executor.waiting)) })
				p.executor.runOne(w.schedule)
				return
			}
			n--
		}
	}
	n -= c.executors
	if n < c.due {
		w.appointment()
		return
	}
	n -= c.due
	w.disk.step(c.store[n/weightStore])
}

// appointment does what is due first, unless its process has died.
func (w *World) appointment() {
	a := w.agenda.pop()
	a.gone = true
	if a.process != 0 && !w.alive(a.process) {
		return
	}
	w.trace.add('T', []uint64{a.process, text(a.what)}, func() string { return fmt.Sprintf("%s of process %d is due", a.what, a.process) })
	a.do()
}

func (w *World) alive(number uint64) bool {
	for _, p := range w.live {
		if p.number == number {
			return true
		}
	}
	return false
}

func (w *World) turnDelay() time.Duration {
	switch {
	case w.faults.slowTurns && !w.healing && w.lives.chance(150):
		return w.lives.duration(time.Second, 8*time.Second) // long enough for the watchdog
	case w.lives.chance(20):
		return w.lives.duration(5*time.Millisecond, 40*time.Millisecond) // long enough for the 10 ms rule
	default:
		return w.lives.duration(0, 500*time.Microsecond)
	}
}

// readDelay is how long one half of a read takes: until the store is asked, or until its answer comes.
func (w *World) readDelay() time.Duration {
	switch {
	case w.faults.slowReads && !w.healing && w.lives.chance(40):
		return w.lives.duration(100*time.Millisecond, 3*time.Second) // long enough for an eviction of the idle
	default:
		return w.lives.duration(0, w.config.slowestRead)
	}
}

func (w *World) activityDelay() time.Duration {
	switch {
	case w.way != nil:
		return w.wayDelay()
	case w.faults.slowActivities && !w.healing && w.lives.chance(15):
		return w.lives.duration(time.Second, 50*time.Second) // long enough for a lease, some longer than it lasts
	case w.lives.chance(4):
		return w.lives.duration(20*time.Millisecond, 3*time.Second)
	default:
		return w.lives.duration(0, 20*time.Millisecond)
	}
}
