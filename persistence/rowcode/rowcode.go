package rowcode

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is what every decoding error wraps. Deterministic.
var ErrMalformed = errors.New("malformed row")

// Enc appends fields to a row. The zero value is an empty row.
type Enc []byte

// Version appends the row's format version; it comes first.
func (e *Enc) Version(v byte) { *e = append(*e, v) }

// U appends an unsigned number.
func (e *Enc) U(v uint64) { *e = binary.AppendUvarint(*e, v) }

// I appends a signed number.
func (e *Enc) I(v int64) { *e = binary.AppendVarint(*e, v) }

// Bool appends a truth value.
func (e *Enc) Bool(v bool) {
	if v {
		*e = append(*e, 1)
	} else {
		*e = append(*e, 0)
	}
}

// S appends a string.
func (e *Enc) S(v string) {
	e.U(uint64(len(v)))
	*e = append(*e, v...)
}

// B appends a byte string. Nil and empty are the same.
func (e *Enc) B(v []byte) {
	e.U(uint64(len(v)))
	*e = append(*e, v...)
}

// OptS appends a string that may be absent.
func (e *Enc) OptS(v *string) {
	e.Bool(v != nil)
	if v != nil {
		e.S(*v)
	}
}

// Raw appends bytes of a fixed length, without it.
func (e *Enc) Raw(v []byte) { *e = append(*e, v...) }

// Dec reads the fields of a row back. After the first error every method returns zero values; ask [Dec.Done] at the end.
type Dec struct {
	rest    []byte
	version byte
	err     error
}

// NewDec reads a row of one of the format versions from 1 to the newest that the caller knows.
func NewDec(row []byte, newest byte) *Dec {
	d := &Dec{rest: row}
	d.begin(newest)
	return d
}

// begin takes the version off the row. It is apart so that NewDec is compiled into its callers, whose Dec is on their stack.
func (d *Dec) begin(newest byte) {
	switch row := d.rest; {
	case len(row) == 0:
		d.fail("it is empty")
	case row[0] == 0 || row[0] > newest:
		d.fail(fmt.Sprintf("format version %d; this build reads 1 to %d", row[0], newest))
	default:
		d.version, d.rest = row[0], row[1:]
	}
}

// Version is the row's format version: a field that came with a later one is not there.
func (d *Dec) Version() byte { return d.version }

func (d *Dec) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	d.rest = nil
}

// U reads an unsigned number.
func (d *Dec) U() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("a number is cut short")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// I reads a signed number.
func (d *Dec) I() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("a number is cut short")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// Bool reads a truth value.
func (d *Dec) Bool() bool {
	if len(d.rest) == 0 || d.rest[0] > 1 {
		d.fail("a truth value is neither 0 nor 1")
		return false
	}
	v := d.rest[0] == 1
	d.rest = d.rest[1:]
	return v
}

// S reads a string.
func (d *Dec) S() string { return string(d.take(d.U())) }

// B reads a byte string into memory of its own; nil if it is empty.
func (d *Dec) B() []byte {
	v := d.take(d.U())
	if len(v) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(v)), v...)
}

// View reads a byte string that is part of the row's memory; nil if it is empty.
func (d *Dec) View() []byte {
	v := d.take(d.U())
	if len(v) == 0 {
		return nil
	}
	return v[:len(v):len(v)]
}

// Skip passes over a byte string and returns its length.
func (d *Dec) Skip() int { return len(d.take(d.U())) }

// OptS reads a string that may be absent.
func (d *Dec) OptS() *string {
	if !d.Bool() {
		return nil
	}
	v := d.S()
	if d.err != nil {
		return nil
	}
	return &v
}

// Raw fills out with bytes of a fixed length.
func (d *Dec) Raw(out []byte) { copy(out, d.take(uint64(len(out)))) }

func (d *Dec) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("a field is cut short")
		return nil
	}
	v := d.rest[:n]
	d.rest = d.rest[n:]
	return v
}

// More reports whether bytes are left: a part that older rows do not have.
func (d *Dec) More() bool { return d.err == nil && len(d.rest) > 0 }

// Done reports the first error, or that bytes are left over.
func (d *Dec) Done() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail(fmt.Sprintf("%d bytes are left over", len(d.rest)))
	}
	return d.err
}
