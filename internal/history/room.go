package history

import (
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// room makes values of a type a few at a time: a history has thousands of each, and one allocation for each is most of what
// it costs to decode it. What is made together is kept together, until none of it is used any more.
type room[T any] struct {
	left []T
	all  []T // of the last allocation
}

// roomMax bounds what one allocation makes.
const roomMax = 64

// take makes n values in a row. The first allocation is as large as what is asked for, so a short history has no waste.
func (r *room[T]) take(n int) []T {
	if n > len(r.left) {
		r.all = make([]T, max(n, min(2*len(r.all), roomMax)))
		r.left = r.all
	}
	values := r.left[:n:n]
	r.left = r.left[n:]
	return values
}

// again takes the values of the last allocation back: they must not be used any more. They keep what they have until they are
// taken again.
func (r *room[T]) again() {
	if invariants.Enabled {
		clear(r.all) // what is still used shows it
	}
	r.left = r.all
}

// one makes one value.
func (r *room[T]) one() *T { return &r.take(1)[0] }

// text makes strings and byte strings of their own of what is decoded.
type text struct {
	shared bool // byte strings are what is decoded, which stays
	left   []byte
	size   int               // of the last allocation
	names  map[string]string // of short strings, which are often the same
}

const (
	// textMax bounds the bytes of one allocation for several values.
	textMax = 16 << 10
	// textOwn is from which size on a value has an allocation of its own.
	textOwn = 1 << 10
	// namesMax bounds how many strings are remembered, and nameMax how long they are.
	namesMax, nameMax = 64, 64
)

// bytes copies a value; nil if it is empty, as the protobuf library has it.
func (t *text) bytes(b []byte) []byte {
	n := len(b)
	switch {
	case n == 0:
		return nil
	case t.shared:
		return b[:n:n]
	case n >= textOwn:
		return append([]byte(nil), b...)
	case n > len(t.left):
		t.size = max(n, min(2*t.size, textMax))
		t.left = make([]byte, t.size)
	}
	value := t.left[:n:n]
	t.left = t.left[n:]
	copy(value, b)
	return value
}

// name copies a string. It does not copy one that it remembers. false: it is not UTF-8.
func (t *text) name(b []byte) (string, bool) {
	if known, ok := t.names[string(b)]; ok {
		return known, true
	}
	if !utf8.Valid(b) {
		return "", false
	}
	s := string(b)
	if len(s) <= nameMax && len(t.names) < namesMax {
		if t.names == nil {
			t.names = map[string]string{}
		}
		t.names[s] = s
	}
	return s, true
}
