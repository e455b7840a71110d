package history

import "unicode/utf8"

// shape is which fields an encoded message may have. It tells that a message can be decoded without decoding it.
type shape []part

// part is a field that a message of a shape may have.
type part struct {
	tag  uint64
	text bool  // it is UTF-8
	of   shape // of the message that it is; nil for other bytes
}

var (
	shapeScheduled = shape{{tag: tagName, text: true}, {tag: tagInput}, {tag: tagAttempt}, {tag: tagFirstAttempt}}
	shapeCompleted = shape{{tag: tagResult}}
	shapeTimer     = shape{{tag: tagFireAt}}
	shapeSite      = shape{{tag: tagSiteEvent}, {tag: tagSiteSum}, {tag: tagSiteText, text: true}}
	shapeHeader    = shape{
		{tag: tagTurn}, {tag: tagTime}, {tag: tagEntropy}, {tag: tagEngine, text: true}, {tag: tagOrigin}, {tag: tagConverted},
		{tag: tagSites, of: shapeSite},
	}
)

// fits reports whether a message has the shape: decoder decodes it.
func (s shape) fits(b []byte) bool {
	at := 0
	for r := (reader{message: b}); r.more(); {
		if !r.next() {
			return false
		}
		if at = s.find(r.tag, at); at < 0 {
			return false
		}
		if f := &s[at]; f.text && !utf8.Valid(r.bytes()) || f.of != nil && !f.of.fits(r.bytes()) {
			return false
		}
	}
	return true
}

// find is the index of a field; below 0 if the shape has none such. The search begins at from: fields are mostly in order.
func (s shape) find(tag uint64, from int) int {
	for range s {
		if s[from].tag == tag {
			return from
		}
		if from++; from == len(s) {
			from = 0
		}
	}
	return -1
}

// allCommon reports whether decoder decodes an EventList, how many events it has, and the highest id.
func allCommon(list []byte) (n int, last uint64, ok bool) {
	for r := (reader{message: list}); r.more(); n++ {
		if !r.next() || r.tag != tagEvents {
			return 0, 0, false
		}
		id, ok := isCommon(r.bytes())
		if !ok {
			return 0, 0, false
		}
		last = max(last, id)
	}
	return n, last, true
}

// isCommon reports whether decoder decodes an event, and its id.
func isCommon(event []byte) (id uint64, ok bool) {
	known := false // its kind
	for r := (reader{message: event}); r.more(); {
		if !r.next() {
			return 0, false
		}
		var kind shape
		switch r.tag {
		case tagID:
			id = r.number
			continue
		case tagSource:
			continue
		case tagActivityScheduled:
			kind = shapeScheduled
		case tagActivityCompleted:
			kind = shapeCompleted
		case tagTimerCreated, tagTimerFired:
			kind = shapeTimer
		}
		if kind == nil || known || !kind.fits(r.bytes()) {
			return 0, false
		}
		known = true
	}
	return id, true
}
