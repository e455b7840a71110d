package turnstone

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// exactInt is the largest whole number up to which a float64, which is what a number in an interface comes back as, has
// them all.
const exactInt = 1 << 53

// valueWalk looks at what a value holds, where its type does not say enough.
type valueWalk struct {
	// loose: below an interface, where JSON's own types come back.
	loose bool
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

// at puts a step in front of the way, of which a very long one keeps the end.
func (p *valueProblem) at(step string) *valueProblem {
	const pathMax, cut = 200, "..."
	switch {
	case strings.HasPrefix(p.path, cut):
	case len(p.path)+len(step) > pathMax:
		p.path = cut + p.path
	default:
		p.path = step + p.path
	}
	return p
}

// check finds a number in an interface that would come back as another one, a number without a digit, or a type in an
// interface that cannot be encoded as it is. encoding/json has encoded the value before, so there is no cycle in it.
func (w valueWalk) check(v reflect.Value) *valueProblem {
	if !v.IsValid() {
		return nil
	}
	if v.Kind() == reflect.Interface {
		return w.inside(v.Elem())
	}
	t := v.Type()
	if t == jsonNumber {
		return checkNumber(v.String())
	}
	if s := shapeOf(t); !w.loose && !s.open && !s.numbers || encodesItself(t) {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return w.check(v.Elem())
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := v.Int(); w.loose && (n > exactInt || n < -exactInt) {
			return inexact(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n := v.Uint(); w.loose && n > exactInt {
			return inexact(n)
		}
	case reflect.Float32:
		if back, _ := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64); w.loose && back != v.Float() {
			return inexact(v.Float())
		}
	default:
		return eachPart(v, w.check)
	}
	return nil
}

var jsonNumber = reflect.TypeFor[json.Number]()

// checkNumber refuses what encoding/json would write as 0.
func checkNumber(n string) *valueProblem {
	if n == "" {
		return &valueProblem{text: " is an empty json.Number, which would come back as 0: use the number 0, or omitempty"}
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
			tag := f.Tag.Get("json")
			if (!f.IsExported() && !f.Anonymous) || tag == "-" {
				continue
			}
			if tag != "" && leftOutIfZero(tag) && v.Field(i).IsZero() {
				continue
			}
			if p := check(v.Field(i)); p != nil {
				return p.at("." + f.Name)
			}
		}
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			if p := check(all.Value()); p != nil {
				return p.at(fmt.Sprintf("[%v]", all.Key()))
			}
		}
	case reflect.Slice, reflect.Array:
		if e := v.Type().Elem(); v.Kind() == reflect.Slice && e.Kind() == reflect.Uint8 && !encodesItself(reflect.PointerTo(e)) {
			return nil // base64
		}
		for i := range v.Len() {
			if p := check(v.Index(i)); p != nil {
				return p.at("[" + strconv.Itoa(i) + "]")
			}
		}
	}
	return nil
}

// leftOutIfZero reports whether a json tag leaves a zero value out, which then comes back as one.
func leftOutIfZero(tag string) bool {
	_, options, _ := strings.Cut(tag, ",")
	for option := range strings.SplitSeq(options, ",") {
		if option == "omitempty" || option == "omitzero" {
			return true
		}
	}
	return false
}

// checkText finds a text that is not valid UTF-8: a string, or what a MarshalText gives.
func checkText(v reflect.Value) *valueProblem {
	if k := v.Kind(); k == reflect.Interface || k == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if k == reflect.Interface {
			return checkText(v.Elem())
		}
	}
	if text, own := ownText(v); own {
		return notUTF8(text)
	}
	switch v.Kind() {
	case reflect.String:
		return notUTF8(v.String())
	case reflect.Pointer:
		return checkText(v.Elem())
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			key := all.Key()
			text, own := ownText(key)
			if key.Kind() == reflect.String { // which encoding/json takes as it is
				text, own = key.String(), true
			}
			if p := notUTF8(text); own && p != nil {
				return p.at(" key")
			}
		}
	}
	return eachPart(v, checkText)
}

func notUTF8(text string) *valueProblem {
	if utf8.ValidString(text) {
		return nil
	}
	return &valueProblem{text: " is not valid UTF-8, which JSON cannot carry; use []byte for it"}
}

// ownText is what the MarshalText of a value gives, if encoding/json calls one; own is set, too, if it calls a MarshalJSON,
// whose text is looked at as a part of the whole.
func ownText(v reflect.Value) (text string, own bool) {
	if !v.CanInterface() {
		return "", false
	}
	it := v.Interface()
	if v.Kind() != reflect.Pointer && v.CanAddr() {
		it = v.Addr().Interface()
	}
	switch it := it.(type) {
	case json.Marshaler:
		return "", true
	case encoding.TextMarshaler:
		data, err := it.MarshalText()
		if err != nil {
			return "", false // encoding/json has called it without an error
		}
		return string(data), true
	}
	return "", false
}
