package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// Node is a store that is open, and the engine that runs on it. It is safe for concurrent use.
type Node struct {
	cfg    Config
	id     string
	store  *pebble.Store
	engine *actors.Engine
	client *client.Client
	detach func()

	end sync.Once
	err error
}

// Open opens the store, creates it if there is none, and starts running what is pending in it. It returns when the
// node serves. When ctx ends first, what was opened is closed again.
//
// Open waits about 2 s for a store that another process has open, since a killed process takes a moment to end. Then, or
// when ctx ends, the error wraps [ErrInUse]. A store that this process has open is refused at once.
//
// A wrong Config is refused with turnstone.ErrInvalidInput, and a wrong directory with [ErrNotStore], [ErrNotWritable],
// [ErrFormat], [ErrPartitions], [ErrCodec], [ErrBelowWitness] or [ErrUnfinished]. A disk that fails is [ErrFailed]: see [Node.Err].
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg = cfg.resolved()
	store, err := pebble.OpenContext(ctx, pebble.Options{
		Dir: cfg.Dir, Partitions: cfg.Partitions, Codec: cfg.codec().Name(),
		Log: func(format string, args ...any) {
			cfg.Logger.Info(fmt.Sprintf(format, args...), logkey.Target, logkey.TargetStore)
		},
		OnFatal: func(op, path string, err error) {
			cfg.Logger.Error("the store has failed; the node stops", logkey.Target, logkey.TargetStore,
				logkey.Operation, op, logkey.Path, path, logkey.Error, err)
		},
		Tuning: pebble.Tuning{
			MemTableBytes: uint64(cfg.MemTableBytes), LogAheadBytes: cfg.LogAheadBytes, BlockCacheBytes: cfg.CacheBytes,
		},
	})
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, store: store}
	if n.id, err = identity(cfg.Dir, cfg.NodeID, ids.Real); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := n.run(ctx); err != nil {
		n.Kill()
		return nil, err
	}
	return n, nil
}

