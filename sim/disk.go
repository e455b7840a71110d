package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// storeDir is the store's directory on the simulated file system.
const storeDir = "/store"

// disk is the store on a file system that can be cut off, and what is known of it from outside.
type disk struct {
	world *World
	files *vfs.MemFS
	store *pebble.Store

	sinks    [][]*sink // by partition
	attached []bool

	// applied says that a batch waits for its sync, which takes until syncAt.
	applied bool
	syncAt  time.Duration
	failed  bool // a sync failed: the store stands still
	// before is the image before the last sync; only with a planted fault.
	before *vfs.MemFS

	ledger *ledger
}

// sink is where one process takes a partition's effects, from its own BeginEpoch on.
type sink struct {
	process *process
	deliver effectSink
	from    uint64 // index; 0: not yet
}

// newDisk makes an empty file system.
func newDisk(w *World) *disk {
	return &disk{world: w, files: vfs.NewCrashableMem(), ledger: newLedger(w)}
}

// verify reads the store as `turnstone verify` does, while no process has it open, and reports all that does not agree.
func (d *disk) verify() {
	w := d.world
	report, err := pebble.Verify(pebble.Options{
		Dir: storeDir, FS: d.files, Manual: true, Clock: &processClock{w, 0}, IDs: &entropy{newRandom(w.seed, 77)},
		OnFatal: func(op, path string, err error) { w.fail("disk", "verification stops: %s %s: %v", op, path, err) },
	})
	if err != nil {
		w.fail("disk", "the store cannot be verified: %v", err)
	}
	for _, damage := range report.Damages {
		w.fail("S3", "the store does not agree with itself: %v", damage)
	}
}

// open opens the store, which recovers it, and checks what the crash left.
func (d *disk) open() error {
	w := d.world
	store, err := pebble.Open(pebble.Options{
		Dir: storeDir, FS: d.files, Partitions: w.config.partitions, Manual: true,
		Clock: &processClock{w, 0}, IDs: &entropy{newRandom(w.seed, 77)},
		OnFatal: func(op, path string, err error) {
			if !d.failed && !d.expectsFailure() {
				w.fail("disk", "the store stopped without a fault: %s %s: %v", op, path, err)
			}
			d.failed = true
			// The process goes on for a moment, as it may until it has noticed, and answers what it still can.
			w.agenda.in(w.lives.duration(0, 20*time.Millisecond), 0, "end", func() {
				if d.failed {
					w.crash("the store has stopped")
				}
			})
		},
		Tuning: pebble.Tuning{QueueMax: w.config.queueMax, ViewsMax: w.config.queueMax, Readers: 1, HeadCache: 64, MemTableBytes: 64 << 20},
	})
	if err != nil {
		return err
	}
	d.store, d.applied, d.failed = store, false, false
	n := store.Info().Partitions
	d.sinks, d.attached = make([][]*sink, n), make([]bool, n)
	return nil
}

func (d *disk) expectsFailure() bool { return d.world.faults.syncFails || d.world.faults.readFails }

// attach adds a process's sink; the store itself is attached once.
func (d *disk) attach(n persistence.Partition, p *process, deliver effectSink) {
	d.sinks[n] = append(d.sinks[n], &sink{process: p, deliver: deliver})
	if d.attached[n] {
		return
	}
	d.attached[n] = true
	d.store.Attach(n, func(e *persistence.Effects) {
		if f := d.world.planted.effects; f != nil {
			f(d.world, n, e)
		}
		for _, start := range e.Starts {
			d.ledger.instance(instanceKey{n, start.IID}, start.ID)
		}
		for _, s := range d.sinks[n] {
			if s.from != 0 && !s.process.dead {
				s.deliver(e)
			}
		}
	})
}

func (d *disk) detach(p *process) {
	for n, sinks := range d.sinks {
		kept := sinks[:0]
		for _, s := range sinks {
			if s.process != p {
				kept = append(kept, s)
			}
		}
		d.sinks[n] = kept
	}
}

