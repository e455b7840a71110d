package history_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/history"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// bad is no encoding of a message.
var bad = []byte{0xff}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func events(t *testing.T, ids ...uint64) []byte {
	t.Helper()
	list := &turnpb.EventList{}
	for _, id := range ids {
		list.Events = append(list.Events, &turnpb.Event{Id: id})
	}
	return encoded(t, list)
}

type part struct {
	first          uint64
	header, events []byte
}

func TestPartsBecomeTurns(t *testing.T) {
	header := func(turn uint64) []byte { return encoded(t, &turnpb.SegmentHeader{Turn: turn}) }
	var d history.Decoder
	for _, p := range []part{
		{1, header(1), events(t, 1, 2)}, {3, nil, events(t, 3)}, {4, header(2), nil}, {4, header(3), events(t, 4)},
	} {
		if err := d.Part(p.first, p.header, p.events); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]uint64{{1, 2, 3}, {}, {4}}
	if len(d.Turns()) != len(want) {
		t.Fatalf("%d turns, want %d", len(d.Turns()), len(want))
	}
	for i, turn := range d.Turns() {
		if turn.Header.GetTurn() != uint64(i)+1 || len(turn.Events) != len(want[i]) {
			t.Fatalf("turn %d is %v with %d events", i+1, turn.Header, len(turn.Events))
		}
		for n, e := range turn.Events {
			if e.GetId() != want[i][n] {
				t.Errorf("event %d of turn %d has the id %d", n, i+1, e.GetId())
			}
		}
	}
	if whole := d.TakeWhole(); len(whole) != 2 || len(d.Turns()) != 1 || d.Turns()[0].Header.GetTurn() != 3 {
		t.Errorf("%d turns are whole, and %d are left", len(whole), len(d.Turns()))
	}
	if whole := d.TakeWhole(); len(whole) != 0 {
		t.Errorf("%d more turns are whole", len(whole))
	}
}

// A part that cannot be decoded is an error that names its place, and adds nothing.
func TestWhatCannotBeDecoded(t *testing.T) {
	header := encoded(t, &turnpb.SegmentHeader{Turn: 1})
	for name, c := range map[string]struct {
		part part
		says string
	}{
		"no header":        {part{first: 7}, "without a segment header, at event 7"},
		"bad header":       {part{7, bad, nil}, "the header at event 7"},
		"bad events":       {part{7, header, bad}, "events from 7 on"},
		"bad continuation": {part{7, nil, bad}, "events from 7 on"},
	} {
		var d history.Decoder
		begun := 0
		if name == "bad continuation" {
			begun = 1
			if err := d.Part(1, header, nil); err != nil {
				t.Fatal(err)
			}
		}
		err := d.Part(c.part.first, c.part.header, c.part.events)
		var s history.Stored
		if begun > 0 {
			_ = s.Part(1, header, nil)
		}
		if serr := s.Part(c.part.first, c.part.header, c.part.events); serr == nil || err != nil && serr.Error() != err.Error() || s.Turns() != begun {
			t.Errorf("%s: for a machine %v, with %d turns", name, serr, s.Turns())
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, history.ErrNoHeader) != (name == "no header") {
			t.Errorf("%s: %v", name, err)
		}
		if len(d.Turns()) != begun {
			t.Errorf("%s: %d turns", name, len(d.Turns()))
		}
	}
}

func TestLast(t *testing.T) {
	if e, err := history.Last(events(t, 4, 5)); err != nil || e.GetId() != 5 {
		t.Errorf("the last of two: %v, %v", e, err)
	}
	if e, err := history.Last(nil); err != nil || e != nil {
		t.Errorf("the last of none: %v, %v", e, err)
	}
	if _, err := history.Last(bad); err == nil {
		t.Error("what is no list has a last event")
	}
}
