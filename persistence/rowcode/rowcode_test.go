package rowcode

import (
	"errors"
	"math"
	"testing"
)

func TestFieldsComeBackInOrder(t *testing.T) {
	tag := "tag"
	var e Enc
	e.Version(3)
	for _, u := range []uint64{0, 1, 127, 128, math.MaxUint64} {
		e.U(u)
	}
	for _, i := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		e.I(i)
	}
	e.Bool(true)
	e.Bool(false)
	e.S("")
	e.S("a\x00b")
	e.B(nil)
	e.B([]byte{1, 2})
	e.OptS(nil)
	e.OptS(&tag)
	e.Raw([]byte{9, 9})

	d := NewDec(e, 3)
	for _, want := range []uint64{0, 1, 127, 128, math.MaxUint64} {
		if got := d.U(); got != want {
			t.Errorf("U: %d, want %d", got, want)
		}
	}
	for _, want := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		if got := d.I(); got != want {
			t.Errorf("I: %d, want %d", got, want)
		}
	}
	if !d.Bool() || d.Bool() {
		t.Error("truth values")
	}
	if a, b := d.S(), d.S(); a != "" || b != "a\x00b" {
		t.Errorf("strings %q %q", a, b)
	}
	none, two := d.B(), d.B()
	if none != nil || string(two) != "\x01\x02" {
		t.Errorf("bytes %v %v", none, two)
	}
	if a, b := d.OptS(), d.OptS(); a != nil || b == nil || *b != tag {
		t.Error("optional strings")
	}
	raw := make([]byte, 2)
	if d.Raw(raw); raw[0] != 9 || raw[1] != 9 {
		t.Errorf("raw %v", raw)
	}
	if err := d.Done(); err != nil {
		t.Fatal(err)
	}
	two[0] = 77
	if e[len(e)-8] == 77 {
		t.Error("byte strings share the row's memory")
	}
	d = NewDec(Enc{3, 2, 8, 9, 0, 7}, 3)
	shared, nothing := d.View(), d.View()
	if string(shared) != "\x08\x09" || cap(shared) != 2 || nothing != nil || d.U() != 7 || d.Done() != nil {
		t.Errorf("views %v %v, %v", shared, nothing, d.Done())
	}
}

func TestMalformedRowsAreErrors(t *testing.T) {
	for name, read := range map[string]func(d *Dec){
		"left over":   func(*Dec) {},
		"cut number":  func(d *Dec) { d.Raw(make([]byte, 2)); d.U() },
		"cut integer": func(d *Dec) { d.Raw(make([]byte, 2)); d.I() },
		"no truth":    func(d *Dec) { d.Bool() },
		"long string": func(d *Dec) { d.S() },
		"long bytes":  func(d *Dec) { d.B() },
		"long raw":    func(d *Dec) { d.Raw(make([]byte, 3)) },
		"no option":   func(d *Dec) { d.OptS() },
	} {
		d := NewDec([]byte{1, 0x85, 0x01}, 1)
		read(d)
		if err := d.Done(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if d.U() != 0 || d.S() != "" || d.Bool() {
			t.Errorf("%s: a field is read after an error", name)
		}
	}
	for _, row := range [][]byte{nil, {2}} {
		if err := NewDec(row, 1).Done(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v: %v", row, err)
		}
	}
}

// FuzzDec reads arbitrary bytes by an arbitrary program: no panic, and nothing beyond the end.
func FuzzDec(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{0, 1, 2, 3, 4, 5, 6})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, []byte{3, 3})
	f.Fuzz(func(t *testing.T, row, program []byte) {
		d := NewDec(row, 1)
		read := 0
		for _, op := range program {
			switch op % 7 {
			case 0:
				d.U()
			case 1:
				d.I()
			case 2:
				d.Bool()
			case 3:
				read += len(d.S())
			case 4:
				read += len(d.B())
			case 5:
				d.OptS()
			case 6:
				d.Raw(make([]byte, 2))
			}
		}
		if err := d.Done(); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		if read > len(row) {
			t.Fatalf("%d bytes were read from %d", read, len(row))
		}
	})
}
