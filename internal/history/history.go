package history

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Header decodes the header of the turn that begins at an event.
func Header(firstEvent uint64, header []byte) (*turnpb.SegmentHeader, error) {
	return new(decoder).headerAt(firstEvent, header)
}

func (d *decoder) headerAt(firstEvent uint64, header []byte) (*turnpb.SegmentHeader, error) {
	if h := d.header(header); h != nil {
		return h, nil
	}
	h := &turnpb.SegmentHeader{}
	if err := proto.Unmarshal(header, h); err != nil {
		return nil, fmt.Errorf("the header at event %d: %w", firstEvent, err)
	}
	return h, nil
}

// Events decodes the events of a part: a turnpb.EventList.
func Events(firstEvent uint64, events []byte) ([]*turnpb.Event, error) {
	return new(decoder).eventsAt(firstEvent, events)
}

func (d *decoder) eventsAt(firstEvent uint64, events []byte) ([]*turnpb.Event, error) {
	if common, ok := d.common(events); ok {
		return common, nil
	}
	var list turnpb.EventList
	if err := proto.Unmarshal(events, &list); err != nil {
		return nil, fmt.Errorf("events from %d on: %w", firstEvent, err)
	}
	return list.GetEvents(), nil
}

// Last returns the last event of an encoded turnpb.EventList; nil if the list is empty.
func Last(events []byte) (*turnpb.Event, error) {
	var list turnpb.EventList
	if err := proto.Unmarshal(events, &list); err != nil {
		return nil, fmt.Errorf("the last events: %w", err)
	}
	if n := len(list.GetEvents()); n > 0 {
		return list.GetEvents()[n-1], nil
	}
	return nil, nil
}

// ErrNoHeader is the error of a history whose first part has no header.
var ErrNoHeader = errors.New("the history begins without a segment header")

// Decoder makes turns of the parts of one execution, which it is given in their order. The zero value is ready. It keeps
// nothing of the memory of a part.
type Decoder struct {
	turns  []replay.Segment
	decode decoder
}

// Part takes the next part: one with a header begins a turn, one without continues it. After an error the decoder has what
// came before the part.
func (d *Decoder) Part(firstEvent uint64, header, events []byte) error {
	if len(header) == 0 && len(d.turns) == 0 {
		return fmt.Errorf("%w, at event %d", ErrNoHeader, firstEvent)
	}
	list, err := d.decode.eventsAt(firstEvent, events)
	if err != nil {
		return err
	}
	if len(header) == 0 {
		last := &d.turns[len(d.turns)-1]
		last.Events = append(last.Events, list...)
		return nil
	}
	h, err := d.decode.headerAt(firstEvent, header)
	if err != nil {
		return err
	}
	d.turns = append(d.turns, replay.Segment{Header: h, Events: list})
	return nil
}

// Turns returns the turns of the parts so far.
func (d *Decoder) Turns() []replay.Segment { return d.turns }

// TakeWhole returns the turns that no part can continue, all but the last, and forgets them.
func (d *Decoder) TakeWhole() []replay.Segment {
	n := len(d.turns) - 1
	if n < 1 {
		return nil
	}
	whole := d.turns[:n:n]
	d.turns = []replay.Segment{d.turns[n]}
	return whole
}
