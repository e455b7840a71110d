package turnstone

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// exactInt is the largest whole number up to which a float64, which is what a number in an interface comes back as, has
// them all.
const exactInt = 1 << 53

// valueWalk looks at what a value holds, where its type does not say enough.
type valueWalk struct {
	// loose: below an interface, where JSON's own types come back.
	loose bool
	depth int
}

// valueProblem is why a value is refused: the way to a part of it, made from its end, and what is wrong there.
type valueProblem struct {
	path, text string
	cause      error
}

// Error is the way and the problem.
func (p *valueProblem) Error() string { return "value" + p.path + p.text }

// Unwrap is the refusal of a type that an interface holds, if that is the problem.
func (p *valueProblem) Unwrap() error { return p.cause }

// textDepthMax bounds the search; a deeper value is cyclic and json.Marshal has refused it.
const textDepthMax = 1000

// check finds a number in an interface that would come back as another one, or a type there that cannot be encoded as
// it is.
func (w valueWalk) check(v reflect.Value) *valueProblem {
	if w.depth++; w.depth > textDepthMax || !v.IsValid() {
		return nil
	}
	if v.Kind() == reflect.Interface {
		return w.inside(v.Elem())
	}
	t := v.Type()
	if !w.loose && !shapeOf(t).open || encodesItself(t) || t == reflect.TypeFor[json.Number]() {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return w.check(v.Elem())
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := v.Int(); n > exactInt || n < -exactInt {
			return inexact(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n := v.Uint(); n > exactInt {
			return inexact(n)
		}
	case reflect.Float32:
		if back, _ := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64); back != v.Float() {
			return inexact(v.Float())
		}
	default:
		return eachPart(v, w.check)
	}
	return nil
}

func inexact(n any) *valueProblem {
	return &valueProblem{text: fmt.Sprintf(" is %v, and a number in an interface comes back as a float64, which would be another"+
		" one: use json.Number, a string, or a field of a number type", n)}
}

// inside looks at what an interface holds.
func (w valueWalk) inside(v reflect.Value) *valueProblem {
	if !v.IsValid() {
		return nil
	}
	switch v.Type() {
	case reflect.TypeFor[string](), reflect.TypeFor[float64](), reflect.TypeFor[bool]():
		return nil
	}
	s := shapeOf(v.Type())
	if s.problem != nil {
		return &valueProblem{text: ": " + s.problem.Error(), cause: s.problem}
	}
	if s.addressed {
		return &valueProblem{text: fmt.Sprintf(
			" is a %s, whose methods have pointer receivers: use a pointer to it in an interface", v.Type())}
	}
	w.loose = true
	return w.check(v)
}

// eachPart calls check with what a struct, map, slice or array holds, until it finds something. Keys are not among it.
func eachPart(v reflect.Value, check func(reflect.Value) *valueProblem) *valueProblem {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if (!f.IsExported() && !f.Anonymous) || f.Tag.Get("json") == "-" {
				continue
			}
			if p := check(v.Field(i)); p != nil {
				p.path = "." + f.Name + p.path
				return p
			}
		}
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			if p := check(all.Value()); p != nil {
				p.path = fmt.Sprintf("[%v]", all.Key()) + p.path
				return p
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return nil // base64
		}
		for i := range v.Len() {
			if p := check(v.Index(i)); p != nil {
				p.path = "[" + strconv.Itoa(i) + "]" + p.path
				return p
			}
		}
	}
	return nil
}

// checkText finds a string that is not valid UTF-8.
func (w valueWalk) checkText(v reflect.Value) *valueProblem {
	if w.depth++; w.depth > textDepthMax {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return &valueProblem{text: " is not valid UTF-8, which JSON cannot carry; use []byte for it"}
		}
		return nil
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return w.checkText(v.Elem())
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			if p := w.checkText(all.Key()); p != nil {
				p.path = " key" + p.path
				return p
			}
		}
	}
	return eachPart(v, w.checkText)
}

// longNumber reports whether data has so many digits in a row that a float64 may not have them all.
func longNumber(data []byte) bool {
	const digitsExact = 15
	n := 0
	for _, c := range data {
		switch {
		case c >= '0' && c <= '9':
			if n++; n > digitsExact {
				return true
			}
		case c != '.':
			n = 0
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
