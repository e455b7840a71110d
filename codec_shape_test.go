package turnstone_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone"
)

type (
	hidden     struct{ Kept, lost int }
	hiddenDeep struct{ Items []map[string]*hidden }
	leftOut    struct {
		Kept int
		lost int    `json:"-"`
		Also func() `json:"-"`
		_    int
	}
	base        struct{ ID, Name string }
	embeds      struct{ base }
	embedsNamed struct {
		Base base `json:"base"`
		ID   string
	}
	embedsPointer struct{ *base }
	shadows       struct {
		base
		ID string
	}
	embedsNumber struct{ number }
	number       int
	tree         struct {
		Value       any
		Left, Right *tree
		More        map[string][]tree
	}
	selfEmbedding struct {
		*Node
		Value int
	}
	Node    struct{ Next *Node }
	stamped struct { // JSON leaves Name out
		time.Time
		Name string
	}
	ownStamp stamped
	counted  struct {
		big.Int
		Name string
	}
	wrapped   struct{ time.Time }
	halfWay   struct{ n int }
	byPointer struct{ n int }
)

func (s ownStamp) MarshalJSON() ([]byte, error) { return json.Marshal([]any{s.Time, s.Name}) }
func (s *ownStamp) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&s.Time, &s.Name})
}

// Keys and values whose text methods JSON does not use in both directions.
type (
	color    int    // writes itself as text
	serial   int    // reads itself from text
	level    int    // both
	word     string // both, but a key of kind string is written as it is
	trimmed  string // reads itself from text
	readOnly struct{ ReadText }
	// ReadText and ReadJSON read themselves and do not write themselves.
	ReadText struct{ N int }
	ReadJSON struct{ N int }
	loses    struct {
		ReadJSON
		More int
	}
)

func (c color) MarshalText() ([]byte, error) { return []byte([]string{"red", "green"}[c]), nil }
func (s *serial) UnmarshalText(t []byte) error {
	_, err := fmt.Sscanf(string(t), "no-%d", (*int)(s))
	return err
}
func (l level) MarshalText() ([]byte, error) { return fmt.Append(nil, "level-", int(l)), nil }
func (l *level) UnmarshalText(t []byte) error {
	_, err := fmt.Sscanf(string(t), "level-%d", (*int)(l))
	return err
}
func (w word) MarshalText() ([]byte, error) { return []byte("word:" + string(w)), nil }
func (w *word) UnmarshalText(t []byte) error {
	*w = word(strings.TrimPrefix(string(t), "word:"))
	return nil
}
func (s *trimmed) UnmarshalText(t []byte) error {
	*s = trimmed(strings.TrimSpace(string(t)))
	return nil
}
func (r *ReadText) UnmarshalText([]byte) error { return nil }
func (r *ReadJSON) UnmarshalJSON(data []byte) error {
	var all map[string]int
	err := json.Unmarshal(data, &all)
	r.N = all["N"]
	return err
}

func (h halfWay) MarshalText() ([]byte, error)    { return fmt.Append(nil, h.n), nil }
func (b *byPointer) MarshalText() ([]byte, error) { return fmt.Append(nil, b.n), nil }
func (b *byPointer) UnmarshalText(t []byte) error { _, err := fmt.Sscan(string(t), &b.n); return err }

// sameNames is a struct that go vet finds fault with, too.
var sameNames = reflect.StructOf([]reflect.StructField{
	{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"x"`}, {Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"x,omitempty"`},
})

func refusal[T any]() error {
	return turnstone.NewRegistry().Register(turnstone.NewActivity("A", func(turnstone.ActivityContext, T) (int, error) { return 0, nil }))
}