func (n *Node) run(ctx context.Context) error {
	ready := make(chan error, 1)
	n.engine = actors.Start(n.engineConfig(), func(err error) { ready <- err })
	port := localport.New(requests{n.engine}, n.store, localport.Options{Limits: n.cfg.Limits, MaxAttempts: n.cfg.MaxAttempts})
	n.client = client.New(port, n.cfg.codec())
	if n.cfg.Registry != nil {
		detach, err := n.Attach(Runtime{
			ID: "main", Registry: n.cfg.Registry, TurnSlots: n.cfg.TurnSlots, ActivitySlots: n.cfg.ActivitySlots, Engines: n.cfg.Engines,
		})
		if err != nil {
			return err
		}
		n.detach = detach
	}
	select {
	case err := <-ready:
		if err != nil {
			return fmt.Errorf("node: start the engine on %s: %w", n.cfg.Dir, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.store.Stopped():
		return fmt.Errorf("node: %w: the store %s: %w", turnstone.ErrStopped, n.cfg.Dir, n.store.Cause())
	}
}

func (n *Node) engineConfig() actors.Config {
	c := n.cfg
	return actors.Config{
		Journal: n.store, Node: n.id, Process: ids.Hex(ids.Real), Logger: c.Logger, Limits: c.Limits,
		MaxAttempts: c.MaxAttempts, BackoffBase: c.BackoffBase, BackoffMax: c.BackoffMax,
		TurnLease: c.TurnLease, TurnLeaseBuffer: c.TurnLeaseBuffer,
		WorkLease: c.WorkLease, WorkLeaseBuffer: c.WorkLeaseBuffer,
		WatchdogWarn: c.WatchdogWarn, WatchdogAbandon: c.WatchdogAbandon,
		Build: c.Build, FailOnNondeterminism: c.FailOnNondeterminism,
		Grace: c.Grace, Drain: c.Drain, ResidentBytes: c.ResidentBytes, InstancesMax: c.InstancesMax,
		MemoryBytes: c.MemoryBytes,
	}
}

// Runtime is a set of handlers with slots of its own. A node has one from its Config; more may be attached, with
// different handlers. An instance stays with its runtime while it is in memory.
type Runtime struct {
	// ID is unique among the runtimes of the node; 256 bytes at most.
	ID string
	// Registry is what it runs. Its handlers log to the node's Config.Logger unless it has a logger of its own.
	Registry *turnstone.Registry
	// TurnSlots and ActivitySlots are how many turns and activities of this runtime run at once. 0 means 2; negative means none.
	TurnSlots     int
	ActivitySlots int
	// Engines are the engine versions whose executions it may go on with, as in Config.Engines.
	Engines []EngineRange
}

// Attach adds a runtime. detach removes it: it gets no new work, and its activities are told to stop. err wraps
// turnstone.ErrInvalidInput if the runtime has no ID, an ID that is attached already, no Registry, one with another codec
// than the node's (see Config.Codec), or Engines without [EngineVersion]. It wraps turnstone.ErrStopped if the node no longer serves.
func (n *Node) Attach(r Runtime) (detach func(), err error) {
	if len(r.ID) > runtimeIDBytesMax {
		return nil, invalid("Runtime.ID: %w", limits.CheckID("runtime ID", r.ID, runtimeIDBytesMax, ""))
	}
	if r.Registry == nil {
		return nil, invalid("runtime %q has no Runtime.Registry", r.ID)
	}
	if r.ID == "" {
		return nil, invalid("Runtime.ID is empty; name the runtime")
	}
	if err := n.cfg.validateCodec(r.ID, r.Registry); err != nil {
		return nil, err
	}
	replayed, err := enginesOf(fmt.Sprintf("Runtime.Engines of runtime %q", r.ID), r.Engines)
	if err != nil {
		return nil, err
	}
	detach, err = n.engine.Attach(consumer.Consumer{
		ID: r.ID, Handlers: handlers{registries.LoggingTo(r.Registry, n.cfg.Logger), replayed}, EngineVersion: EngineVersion,
		TurnSlots: slots(r.TurnSlots), ActivitySlots: slots(r.ActivitySlots), FailOnNondeterminism: registries.FailsOnNondeterminism(r.Registry),
		Base: client.NewContext(context.Background(), n.client),
	})
	switch {
	case errors.Is(err, persistence.ErrStopped):
		return nil, fmt.Errorf("node: %w: %w", turnstone.ErrStopped, err)
	case err != nil:
		return nil, invalid("%w", err)
	}
	level := slog.LevelDebug
	if len(r.Engines) > 0 {
		level = slog.LevelInfo
	}
	n.cfg.Logger.Log(context.Background(), level, "a runtime is attached", logkey.Target, logkey.TargetRuntime, logkey.Worker, r.ID, logkey.Engines, replayed.String())
	return detach, nil
}

// ID is the node's id.
func (n *Node) ID() string { return n.id }

// Client returns the client of this node, with its codec: see Config.Codec. It ends with the node.
func (n *Node) Client() *client.Client { return n.client }

// Stopped is closed when the node has stopped serving: by a shutdown, or because the store has failed; see [Node.Err].
func (n *Node) Stopped() <-chan struct{} { return n.store.Stopped() }

// Err is nil while the node serves, and after a shutdown. When a write or a read of the store has failed, as on a full
// disk, it is that failure: it wraps [ErrFailed], and [FailureOf] returns the operation and the path.
//
// A node whose store has failed answers every request with turnstone.ErrStopped or, if the request was under way,
// turnstone.ErrUncertain; both wrap the failure. The process goes on. Call Shutdown, which returns the failure, too. The
// failed write may be on the disk or not, so the directory stays locked until the process ends: to go on, repair the disk,
// end this process, and start another one.
func (n *Node) Err() error {
	if cause := n.store.Cause(); errors.Is(cause, ErrFailed) {
		return fmt.Errorf("node: %w", cause)
	}
	return nil
}

// Backup writes a copy of the store, as it is at one moment, into a directory, while the node runs. The directory must be
// empty or missing, and neither in the store's directory nor around it; [ErrNotEmpty] otherwise. The copy has all that was
// acknowledged before the call. The whole copy is verified before Backup returns nil; that takes as long as [Verify] of it.
// When the backup fails or ctx ends, it removes all that it made, and the node goes on. After a crash in the middle the
// directory is refused with [ErrUnfinished].
//
// A backup is a clone: a store of its own, with the same store id and a new node id. Its activities, timers and retries go on
// from the state of the copy, with the same idempotency keys. Run the backup or the original, not both, unless external
// systems may see every effect twice. Tables are linked if the directory is on the same file system; put a backup on another
// disk to be safe from the loss of one.
func (n *Node) Backup(ctx context.Context, dir string) error {
	if dir == "" {
		return errNoDirectory
	}
	return stoppedStore(n.store.Backup(ctx, dir))
}

// Shutdown ends the node. No new code starts, activities are told to stop and waited for until Config.Drain has passed, and
// running turns are waited for. Then the epochs are ended cleanly, and the store is closed. Unfinished work is resumed at the
// next start. A second call waits for the first and returns the same.
//
// A turn whose code blocks is waited for until it is given up, Config.WatchdogAbandon (5 s) after it began. No wait is
// longer than Drain and 5 s more, or than ctx: then the store is closed, and code that still runs can record nothing any
// more. If the engine has not stopped 1 s after that, Shutdown returns an error that says so. With a negative Drain the store
// is closed at once. Code that was given up or has not returned keeps its goroutine until it returns.
func (n *Node) Shutdown(ctx context.Context) error {
	n.end.Do(func() { n.err = n.shutdown(ctx) })
	return n.err
}

func (n *Node) shutdown(ctx context.Context) error {
	if n.cfg.Drain < 0 {
		return n.abort()
	}
	stopped := n.stopEngine()
	limit := time.NewTimer(min(n.cfg.Drain, math.MaxInt64-drainSlack) + drainSlack)
	defer limit.Stop()
	select {
	case err := <-stopped:
		return errors.Join(err, n.store.Close())
	case <-n.store.Stopped():
	case <-ctx.Done():
	case <-limit.C:
	}
	err := n.store.Close() // code that still runs can record nothing any more
	return errors.Join(err, n.await(stopped))
}

// drainSlack is the time beyond its drain that a shutdown has to make decided turns durable and to end the epochs. After it
// the shutdown goes on without waiting.
const drainSlack = 5 * time.Second

// closeSlack is how long code may still run after the store was closed before it counts as leaked.
const closeSlack = time.Second

func (n *Node) stopEngine() <-chan error {
	stopped := make(chan error, 1)
	n.engine.Stop(func(err error) { stopped <- err })
	return stopped
}

// abort closes the store under the engine.
func (n *Node) abort() error {
	err := n.store.Close()
	if n.engine == nil {
		return err
	}
	return errors.Join(err, n.await(n.stopEngine()))
}

// await waits for the engine after the store was closed. It ignores the engine's errors, which only say that.
func (n *Node) await(stopped <-chan error) error {
	limit := time.NewTimer(closeSlack)
	defer limit.Stop()
	select {
	case <-stopped:
		return nil
	case <-limit.C:
		return fmt.Errorf("node: code is still running %v after the store was closed; its goroutines are leaked", closeSlack)
	}
}

// Kill ends the node as a crash would: nothing is drained and no epoch is ended, so the next start is in careful mode. It is
// for tests of recovery.
func (n *Node) Kill() {
	n.end.Do(func() {
		_ = n.abort()
		n.err = fmt.Errorf("node: it was killed: %w", turnstone.ErrStopped)
	})
}
