package actors

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

var (
	heldSeeds = flag.Int("held", 0, "random walks with held instances; 0 means 100, or 4 with -short")
	heldFirst = flag.Uint64("heldfirst", 0, "the seed of the first of them")
)

const (
	walkInstances = 12
	walkSteps     = 60
	walkRuntimes  = 3 // at once
)

// TestF50_F51_F52_random_deploys_releases_and_terminations_forget_nothing: runtimes with code that fits, does not fit,
// blocks or is missing come and go, the node is deployed or crashes, instances get events, are released, cancelled and
// terminated, and the journal is busy or slow. At the end code that fits is attached alone, and all must run to their end.
// What is done is chosen by the seed; how the goroutines interleave is not.
func TestF50_F51_F52_random_deploys_releases_and_terminations_forget_nothing(t *testing.T) {
	n := *heldSeeds
	if n == 0 {
		n = fullOrShort(100, 4)
	}
	for i := range n {
		seed := *heldFirst + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newHeldWalk(t, seed).run() })
		})
	}
}

// heldWalk is one random walk.
type heldWalk struct {
	*world
	seed     uint64
	dice     *rand.Rand
	loses    bool // some of what instances are told is lost
	log      *walkLog
	runtimes []walkRuntime
	came     int                 // runtimes that were ever attached
	gate     chan struct{}       // code that blocks waits for it
	ended    [walkInstances]bool // those that were cancelled or terminated
	busy     atomic.Int64        // so many proposals to come find the journal full
}

// walkRuntime is a runtime that is attached.
type walkRuntime struct {
	id     string
	detach func()
}

func newHeldWalk(t *testing.T, seed uint64) *heldWalk {
	x := &heldWalk{seed: seed, dice: rand.New(rand.NewPCG(seed, 50)), log: newWalkLog(), gate: make(chan struct{})}
	cfg := Config{Build: "1", MaxAttempts: 1000, ResidentBytes: []int64{0, -1}[x.dice.IntN(2)], Logger: slog.New(x.log)}
	if x.loses = x.dice.IntN(3) == 0; x.loses {
		var told atomic.Int64
		cfg.LoseTell = func() bool { return told.Add(1)%7 == 0 }
	}
	x.world = newWorld(t, cfg)
	return x
}

func (x *heldWalk) run() {
	defer x.tell()
	x.reopen(0)
	x.attachFitting()
	for i := range walkInstances {
		x.start(walker(i), []string{"sleep", "nap"}[i%2], "")
		pass(100 * time.Millisecond)
	}
	pass(11 * time.Second) // a start that is lost is told again meanwhile
	kinds := []func(*heldWalk){
		(*heldWalk).attachUnfitting, (*heldWalk).attachUnfitting, (*heldWalk).attachFitting, (*heldWalk).attachWithout,
		(*heldWalk).attachBlocking, (*heldWalk).detachOne, (*heldWalk).detachOne, (*heldWalk).detachOne,
		(*heldWalk).releaseOne, (*heldWalk).raiseOne, (*heldWalk).raiseOne, (*heldWalk).endOne,
		(*heldWalk).deployAnew, (*heldWalk).crashAnew, (*heldWalk).disturb,
	}
	for range walkSteps {
		kinds[x.dice.IntN(len(kinds))](x)
		<-time.After([]time.Duration{
			0, time.Microsecond, 100 * time.Millisecond, time.Second, 10 * time.Second, 10 * time.Minute, time.Hour,
		}[x.dice.IntN(7)])
		if x.dice.IntN(2) == 0 {
			synctest.Wait()
		}
	}
	x.calm()
	x.heldAgree()
	x.heal()
	x.allEnded()
	x.checkCounters()
	x.close()
}

// tell says of a walk that has failed how to repeat it, and what was done.
func (x *heldWalk) tell() {
	if !x.t.Failed() {
		return
	}
	x.t.Logf("seed %d; to repeat it: go test ./actors -run TestF50_F51_F52 -heldfirst=%d -held=1 (the goroutines may interleave "+
		"otherwise: add -count=20)\n%s", x.seed, x.seed, x.log.text())
}