// masquerade lets a twin act under the epoch of the process that it doubles, as a second activation does: its own
// BeginEpoch is refused by the journal and reported to it as a success. It also opens the process's sink, in index order.
func (d *disk) masquerade(n persistence.Partition, p *process, proposal *persistence.Proposal) {
	current := d.ledger.epoch[n]
	begin, begins := proposal.Command.(persistence.BeginEpoch)
	if begins {
		twin, done := p.twinOf != nil, proposal.Done
		if twin {
			begin.Epoch, begin.Process = current, p.twinOf.name()
			proposal.Command = begin
		}
		proposal.Done = func(r persistence.Result) {
			if twin && errors.Is(r.Err, persistence.ErrFenced) {
				r.Err, r.Previous, r.Clean = nil, current, true
			}
			if r.Err == nil {
				d.admit(n, p, r.Index)
			}
			done(r)
		}
	}
	if p.twinOf == nil || begins {
		return
	}
	if proposal.Epoch == current+1 {
		proposal.Epoch = current
	}
	if commit, ok := proposal.Command.(*persistence.CommitTurn); ok && len(commit.AcceptedResults) > 0 {
		copied := *commit
		copied.AcceptedResults = append([]persistence.AcceptedResult(nil), commit.AcceptedResults...)
		for i := range copied.AcceptedResults {
			if r := &copied.AcceptedResults[i]; r.Epoch == current+1 {
				r.Epoch = current
			}
		}
		proposal.Command = &copied
	}
}

// admit lets a process take a partition's effects from the index of its epoch on.
func (d *disk) admit(n persistence.Partition, p *process, index uint64) {
	for _, s := range d.sinks[n] {
		if s.process == p {
			s.from = index
		}
	}
}

// duplicate draws whether a command comes twice. Only commands are drawn that a retry of a sender could repeat.
func (d *disk) duplicate(c persistence.Command) bool {
	w := d.world
	if !w.faults.duplicates || w.healing {
		return false
	}
	switch c.(type) {
	case *persistence.Deliver:
		return w.lives.chance(4)
	case *persistence.CommitTurn, *persistence.CompleteWork, *persistence.OutboxAck:
		return w.lives.chance(12)
	default:
		return false
	}
}

// rejection is one in how many proposals finds the journal's queue full. A start that an orchestration makes as well is
// held up more often, so that the other one is durable before it.
func (d *disk) rejection(c persistence.Command) int {
	if start, ok := c.(*persistence.StartInstance); ok {
		if s := d.world.client.byID[start.ID]; s != nil && s.contended {
			return 2
		}
	}
	return 10
}

// step takes a step of the store and notes it.
func (d *disk) step(kind pebble.StepKind) {
	w := d.world
	w.trace.add('J', []uint64{uint64(kind)}, func() string { return fmt.Sprintf("the store takes step %d", kind) })
	if kind == pebble.StepSync && w.faults.drawSyncError() {
		d.store.FailSync(errPlantedSync)
		w.reach("sync error")
	}
	if kind == pebble.StepSync && w.planted.lateSync {
		d.before = d.files.CrashClone(vfs.CrashCloneCfg{})
	}
	d.store.Step(kind)
	switch kind {
	case pebble.StepApply:
		if !d.applied {
			d.applied = true
			d.syncAt = w.agenda.now + w.lives.duration(20*time.Microsecond, w.config.slowestSync)
			w.agenda.in(d.syncAt-w.agenda.now, 0, "disk", func() {})
		}
	case pebble.StepSync:
		d.applied = false
	}
}

var errPlantedSync = errors.New("the disk says no")

// steps is what the store could do now. A sync takes its time.
func (d *disk) steps() (steps []pebble.StepKind) {
	for _, kind := range d.store.Steps() {
		if kind == pebble.StepSync && d.world.agenda.now < d.syncAt {
			continue
		}
		steps = append(steps, kind)
	}
	return steps
}

// cut takes the image of what is durable now, and leaves the old store as a crash does.
func (d *disk) cut() {
	image := d.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	if d.before != nil {
		image, d.before = d.before, nil
	}
	if err := d.store.Drop(); err != nil {
		d.world.fail("disk", "dropping the store: %v", err)
	}
	d.files = image
}
