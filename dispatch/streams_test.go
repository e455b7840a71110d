package dispatch

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// talks lists the partitions that there is a pump for.
func (s *streams) talks() (to []persistence.Partition) {
	for _, p := range s.pumps {
		to = append(to, p.to)
	}
	return to
}

// TestF13_APumpIsThereWhileItsPairTalks: it is made for what had rows at the open and for what is sent later, reads only
// then, and is let go when all it moved is deleted. The next row makes another one.
func TestF13_APumpIsThereWhileItsPairTalks(t *testing.T) {
	w := newWorld(smallConfig(), t.Fatalf)
	for range 5 {
		w.outboxRow(7)
	}
	w.outbox[7].mark = 2
	w.acknowledge(Action{To: 7, Through: 1})
	w.open(false)
	w.tick()
	if n := len(w.d.streams.pumps); n != 0 {
		t.Fatalf("%d pumps before what has rows is known", n)
	}
	w.outboxRow(300) // while that is being read
	w.settle()
	w.settle() // the second page
	if to := w.d.streams.talks(); len(to) != 2 || to[0] != 7 || to[1] != 300 {
		t.Fatalf("there are pumps for %v, want 7 and 300", to)
	}
	if s := w.outbox[7]; s.mark != 5 || w.outbox[300].mark != 1 {
		t.Fatalf("the marks are %d and %d, want 5 and 1", s.mark, w.outbox[300].mark)
	}
	for round := range 3 {
		w.pass(2 * ackAfterMs)
		w.settle()
		w.tick()
		if to := w.d.streams.talks(); len(to) != 0 || len(w.streams()) != 0 {
			t.Fatalf("round %d: all is delivered, and there are rows %v and pumps for %v", round, w.streams(), to)
		}
		w.outboxRow(7)
		w.settle()
		if to := w.d.streams.talks(); len(to) != 1 || to[0] != 7 || w.outbox[7].mark != uint64(6+round) {
			t.Fatalf("round %d: a row is sent, and there are pumps for %v, and the mark is %d", round, to, w.outbox[7].mark)
		}
		if p := w.d.streams.pumpTo(7); p.acked != uint64(5+round) {
			t.Fatalf("round %d: a new pump takes %d for deleted, want %d", round, p.acked, 5+round)
		}
	}
}

// TestF13_StreamsThatCannotBeReadAreAskedForAgain, and nothing is moved until they are known.
func TestF13_StreamsThatCannotBeReadAreAskedForAgain(t *testing.T) {
	w := newWorld(smallConfig(), t.Fatalf)
	w.outboxRow(2)
	w.open(false)
	asked := 0
	for range 5 {
		w.tick()
		for len(w.reads) > 0 {
			r := w.reads[0]
			w.reads = w.reads[1:]
			if r.a.Kind == ReadOutbox {
				t.Fatal("rows are read before it is known which streams have some")
			}
			if r.a.Kind == ScanStreams {
				asked++
			}
			w.d.ReadFailed(w.now, r.a)
		}
		w.later()
	}
	w.settle()
	if asked < 2 || w.outbox[2].mark != 1 {
		t.Fatalf("asked for %d times, the mark is %d", asked, w.outbox[2].mark)
	}
}
