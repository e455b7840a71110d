package pebble

import (
	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// verifyMax is how many rows or heads are looked at; what is larger is left alone.
const verifyMax = 1000

// verify checks that a batch is the one that is written, and that its partitions go on index by index. It is called
// before index is applied.
func (b *batch) verify(c *core, m *machine, index uint64) {
	invariants.Check(b.rows == c.txn.batch, "a command is applied into a batch that is not the open one")
	reached := b.reached[m.p]
	invariants.Check(reached == 0 || index == reached+1, "partition %d: index %d follows %d", m.p, index, reached)
}

// verifyEmpty checks that a batch which is begun was ended.
func (b *batch) verifyEmpty() {
	invariants.Check(b.rows == nil && len(b.results) == 0, "a batch is begun again with %d results", len(b.results))
	for p, index := range b.reached {
		invariants.Check(index == 0, "a batch is begun that reached index %d of partition %d", index, p)
	}
}

// verifyBlind checks that a row which Apply never reads is not among those that it may read again, which would hide it.
func (t *txn) verifyBlind(key []byte) {
	if !hasStringKey(key) && len(key) > len(fixedKey{}) {
		return // no row that Apply reads has such a key
	}
	_, known := t.written.get(key)
	invariants.Check(!known, "%s is written blindly, and the batch may read it", keyString(key))
}

func (o *overlay) verify() {
	if len(o.named)+len(o.rows) > verifyMax {
		return
	}
	for key := range o.named {
		invariants.Check(hasStringKey([]byte(key)), "a row of %v is kept by name", family(key[2]))
	}
	for key := range o.rows {
		invariants.Check(!hasStringKey(key[:]), "a row of %v is kept by number", family(key[2]))
	}
}

// verify checks what a machine has in memory against what the batch has made of it: before the heads are written.
func (m *machine) verify() {
	for i, h := range m.dirty {
		invariants.Check(h.dirty && (i == 0 || m.dirty[i-1] != h), "head %d is to be written, dirty %t", h.IID, h.dirty)
		invariants.Check(h.deleted == (m.heads.rows[h.IID] != h), "head %d is in memory: %t, deleted: %t", h.IID, !h.deleted, h.deleted)
	}
	if len(m.heads.rows) <= verifyMax {
		m.heads.verify()
		for iid := range m.heads.rows {
			value, known := m.t.written.get(appendInstance(nil, m.p, famHead, iid))
			invariants.Check(!known || value != nil, "head %d is deleted, and in memory", iid)
		}
	}
	if len(m.works.rows) <= verifyMax {
		for key := range m.works.rows {
			value, known := m.t.written.get(appendEvent(nil, m.p, famWork, key))
			invariants.Check(!known || value != nil, "work %v is deleted, and in memory", key)
		}
	}
}

// verify checks that the list of heads is that of the map.
func (c *headCache) verify() {
	n := 0
	for h := c.ends.newer; h != &c.ends; h = h.newer {
		n++
		invariants.Check(n <= len(c.rows) && c.rows[h.IID] == h && h.newer.older == h && h.older.newer == h, "head %d is out of the order of use", h.IID)
	}
	invariants.Check(n == len(c.rows), "%d heads are in the order of use, %d in memory", n, len(c.rows))
}

// verifyTrimmed checks what is left between two batches.
func (c *headCache) verifyTrimmed() {
	invariants.Check(len(c.rows) <= c.max, "%d heads are in memory, the most is %d", len(c.rows), c.max)
	if len(c.rows) > verifyMax {
		return
	}
	for iid, h := range c.rows {
		invariants.Check(!h.dirty && !h.deleted, "head %d is dirty %t, deleted %t between two batches", iid, h.dirty, h.deleted)
	}
}

// verifyRise checks that a release moves each of its partitions on. The caller holds d.mu.
func (d *durableIndexes) verifyRise(reached []uint64) {
	for p, index := range reached {
		invariants.Check(index == 0 || index > d.index[p], "partition %d is durable up to %d, and again up to %d", p, d.index[p], index)
	}
}

// verifyVisible checks that a snapshot shows what was durable before it was made.
func (r *reader) verifyVisible(durable uint64) {
	invariants.Check(r.state.Applied >= durable, "partition %d is durable up to %d, and read at %d", r.p, durable, r.state.Applied)
}

// verifyAfter checks that a witness takes back nothing that the last one said: nil or its bytes.
func (w *witness) verifyAfter(last []byte) {
	if last == nil {
		return
	}
	old, err := decodeWitness(last)
	invariants.Check(err == nil && len(old.durable) == len(w.durable), "the last witness does not decode: %v", err)
	for p, index := range old.durable {
		invariants.Check(index <= w.durable[p], "the witness says %d of partition %d, and said %d", w.durable[p], p, index)
	}
	for _, was := range old.logs {
		for _, is := range w.logs {
			invariants.Check(was.name != is.name || was.synced <= is.synced, "the witness says %d bytes of %s, and said %d", is.synced, is.name, was.synced)
		}
	}
}

// verifySynced checks a log that this process writes: no more of it is synced than was written.
func (f *logFile) verifySynced(base string, synced int64) {
	written := f.written.Load()
	invariants.Check(written == 0 || synced <= written, "%d bytes of %s are synced, %d were written", synced, base, written)
}
