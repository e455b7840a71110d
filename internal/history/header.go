package history

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The numbers of the fields of a SegmentHeader that are decoded here, and of a CallSite.
const (
	fieldTurn, fieldTime, fieldEntropy             = 1, 2, 3
	fieldEngine, fieldOrigin                       = 4, 5
	fieldConverted, fieldSites                     = 6, 8
	fieldSiteEvent, fieldSiteHash, fieldSiteOfText = 1, 2, 3
)

// header decodes the header of a turn as most turns have it; nil if something else is in it, or it is damaged.
func (d *decoder) header(b []byte) *turnpb.SegmentHeader {
	h, sites := d.headers.one(), 0
	for rest := b; len(rest) > 0; {
		f, after, ok := next(rest)
		if !ok {
			return nil
		}
		rest = after
		switch {
		case f.is == protowire.VarintType && headerNumber(h, f):
		case f.num == fieldEntropy && f.is == protowire.BytesType:
			h.Entropy = d.bytes(f.bytes)
		case f.num == fieldEngine && f.is == protowire.BytesType && utf8.Valid(f.bytes):
			h.EngineVersion = d.name(f.bytes)
		case f.num == fieldSites && f.is == protowire.BytesType:
			sites++
		default:
			return nil
		}
	}
	if sites > 0 && !d.callSites(h, b, sites) {
		return nil
	}
	return h
}

func headerNumber(h *turnpb.SegmentHeader, f field) bool {
	switch f.num {
	case fieldTurn:
		h.Turn = f.number
	case fieldTime:
		h.TimeMs = int64(f.number)
	case fieldOrigin:
		h.Origin = turnpb.SegmentOrigin(f.number)
	case fieldConverted:
		h.Converted = uint32(f.number)
	default:
		return false
	}
	return true
}

// callSites decodes the call sites of a header, which has n of them.
func (d *decoder) callSites(h *turnpb.SegmentHeader, b []byte, n int) bool {
	h.CallSites = d.siteLists.take(n)
	room := d.sites.take(n)
	for n = 0; len(b) > 0; {
		f, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		if f.num != fieldSites {
			continue
		}
		if !callSite(&room[n], f.bytes) {
			return false
		}
		h.CallSites[n] = &room[n]
		n++
	}
	return true
}

func callSite(c *turnpb.CallSite, b []byte) bool {
	for len(b) > 0 {
		f, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		switch {
		case f.num == fieldSiteEvent && f.is == protowire.VarintType:
			c.Event = f.number
		case f.num == fieldSiteHash && f.is == protowire.VarintType:
			c.Hash = uint32(f.number)
		case f.num == fieldSiteOfText && f.is == protowire.BytesType && utf8.Valid(f.bytes):
			c.Text = string(f.bytes)
		default:
			return false
		}
	}
	return true
}
