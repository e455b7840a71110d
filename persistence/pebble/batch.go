package pebble

import (
	"fmt"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// batch has the commands that become visible and durable together, and their results. It is reused.
type batch struct {
	rows *pdb.Batch
	// results of the commands, in the order in which they were applied.
	results []pendingResult
	// reached is the last index of each partition that the batch moved; 0 for the others.
	reached []uint64
}

// pendingResult has the result and the effects of a command until they are durable.
type pendingResult struct {
	p       persistence.Partition
	done    func(persistence.Result)
	applied persistence.Applied
}

func (c *core) newBatch() batch { return batch{reached: make([]uint64, len(c.machines))} }

// begin opens an empty batch. The batch before must be committed, or empty.
func (c *core) begin(b *batch) {
	if invariants.Enabled {
		b.verifyEmpty()
	}
	b.rows = c.db.NewBatch()
	c.txn.begin(b.rows)
}

// apply gives a proposal its index and applies it into the batch.
func (c *core) apply(b *batch, p persistence.Partition, proposal *persistence.Proposal) {
	m := c.machines[p]
	index := m.state.Applied + 1
	if invariants.Enabled {
		b.verify(c, m, index)
	}
	b.results = append(b.results, pendingResult{p: p, done: proposal.Done, applied: m.Apply(index, *proposal)})
	b.reached[p] = index
	c.stats.commands.Add(1)
	if refusal, ok := b.results[len(b.results)-1].applied.Result.Err.(*persistence.Refusal); ok {
		c.stats.refused[refusal.Code].Add(1)
	}
}

// commit writes the batch into Pebble: reads see it from now on, and it is durable once it is synced. It returns false if the
// core has failed.
func (c *core) commit(b *batch) bool {
	for p, index := range b.reached {
		if index > 0 {
			c.machines[p].flush()
		}
	}
	if c.txn.err != nil {
		c.latch.trip("apply", c.dbDir, c.txn.err)
		return false
	}
	c.stats.batches.Add(1)
	if c.o.Manual {
		if err := c.db.Apply(b.rows, pdb.NoSync); err != nil {
			c.latch.trip("commit", c.dbDir, err)
			return false
		}
	} else if err := c.db.ApplyNoSyncWait(b.rows, pdb.Sync); err != nil {
		c.latch.trip("commit", c.dbDir, err)
		return false
	}
	return c.latch.clear()
}

// sync waits until a committed batch is durable. It returns false if the core has failed.
func (c *core) sync(b *batch) bool {
	if err := b.rows.SyncWait(); err != nil {
		c.latch.trip("sync", c.dbDir, err)
		return false
	}
	c.stats.syncs.Add(1)
	return true
}

// syncAll makes all committed batches of a manually driven store durable. It returns false if the core has failed.
func (c *core) syncAll() bool {
	err := c.faults.sync
	if err == nil {
		err = c.db.LogData(nil, pdb.Sync)
	} else {
		c.latch.simulated.Store(true)
	}
	if err != nil {
		c.latch.trip("sync", c.dbDir, err)
		return false
	}
	c.stats.syncs.Add(1)
	c.unwitnessed = true
	return true
}

// release calls the sinks and callbacks of a durable batch: effects before results, in index order, then the waiting reads.
// The caller has checked that the latch is clear.
func (c *core) release(b *batch) {
	c.durable.raise(b.reached)
	for i := range b.results {
		r := &b.results[i]
		if sink := c.sinks[r.p]; sink != nil && r.applied.Effects != nil {
			(*sink)(r.applied.Effects)
		}
		r.done(r.applied.Result)
	}
	c.durable.wake()
}

// end closes a batch that was released, or that is empty. It returns false if the core has failed.
func (c *core) end(b *batch) bool {
	if err := b.rows.Close(); err != nil {
		c.latch.trip("commit", c.dbDir, fmt.Errorf("close batch: %w", err))
		return false
	}
	clear(b.results)
	clear(b.reached)
	b.rows, b.results = nil, b.results[:0]
	return true
}
