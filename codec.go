package turnstone

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Codec turns values into the bytes that history keeps, and back. A codec may compress or encrypt. It must be
// deterministic: the same value gives the same bytes, because replay compares what is scheduled with what history
// has. Implementations are safe for concurrent use.
type Codec interface {
	// Name is short and stable, such as "json" or "json+zstd": it names the form of what Encode gives. A store keeps the name
	// of the codec that it was opened with first, and is refused by a node with another one.
	Name() string
	// Encode fails rather than lose something of v.
	Encode(v any) ([]byte, error)
	// Decode fills the value that v points to. It fails if data is not one whole encoded value.
	Decode(data []byte, v any) error
}

// Raw is bytes that no codec touches. As an input, output or event type it hands them through as they are.
type Raw []byte

// JSON is the default codec: strict JSON. What comes out equals what went in, or it is refused: types that cannot make the
// round trip when they are registered (its [TypeChecker]) and when they are encoded, and values when they are encoded,
// such as text that is not valid UTF-8 and numbers in interfaces that a float64 does not have. A number in an interface
// comes back as a float64, or as a json.Number if that is the only exact form. The guide lists what is not promised.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Encode(v any) ([]byte, error) {
	if data, ok := encodePlain(v); ok {
		return data, nil
	}
	t := reflect.TypeOf(v)
	if t == nil {
		return []byte("null"), nil
	}
	s := shapeOf(t)
	if s.problem != nil {
		return nil, s.problem
	}
	from := v
	if s.addressed {
		p := reflect.New(t)
		p.Elem().Set(reflect.ValueOf(v))
		from = p.Interface()
	}
	data, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	if s.deep && tooDeep(data) {
		return nil, fmt.Errorf("it is nested more than %d levels deep, which encoding/json writes and does not read", nestingMax)
	}
	if s.open || s.numbers {
		if p := (valueWalk{}).check(reflect.ValueOf(v)); p != nil {
			return nil, p
		}
	}
	// encoding/json writes this escape for a byte that is not UTF-8; a U+FFFD that was there stays as it is.
	if bytes.Contains(data, []byte(`\ufffd`)) {
		if p := checkText(reflect.ValueOf(from)); p != nil {
			return nil, p
		}
	}
	if !utf8.Valid(data) {
		return nil, errors.New("what MarshalJSON gave is not valid UTF-8")
	}
	return data, nil
}

func (jsonCodec) Decode(data []byte, v any) error {
	if decodePlain(data, v) {
		return nil
	}
	if !utf8.Valid(data) {
		return errors.New("it is not valid UTF-8")
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return json.Unmarshal(data, v) // which refuses it
	}
	s := shapeOf(t.Elem())
	if s.foreign {
		data = bytes.Clone(data) // the author's UnmarshalJSON may keep or change what it is given
	}
	if !s.open || !longNumber(data) || !json.Valid(data) {
		return json.Unmarshal(data, v)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	settle(reflect.ValueOf(v))
	return nil
}

// EncodeValue turns a value into bytes as handles do: with the codec, or as they are if T is [Raw]. The bytes are the
// caller's own.
func EncodeValue[T any](c Codec, v T) ([]byte, error) {
	data, err := encode(c, v)
	if err != nil {
		return nil, err
	}
	return own[T](c, data), nil
}

// DecodeValue turns bytes into a value as handles do: with the codec, or as they are if T is [Raw]. The value shares
// nothing with data.
func DecodeValue[T any](c Codec, data []byte) (T, error) { return decode[T](c, own[T](c, data)) }

// own is a copy of data if the author's code or codec may have kept it, or may keep it. The default codec does not: what
// it makes shares nothing with the bytes.
func own[T any](c Codec, data []byte) []byte {
	_, plain := c.(jsonCodec)
	if _, raw := any((*T)(nil)).(*Raw); raw || !plain {
		return bytes.Clone(data)
	}
	return data
}

// encode is EncodeValue without a copy, for bytes that are copied on their way.
func encode[T any](c Codec, v T) ([]byte, error) {
	switch any((*T)(nil)).(type) {
	case *Raw:
		raw, _ := any(v).(Raw)
		return raw, nil
	case *any: // as what it is, an interface: the codec would see only what is in it
		inside := any(v)
		return c.Encode(&inside)
	}
	return c.Encode(v)
}

// decode is DecodeValue without a copy, for bytes that no other code holds.
func decode[T any](c Codec, data []byte) (T, error) {
	var v T
	if raw, ok := any(&v).(*Raw); ok {
		*raw = data
		return v, nil
	}
	if err := c.Decode(data, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