func walker(i int) string { return fmt.Sprint("s", i) }

// one chooses an instance.
func (x *heldWalk) one() (i int, id string) {
	i = x.dice.IntN(walkInstances)
	return i, walker(i)
}

// walkCode waits twice for a timer and an event. Other versions of it call activities first, or block until gate is closed.
func walkCode(d time.Duration, gate chan struct{}, before ...string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		if gate != nil {
			blockHere(gate)
		}
		for _, name := range before {
			c.Activity(name, nil, replay.ActivityOptions{})
		}
		for range 2 {
			if _, err := c.Timer(d).Await(); err != nil {
				return nil, err
			}
			if _, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await(); err != nil {
				return nil, err
			}
		}
		return []byte("rested"), nil
	}
}

func walkers(gate chan struct{}, before ...string) *registry {
	return basics().orchestration("sleep", walkCode(time.Hour, gate, before...)).
		orchestration("nap", walkCode(time.Minute, gate, before...))
}

func (x *heldWalk) attachFitting()   { x.attachOne("fits", walkers(nil)) }
func (x *heldWalk) attachUnfitting() { x.attachOne("does not fit", walkers(nil, "added")) }
func (x *heldWalk) attachWithout()   { x.attachOne("is missing", basics()) }
func (x *heldWalk) attachBlocking()  { x.attachOne("blocks", walkers(x.gate)) }

// attachOne attaches a runtime, if there are not too many.
func (x *heldWalk) attachOne(what string, r *registry) {
	if len(x.runtimes) == walkRuntimes {
		return
	}
	x.came++
	x.log.changed()
	id := fmt.Sprint("runtime-", x.came)
	x.log.note("attach %s: its code %s", id, what)
	x.runtimes = append(x.runtimes, walkRuntime{id, x.attachAs(id, r)})
}

func (x *heldWalk) detachOne() {
	if len(x.runtimes) == 0 {
		return
	}
	i := x.dice.IntN(len(x.runtimes))
	x.log.note("detach %s", x.runtimes[i].id)
	x.log.changed()
	x.runtimes[i].detach()
	x.runtimes = append(x.runtimes[:i], x.runtimes[i+1:]...)
}

func (x *heldWalk) releaseOne() {
	_, id := x.one()
	x.log.note("release %s", id)
	x.log.forget(id)
	x.e.Release(id, func(error) {})
}

func (x *heldWalk) raiseOne() {
	_, id := x.one()
	x.log.note("raise an event for %s", id)
	x.raise(id, "go", "x")
}

// endOne terminates or cancels an instance, now and then.
func (x *heldWalk) endOne() {
	i, id := x.one()
	switch x.dice.IntN(12) {
	case 0, 1:
		x.log.note("terminate %s", id)
		x.e.Terminate(instance.Termination{ID: id, Reason: "x"}, func(error) {})
	case 2, 3:
		x.log.note("cancel %s", id)
		x.cancel(id, "x")
	default:
		return
	}
	x.ended[i] = true
}

// deployAnew ends the process and starts one, of this build or another.
func (x *heldWalk) deployAnew() {
	if x.dice.IntN(4) != 0 {
		return
	}
	x.log.note("stop")
	x.checkCounters()
	x.free()
	x.close()
	x.cfg.Build = fmt.Sprint(x.dice.IntN(2))
	x.reopen([]int{0, 2, 5}[x.dice.IntN(3)])
	x.attachAtOpen()
}

func (x *heldWalk) crashAnew() {
	if x.dice.IntN(6) != 0 {
		return
	}
	x.log.note("crash")
	x.checkCounters()
	x.free()
	x.crash()
	x.reopen([]int{0, 2, 5}[x.dice.IntN(3)])
	x.attachAtOpen()
}

// free lets code that blocks go on.
func (x *heldWalk) free() {
	close(x.gate)
	synctest.Wait()
	x.gate = make(chan struct{})
}