func TestF29_a_type_that_cannot_make_the_round_trip_is_refused_when_it_is_registered(t *testing.T) {
	for want, err := range map[string]error{
		"the input of activity A: the type turnstone_test.hidden cannot make the round trip through JSON: field lost is not exported": refusal[hidden](),
		"field Items[][].lost is not exported":                refusal[hiddenDeep](),
		"[].lost is not exported":                             refusal[[]hidden](),
		"field User.username is not exported":                 refusal[url.URL](),
		"field base is not exported":                          refusal[embedsPointer](),
		"field number is not exported":                        refusal[embedsNumber](),
		`field ID has the JSON name "ID", and so has base.ID`: refusal[shadows](),
		`field B has the JSON name "x", and so has A`:         turnstone.JSON.(turnstone.TypeChecker).CheckType(sameNames),
		"it is a func":                                                      refusal[func()](),
		"field F is a chan":                                                 refusal[struct{ F <-chan int }](),
		"field F is a complex64":                                            refusal[struct{ F complex64 }](),
		"it is a complex128":                                                refusal[*complex128](),
		"field E is an interface with methods, error":                       refusal[struct{ E error }](),
		"is a map with keys of type float64":                                refusal[map[float64]int](),
		"is a map with keys of type turnstone_test.halfWay":                 refusal[map[halfWay]int](),
		"is a turnstone_test.halfWay, which encodes itself and has neither": refusal[halfWay](),
		"field [] is a big.Int in a map: its methods have pointer receivers, use *big.Int": refusal[map[string]big.Int](),
	} {
		var typed *turnstone.TypeError
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, turnstone.ErrInvalidInput) || !errors.As(err, &typed) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for name, err := range map[string]error{"time": refusal[stamped](), "a pointer's methods": refusal[[]counted]()} {
		if err == nil || !strings.Contains(err.Error(), "is encoded by the method of ") {
			t.Errorf("embedded %s: %v", name, err)
		}
	}
	out := turnstone.NewOrchestration("O", func(*turnstone.Context, int) (hidden, error) { return hidden{}, nil })
	if err := turnstone.NewRegistry().Register(out); err == nil || !strings.Contains(err.Error(), "the output of orchestration O: the type turnstone_test.hidden") {
		t.Errorf("error %v", err)
	}
	for name, err := range map[string]error{
		"one embedded field": refusal[wrapped](), "methods of its own": refusal[ownStamp](),
		"left out on purpose": refusal[leftOut](), "embedded": refusal[embeds](), "embedded by name": refusal[embedsNamed](),
		"recursive": refusal[tree](), "embeds itself": refusal[selfEmbedding](), "time": refusal[time.Time](),
		"raw JSON": refusal[json.RawMessage](), "numbers": refusal[struct {
			A big.Int
			B *big.Float
			C []big.Rat
		}](), "addresses": refusal[map[netip.Addr]net.IP](), "a pointer's methods": refusal[[]*byPointer](),
		"any": refusal[any](), "nothing": refusal[struct{}](), "raw": refusal[turnstone.Raw](), "bytes": refusal[[]byte](),
		"keys": refusal[map[int8]map[uint]map[string]bool](), "array": refusal[[3]float32](),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Another codec says for itself what it takes.
	other := turnstone.NewRegistry(turnstone.WithCodec(reversed{}))
	if err := other.Register(out); err != nil {
		t.Error(err)
	}
}

func TestF29_types_whose_text_methods_JSON_uses_in_one_direction_only_are_refused(t *testing.T) {
	for want, err := range map[string]error{
		"keys of type turnstone_test.color, which encoding/json writes with MarshalText and reads as numbers":    refusal[map[color]int](),
		"keys of type turnstone_test.serial, which encoding/json writes as numbers and reads with UnmarshalText": refusal[struct{ M map[serial]int }](),
		"keys of type turnstone_test.word, which encoding/json writes as the strings that they are":              refusal[map[word]int](),
		"keys of type turnstone_test.trimmed, which encoding/json writes as the strings that they are":           refusal[[]map[trimmed]int](),
		"it is a turnstone_test.serial, which has UnmarshalText and no MarshalText":                              refusal[serial](),
		"it is a turnstone_test.readOnly, which has UnmarshalText and no MarshalText":                            refusal[readOnly](),
		"it is a turnstone_test.loses, which is decoded by the method of ReadJSON":                               refusal[loses](),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	type both struct {
		Words  []word
		Levels map[level]level
		Names  map[string]trimmed
		N      ReadJSON
	}
	if err := refusal[both](); err != nil {
		t.Fatal(err)
	}
	in := both{[]word{"a"}, map[level]level{3: 4}, map[string]trimmed{"x": "y"}, ReadJSON{7}}
	data, err := turnstone.JSON.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var out both
	if err := turnstone.JSON.Decode(data, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%s came back as %+v, %v", data, out, err)
	}
}

// A value for which no handle was made, such as an event's, is refused when it is encoded.
func TestF29_a_type_is_refused_when_a_value_is_encoded(t *testing.T) {
	if data, err := turnstone.JSON.Encode(leftOut{Kept: 1, lost: 2}); err != nil || string(data) != `{"Kept":1}` {
		t.Errorf("what is left out on purpose: %s, %v", data, err)
	}
	for _, v := range []any{hidden{Kept: 1, lost: 2}, []any{hidden{}}, embedsNumber{number(1)}, map[string]any{"a": map[int]any{1: func() {}}}, any(big.Int{}), []any{big.Int{}}} {
		data, err := turnstone.JSON.Encode(v)
		if _, isInt := v.(big.Int); isInt {
			if err != nil || string(data) != "0" {
				t.Errorf("%#v: %s, %v", v, data, err)
			}
		} else if err == nil {
			t.Errorf("%#v is encoded as %s", v, data)
		}
	}
}

func TestF29_numbers_in_interfaces_stay_exact_or_are_refused(t *testing.T) {
	const big53 = 1 << 53
	for want, v := range map[string]any{
		"value[id] is 9007199254740993":                                                map[string]any{"id": 9007199254740993},
		"value[0] is -9007199254740993":                                                []any{int64(-big53 - 1)},
		"value.Value is 18446744073709551615":                                          tree{Value: uint64(1<<64 - 1)},
		"value[a][0].Left.Value is 9007199254740993":                                   map[string][]tree{"a": {{Left: &tree{Value: big53 + 1}}}},
		"value[x].N is 9007199254740993":                                               map[string]any{"x": struct{ N int64 }{big53 + 1}},
		"value[0][0] is 9007199254740993":                                              []any{[]int64{big53 + 1}},
		"value[0] is 0.10000000149011612":                                              []any{float32(0.1)},
		"value[0] is a turnstone_test.byPointer, whose methods have pointer receivers": []any{byPointer{}},
	} {
		if data, err := turnstone.JSON.Encode(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%#v is encoded as %s, %v; want an error with %q", v, data, err, want)
		}
	}
	// What is taken comes back as the same number, as a json.Number where a float64 does not have it.
	for _, c := range []struct{ in, want any }{
		{big53, float64(big53)}, {int64(-big53), float64(-big53)}, {uint8(200), 200.0}, {float32(0.5), 0.5}, {1e300, 1e300},
		{0.1, 0.1}, {123456789.123456789, 123456789.123456789}, {json.Number("1.50"), 1.5}, {json.Number("0.000"), 0.0},
		{json.Number("1000000000000000000000"), 1e21}, {json.Number("9007199254740993"), json.Number("9007199254740993")},
		{json.Number("-0.12345678901234567891"), json.Number("-0.12345678901234567891")},
		{json.Number("1e99999999999"), json.Number("1e99999999999")}, {json.Number("1e400"), json.Number("1e400")},
		{json.Number("-1e-400"), json.Number("-1e-400")}, {json.Number("1.23456e-320"), json.Number("1.23456e-320")},
		{json.Number("5e-325"), json.Number("5e-325")}, {json.Number("0e-400"), 0.0}, {5e-324, 5e-324}, {1.5e-300, 1.5e-300},
		{json.Number("1e0000000000000000001"), 10.0}, {math.MaxFloat64, math.MaxFloat64}, {"\\", "\\"}, {"e\"1e400", "e\"1e400"},
		{new(big.Int).Lsh(big.NewInt(1), 100), json.Number("1267650600228229401496703205376")},
		{[]any{json.Number("9007199254740993"), 2, "1234567890123456789"}, []any{json.Number("9007199254740993"), 2.0, "1234567890123456789"}},
		{map[string]any{"a": []any{json.Number("12345678901234567890"), nil, true}}, map[string]any{"a": []any{json.Number("12345678901234567890"), nil, true}}},
	} {
		type holder struct {
			N     any
			Exact int64
			More  map[string]any
			List  []any
		}
		in := holder{c.in, big53 + 1, map[string]any{"k": c.in}, []any{c.in}}
		data, err := turnstone.JSON.Encode(in)
		if err != nil {
			t.Errorf("%v: %v", c.in, err)
			continue
		}
		var out holder
		if err := turnstone.JSON.Decode(data, &out); err != nil {
			t.Errorf("%v: %v", c.in, err)
			continue
		}
		if want := (holder{c.want, big53 + 1, map[string]any{"k": c.want}, []any{c.want}}); !reflect.DeepEqual(out, want) {
			t.Errorf("%s came back as %#v, want %#v", data, out, want)
		}
	}
	for want, v := range map[string]any{
		"value is an empty json.Number":       json.Number(""),
		"value.N is an empty json.Number":     struct{ N json.Number }{},
		"value[1] is an empty json.Number":    []json.Number{"1", ""},
		"value[a][0] is an empty json.Number": map[string]any{"a": []any{json.Number("")}},
	} {
		if data, err := turnstone.JSON.Encode(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%#v is encoded as %s, %v; want an error with %q", v, data, err, want)
		}
	}
	if data, err := turnstone.JSON.Encode(struct {
		N json.Number `json:",omitempty"`
		M int64
	}{M: big53 + 1}); err != nil || string(data) != `{"M":9007199254740993}` {
		t.Errorf("%s, %v", data, err)
	}
	// A handle of an interface is looked at as one, too.
	loose := turnstone.NewActivity("Loose", func(_ turnstone.ActivityContext, v any) (any, error) { return v, nil })
	d := newDriver(t, loose, orchestration(func(ctx *turnstone.Context) (any, error) {
		if v, err := loose.Call(ctx, json.Number("9007199254740993")); err != nil || v != json.Number("9007199254740993") {
			return nil, fmt.Errorf("%v, %w", v, err)
		}
		return loose.Call(ctx, 9007199254740993)
	}))
	if f := d.run("O", "i", struct{}{}).failure; f == nil || !strings.Contains(f.Error(), "9007199254740993") || f.Kind != turnstone.KindPanicked {
		t.Errorf("failure %v", f)
	}
}

// Values whose methods have pointer receivers are encoded by them, also where encoding/json finds no pointer.
func TestF29_methods_with_pointer_receivers_are_used(t *testing.T) {
	type money struct {
		Amount big.Int
		By     byPointer
		List   [2]byPointer
	}
	in := money{Amount: *big.NewInt(12345), By: byPointer{7}, List: [2]byPointer{{1}, {2}}}
	data, err := turnstone.JSON.Encode(in)
	if err != nil || string(data) != `{"Amount":12345,"By":"7","List":["1","2"]}` {
		t.Fatalf("%s, %v", data, err)
	}
	var out money
	if err := turnstone.JSON.Decode(data, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%+v, %v", out, err)
	}
}

// blob writes its bytes as a text; pointerBlob does so behind a pointer.
type (
	blob        [2]byte
	pointerBlob [2]byte
)

func (b blob) MarshalText() ([]byte, error)         { return b[:], nil }
func (b *blob) UnmarshalText(t []byte) error        { copy(b[:], t); return nil }
func (b *pointerBlob) MarshalText() ([]byte, error) { return b[:], nil }
func (b *pointerBlob) UnmarshalText(t []byte) error { copy(b[:], t); return nil }

func TestF29_what_is_not_valid_UTF_8_is_refused(t *testing.T) {
	for _, v := range []any{json.RawMessage("\"a\xff\""), struct{ R json.RawMessage }{json.RawMessage("\"\xc3\"")}, "\xff", map[string]string{"\xff": ""}} {
		if data, err := turnstone.JSON.Encode(v); err == nil {
			t.Errorf("%#v is encoded as %q", v, data)
		}
	}
	for want, v := range map[string]any{
		"value is":          blob{0xff, 'a'},
		"value[0].B is":     []struct{ B *blob }{{&blob{0xff, 'a'}}},
		"value[0] is":       [1]pointerBlob{{0xff}},
		"value[x].B is":     map[string]any{"x": struct{ B blob }{blob{0xff}}},
		"value key is":      map[blob]int{{0xff, 1}: 1, {0xff, 2}: 2},
		"value[k] key is":   map[string]map[blob]int{"k": {{0xff}: 1}},
		"value[1].N.Raw is": []any{"\ufffd", struct{ N struct{ Raw string } }{struct{ Raw string }{"\xff"}}},
	} {
		if data, err := turnstone.JSON.Encode(v); err == nil || !strings.Contains(err.Error(), want+" not valid UTF-8") {
			t.Errorf("%#v is encoded as %q, %v; want %q", v, data, err, want)
		}
	}
	// An escape in JSON that a type writes itself is no sign of bad text beside it.
	if _, err := turnstone.JSON.Encode([]any{json.RawMessage(`"\ufffd"`), blob{'a', 'b'}, map[blob]int{{'a', 'b'}: 1}, time.Time{}}); err != nil {
		t.Error(err)
	}
	var m map[string]string
	for _, data := range []string{"\"a\xff\"", "{\"a\":\"\xff\"}", "{\"\xff\":1}"} {
		if err := turnstone.JSON.Decode([]byte(data), &m); err == nil {
			t.Errorf("%q is decoded as %q", data, m)
		}
	}
}

// TestF29_deep_values_are_looked_at_to_their_end: as deep as encoding/json reads, and no deeper ones are written.
func TestF29_deep_values_are_looked_at_to_their_end(t *testing.T) {
	within := func(n int, v any) any {
		for range n {
			v = []any{v}
		}
		return v
	}
	type list struct {
		Next *list
		Text string
	}
	l := &list{Text: "\xff"}
	for range 2_000 {
		l = &list{Next: l}
	}
	for want, v := range map[string]any{
		"is not valid UTF-8":               within(9_000, "\xff"),
		"Text is not valid UTF-8":          l,
		"is 0.10000000149011612":           within(9_000, float32(0.1)),
		"is 9007199254740993":              within(9_000, 1<<53+1),
		"nested more than 10000 levels":    within(10_001, 1),
		"more than 10000 levels deep":      map[string]any{"]]]": within(5_000, struct{ V any }{within(5_000, "[")})},
		"more than 10000 levels deep, whi": json.RawMessage(`{"a":` + strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999) + `}`),
	} {
		if raw, ok := v.(json.RawMessage); ok {
			v = []any{raw}
		}
		_, err := turnstone.JSON.Encode(v)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	in := within(9_998, map[string]any{`"[[[`: "[{\\"})
	data, err := turnstone.JSON.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := turnstone.JSON.Decode(data, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("came back otherwise, %v", err)
	}
}

// Values of JSON's own types, with numbers of every size, come back equal: numbers as the same number.
func TestF29_what_an_interface_holds_comes_back(t *testing.T) {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaves := []*rapid.Generator[any]{
			rapid.Float64Range(-1e308, 1e308).AsAny(), rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
			rapid.Custom(func(t *rapid.T) any {
				return json.Number(rapid.StringMatching(`-?[1-9][0-9]{0,30}(\.[0-9]{0,30}[1-9])?`).Draw(t, "number"))
			}),
		}
		if depth > 0 {
			leaves = append(leaves, rapid.SliceOfN(value(depth-1), 0, 4).AsAny(), rapid.MapOfN(rapid.String(), value(depth-1), 0, 4).AsAny())
		}
		return rapid.OneOf(leaves...)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := struct{ V any }{value(3).Draw(t, "value")}
		data, err := turnstone.JSON.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		out := in
		out.V = nil
		if err := turnstone.JSON.Decode(data, &out); err != nil {
			t.Fatal(err)
		}
		if want := settled(in.V); !reflect.DeepEqual(out.V, want) {
			t.Fatalf("%s came back as %#v, want %#v", data, out.V, want)
		}
	})
}

// settled is a value with its json.Numbers as float64s where that is the same number, found in another way.
func settled(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		exact, ok := new(big.Rat).SetString(string(v))
		shortest, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
		if err == nil && ok && exact.Cmp(shortest) == 0 {
			return f
		}
		return v
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = settled(v[i])
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for k := range v {
			all[k] = settled(v[k])
		}
		return all
	default:
		return v
	}
}
