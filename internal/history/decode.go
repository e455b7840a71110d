package history

import (
	"bytes"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The numbers of the fields that are decoded here.
const (
	fieldEvents = 1 // of an EventList

	fieldID, fieldSource               = 1, 2 // of an Event
	fieldActivityScheduled             = 20
	fieldActivityCompleted             = 21
	fieldTimerCreated, fieldTimerFired = 30, 31
	fieldName, fieldInput              = 1, 2 // of an ActivityScheduled
	fieldAttempt, fieldFirst           = 5, 6
	fieldResult                        = 1 // of an ActivityCompleted
	fieldFireAt                        = 1 // of a TimerCreated and a TimerFired
)

// decodeCommon decodes an EventList of events that long histories are made of, several times as fast as reflection does.
// false: something else is in it, or it is damaged; then what it has decoded means nothing.
func decodeCommon(list []byte) ([]*turnpb.Event, bool) {
	n := 0
	for b := list; len(b) > 0; n++ {
		num, typ, size := protowire.ConsumeTag(b)
		if num != fieldEvents || typ != protowire.BytesType || size < 0 {
			return nil, false
		}
		skip := protowire.ConsumeFieldValue(num, typ, b[size:])
		if skip < 0 {
			return nil, false
		}
		b = b[size+skip:]
	}
	if n == 0 {
		return nil, true
	}
	room, events := make([]turnpb.Event, n), make([]*turnpb.Event, n)
	for i := range room {
		_, _, size := protowire.ConsumeTag(list)
		event, used := protowire.ConsumeBytes(list[size:])
		list = list[size+used:]
		if !decodeEvent(&room[i], event) {
			return nil, false
		}
		events[i] = &room[i]
	}
	return events, true
}

// field is one field of a message: a number, or bytes.
type field struct {
	num    protowire.Number
	bytes  []byte
	number uint64
	is     protowire.Type
}

// next takes a field off an encoded message. false: it is damaged, or has a type that is not decoded here.
func next(b []byte) (f field, rest []byte, ok bool) {
	num, typ, size := protowire.ConsumeTag(b)
	if size < 0 {
		return f, nil, false
	}
	f.num, f.is, b = num, typ, b[size:]
	switch typ {
	case protowire.VarintType:
		f.number, size = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		f.bytes, size = protowire.ConsumeBytes(b)
	default:
		return f, nil, false
	}
	if size < 0 {
		return f, nil, false
	}
	return f, b[size:], true
}

func decodeEvent(e *turnpb.Event, b []byte) bool {
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		switch {
		case f.num == fieldID && f.is == protowire.VarintType:
			e.Id = f.number
		case f.num == fieldSource && f.is == protowire.VarintType:
			e.Source = f.number
		case e.Kind != nil || f.is != protowire.BytesType || !decodeKind(e, f):
			return false
		}
	}
	return true
}

func decodeKind(e *turnpb.Event, f field) bool {
	switch f.num {
	case fieldActivityScheduled:
		k := &turnpb.ActivityScheduled{}
		e.Kind = &turnpb.Event_ActivityScheduled{ActivityScheduled: k}
		return decodeScheduled(k, f.bytes)
	case fieldActivityCompleted:
		k := &turnpb.ActivityCompleted{}
		e.Kind = &turnpb.Event_ActivityCompleted{ActivityCompleted: k}
		return decodeOne(f.bytes, fieldResult, protowire.BytesType, func(f field) { k.Result = copied(f.bytes) })
	case fieldTimerCreated:
		k := &turnpb.TimerCreated{}
		e.Kind = &turnpb.Event_TimerCreated{TimerCreated: k}
		return decodeOne(f.bytes, fieldFireAt, protowire.VarintType, func(f field) { k.FireAtMs = int64(f.number) })
	case fieldTimerFired:
		k := &turnpb.TimerFired{}
		e.Kind = &turnpb.Event_TimerFired{TimerFired: k}
		return decodeOne(f.bytes, fieldFireAt, protowire.VarintType, func(f field) { k.FireAtMs = int64(f.number) })
	default:
		return false
	}
}

// decodeOne decodes a message that has one field.
func decodeOne(b []byte, num protowire.Number, is protowire.Type, take func(field)) bool {
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok || f.num != num || f.is != is {
			return false
		}
		take(f)
		b = rest
	}
	return true
}

func decodeScheduled(k *turnpb.ActivityScheduled, b []byte) bool {
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		switch {
		case f.num == fieldName && f.is == protowire.BytesType && utf8.Valid(f.bytes):
			k.Name = string(f.bytes)
		case f.num == fieldInput && f.is == protowire.BytesType:
			k.Input = copied(f.bytes)
		case f.num == fieldAttempt && f.is == protowire.VarintType:
			k.Attempt = uint32(f.number)
		case f.num == fieldFirst && f.is == protowire.VarintType:
			k.FirstEvent = f.number
		default:
			return false
		}
	}
	return true
}

// copied is a value that does not keep the row that it was read from.
func copied(b []byte) []byte {
	if len(b) == 0 {
		return []byte{}
	}
	return bytes.Clone(b)
}
