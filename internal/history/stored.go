package history

import (
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Stored is the history of an execution in its stored form, for a machine that replays it. Each turn is decoded when it is
// read, in the memory of the turn before: a history of thousands of turns is a few large pieces of memory without pointers.
// It is given the parts in their order, and sees at once that each can be decoded. The zero value is ready.
type Stored struct {
	pieces  [][]byte // the last one is being filled
	parts   []place
	turns   []uint32 // where in parts each turn begins
	outline replay.Outline
	decode  decoder
}

// place is where a part lies.
type place struct{ piece, at, header, events uint32 }

// pieceMax bounds the memory for several parts.
const pieceMax = 256 << 10

// Part takes the next part and copies it, as [Decoder.Part] does.
func (s *Stored) Part(firstEvent uint64, header, events []byte) error {
	if len(header) == 0 && len(s.parts) == 0 {
		return fmt.Errorf("%w, at event %d", ErrNoHeader, firstEvent)
	}
	if n, last, ok := allCommon(events); ok {
		s.outline.AddCommon(n, last)
	} else if list, err := Events(firstEvent, events); err != nil {
		return err
	} else {
		for _, e := range list {
			s.outline.Add(e)
		}
	}
	if len(header) > 0 {
		if !shapeHeader.fits(header) {
			if _, err := Header(firstEvent, header); err != nil {
				return err
			}
		}
		s.turns = append(s.turns, uint32(len(s.parts)))
	}
	s.keep(header, events)
	return nil
}

// keep copies a part behind the others.
func (s *Stored) keep(header, events []byte) {
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
	s.parts = append(s.parts, place{uint32(last), uint32(len(p)), uint32(len(header)), uint32(len(events))})
	s.pieces[last] = append(append(p, header...), events...)
}

func (s *Stored) part(n uint32) (header, events []byte) {
	p := s.parts[n]
	b := s.pieces[p.piece][p.at:]
	return b[:p.header], b[p.header:][:p.events]
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
	header, events := s.part(first)
	h, err := d.headerAt(0, header)
	if err != nil {
		panic(err)
	}
	t := replay.Segment{Header: h}
	for {
		list, err := d.eventsAt(0, events)
		if err != nil {
			panic(err)
		}
		if t.Events == nil {
			t.Events = list
		} else {
			t.Events = append(t.Events, list...)
		}
		if first++; first == end {
			return t
		}
		_, events = s.part(first)
	}
}

// Sites implements replay.History.
func (s *Stored) Sites(yield func(*turnpb.CallSite) bool) {
	var d decoder
	for n := range s.turns {
		header, _ := s.part(s.turns[n])
		h, err := d.headerAt(0, header)
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
