package history

import (
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Stored is the history of an execution in its stored form, for a machine that replays it. Each turn is decoded when it is
// read, in the memory of the turn before: a history of thousands of turns is a few large pieces of memory without pointers.
// A part that only the library decodes is decoded at once and kept so: it would take its memory twice.
// It is given the parts in their order, and sees at once that each can be decoded. The zero value is ready.
type Stored struct {
	pieces  [][]byte // the last one is being filled
	decoded [][]*turnpb.Event
	parts   []place
	turns   []uint32 // where in parts each turn begins
	outline replay.Outline
	decode  decoder
}

// place is where a part lies. decoded is one more than the index of its events in Stored.decoded; 0: they are in the piece.
type place struct{ piece, at, header, events, decoded uint32 }

// pieceMax bounds the memory for several parts.
const pieceMax = 256 << 10

// Part takes the next part and copies it, as [Decoder.Part] does.
func (s *Stored) Part(firstEvent uint64, header, events []byte) error {
	if len(header) == 0 && len(s.parts) == 0 {
		return fmt.Errorf("%w, at event %d", ErrNoHeader, firstEvent)
	}
	var decoded uint32
	if n, last, ok := allCommon(events); ok {
		s.outline.AddCommon(n, last)
	} else if list, err := Events(firstEvent, events); err != nil {
		return err
	} else {
		for _, e := range list {
			s.outline.Add(e)
		}
		s.decoded, events = append(s.decoded, list), nil
		decoded = uint32(len(s.decoded))
	}
	if len(header) > 0 {
		if !shapeHeader.fits(header) {
			if _, err := Header(firstEvent, header); err != nil {
				return err
			}
		}
		s.turns = append(s.turns, uint32(len(s.parts)))
	}
	s.keep(header, events, decoded)
	return nil
}

// keep copies a part behind the others.
func (s *Stored) keep(header, events []byte, decoded uint32) {
	size, last := len(header)+len(events), len(s.pieces)-1
	if last < 0 || size > cap(s.pieces[last])-len(s.pieces[last]) {
		room := size
		if last >= 0 {
			room = max(size, min(2*cap(s.pieces[last]), pieceMax))
		}
		s.pieces = append(s.pieces, make([]byte, 0, room))
		last++
	}
	p := s.pieces[last]
	s.parts = append(s.parts, place{uint32(last), uint32(len(p)), uint32(len(header)), uint32(len(events)), decoded})
	s.pieces[last] = append(append(p, header...), events...)
}

func (s *Stored) header(n uint32) []byte {
	p := s.parts[n]
	return s.pieces[p.piece][p.at:][:p.header]
}

// events gives the events of a part. Part has seen that they can be decoded.
func (s *Stored) events(d *decoder, n uint32) []*turnpb.Event {
	p := s.parts[n]
	if p.decoded > 0 {
		return s.decoded[p.decoded-1]
	}
	list, err := d.eventsAt(0, s.pieces[p.piece][p.at+p.header:][:p.events])
	if err != nil {
		panic(err)
	}
	return list
}

// Turns implements replay.History.
func (s *Stored) Turns() int { return len(s.turns) }

// Turn implements replay.History.
func (s *Stored) Turn(n int) replay.Segment {
	s.decode.again()
	s.decode.shared = true
	return s.turn(&s.decode, n)
}

// turn decodes a turn. Part has seen that it can be decoded.
func (s *Stored) turn(d *decoder, n int) replay.Segment {
	first, end := s.turns[n], uint32(len(s.parts))
	if n+1 < len(s.turns) {
		end = s.turns[n+1]
	}
	h, err := d.headerAt(0, s.header(first))
	if err != nil {
		panic(err)
	}
	t := replay.Segment{Header: h, Events: s.events(d, first)}
	for first++; first < end; first++ {
		t.Events = append(t.Events[:len(t.Events):len(t.Events)], s.events(d, first)...)
	}
	return t
}

// Sites implements replay.History.
func (s *Stored) Sites(yield func(*turnpb.CallSite) bool) {
	var d decoder
	for n := range s.turns {
		h, err := d.headerAt(0, s.header(s.turns[n]))
		if err != nil {
			panic(err)
		}
		for _, c := range h.GetCallSites() {
			if !yield(c) {
				return
			}
		}
	}
}

// Outline implements replay.History.
func (s *Stored) Outline() replay.Outline { return s.outline }
