package history

import (
	"unicode/utf8"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The tags of the fields that are decoded here.
const (
	tagEvents = 1<<3 | isBytes // of an EventList

	tagID, tagSource            = 1<<3 | isNumber, 2<<3 | isNumber // of an Event
	tagActivityScheduled        = 20<<3 | isBytes
	tagActivityCompleted        = 21<<3 | isBytes
	tagTimerCreated             = 30<<3 | isBytes
	tagTimerFired               = 31<<3 | isBytes
	tagName, tagInput           = 1<<3 | isBytes, 2<<3 | isBytes // of an ActivityScheduled
	tagAttempt, tagFirstAttempt = 5<<3 | isNumber, 6<<3 | isNumber
	tagResult                   = 1<<3 | isBytes  // of an ActivityCompleted
	tagFireAt                   = 1<<3 | isNumber // of a TimerCreated and a TimerFired
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
// What it does not decode itself it leaves to reflection: then what it has decoded means nothing.
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

// again takes back all that was decoded: it must not be used any more. Its memory has old values, so whatever decodes a message
// sets all fields that are decoded here.
func (d *decoder) again() {
	d.lists.again()
	d.events.again()
	d.scheduled.again()
	d.completed.again()
	d.created.again()
	d.fired.again()
	d.headers.again()
	d.siteLists.again()
	d.sites.again()
}

// common decodes an EventList of common events. false: something else is in it, or it is damaged.
func (d *decoder) common(list []byte) ([]*turnpb.Event, bool) {
	n := 0
	for r := (reader{message: list}); r.more(); n++ {
		if !r.next() || r.tag != tagEvents {
			return nil, false
		}
	}
	if n == 0 {
		return nil, true
	}
	events := d.lists.take(n)
	r := reader{message: list}
	for i := range events {
		r.next()
		if events[i] = d.event(r.bytes()); events[i] == nil {
			return nil, false
		}
	}
	return events, true
}

// event decodes an event; nil if it is not a common one, or is damaged.
func (d *decoder) event(b []byte) *turnpb.Event {
	var id, source uint64
	var e *turnpb.Event
	for r := (reader{message: b}); r.more(); {
		if !r.next() {
			return nil
		}
		switch r.tag {
		case tagID:
			id = r.number
		case tagSource:
			source = r.number
		default:
			if e != nil {
				return nil
			}
			if e = d.kind(&r); e == nil {
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
func (d *decoder) kind(r *reader) *turnpb.Event {
	switch r.tag {
	case tagActivityScheduled:
		m := d.scheduled.one()
		if m.e.Kind == nil {
			m.k.ActivityScheduled, m.e.Kind = &m.p, &m.k
		}
		if d.schedule(&m.p, r.bytes()) {
			return &m.e
		}
	case tagActivityCompleted:
		m := d.completed.one()
		if m.e.Kind == nil {
			m.k.ActivityCompleted, m.e.Kind = &m.p, &m.k
		}
		result, ok := only(tagResult, r.bytes())
		if m.p.Result = d.bytes(result.bytes()); ok {
			return &m.e
		}
	case tagTimerCreated:
		m := d.created.one()
		if m.e.Kind == nil {
			m.k.TimerCreated, m.e.Kind = &m.p, &m.k
		}
		at, ok := only(tagFireAt, r.bytes())
		if m.p.FireAtMs = int64(at.number); ok {
			return &m.e
		}
	case tagTimerFired:
		m := d.fired.one()
		if m.e.Kind == nil {
			m.k.TimerFired, m.e.Kind = &m.p, &m.k
		}
		at, ok := only(tagFireAt, r.bytes())
		if m.p.FireAtMs = int64(at.number); ok {
			return &m.e
		}
	}
	return nil
}

// only reads a message that has one field, as often as it may be there: the last one counts. false: something else is in it, or
// it is damaged, and there is no value.
func only(tag uint64, b []byte) (r reader, ok bool) {
	for r.message = b; r.more(); {
		if !r.next() || r.tag != tag {
			return reader{}, false
		}
	}
	return r, true
}

func (d *decoder) schedule(k *turnpb.ActivityScheduled, b []byte) bool {
	var name string
	var input []byte
	k.Attempt, k.FirstEvent = 0, 0
	ok := true
	for r := (reader{message: b}); ok && r.more(); {
		if !r.next() {
			return false
		}
		switch r.tag {
		case tagName:
			if name = k.Name; string(r.bytes()) != name {
				name, ok = d.name(r.bytes())
			}
		case tagInput:
			input = d.bytes(r.bytes())
		case tagAttempt:
			k.Attempt = uint32(r.number)
		case tagFirstAttempt:
			k.FirstEvent = r.number
		default:
			return false
		}
	}
	k.Input = input
	if k.Name != name { // a store of a pointer costs while the collector runs
		k.Name = name
	}
	return ok
}

// The numbers of the fields of a SegmentHeader that are decoded here, and of a CallSite.
const (
	tagTurn, tagTime         = 1<<3 | isNumber, 2<<3 | isNumber
	tagEntropy, tagEngine    = 3<<3 | isBytes, 4<<3 | isBytes
	tagOrigin, tagConverted  = 5<<3 | isNumber, 6<<3 | isNumber
	tagSites                 = 8<<3 | isBytes
	tagSiteEvent, tagSiteSum = 1<<3 | isNumber, 2<<3 | isNumber
	tagSiteText              = 3<<3 | isBytes
)

// header decodes the header of a turn as most turns have it; nil if something else is in it, or it is damaged.
func (d *decoder) header(b []byte) *turnpb.SegmentHeader {
	h := d.headers.one()
	h.Turn, h.TimeMs, h.Origin, h.Converted = 0, 0, 0, 0
	var entropy []byte
	var engine string
	sites, ok := 0, true
	for r := (reader{message: b}); ok && r.more(); {
		if !r.next() {
			return nil
		}
		switch r.tag {
		case tagTurn:
			h.Turn = r.number
		case tagTime:
			h.TimeMs = int64(r.number)
		case tagEntropy:
			entropy = d.bytes(r.bytes())
		case tagEngine:
			if engine = h.EngineVersion; string(r.bytes()) != engine { // that of the turn before, mostly
				engine, ok = d.name(r.bytes())
			}
		case tagOrigin:
			h.Origin = turnpb.SegmentOrigin(r.number)
		case tagConverted:
			h.Converted = uint32(r.number)
		case tagSites:
			if sites == 0 {
				h.CallSites = d.siteLists.take(1)[:0]
			}
			sites++
			ok = d.callSite(h, r.bytes())
		default:
			return nil
		}
	}
	if !ok {
		return nil
	}
	h.Entropy = entropy
	if h.EngineVersion != engine {
		h.EngineVersion = engine
	}
	if sites == 0 {
		h.CallSites = nil
	}
	return h
}

// callSite decodes a call site of a header. Most headers have one.
func (d *decoder) callSite(h *turnpb.SegmentHeader, b []byte) bool {
	c := d.sites.one()
	c.Event, c.Hash = 0, 0
	text := ""
	for r := (reader{message: b}); r.more(); {
		if !r.next() {
			return false
		}
		switch {
		case r.tag == tagSiteEvent:
			c.Event = r.number
		case r.tag == tagSiteSum:
			c.Hash = uint32(r.number)
		case r.tag == tagSiteText && utf8.Valid(r.bytes()):
			text = string(r.bytes())
		default:
			return false
		}
	}
	if c.Text != text {
		c.Text = text
	}
	h.CallSites = append(h.CallSites, c)
	return true
}
