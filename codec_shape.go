package turnstone

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"unicode"
)

// TypeChecker is what a [Codec] may have beside its methods: a registry asks it for the input and output types of every
// handle, so that a type which cannot make the round trip is refused when it is registered. [JSON] has it.
type TypeChecker interface {
	// CheckType refuses a type that some value of which would not come back as it was.
	CheckType(t reflect.Type) error
}

// TypeError says that values of a type do not come back from JSON as they were. It is an [ErrInvalidInput].
type TypeError struct {
	// Type is the type, and Path the way to the part of it that is wrong, such as Items[].price; empty for the type itself.
	Type reflect.Type
	Path string
	// Problem is a sentence part, such as "is not exported".
	Problem string
}

// Error names the type, the field and the problem.
func (e *TypeError) Error() string {
	where := "it"
	if e.Path != "" {
		where = "field " + e.Path
	}
	return fmt.Sprintf("the type %s cannot make the round trip through JSON: %s %s", e.Type, where, e.Problem)
}

// Unwrap is [ErrInvalidInput].
func (e *TypeError) Unwrap() error { return ErrInvalidInput }

// shape is what JSON makes of a type.
type shape struct {
	// problem: why values of the type do not come back; nil if they do.
	problem *TypeError
	// open: there is an interface in it, so what a value holds must be looked at.
	open bool
	// addressed: a method with a pointer receiver encodes a part of it, which encoding/json finds behind a pointer only.
	addressed bool
	// numbers: there is a json.Number in it.
	numbers bool
	// deep: values of the type can be in one another without a bound.
	deep bool
	// foreign: code that is not encoding/json's reads a part of the bytes.
	foreign bool
}

// shapes caches what is known of types; it is a pure function of the type.
var shapes sync.Map // reflect.Type to *shape

func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	w := shapeWalk{shape: &shape{}, root: t, seen: map[visit]bool{}, within: map[reflect.Type]bool{},
		embedding: map[reflect.Type]bool{}}
	w.walk(t, "", behindCopy)
	known, _ := shapes.LoadOrStore(t, w.shape)
	return known.(*shape)
}

// reach reports whether encoding/json can take the address of a value, which methods with pointer receivers need.
type reach uint8

const (
	unreachable reach = iota // the value of a map
	behindCopy               // if the whole is copied behind a pointer
	reachable                // behind a pointer or in a slice
)

type visit struct {
	t reflect.Type
	r reach
}

// shapeWalk looks at a type and all that is in it.
type shapeWalk struct {
	*shape
	root reflect.Type
	seen map[visit]bool
	// within are the types that the walk is in.
	within map[reflect.Type]bool
	// embedding are the structs whose fields are looked at as those of another, for one that embeds itself.
	embedding map[reflect.Type]bool
}

func (w *shapeWalk) refuse(path, problem string) {
	if w.problem == nil {
		w.problem = &TypeError{Type: w.root, Path: strings.TrimPrefix(path, "."), Problem: problem}
	}
}

func (w *shapeWalk) walk(t reflect.Type, path string, r reach) {
	if w.problem != nil {
		return
	}
	if w.seen[visit{t, r}] {
		w.deep = w.deep || w.within[t]
		return
	}
	w.seen[visit{t, r}] = true
	if !w.within[t] {
		w.within[t] = true
		defer delete(w.within, t)
	}
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && w.ownMethods(t, path, r) {
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		w.walk(t.Elem(), path, reachable)
	case reflect.Slice:
		w.walk(t.Elem(), path+"[]", reachable)
	case reflect.Array:
		w.walk(t.Elem(), path+"[]", r)
	case reflect.Map:
		if problem := keyProblem(t.Key()); problem != "" {
			w.refuse(path, fmt.Sprintf("is a map with keys of type %s, %s", t.Key(), problem))
		}
		w.walk(t.Elem(), path+"[]", unreachable)
	case reflect.Struct:
		w.fields(t, path, r, map[string]string{})
	case reflect.Interface:
		w.open, w.deep = true, true
		if t.NumMethod() > 0 {
			w.refuse(path, fmt.Sprintf("is an interface with methods, %s: which type to read back into is not known", t))
		}
	case reflect.Complex64, reflect.Complex128, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		w.refuse(path, fmt.Sprintf("is a %s, which JSON does not have", t.Kind()))
	default: // booleans, numbers and strings
		w.numbers = w.numbers || t == jsonNumber
	}
}

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawMessage      = reflect.TypeFor[json.RawMessage]()
)

func encodesItself(t reflect.Type) bool {
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}

func decodesItself(t reflect.Type) bool {
	return t.Implements(jsonUnmarshaler) || t.Implements(textUnmarshaler)
}

// ownMethods looks at a type that encodes itself, and reports whether this is one.
func (w *shapeWalk) ownMethods(t reflect.Type, path string, r reach) bool {
	pointer := reflect.PointerTo(t)
	decodes := decodesItself(pointer)
	w.foreign = w.foreign || decodes && !trusted[t.PkgPath()]
	w.embedded(t, path)
	switch {
	case encodesItself(t):
	case !encodesItself(pointer):
		if pointer.Implements(textUnmarshaler) && !pointer.Implements(jsonUnmarshaler) && t.Kind() != reflect.String {
			w.refuse(path, fmt.Sprintf("is a %s, which has UnmarshalText and no MarshalText, so JSON reads it in another way than"+
				" it writes it", t))
		}
		return false
	case r == unreachable:
		w.refuse(path, fmt.Sprintf("is a %s in a map: its methods have pointer receivers, use *%s there", t, t))
	case r == behindCopy:
		w.addressed = true
	}
	w.deep = w.deep || t == rawMessage || pointer.Implements(jsonMarshaler) && !trusted[t.PkgPath()]
	if !decodes {
		w.refuse(path, fmt.Sprintf("is a %s, which encodes itself and has neither UnmarshalJSON nor UnmarshalText", t))
	}
	return true
}

