package history

import (
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

// scheduled, completed, created and fired are an event, its kind and its body in one piece.
type (
	scheduled struct {
		e turnpb.Event
		k turnpb.Event_ActivityScheduled
		p turnpb.ActivityScheduled
	}
	completed struct {
		e turnpb.Event
		k turnpb.Event_ActivityCompleted
		p turnpb.ActivityCompleted
	}
	created struct {
		e turnpb.Event
		k turnpb.Event_TimerCreated
		p turnpb.TimerCreated
	}
	fired struct {
		e turnpb.Event
		k turnpb.Event_TimerFired
		p turnpb.TimerFired
	}
)

// decoder decodes what long histories are made of, several times as fast as reflection does, and allocates for many at once.
type decoder struct {
	text
	lists     room[*turnpb.Event]
	events    room[turnpb.Event]
	scheduled room[scheduled]
	completed room[completed]
	created   room[created]
	fired     room[fired]
	headers   room[turnpb.SegmentHeader]
	siteLists room[*turnpb.CallSite]
	sites     room[turnpb.CallSite]
}

// common decodes an EventList of common events. false: something else is in it, or it is damaged; then what it has decoded
// means nothing.
func (d *decoder) common(list []byte) ([]*turnpb.Event, bool) {
	n, ok := countOf(list)
	if !ok || n == 0 {
		return nil, ok
	}
	events := d.lists.take(n)
	for i := range events {
		f, rest, ok := next(list)
		if !ok {
			return nil, false
		}
		list = rest
		if events[i] = d.event(f.bytes); events[i] == nil {
			return nil, false
		}
	}
	return events, true
}

// countOf counts the events of an EventList. false: something else is in it, or it is damaged.
func countOf(list []byte) (n int, ok bool) {
	for ; len(list) > 0; n++ {
		f, rest, ok := next(list)
		if !ok || f.num != fieldEvents || f.is != protowire.BytesType {
			return 0, false
		}
		list = rest
	}
	return n, true
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

// event decodes an event; nil if it is not a common one, or is damaged.
func (d *decoder) event(b []byte) *turnpb.Event {
	var id, source uint64
	var e *turnpb.Event
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok {
			return nil
		}
		b = rest
		switch {
		case f.num == fieldID && f.is == protowire.VarintType:
			id = f.number
		case f.num == fieldSource && f.is == protowire.VarintType:
			source = f.number
		case e != nil || f.is != protowire.BytesType:
			return nil
		default:
			if e = d.kind(f); e == nil {
				return nil
			}
		}
	}
	if e == nil {
		e = d.events.one()
	}
	e.Id, e.Source = id, source
	return e
}

// kind decodes the kind of an event and makes the event; nil if it is not a common one, or is damaged.
func (d *decoder) kind(f field) *turnpb.Event {
	switch f.num {
	case fieldActivityScheduled:
		r := d.scheduled.one()
		r.k.ActivityScheduled, r.e.Kind = &r.p, &r.k
		if d.schedule(&r.p, f.bytes) {
			return &r.e
		}
	case fieldActivityCompleted:
		r := d.completed.one()
		r.k.ActivityCompleted, r.e.Kind = &r.p, &r.k
		result, ok := only(f.bytes, fieldResult, protowire.BytesType)
		if r.p.Result = d.bytes(result.bytes); ok {
			return &r.e
		}
	case fieldTimerCreated:
		r := d.created.one()
		r.k.TimerCreated, r.e.Kind = &r.p, &r.k
		at, ok := only(f.bytes, fieldFireAt, protowire.VarintType)
		if r.p.FireAtMs = int64(at.number); ok {
			return &r.e
		}
	case fieldTimerFired:
		r := d.fired.one()
		r.k.TimerFired, r.e.Kind = &r.p, &r.k
		at, ok := only(f.bytes, fieldFireAt, protowire.VarintType)
		if r.p.FireAtMs = int64(at.number); ok {
			return &r.e
		}
	}
	return nil
}

// only decodes a message that has one field. Of several values the last counts. false: something else is in it.
func only(b []byte, num protowire.Number, is protowire.Type) (last field, ok bool) {
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok || f.num != num || f.is != is {
			return last, false
		}
		last, b = f, rest
	}
	return last, true
}

func (d *decoder) schedule(k *turnpb.ActivityScheduled, b []byte) bool {
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		switch {
		case f.num == fieldName && f.is == protowire.BytesType && utf8.Valid(f.bytes):
			k.Name = d.name(f.bytes)
		case f.num == fieldInput && f.is == protowire.BytesType:
			k.Input = d.bytes(f.bytes)
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
