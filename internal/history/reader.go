package history

import "google.golang.org/protobuf/encoding/protowire"

// What the tag of a field says of its value.
const (
	isNumber = uint64(protowire.VarintType)
	isBytes  = uint64(protowire.BytesType)
	isWhat   = 7 // the bits of the tag that say it
)

// reader takes an encoded message apart, field by field. It counts where it is: it stores no pointers, which would cost while
// the collector runs.
type reader struct {
	message []byte
	at      int    // of the next field
	tag     uint64 // of the field: its number and what its value is
	number  uint64 // the value, or the length of bytes
}

// more reports whether there is a field that has not been read.
func (r *reader) more() bool { return r.at < len(r.message) }

// bytes is the value of the field that was read; nothing before the first.
func (r *reader) bytes() []byte {
	if r.tag&isWhat != isBytes {
		return nil
	}
	return r.message[r.at-int(r.number) : r.at : r.at]
}

// next reads a field. false: it is damaged, or its value is neither a number nor bytes.
func (r *reader) next() bool {
	b, at := r.message, r.at
	tag, number := uint64(0), uint64(0)
	if at+1 < len(b) && b[at] < 0x80 { // a call would cost as much as the rest
		tag, at = uint64(b[at]), at+1
	} else if tag, at = varint(b, at); at < 0 {
		return false
	}
	if at < len(b) && b[at] < 0x80 {
		number, at = uint64(b[at]), at+1
	} else if number, at = varint(b, at); at < 0 {
		return false
	}
	switch tag & isWhat {
	case isNumber:
	case isBytes:
		if number > uint64(len(b)-at) {
			return false
		}
		at += int(number)
	default:
		return false
	}
	r.at, r.tag, r.number = at, tag, number
	return true
}

// varint reads a number, and says where the next one begins; below 0 if it is damaged.
func varint(b []byte, at int) (v uint64, next int) {
	next = at
	for shift := 0; next < len(b) && shift < 56; shift += 7 {
		c := b[next]
		next++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, next
		}
	}
	v, n := protowire.ConsumeVarint(b[min(at, len(b)):])
	if n < 0 {
		return 0, -1
	}
	return v, at + n
}
