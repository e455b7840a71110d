package turnstone_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone"
)

type mixed struct {
	Text    string
	Bytes   []byte
	Number  int64
	Float   float64
	Flags   map[string]bool
	Nested  []mixed
	Pointer *string
}

func TestJSONRoundTripIsExact(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) mixed {
		m := mixed{
			Text:   rapid.String().Draw(t, "text"),
			Bytes:  rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "bytes"),
			Number: rapid.Int64().Draw(t, "number"),
			Float:  rapid.Float64Range(-1e300, 1e300).Draw(t, "float"),
			Flags:  rapid.MapOfN(rapid.String(), rapid.Bool(), 1, 4).Draw(t, "flags"),
		}
		if rapid.Bool().Draw(t, "pointer") {
			m.Pointer = &m.Text
		}
		return m
	})
	rapid.Check(t, func(t *rapid.T) {
		in := gen.Draw(t, "value")
		in.Nested = rapid.SliceOfN(gen, 0, 2).Draw(t, "nested")
		if len(in.Nested) == 0 {
			in.Nested = nil
		}
		data, err := turnstone.JSON.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		var out mixed
		if err := turnstone.JSON.Decode(data, &out); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(in, out) {
			t.Fatalf("%#v came back as %#v", in, out)
		}
	})
}

// Text that is itself JSON is what the reference's codec loses.
func TestJSONKeepsTextThatLooksLikeJSON(t *testing.T) {
	for _, s := range []string{`null`, `"quoted"`, `12`, `{"a":1}`, ``, "\uFFFD", `\ufffd`, `\\ufffd`, "<&>\u2028"} {
		data, err := turnstone.JSON.Encode(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		var out string
		if err := turnstone.JSON.Decode(data, &out); err != nil || out != s {
			t.Errorf("%q came back as %q, %v", s, out, err)
		}
	}
}

func TestJSONRefusesWhatItWouldChange(t *testing.T) {
	bad := "a\xffb"
	for name, c := range map[string]struct {
		value any
		path  string
	}{
		"text":    {bad, "value"},
		"field":   {mixed{Text: bad}, "value.Text"},
		"element": {[]any{1, bad}, "value[1]"},
		"key":     {map[string]int{bad: 1}, "value key"},
		"member":  {map[string]any{"k": &bad}, "value[k]"},
		"nan":     {math.NaN(), "NaN"},
		"channel": {make(chan int), "it is a chan, which JSON does not have"},
	} {
		if _, err := turnstone.JSON.Encode(c.value); err == nil || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.path)
		}
	}
	if _, err := turnstone.JSON.Encode(json.RawMessage(`"\ufffd"`)); err != nil {
		t.Errorf("an escape that was there is refused: %v", err)
	}
	var n int
	for _, data := range []string{"", "1 2", `"1"`, "1.5"} {
		if err := turnstone.JSON.Decode([]byte(data), &n); err == nil {
			t.Errorf("%q decoded as an int", data)
		}
	}
}

func TestRawIsNotTouched(t *testing.T) {
	in := turnstone.Raw{0, 255, '"', 10}
	echo := turnstone.NewActivity("Echo", func(_ turnstone.ActivityContext, b turnstone.Raw) (turnstone.Raw, error) {
		return append(bytes.Clone(b), '!'), nil
	})
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, _ struct{}) (turnstone.Raw, error) {
		return echo.Call(ctx, in)
	})
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, echo, o)
		d.cold = cold
		if out := d.run("O", "i", struct{}{}); string(out.output) != string(in)+"!" {
			t.Errorf("output %q", out.output)
		}
	})
}

// TestJSONOfPlainValuesIsThatOfTheLibrary holds the short ways for strings and numbers against encoding/json, on what is
// plain, on what nearly is, and on what is no JSON at all.
func TestJSONOfPlainValuesIsThatOfTheLibrary(t *testing.T) {
	same := func(t rapid.TB, v any) {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := turnstone.JSON.Encode(v); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%#v encodes as %s, %v; want %s", v, got, err, want)
		}
	}
	alike := func(t rapid.TB, data []byte) {
		var s, wantS string
		err, want := turnstone.JSON.Decode(data, &s), json.Unmarshal(data, &wantS)
		if !utf8.Valid(data) {
			if err == nil {
				t.Fatalf("%q is decoded as %q, and is not valid UTF-8", data, s)
			}
			return
		}
		if (err == nil) != (want == nil) || s != wantS {
			t.Fatalf("%q as a string: %q, %v; want %q, %v", data, s, err, wantS, want)
		}
		var n, wantN int
		err, want = turnstone.JSON.Decode(data, &n), json.Unmarshal(data, &wantN)
		if (err == nil) != (want == nil) || n != wantN {
			t.Fatalf("%q as an int: %d, %v; want %d, %v", data, n, err, wantN, want)
		}
	}
	for _, data := range []string{
		``, `"`, `""`, `"a"`, `"a" `, ` "a"`, `"a"b"`, `"\"`, `"\\"`, `"<>&"`, `"é"`, "\"\x7f\"", "\"\x01\"", "\"\xff\"",
		`null`, `0`, `-0`, `-`, `00`, `01`, `-1`, `1e3`, `1.0`, `+1`, `9223372036854775807`, `9223372036854775808`,
		`-9223372036854775808`, `999999999999999999`, `1234567890123456789`, ` 1`, `1 `,
	} {
		alike(t, []byte(data))
	}
	same(t, math.MinInt)
	same(t, math.MaxInt)
	rapid.Check(t, func(t *rapid.T) {
		same(t, rapid.StringOf(rapid.RuneFrom([]rune("ab\"\\<>&~ \x00\x1f\x7fé\u2028\ufffd"))).Draw(t, "text"))
		same(t, rapid.Int().Draw(t, "number"))
		alike(t, rapid.SliceOfN(rapid.SampledFrom([]byte(`"\a0 -1.e<é`)), 0, 6).Draw(t, "data"))
		alike(t, []byte(strings.TrimSpace(string(must(json.Marshal(rapid.Int().Draw(t, "n")))))))
	})
	if err := turnstone.JSON.Decode([]byte(`"a"`), (*string)(nil)); err == nil {
		t.Error("a nil pointer is decoded into")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
