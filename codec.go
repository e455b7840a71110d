package turnstone

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Codec turns values into the bytes that history keeps, and back. A codec may compress or encrypt. It must be
// deterministic: the same value gives the same bytes, because replay compares what is scheduled with what history
// has. Implementations are safe for concurrent use.
type Codec interface {
	// Encode fails rather than lose something of v.
	Encode(v any) ([]byte, error)
	// Decode fills the value that v points to. It fails if data is not one whole encoded value.
	Decode(data []byte, v any) error
}

// Raw is bytes that no codec touches. As an input, output or event type it hands them through as they are.
type Raw []byte

// JSON is the default codec: strict JSON, exact for every value that encoding/json takes. A string that is not valid
// UTF-8 cannot be exact in JSON and fails to encode.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Encode(v any) ([]byte, error) {
	if data, ok := encodePlain(v); ok {
		return data, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	// encoding/json writes this escape for a byte that is not UTF-8; a U+FFFD that was there stays as it is.
	if strings.Contains(string(data), `\ufffd`) {
		if path := invalidText(reflect.ValueOf(v), "value", 0); path != "" {
			return nil, fmt.Errorf("%s is not valid UTF-8, which JSON cannot carry; use []byte for it", path)
		}
	}
	return data, nil
}

func (jsonCodec) Decode(data []byte, v any) error {
	if decodePlain(data, v) {
		return nil
	}
	return json.Unmarshal(data, v)
}

// textDepthMax bounds the search for the offending string; a deeper value is cyclic and json.Marshal has refused it.
const textDepthMax = 1000

// invalidText finds a string in v that is not valid UTF-8 and returns its path, or "".
func invalidText(v reflect.Value, path string, depth int) string {
	if depth > textDepthMax {
		return ""
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return path
		}
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return invalidText(v.Elem(), path, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if p := invalidText(v.Field(i), path+"."+v.Type().Field(i).Name, depth+1); p != "" {
				return p
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if p := invalidText(key, path+" key", depth+1); p != "" {
				return p
			}
			if p := invalidText(v.MapIndex(key), fmt.Sprintf("%s[%v]", path, key), depth+1); p != "" {
				return p
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if p := invalidText(v.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1); p != "" {
				return p
			}
		}
	}
	return ""
}

// encode is how every value of an author becomes bytes.
func encode(c Codec, v any) ([]byte, error) {
	if raw, ok := v.(Raw); ok {
		return raw, nil
	}
	return c.Encode(v)
}

// decode is how bytes become a value of an author again.
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