// embedded refuses a struct that is written or read by the methods of a field that is embedded in it.
func (w *shapeWalk) embedded(t reflect.Type, path string) {
	const remedy = ": name that field, or give the type MarshalJSON and UnmarshalJSON"
	if by := embeddedMethods(t, encodesItself, "MarshalJSON", "MarshalText"); by != "" {
		w.refuse(path, fmt.Sprintf("is a %s, which is encoded by the method of %s that is embedded in it,"+
			" so JSON leaves its other fields out%s", t, by, remedy))
	}
	if by := embeddedMethods(t, decodesItself, "UnmarshalJSON", "UnmarshalText"); by != "" {
		w.refuse(path, fmt.Sprintf("is a %s, which is decoded by the method of %s that is embedded in it,"+
			" so JSON leaves its other fields empty%s", t, by, remedy))
	}
}

// embeddedMethods names the embedded field whose methods serve a struct that has other fields, too; empty if none does.
// The first of the methods that the struct has is the one that counts.
func embeddedMethods(t reflect.Type, serves func(reflect.Type) bool, methods ...string) string {
	if t.Kind() != reflect.Struct {
		return ""
	}
	by, others := "", false
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Anonymous && (serves(f.Type) || serves(reflect.PointerTo(f.Type))):
			by = f.Name
		case f.Name != "_" && f.Tag.Get("json") != "-":
			others = true
		}
	}
	if by == "" || !others {
		return ""
	}
	for _, name := range methods {
		m, ok := t.MethodByName(name)
		if !ok {
			m, ok = reflect.PointerTo(t).MethodByName(name)
		}
		if !ok {
			continue
		}
		// Of a method that came with an embedded field there is only what the compiler made.
		if file, _ := runtime.FuncForPC(m.Func.Pointer()).FileLine(m.Func.Pointer()); file == "<autogenerated>" {
			return by
		}
		break
	}
	return ""
}

// trusted are packages whose UnmarshalJSON neither keeps nor changes the bytes that it is given, and whose MarshalJSON,
// but for that of a json.RawMessage, nests nothing.
var trusted = map[string]bool{"encoding/json": true, "math/big": true, "net": true, "net/netip": true, "time": true}

// keyProblem is why the keys of a map do not come back; empty if they do. encoding/json writes keys of kind string as they
// are, whatever methods they have, and any other key with its MarshalText, if it has one. It reads every key with its
// UnmarshalText, if it has one.
func keyProblem(k reflect.Type) string {
	kind := k.Kind()
	writes, reads := k.Implements(textMarshaler), reflect.PointerTo(k).Implements(textUnmarshaler)
	switch {
	case kind == reflect.String && reads:
		return "which encoding/json writes as the strings that they are and reads with UnmarshalText: use keys without it"
	case kind == reflect.String || writes && reads:
		return ""
	case kind < reflect.Int || kind > reflect.Uintptr:
		return "which JSON does not have"
	case writes:
		return "which encoding/json writes with MarshalText and reads as numbers: give the type UnmarshalText"
	case reads:
		return "which encoding/json writes as numbers and reads with UnmarshalText: give the type MarshalText, with a value receiver"
	}
	return ""
}

// fields looks at the fields of a struct. names are the JSON names that are taken, embedded structs included.
func (w *shapeWalk) fields(t reflect.Type, path string, r reach, names map[string]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := path + "." + f.Name
		tag := f.Tag.Get("json")
		if tag == "-" || f.Name == "_" {
			continue // left out on purpose
		}
		name := tagName(tag)
		if f.Anonymous && name == "" {
			inner, within := f.Type, r
			if inner.Kind() == reflect.Pointer {
				inner, within = inner.Elem(), reachable
			}
			if inner.Kind() == reflect.Struct && (f.IsExported() || f.Type.Kind() == reflect.Struct) {
				if !w.embedding[inner] { // its fields are this one's own
					w.embedding[inner] = true
					w.fields(inner, at, within, names)
					delete(w.embedding, inner)
				}
				continue
			}
		}
		if !f.IsExported() {
			w.refuse(at, "is not exported, so JSON leaves it out: export it, tag it `json:\"-\"` if that is meant,"+
				" or give the type MarshalJSON and UnmarshalJSON")
			return
		}
		if name == "" {
			name = f.Name
		}
		if other, taken := names[name]; taken {
			w.refuse(at, fmt.Sprintf("has the JSON name %q, and so has %s: only one of them is kept", name, strings.TrimPrefix(other, ".")))
		}
		names[name] = at
		w.walk(f.Type, at, r)
	}
}

// tagName is the name that a json tag gives; empty if it gives none that encoding/json takes.
func tagName(tag string) string {
	name, _, _ := strings.Cut(tag, ",")
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) {
			return ""
		}
	}
	return name
}

// CheckType implements [TypeChecker].
func (jsonCodec) CheckType(t reflect.Type) error {
	if s := shapeOf(t); s.problem != nil {
		return s.problem
	}
	return nil
}

// checkTypes asks a codec for the types of a handle. [Raw] goes through no codec.
func checkTypes(c Codec, what string, in, out reflect.Type) error {
	checker, ok := c.(TypeChecker)
	if !ok {
		return nil
	}
	for _, side := range []struct {
		name string
		t    reflect.Type
	}{{"input", in}, {"output", out}} {
		if side.t == reflect.TypeFor[Raw]() {
			continue
		}
		if err := checker.CheckType(side.t); err != nil {
			return fmt.Errorf("the %s of %s: %w", side.name, what, err)
		}
	}
	return nil
}
