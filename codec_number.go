package turnstone

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

// longNumber reports whether data has a number that a float64 may not have: one with many digits, or with so large an
// exponent that it may be too large for one, or too small.
func longNumber(data []byte) bool {
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			i = stringEnd(data, i)
		case c >= '0' && c <= '9':
			end, long := numberEnd(data, i)
			if long {
				return true
			}
			i = end
		}
	}
	return false
}

// stringEnd is where the quote is that ends the string which begins at start, or the length of data.
func stringEnd(data []byte, start int) int {
	for at := start + 1; ; {
		n := bytes.IndexByte(data[at:], '"')
		if n < 0 {
			return len(data)
		}
		at += n
		escapes := 0
		for data[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
		at++
	}
}

// numberEnd is where the number that begins at start has its last byte, and whether it is a long one.
func numberEnd(data []byte, start int) (end int, long bool) {
	// A number of so many digits, with an exponent of so many, is in the range of a float64 and told from its neighbours.
	const digitsExact, exponentDigits = 15, 2
	digits, most := 0, digitsExact
	i := start
	for ; i < len(data); i++ {
		switch c := data[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == 'e' || c == 'E':
			long = long || digits > most
			digits, most = 0, exponentDigits
		case c != '.' && c != '+' && c != '-':
			return i - 1, long || digits > most
		}
	}
	return i - 1, long || digits > most
}

// nestingMax is how deep encoding/json reads values in values.
const nestingMax = 10_000

// tooDeep reports whether encoding/json, which has written data, cannot read it.
func tooDeep(data []byte) bool {
	if len(data) <= 2*nestingMax {
		return false
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
		case '{', '[':
			if depth++; depth > nestingMax {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// settle turns the json.Numbers in interfaces into float64s where that is the same number.
func settle(v reflect.Value) {
	if v.Kind() != reflect.Interface && !shapeOf(v.Type()).open {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if n, ok := v.Elem().Interface().(json.Number); ok {
			if f, err := n.Float64(); err == nil && sameNumber(string(n), strconv.FormatFloat(f, 'e', -1, 64)) {
				v.Set(reflect.ValueOf(f))
			}
			return
		}
		settle(v.Elem())
	case reflect.Pointer:
		if !v.IsNil() {
			settle(v.Elem())
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem() // the value of a map cannot be changed in its place
			value.Set(v.MapIndex(key))
			settle(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct {
				settle(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			settle(v.Index(i))
		}
	}
}

// sameNumber reports whether two JSON numbers are the same, digit by digit.
func sameNumber(a, b string) bool {
	da, ea := decimal(a)
	db, eb := decimal(b)
	return da == db && (ea == eb || da == "" || da == "-")
}

// decimal takes a JSON number apart: its sign and digits without zeros around them, and the power of ten of the last.
func decimal(s string) (digits string, exponent int) {
	mantissa := s
	for i := range len(s) {
		if s[i] == 'e' || s[i] == 'E' {
			exponent, _ = strconv.Atoi(s[i+1:])
			mantissa = s[:i]
			break
		}
	}
	out := make([]byte, 0, len(mantissa))
	sign, point := "", false
	for i := range len(mantissa) {
		switch c := mantissa[i]; {
		case c == '-':
			sign = "-"
		case c == '.':
			point = true
		default:
			if point {
				exponent--
			}
			if c != '0' || len(out) > 0 {
				out = append(out, c)
			}
		}
	}
	for len(out) > 0 && out[len(out)-1] == '0' {
		out, exponent = out[:len(out)-1], exponent+1
	}
	return sign + string(out), exponent
}
