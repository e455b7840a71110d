package rowcode

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const format = 7

// row has one field of every kind.
type row struct {
	number   uint64
	signed   int64
	truth    bool
	text     string
	blob     []byte
	optional *string
	fixed    [4]byte
}

func (r *row) encode() []byte {
	var e Enc
	e.Version(format)
	e.U(r.number)
	e.I(r.signed)
	e.Bool(r.truth)
	e.S(r.text)
	e.B(r.blob)
	e.OptS(r.optional)
	e.Raw(r.fixed[:])
	return e
}

func decode(b []byte) (row, error) {
	d := NewDec(b, format)
	r := row{number: d.U(), signed: d.I(), truth: d.Bool(), text: d.S(), blob: d.B(), optional: d.OptS()}
	d.Raw(r.fixed[:])
	return r, d.Done()
}

func (r *row) equal(o *row) bool {
	if (r.optional == nil) != (o.optional == nil) || r.optional != nil && *r.optional != *o.optional {
		return false
	}
	return r.number == o.number && r.signed == o.signed && r.truth == o.truth && r.text == o.text &&
		bytes.Equal(r.blob, o.blob) && r.fixed == o.fixed
}

func sample(t *rapid.T) row {
	r := row{
		number: rapid.Uint64().Draw(t, "number"), signed: rapid.Int64().Draw(t, "signed"), truth: rapid.Bool().Draw(t, "truth"),
		text: rapid.String().Draw(t, "text"), blob: rapid.SliceOf(rapid.Byte()).Draw(t, "blob"),
	}
	if rapid.Bool().Draw(t, "present") {
		s := rapid.String().Draw(t, "optional")
		r.optional = &s
	}
	copy(r.fixed[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "fixed"))
	return r
}

// TestRowsComeBackAndNoPrefixDoes encodes any row, reads it back, and then reads every row that is cut short or has a
// byte too many.
func TestRowsComeBackAndNoPrefixDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := sample(t)
		b := r.encode()
		if back, err := decode(b); err != nil || !back.equal(&r) {
			t.Fatalf("%+v came back as %+v, %v", r, back, err)
		}
		for n := range b {
			if _, err := decode(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%d of %d bytes give %v", n, len(b), err)
			}
		}
		if _, err := decode(append(b, 0)); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "1 bytes are left over") {
			t.Fatalf("a byte too many gives %v", err)
		}
	})
}

// FuzzDecode feeds any bytes: the decoder must not panic, and what it accepts must be a row.
func FuzzDecode(f *testing.F) {
	s := "here"
	f.Add((&row{number: math.MaxUint64, signed: math.MinInt64, truth: true, text: "é", blob: []byte{0}, optional: &s}).encode())
	f.Add([]byte{})
	f.Add([]byte{format, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not wrap ErrMalformed", err)
			}
			return
		}
		if back, err := decode(r.encode()); err != nil || !back.equal(&r) {
			t.Fatalf("an accepted row does not come back: %+v, %v", back, err)
		}
	})
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		row  []byte
		read func(*Dec)
		says string
	}{
		{"empty", nil, func(*Dec) {}, "it is empty"},
		{"another format", []byte{6}, func(*Dec) {}, "format version 6, want 7"},
		{"number", []byte{format, 0x80}, func(d *Dec) { d.U() }, "a number is cut short"},
		{"signed number", []byte{format, 0x80}, func(d *Dec) { d.I() }, "a number is cut short"},
		{"truth", []byte{format, 2}, func(d *Dec) { d.Bool() }, "neither 0 nor 1"},
		{"string", []byte{format, 5, 'a'}, func(d *Dec) { d.S() }, "a field is cut short"},
		{"length beyond any memory", []byte{format, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, func(d *Dec) { d.B() }, "a field is cut short"},
		{"fixed", []byte{format, 1, 2}, func(d *Dec) { d.Raw(make([]byte, 3)) }, "a field is cut short"},
		{"first error stays", []byte{format, 2}, func(d *Dec) { d.Bool(); d.U(); d.S() }, "neither 0 nor 1"},
	} {
		d := NewDec(c.row, format)
		c.read(d)
		if err := d.Done(); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// TestBytesAreCopied changes the row after it was read.
func TestBytesAreCopied(t *testing.T) {
	var e Enc
	e.Version(format)
	e.B([]byte("kept"))
	d := NewDec(e, format)
	got := d.B()
	for i := range e {
		e[i] = 0
	}
	if err := d.Done(); err != nil || string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
}
