package turnpb_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// fill sets every field of a message to a value that depends on its number, and of each oneof the first member.
func fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() && o.Fields().Get(0) != f {
			continue
		}
		if depth > 0 || f.Message() == nil {
			set(m, f, depth)
		}
	}
}

func set(m protoreflect.Message, f protoreflect.FieldDescriptor, depth int) {
	switch {
	case f.IsList() && f.Message() != nil:
		for range 2 {
			fill(m.Mutable(f).List().AppendMutable().Message(), depth-1)
		}
	case f.Message() != nil:
		fill(m.Mutable(f).Message(), depth-1)
	default:
		m.Set(f, scalar(f))
	}
}

func scalar(f protoreflect.FieldDescriptor) protoreflect.Value {
	n := int64(f.Number())
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(f.Name()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte(n), 0, 0xff})
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(1).Number())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n) << 33)
	default:
		return protoreflect.ValueOfInt64(-n)
	}
}

// samples has one filled message of each kind of event, message and failure, and one header, by name.
func samples() map[string]proto.Message {
	all := map[string]proto.Message{}
	header := &turnpb.SegmentHeader{}
	fill(header.ProtoReflect(), 3)
	all["segment header"] = header
	for _, of := range []proto.Message{&turnpb.Event{}, &turnpb.Message{}, &turnpb.Failure{}} {
		d := of.ProtoReflect().Descriptor()
		kinds := d.Oneofs().Get(0).Fields()
		for i := range kinds.Len() {
			m := of.ProtoReflect().New()
			fill(m, 0)
			fill(m.Mutable(kinds.Get(i)).Message(), 3)
			all[string(d.Name())+" "+string(kinds.Get(i).Name())] = m.Interface()
		}
	}
	return all
}

// TestStoredBytesOfEachKindStayReadable compares each kind with the bytes that are kept in testdata: a field that loses
// its number, its type or its meaning shows here, and so does a kind that is not in testdata.
func TestStoredBytesOfEachKindStayReadable(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "kinds.golden"))
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string][]byte{}
	for line := range strings.Lines(string(raw)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if golden[name], err = hex.DecodeString(text); err != nil {
			t.Fatal(name, err)
		}
	}
	for name, want := range samples() {
		now, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
		if err != nil {
			t.Fatal(name, err)
		}
		stored, ok := golden[name]
		delete(golden, name)
		got := want.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(stored, got); err != nil {
			t.Errorf("%s: the stored bytes cannot be decoded: %v", name, err)
		}
		if !ok || !proto.Equal(got, want) {
			t.Errorf("what is stored decodes as\n%v\nwant\n%v\nif the kind is new or has a new field, the line is now\n%s: %x",
				got, want, name, now)
		}
	}
	for name := range golden {
		t.Errorf("%s is stored and no longer exists", name)
	}
}
