package locallog

import (
	"fmt"
	"sync"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Config bounds a log and connects it with its store.
type Config struct {
	// QueueMax and QueueBytes are how many proposals, and about how many bytes of them, may wait before Propose answers
	// ErrBusy.
	QueueMax, QueueBytes int
	// BatchCommands and BatchBytes close a batch.
	BatchCommands, BatchBytes int
	// Pipeline is how many batches may be on their way to the disk.
	Pipeline int
	// OnStop is called once, when all proposals are answered, with an error that wraps ErrStopped. The store must end its
	// waiting reads with it.
	OnStop func(error)
}

// Log is the log of all partitions of a store.
//
// Goroutines: any goroutine may call Propose. Only the driver applies. Only the syncer releases, until the log fails; then
// the watcher answers the remaining proposals with errors. A log that is not started has no goroutines: its owner calls
// Apply and Sync.
type Log struct {
	c      Config
	core   Core
	failed <-chan struct{} // the core's

	// wake says that the queue is not empty; slots bound the batches on their way; submitted carries them to the syncer.
	wake      chan struct{}
	slots     chan struct{}
	submitted chan *flight
	// drained is closed when the syncer has released the last batch.
	drained chan struct{}
	// spare holds released flights, to be filled again.
	spare chan *flight
	// closing is closed when Shut begins, left when Leave has ended, stopped when no proposal is answered any more.
	closing  chan struct{}
	finished chan struct{}
	stopped  chan struct{}
	running  sync.WaitGroup
	// releasing is held while results are published, so that a batch is released as a whole or fails as a whole.
	releasing sync.Mutex

	// applied are the flights that wait for Sync, in a log without goroutines.
	applied []*flight

	mu struct {
		sync.Mutex
		queue   []Entry
		queued  int       // the sum of the queue's sizes
		flights []*flight // taken and not released, oldest first
		failed  bool
		// closed is the error of new proposals; nil while the log serves.
		closed error
		cause  error
	}
}

// New makes a log over a core. It accepts proposals at once; Start starts the goroutines that apply them.
func New(core Core, c Config) *Log {
	return &Log{
		c: c, core: core, failed: core.Failed(),
		wake:      make(chan struct{}, 1),
		slots:     make(chan struct{}, c.Pipeline),
		submitted: make(chan *flight, c.Pipeline),
		drained:   make(chan struct{}),
		spare:     make(chan *flight, c.Pipeline+1),
		closing:   make(chan struct{}),
		finished:  make(chan struct{}),
		stopped:   make(chan struct{}),
	}
}

// Propose puts a command into a partition's log; see [persistence.Journal].
func (l *Log) Propose(p persistence.Partition, proposal persistence.Proposal) {
	size := sizeOf(proposal.Command)
	l.mu.Lock()
	err := l.mu.closed
	if err == nil && (len(l.mu.queue) >= l.c.QueueMax || l.mu.queued > l.c.QueueBytes) {
		err = persistence.ErrBusy
	}
	if err != nil {
		l.mu.Unlock()
		proposal.Done(persistence.Result{Err: err})
		return
	}
	l.mu.queue = append(l.mu.queue, Entry{Partition: p, size: size, Proposal: proposal})
	l.mu.queued += size
	if invariants.Enabled {
		l.verify()
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Queued returns how many proposals wait to be applied.
func (l *Log) Queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.queue)
}

// Stopped is closed when the log answers no proposal any more; Cause then returns why.
func (l *Log) Stopped() <-chan struct{} { return l.stopped }

// Cause returns why the log has stopped; nil if it has not.
func (l *Log) Cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.cause
}

// Start starts the log's goroutines.
func (l *Log) Start() {
	l.running.Add(3)
	go l.drive()
	go l.syncFlights()
	go l.watch()
}

// Refuse has new proposals end with an error, unless they already end with another.
func (l *Log) Refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed == nil {
		l.mu.closed = err
	}
}

// Shut refuses new proposals, and has the driver end when the queue is empty. It is called once.
func (l *Log) Shut() {
	l.Refuse(fmt.Errorf("%w: %w", persistence.ErrNotLeader, persistence.ErrStopped))
	close(l.closing)
}

// Drained is closed when all proposals that were in the log at Shut are released. After a failure, or without goroutines, it
// is never closed.
func (l *Log) Drained() <-chan struct{} { return l.drained }

// Finish fails the proposals that are left after Shut, and ends the watcher. It is called once.
func (l *Log) Finish(cause error) {
	l.Fail(cause)
	close(l.finished)
}

// Wait returns when all goroutines of the log have ended.
func (l *Log) Wait() { l.running.Wait() }
