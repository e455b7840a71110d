package persistencetest

import (
	"fmt"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Disk is what outlives a [Memory] journal: for each partition, the proposals that were synced, in order. It stands
// for the files of a real store.
type Disk struct {
	partitions int
	logs       [][]persistence.Proposal
}

// NewDisk is an empty store of so many partitions.
func NewDisk(partitions int) *Disk {
	return &Disk{partitions: partitions, logs: make([][]persistence.Proposal, partitions)}
}

// Memory is a journal of models. A proposal is applied at once and becomes durable at the next Settle, as in a store
// whose sync takes as long as it likes. All methods are safe for concurrent use. It needs no goroutine of its own:
// callbacks run on whichever goroutine settles or stops it.
type Memory struct {
	disk   *Disk
	faults Faults

	mu       sync.Mutex
	models   []*Model
	machines []persistence.Machine
	sinks    []func(*persistence.Effects)
	waiting  [][]waiter
	unsynced [][]persistence.Proposal
	calls    []func()
	calling  bool
	stopped  chan struct{}
	cause    error
}

// waiter is something that is released when an index is durable.
type waiter struct {
	index   uint64
	release func()
	fail    func(error)
}

// Faults are ways to be wrong, for the test of the kit itself.
type Faults struct {
	// Machine, if set, is put around each partition's model.
	Machine func(*Model) persistence.Machine
	// EarlyAck answers proposals before they are durable; EarlyView answers reads before what they show is.
	EarlyAck  bool
	EarlyView bool
}

var _ persistence.Journal = (*Memory)(nil)

// OpenMemory opens what the disk holds.
func OpenMemory(d *Disk, faults Faults) *Memory {
	m := &Memory{
		disk: d, faults: faults, stopped: make(chan struct{}),
		sinks: make([]func(*persistence.Effects), d.partitions), waiting: make([][]waiter, d.partitions),
		unsynced: make([][]persistence.Proposal, d.partitions),
	}
	for i := range d.partitions {
		model := NewModel(persistence.Partition(i), d.partitions, m.PartitionOf)
		var machine persistence.Machine = model
		if faults.Machine != nil {
			machine = faults.Machine(model)
		}
		m.models, m.machines = append(m.models, model), append(m.machines, machine)
		for n, p := range d.logs[i] {
			machine.Apply(uint64(n)+1, p)
		}
	}
	return m
}

// Info implements [persistence.Journal].
func (m *Memory) Info() persistence.StoreInfo {
	return persistence.StoreInfo{ID: "memory", Format: "memory", Partitions: m.disk.partitions}
}

// PartitionOf implements [persistence.Journal].
func (m *Memory) PartitionOf(id string) persistence.Partition {
	return persistence.Partition(persistence.Slot(id) % m.disk.partitions)
}

// Attach implements [persistence.Journal].
func (m *Memory) Attach(p persistence.Partition, sink func(*persistence.Effects)) { m.sinks[p] = sink }

// Propose implements [persistence.Journal].
func (m *Memory) Propose(p persistence.Partition, proposal persistence.Proposal) {
	m.mu.Lock()
	if m.cause != nil {
		m.mu.Unlock()
		proposal.Done(persistence.Result{Err: fmt.Errorf("%w: %w", persistence.ErrUncertain, m.cause)})
		return
	}
	m.unsynced[p] = append(m.unsynced[p], proposal)
	index := uint64(len(m.disk.logs[p]) + len(m.unsynced[p]))
	applied := m.machines[p].Apply(index, proposal)
	release := func() {
		if applied.Effects != nil && m.sinks[p] != nil {
			m.sinks[p](applied.Effects)
		}
		proposal.Done(applied.Result)
	}
	if m.faults.EarlyAck {
		m.calls = append(m.calls, release)
	} else {
		m.waiting[p] = append(m.waiting[p], waiter{index, release, func(err error) {
			proposal.Done(persistence.Result{Err: fmt.Errorf("%w: %w", persistence.ErrUncertain, err)})
		}})
	}
	m.mu.Unlock()
	m.call()
}

// View implements [persistence.Journal].
func (m *Memory) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	m.read(p, read, done, !m.faults.EarlyView)
}

// Load implements [persistence.Journal].
func (m *Memory) Load(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	m.read(p, read, done, false)
}

func (m *Memory) read(p persistence.Partition, read func(persistence.Reader) error, done func(error), wait bool) {
	m.mu.Lock()
	if m.cause != nil {
		m.mu.Unlock()
		done(fmt.Errorf("%w: %w", persistence.ErrStopped, m.cause))
		return
	}
	err := read(m.models[p])
	release := func() { done(err) }
	if wait && len(m.unsynced[p]) > 0 {
		m.waiting[p] = append(m.waiting[p], waiter{m.models[p].state.Applied, release, done})
	} else {
		m.calls = append(m.calls, release)
	}
	m.mu.Unlock()
	m.call()
}

// MayExist implements [persistence.Journal].
func (m *Memory) MayExist(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.models[m.PartitionOf(id)].names[id]
	return ok
}

// Stopped implements [persistence.Journal].
func (m *Memory) Stopped() <-chan struct{} { return m.stopped }

// Cause implements [persistence.Journal].
func (m *Memory) Cause() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cause
}

// Close implements [persistence.Journal].
func (m *Memory) Close() error {
	m.Settle()
	m.Stop(fmt.Errorf("%w: closed", persistence.ErrStopped))
	return nil
}

// Settle makes everything that was applied durable and lets out what waited for it.
func (m *Memory) Settle() {
	m.mu.Lock()
	if m.cause == nil {
		for p := range m.unsynced {
			m.disk.logs[p] = append(m.disk.logs[p], m.unsynced[p]...)
			m.unsynced[p] = nil
			for _, w := range m.waiting[p] {
				m.calls = append(m.calls, w.release)
			}
			m.waiting[p] = nil
		}
	}
	m.mu.Unlock()
	m.call()
}

// Stop ends the journal as a failed sync would: what is not durable is unknown. The first cause stays.
func (m *Memory) Stop(cause error) {
	m.mu.Lock()
	if m.cause == nil {
		m.cause = cause
		close(m.stopped)
		for p := range m.waiting {
			for _, w := range m.waiting[p] {
				m.calls = append(m.calls, func() { w.fail(fmt.Errorf("%w: %w", persistence.ErrStopped, cause)) })
			}
			m.waiting[p] = nil
		}
	}
	m.mu.Unlock()
	m.call()
}

// call runs callbacks one at a time and in order, outside the lock, so that they may propose again.
func (m *Memory) call() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calling {
		return
	}
	m.calling = true
	for len(m.calls) > 0 {
		next := m.calls[0]
		m.calls = m.calls[1:]
		m.mu.Unlock()
		next()
		m.mu.Lock()
	}
	m.calling = false
}

// Dump is a partition's state, durable or not.
func (m *Memory) Dump(p persistence.Partition) (*persistence.Dump, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.models[p].Dump(), nil
}
