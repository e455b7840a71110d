package sim

import "time"

// config is the shape of a seed's world.
type config struct {
	partitions    int
	instances     int
	busyFor       time.Duration // how long the client starts new things
	pace          int           // nanoseconds that a step takes at most
	slowestSync   time.Duration
	slowestRead   time.Duration
	inboxPage     int // rows of an inbox that an instance reads at once
	carried       int // events that an execution holds; carriedBytes below a name hold none
	carriedBytes  int
	maxAttempts   uint32
	residentBytes int64
	memoryBytes   int64
	instancesMax  int
	turnSlots     int
	activitySlots int
	queueMax      int // of the journal
	flood         bool
	// backoffBase and backoffMax of what is tried again. With short ones an instance that is held uses up its tries.
	backoffBase, backoffMax time.Duration
}

// faults says what may go wrong. Each kind is off in half of the seeds, so that none hides another for ever.
type faults struct {
	crashes        bool
	cleanRestarts  bool
	syncFails      bool
	duplicates     bool
	killers        bool
	twins          bool // a second activation of everything, in the same epoch
	takeovers      bool // a second process that opens newer epochs
	slowTurns      bool
	slowActivities bool
	badActivities  bool
	detaches       bool // a consumer goes and comes back
	clockSteps     bool // the wall clock jumps
	slowReads      bool // a read takes long, now and then
	readErrors     bool // a read fails, now and then, though the disk goes on
	readFails      bool // the disk fails at a read
	evictions      bool // residents are told to leave at any moment
	busy           bool // the journal's queue is full, now and then
	repeats        bool // request keys are used again
	contention     bool // the client starts what an orchestration starts at the same moment
	deploys        bool // runtimes are attached whose code does not fit the histories, and an operator releases and terminates
	stuck          bool // all code that comes does not fit, until a held instance is tried for the last time
	lostTells      bool // what a dispatcher tells an instance is lost, now and then

	failNextSync bool
}

func drawConfig(r *random) (config, faults) {
	c := config{
		partitions:    pick(r, 1, 2, 3, 4),
		instances:     pick(r, 3, 6, 6, 10, 16),
		busyFor:       r.duration(2*time.Second, 40*time.Second),
		pace:          pick(r, 2_000, 50_000, 50_000, 400_000),
		slowestSync:   pick(r, 200*time.Microsecond, 2*time.Millisecond, 25*time.Millisecond),
		slowestRead:   pick(r, 50*time.Microsecond, time.Millisecond, 20*time.Millisecond),
		inboxPage:     pick(r, 1, 2, 3, 5, 1000),
		carried:       pick(r, 1, 1, 2, 64),
		carriedBytes:  pick(r, 1, 24, 64<<10),
		maxAttempts:   uint32(r.between(3, 5)),
		residentBytes: pick[int64](r, -1, 16<<10, 64<<10, 256<<20),
		instancesMax:  pick(r, 4, 200_000, 200_000, 200_000),
		turnSlots:     pick(r, 1, 2, 8),
		activitySlots: pick(r, 1, 4, 16),
		queueMax:      pick(r, 1<<20, 1<<20, 1<<20, 4),
	}
	half := func() bool { return r.chance(2) }
	f := faults{
		crashes: half(), cleanRestarts: half(), syncFails: half(), duplicates: half(), killers: half(), twins: half(),
		takeovers: half(), slowTurns: half(), slowActivities: half(), badActivities: half(),
		detaches: half(), clockSteps: half(), slowReads: half(), readErrors: half(), readFails: half(), evictions: half(), contention: half(), busy: half(), repeats: half(),
		lostTells: r.chance(4),
	}
	f.deploys = half()
	c.memoryBytes = pick[int64](r, 1, 16<<10, -1, -1)
	c.backoffBase, c.backoffMax = time.Second, 10*time.Second
	if r.chance(3) { // a missing handler would use up its attempts before its runtime comes
		c.backoffBase, c.backoffMax, c.maxAttempts, f.killers = 10*time.Millisecond, 200*time.Millisecond, 10_000, false
	}
	if f.stuck = r.chance(16); f.stuck {
		f.deploys, f.killers, f.twins, f.takeovers = true, false, false, false
		c.backoffBase, c.backoffMax, c.maxAttempts, c.residentBytes, c.memoryBytes = 10*time.Millisecond, 200*time.Millisecond, 10_000, -1, -1
	}
	// A flood needs messages that come faster than the 10 ms rule.
	if c.flood = r.chance(12); c.flood {
		c.pace, c.slowestSync, c.instancesMax, c.queueMax = 2_000, 25*time.Millisecond, 200_000, 1<<20
		c.residentBytes, c.memoryBytes, c.inboxPage = 256<<20, -1, 100
	}
	return c, f
}

// drawSyncError reports whether the sync that is about to be taken fails.
func (f *faults) drawSyncError() bool {
	was := f.failNextSync
	f.failNextSync = false
	return was
}

// planFaults puts what will go wrong into the agenda.
func (w *World) planFaults() {
	span := w.config.busyFor + 10*time.Second
	times := func(on bool, most int, what string, do func()) {
		if !on {
			return
		}
		for range w.lives.between(1, most) {
			w.agenda.in(w.lives.duration(0, span), 0, what, do)
		}
	}
	f := &w.faults
	times(f.crashes, 4, "crash", func() { w.crash("the power fails") })
	times(f.cleanRestarts, 2, "restart", w.restart)
	times(f.syncFails, 2, "sync error", func() {
		if !w.healing {
			f.failNextSync = true
		}
	})
	times(f.readFails, 1, "read failure", func() {
		if !w.healing && w.disk.store != nil && !w.disk.failed {
			w.disk.store.FailRead(errPlantedRead)
			w.reach("read failure")
		}
	})
	times(f.evictions, 40, "eviction", w.evict)
	times(f.twins, 2, "second activation", w.twin)
	times(f.takeovers, 1, "takeover", w.takeover)
	times(f.detaches, 3, "detach", w.detach)
	if f.detaches {
		w.agenda.in(w.config.busyFor+w.lives.duration(8*time.Second, 11*time.Second), 0, "no runtime", w.detachAll)
	}
	times(f.deploys, 2, "deploy", w.restart)
	times(f.deploys, 3, "other code", w.detach)
	times(f.clockSteps, 3, "clock step", func() {
		if !w.healing {
			w.stepClock()
		}
	})
	w.agenda.in(w.lives.duration(0, span), 0, "late handlers", func() { w.lateRegistered = true })
}
