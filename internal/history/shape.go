package history

import "unicode/utf8"

// shape is which fields an encoded message may have. It tells that a message can be decoded without decoding it.
type shape struct {
	fields   uint32 // a bit each: see fieldBit
	texts    uint32 // those of them that are UTF-8
	messages uint32 // those that are messages of the shape of
	of       *shape
}

// fieldBit is the bit of a field by its tag; 0 if its number is too high for a shape to have it.
func fieldBit(tag uint64) uint32 {
	return 1 << (tag>>2&^1 | tag>>1&1) // two for each number: its value is a number, or bytes
}

func shapeOf(tags ...uint64) (s shape) {
	for _, tag := range tags {
		s.fields |= fieldBit(tag)
	}
	return s
}

// withText is the shape with one more field, which is UTF-8.
func (s shape) withText(tag uint64) shape {
	s.fields |= fieldBit(tag)
	s.texts |= fieldBit(tag)
	return s
}

// withMessage is the shape with one more field, which is a message. It may be used once.
func (s shape) withMessage(tag uint64, of *shape) shape {
	s.fields |= fieldBit(tag)
	s.messages, s.of = fieldBit(tag), of
	return s
}

var (
	shapeScheduled = shapeOf(tagInput, tagAttempt, tagFirstAttempt).withText(tagName)
	shapeCompleted = shapeOf(tagResult)
	shapeTimer     = shapeOf(tagFireAt)
	shapeSite      = shapeOf(tagSiteEvent, tagSiteSum).withText(tagSiteText)
	shapeHeader    = shapeOf(tagTurn, tagTime, tagEntropy, tagOrigin, tagConverted).withText(tagEngine).withMessage(tagSites, &shapeSite)
)

// fits reports whether a message has the shape: decoder decodes it.
func (s *shape) fits(b []byte) bool {
	for r := (reader{message: b}); r.more(); {
		if !r.next() {
			return false
		}
		switch field := fieldBit(r.tag); {
		case s.fields&field == 0,
			s.texts&field != 0 && !utf8.Valid(r.bytes()),
			s.messages&field != 0 && !s.of.fits(r.bytes()):
			return false
		}
	}
	return true
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
		var kind *shape
		switch r.tag {
		case tagID:
			id = r.number
			continue
		case tagSource:
			continue
		case tagActivityScheduled:
			kind = &shapeScheduled
		case tagActivityCompleted:
			kind = &shapeCompleted
		case tagTimerCreated, tagTimerFired:
			kind = &shapeTimer
		}
		if kind == nil || known || !kind.fits(r.bytes()) {
			return 0, false
		}
		known = true
	}
	return id, true
}
