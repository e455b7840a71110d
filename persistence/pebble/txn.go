package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// txn is the batch under construction. Apply reads through it: the rows of the batch first, then the database. All partitions
// of a store share it; only the goroutine that applies uses it.
//
// After the first error all reads and writes are void, and the batch is not submitted.
type txn struct {
	db    *pdb.DB
	batch *pdb.Batch
	// written is the rows of the batch that Apply may read again.
	written overlay
	err     error

	key   []byte
	value rowcode.Enc
	got   []byte
	stats *counters
}

func newTxn(db *pdb.DB, stats *counters) *txn {
	return &txn{db: db, written: newOverlay(), stats: stats}
}

// begin starts a new batch.
func (t *txn) begin(batch *pdb.Batch) {
	t.batch = batch
	t.written.reset()
}

// newValue returns the value buffer, empty.
func (t *txn) newValue() *rowcode.Enc {
	t.value = t.value[:0]
	return &t.value
}

func (t *txn) fail(err error) {
	if t.err == nil && err != nil {
		t.err = err
	}
}

// corrupt fails with the name of a row that cannot be read.
func (t *txn) corrupt(key []byte, err error) { t.fail(corruptRow(key, err)) }

func corruptRow(key []byte, err error) error {
	return fmt.Errorf("%w: %s: %w", persistence.ErrCorrupt, keyString(key), err)
}

// get reads a row that Apply itself may have written. The value is valid until the next get.
func (t *txn) get(key []byte) (value []byte, ok bool) {
	if value, known := t.written.get(key); known {
		return value, value != nil
	}
	return t.stored(key)
}

// stored reads a row from the database alone.
func (t *txn) stored(key []byte) ([]byte, bool) {
	t.stats.gets.Add(1)
	value, closer, err := t.db.Get(key)
	if err != nil {
		if !errors.Is(err, pdb.ErrNotFound) {
			t.corrupt(key, err)
		}
		return nil, false
	}
	t.got = append(t.got[:0], value...)
	if err := closer.Close(); err != nil {
		t.corrupt(key, err)
		return nil, false
	}
	return t.got, true
}

// has reports whether a row exists.
func (t *txn) has(key []byte) bool {
	_, ok := t.get(key)
	return ok
}

// put writes a row that Apply may read again within the batch.
func (t *txn) put(key, value []byte) {
	op := t.batch.SetDeferred(len(key), len(value))
	copy(op.Key, key)
	copy(op.Value, value)
	if err := op.Finish(); err != nil {
		t.fail(err)
		return
	}
	t.written.put(key, op.Value)
}

// putBlind writes a row that Apply never reads.
func (t *txn) putBlind(key, value []byte) {
	if invariants.Enabled {
		t.verifyBlind(key)
	}
	t.fail(t.batch.Set(key, value, nil))
}

// del deletes a row that Apply may read again within the batch.
func (t *txn) del(key []byte) {
	t.fail(t.batch.Delete(key, nil))
	t.written.put(key, nil)
}

// delBlind deletes a row that Apply never reads.
func (t *txn) delBlind(key []byte) {
	if invariants.Enabled {
		t.verifyBlind(key)
	}
	t.fail(t.batch.Delete(key, nil))
}

// rangeDeletePoints is the number of rows from which one range tombstone deletes them, instead of one tombstone for each.
const rangeDeletePoints = 64

// keysUnder lists the keys of the existing rows with this prefix, in order. Call it only for the rows of one instance, and
// only when a counter is above 0.
func (t *txn) keysUnder(prefix []byte) (keys [][]byte) { return t.firstUnder(prefix, math.MaxInt) }

// firstUnder is keysUnder for the first few rows: at most so many.
func (t *txn) firstUnder(prefix []byte, most int) (keys [][]byte) {
	iter, err := openIter(t.db, prefix, t.stats)
	if err != nil {
		t.corrupt(prefix, err)
		return nil
	}
	for ok := iter.first(); ok && len(keys) < most; ok = iter.next() {
		if _, known := t.written.get(iter.key()); !known {
			keys = append(keys, slices.Clone(iter.key()))
		}
	}
	if err := iter.close(); err != nil {
		t.corrupt(prefix, err)
		return nil
	}
	t.written.each(prefix, func(key []byte) { keys = append(keys, key) })
	slices.SortFunc(keys, bytes.Compare)
	return keys[:min(len(keys), most)]
}

// firstFrom finds the first existing row with this prefix at or after a key. Call it only for the rows of one instance, and
// only when a counter is above 0.
func (t *txn) firstFrom(prefix, start []byte) (first []byte, ok bool) {
	iter, err := openIter(t.db, prefix, t.stats)
	if err != nil {
		t.corrupt(prefix, err)
		return nil, false
	}
	for more := iter.seek(start); more && first == nil; more = iter.next() {
		if value, known := t.written.get(iter.key()); !known || value != nil {
			first = slices.Clone(iter.key())
		}
	}
	if err := iter.close(); err != nil {
		t.corrupt(prefix, err)
		return nil, false
	}
	t.written.each(prefix, func(key []byte) {
		if bytes.Compare(key, start) >= 0 && (first == nil || bytes.Compare(key, first) < 0) {
			first = key
		}
	})
	return first, first != nil
}
