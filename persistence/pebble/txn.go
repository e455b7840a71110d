package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// txn is the batch under construction and what Apply sees: the rows that it has written, then the database. All
// partitions of a store share it; only the driver uses it.
//
// The first error sticks: nothing that was read or written after it counts, and the batch is not submitted.
type txn struct {
	db    *pdb.DB
	batch *pdb.Batch
	// rows and named are the batch's rows that Apply may read again, by fixed key and by key with a string in it.
	// Values are slices of the batch; nil is a deleted row.
	rows  map[fixedKey][]byte
	named map[string][]byte
	err   error

	key   []byte
	value rowcode.Enc
	got   []byte
	stats *counters
}

// fixedKey holds any key without strings, padded with zeros. Two keys of one family have the same length, so the
// padding is never ambiguous.
type fixedKey [35]byte

func fixed(key []byte) (k fixedKey) {
	if len(key) > len(k) {
		panic(fmt.Sprintf("key of %d bytes is not of fixed length", len(key)))
	}
	copy(k[:], key)
	return k
}

func newTxn(db *pdb.DB, stats *counters) *txn {
	return &txn{db: db, rows: map[fixedKey][]byte{}, named: map[string][]byte{}, stats: stats}
}

// begin starts a new batch.
func (t *txn) begin(batch *pdb.Batch) {
	t.batch = batch
	clear(t.rows)
	clear(t.named)
}

// fresh is the empty value buffer.
func (t *txn) fresh() *rowcode.Enc {
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

// hasStringKey says whether a family's keys hold strings.
func hasStringKey(key []byte) bool {
	f := family(key[2])
	return f == famName || f == famRequest || f == famExpiry
}

func (t *txn) overlaid(key []byte) (value []byte, known bool) {
	if hasStringKey(key) {
		value, known = t.named[string(key)]
	} else {
		value, known = t.rows[fixed(key)]
	}
	return value, known
}

// get reads a row that Apply itself may have written. The value is valid until the next get.
func (t *txn) get(key []byte) (value []byte, ok bool) {
	if value, known := t.overlaid(key); known {
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

// has says whether a row exists.
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
	if hasStringKey(key) {
		t.named[string(key)] = op.Value
	} else {
		t.rows[fixed(key)] = op.Value
	}
}

// putBlind writes a row that Apply never reads.
func (t *txn) putBlind(key, value []byte) { t.fail(t.batch.Set(key, value, nil)) }

// del deletes a row that Apply may read again within the batch.
func (t *txn) del(key []byte) {
	t.fail(t.batch.Delete(key, nil))
	if hasStringKey(key) {
		t.named[string(key)] = nil
	} else {
		t.rows[fixed(key)] = nil
	}
}

// delBlind deletes a row that Apply never reads.
func (t *txn) delBlind(key []byte) { t.fail(t.batch.Delete(key, nil)) }

// rangeDeletePoints is from how many rows on a range is deleted by one range tombstone instead of points.
const rangeDeletePoints = 64

// keysUnder lists the keys of the existing rows with this prefix, in order. Only for the rows of one instance, and only
// when a counter says that there are some.
func (t *txn) keysUnder(prefix []byte) (keys [][]byte) {
	iter, err := openIter(t.db, prefix, t.stats)
	if err != nil {
		t.corrupt(prefix, err)
		return nil
	}
	for ok := iter.first(); ok; ok = iter.next() {
		if _, known := t.overlaid(iter.key()); !known {
			keys = append(keys, slices.Clone(iter.key()))
		}
	}
	if err := iter.close(); err != nil {
		t.corrupt(prefix, err)
		return nil
	}
	for k, value := range t.rows {
		if value != nil && bytes.HasPrefix(k[:], prefix) {
			keys = append(keys, slices.Clone(k[:keyLength(family(prefix[2]))]))
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys
}

// firstFrom finds the first existing row with this prefix at or after a key. Only for the rows of one instance, and only
// when a counter says that there is one.
func (t *txn) firstFrom(prefix, start []byte) (first []byte, ok bool) {
	iter, err := openIter(t.db, prefix, t.stats)
	if err != nil {
		t.corrupt(prefix, err)
		return nil, false
	}
	for more := iter.seek(start); more && first == nil; more = iter.next() {
		if value, known := t.overlaid(iter.key()); !known || value != nil {
			first = slices.Clone(iter.key())
		}
	}
	if err := iter.close(); err != nil {
		t.corrupt(prefix, err)
		return nil, false
	}
	for k, value := range t.rows {
		key := k[:keyLength(family(prefix[2]))]
		if value != nil && bytes.HasPrefix(key, prefix) && bytes.Compare(key, start) >= 0 &&
			(first == nil || bytes.Compare(key, first) < 0) {
			first = slices.Clone(key)
		}
	}
	return first, first != nil
}

// keyLength is the length of the keys of a family that keysUnder serves.
func keyLength(f family) int {
	switch f {
	case famInbox, famTopic:
		return 3 + 2*8
	case famFamily:
		return 3 + 2 + 2*8
	case famWork, famChild, famTimerOf, famOrdinal:
		return 3 + 3*8
	}
	panic(fmt.Sprintf("no instance is listed by %v", f))
}
