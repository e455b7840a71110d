//go:build invariants

package pebble

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestAWrongCoreIsFound breaks what a core promises in the middle of a batch, one at a time.
func TestAWrongCoreIsFound(t *testing.T) {
	inbox := appendInbox(nil, 0, 7, 1)
	for what, spoil := range map[string]func(c *core, b *batch, m *machine){
		"nothing":                          nil,
		"another batch":                    func(c *core, _ *batch, _ *machine) { c.txn.batch = nil },
		"an index that is left out":        func(_ *core, b *batch, _ *machine) { b.reached[0] += 2 },
		"a batch that is begun twice":      func(c *core, b *batch, _ *machine) { b.verifyEmpty() },
		"a row that is hidden":             func(c *core, _ *batch, _ *machine) { c.txn.put(inbox, nil); c.txn.delBlind(inbox) },
		"a row by the wrong map":           func(c *core, _ *batch, _ *machine) { c.txn.written.named[string(inbox)] = nil },
		"a string in the wrong map":        func(c *core, _ *batch, _ *machine) { c.txn.written.rows[fixed(appendName(nil, 0, "a"))] = nil },
		"a head that is not dirty":         func(_ *core, _ *batch, m *machine) { m.dirty[0].dirty = false },
		"a head that is written twice":     func(_ *core, _ *batch, m *machine) { m.dirty = append(m.dirty, m.dirty[0]) },
		"a dirty head that was dropped":    func(_ *core, _ *batch, m *machine) { m.heads.remove(m.dirty[0]) },
		"a head out of the order of use":   func(_ *core, _ *batch, m *machine) { m.heads.unlink(m.dirty[0]) },
		"a deleted head in memory":         func(c *core, _ *batch, m *machine) { c.txn.del(appendInstance(nil, 0, famHead, m.dirty[0].IID)) },
		"a dirty head between two batches": func(_ *core, _ *batch, m *machine) { m.heads.verifyTrimmed() },
		"a head too many": func(_ *core, _ *batch, m *machine) {
			m.dirty[0].dirty = false
			m.heads.max = 0
			m.heads.verifyTrimmed()
		},
		"an index that is durable twice":     func(c *core, b *batch, _ *machine) { c.durable.raise(b.reached); c.durable.raise(b.reached) },
		"what is durable and not to be seen": func(*core, *batch, *machine) { (&reader{state: &partitionRow{}}).verifyVisible(1) },
		"deleted work in memory": func(c *core, _ *batch, m *machine) {
			for key := range m.works.rows {
				c.txn.del(appendEvent(nil, 0, famWork, key))
			}
		},
		"a witness that takes back an index": func(*core, *batch, *machine) {
			(&witness{durable: []uint64{1}}).verifyAfter((&witness{durable: []uint64{2}}).encode())
		},
		"a witness that takes back a log": func(*core, *batch, *machine) {
			was := witness{logs: []witnessLog{{"1.log", 2}}}
			(&witness{logs: []witnessLog{{"1.log", 1}}}).verifyAfter(was.encode())
		},
		"a log that is synced and not written": func(*core, *batch, *machine) {
			logs := newLogTable()
			f := logs.create("1.log")
			f.written.Store(1)
			f.raise(2)
			logs.live()
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, Options{Partitions: 1})
			r.begin()
			c := r.s.core
			m, b := c.machines[0], c.newBatch()
			c.begin(&b)
			c.apply(&b, 0, &persistence.Proposal{TimeMs: r.now, Epoch: r.epoch, Command: fusedStart("a")})
			if len(m.dirty) != 1 || len(m.works.rows) != 1 {
				t.Fatalf("%d heads, %d work rows", len(m.dirty), len(m.works.rows))
			}
			defer func() {
				if r := recover(); (r != nil) != (spoil != nil) {
					t.Errorf("the check says %v", r)
				}
			}()
			if spoil != nil {
				spoil(c, &b, m)
			}
			b.verify(c, m, m.state.Applied+1)
			c.txn.written.verify()
			m.verify()
		})
	}
}
