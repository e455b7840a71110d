package pebble

import (
	"bytes"
	"fmt"
)

// overlay is the rows that the batch under construction has put or deleted and that Apply may read again. What it knows
// hides what the database holds.
type overlay struct {
	// rows are by fixed key, named by key with a string in it. Values are slices of the batch; nil is a deleted row.
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

// reset forgets everything, for a new batch.
func (o *overlay) reset() {
	clear(o.rows)
	clear(o.named)
}

// hasStringKey says whether a family's keys hold strings.
func hasStringKey(key []byte) bool {
	f := family(key[2])
	return f == famName || f == famRequest || f == famExpiry
}

// get returns what the batch has made of a row: its value, nil if it was deleted; not known if the batch has not touched
// it.
func (o *overlay) get(key []byte) (value []byte, known bool) {
	if hasStringKey(key) {
		value, known = o.named[string(key)]
	} else {
		value, known = o.rows[fixed(key)]
	}
	return value, known
}

// put notes a row's value; nil if it is deleted.
func (o *overlay) put(key, value []byte) {
	if hasStringKey(key) {
		o.named[string(key)] = value
	} else {
		o.rows[fixed(key)] = value
	}
}

// each calls yield with the keys of the rows with this prefix that are there, in no order.
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

// keyLength is the length of the fixed keys of a family of which rows are listed.
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