// reopen starts a process that takes so many instances at once; 0: the default.
func (x *heldWalk) reopen(most int) {
	x.runtimes = nil
	x.cfg.InstancesMax = most
	x.log.changed()
	x.log.note("start process %d of build %s, at most %d instances at once, loses what it tells: %v",
		x.process+1, x.cfg.Build, most, x.loses)
	x.open()
	x.journal.on(func(_ persistence.Partition, proposal persistence.Proposal) bool {
		switch proposal.Command.(type) {
		case *persistence.AbandonTurn, *persistence.ReleaseTurn, *persistence.LeaseTurn, *persistence.CommitTurn, *persistence.Enqueue:
		default:
			return false
		}
		if x.busy.Load() <= 0 || x.busy.Add(-1) < 0 {
			return false
		}
		go proposal.Done(persistence.Result{Err: persistence.ErrBusy})
		return true
	})
}

// attachAtOpen attaches up to two runtimes before anything else happens.
func (x *heldWalk) attachAtOpen() {
	for range x.dice.IntN(3) {
		[]func(){x.attachFitting, x.attachUnfitting, x.attachUnfitting, x.attachWithout}[x.dice.IntN(4)]()
	}
}

// disturb has the journal be full for some proposals, and its loads slow.
func (x *heldWalk) disturb() {
	full, slow := x.dice.Int64N(6), time.Duration(x.dice.IntN(3))*100*time.Millisecond
	x.log.note("the journal is full for %d proposals, and loads take %v", full, slow)
	x.busy.Store(full)
	x.journal.slowLoads(slow)
}

// calm ends the disturbances and waits until no try is under way.
func (x *heldWalk) calm() {
	x.log.note("calm")
	x.busy.Store(0)
	x.journal.slowLoads(0)
	pass(30 * time.Minute)
}

// heldAgree checks that the node counts as held what the rows hold back, and no more than they say is held: one that may be
// tried now and has nothing to be tried for may be left out, and so may one whose try is lost, until it is told of something.
func (x *heldWalk) heldAgree() {
	if x.loses {
		return
	}
	rows, back := 0, 0
	for i := range walkInstances {
		id := walker(i)
		if !x.head(id).Leased {
			continue
		}
		if row := x.lease(id); row.Held.Reason != "" {
			rows++
			underWay := row.Token != "" // a timer of its own may have come due
			if !underWay && (row.NotBeforeMs == 0 || row.NotBeforeMs > time.Now().UnixMilli()) {
				back++
			}
		}
	}
	if got := int(x.e.Counters().Held); (got < back || got > rows) && len(x.runtimes) > 0 {
		x.t.Errorf("%d rows are held, and %d of them hold back now; the node says %d; %d runtimes", rows, back, got, len(x.runtimes))
	}
}

// heal has only code that fits attached, and gives every instance what it waits for.
func (x *heldWalk) heal() {
	for len(x.runtimes) > 0 {
		x.detachOne()
	}
	x.free()
	pass(time.Duration(x.dice.IntN(3)) * time.Second)
	x.attachFitting()
	for i := range walkInstances {
		for range 2 {
			for try := 0; try < 1000 && errors.Is(x.raise(walker(i), "go", "x").wait(), persistence.ErrBusy); try++ {
				pass(time.Second)
			}
		}
	}
	pass(5 * time.Hour)
}

// allEnded checks that all have ended, and well unless something else was asked for.
func (x *heldWalk) allEnded() {
	for i := range walkInstances {
		id := walker(i)
		status := x.head(id).Status
		if !status.Terminal() || status != persistence.StatusCompleted && !x.ended[i] {
			x.t.Errorf("%s is %v, and its lease row is %+v; history %v", id, status, x.lease(id), x.story(id, 1))
		}
	}
	if c := x.e.Counters(); c.Held != 0 || c.Active != 0 && x.cfg.ResidentBytes < 0 {
		x.t.Errorf("at the end %d are held and %d active", c.Held, c.Active)
	}
}

// checkCounters checks what must hold at any time.
func (x *heldWalk) checkCounters() {
	if c := x.e.Counters(); c.Retold != 0 && !x.loses {
		x.t.Errorf("%d had to be told again", c.Retold)
	}
	for _, line := range x.log.repeats() {
		x.t.Errorf("logged again, though nothing has changed: %s", line)
	}
}
