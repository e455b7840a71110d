package pebble

import (
	"bytes"
	"fmt"
)

// overlay has the rows that the batch under construction has put or deleted and that Apply may read again. They hide the
// rows of the database.
type overlay struct {
	// rows is by fixed key; named is by the other keys. Values are slices of the batch; nil is a deleted row.
	rows  map[fixedKey][]byte
	named map[string][]byte
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

func newOverlay() overlay {
	return overlay{rows: map[fixedKey][]byte{}, named: map[string][]byte{}}
}

// reset empties the overlay for a new batch.
func (o *overlay) reset() {
	clear(o.rows)
	clear(o.named)
}

// hasStringKey reports whether the keys of a key's family are kept as strings: because they contain some, or are longer than
// a fixed key.
func hasStringKey(key []byte) bool {
	f := family(key[2])
	return f == famName || f == famRequest || f == famExpiry || f == famKV || f == famWatcher
}

// get returns the row's value in the batch, which is nil if the batch deleted it. known is false if the batch has not
// written the row.
func (o *overlay) get(key []byte) (value []byte, known bool) {
	if hasStringKey(key) {
		value, known = o.named[string(key)]
	} else {
		value, known = o.rows[fixed(key)]
	}
	return value, known
}

// put sets a row's value; nil deletes it.
func (o *overlay) put(key, value []byte) {
	if hasStringKey(key) {
		o.named[string(key)] = value
	} else {
		o.rows[fixed(key)] = value
	}
}

// each calls yield with the keys of the existing rows with this prefix, in no order.
func (o *overlay) each(prefix []byte, yield func(key []byte)) {
	if hasStringKey(prefix) {
		for k, value := range o.named {
			if key := []byte(k); value != nil && bytes.HasPrefix(key, prefix) {
				yield(key)
			}
		}
		return
	}
	for k, value := range o.rows {
		if value != nil && bytes.HasPrefix(k[:], prefix) {
			yield(bytes.Clone(k[:keyLength(family(prefix[2]))]))
		}
	}
}

// keyLength returns the length of the keys of a family whose rows each lists.
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
