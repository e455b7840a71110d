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
	if !r.varint() {
		return false
	}
	r.tag = r.number
	if !r.varint() {
		return false
	}
	switch r.tag & isWhat {
	case isNumber:
		return true
	case isBytes:
		if r.number > uint64(len(r.message)-r.at) {
			return false
		}
		r.at += int(r.number)
		return true
	default:
		return false
	}
}

// varint reads a number. Most have one byte or two.
func (r *reader) varint() bool {
	if b := r.message[r.at:]; len(b) > 1 && b[0] >= 0x80 && b[1] < 0x80 {
		r.number = uint64(b[0]&0x7f) | uint64(b[1])<<7
		r.at += 2
		return true
	} else if len(b) > 0 && b[0] < 0x80 {
		r.number = uint64(b[0])
		r.at++
		return true
	}
	v, n := protowire.ConsumeVarint(r.message[r.at:])
	if n < 0 {
		return false
	}
	r.number = v
	r.at += n
	return true
}
