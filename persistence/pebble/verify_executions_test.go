package pebble

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// continued is a closed store with an instance that has continued as new twice, after three turns each: events 1 to 3, one
// a turn. Its third execution has had as many turns as asked for.
func continued(t *testing.T, lastTurns int) *vfs.MemFS {
	t.Helper()
	r := newRig(t, Options{Partitions: 1, FS: vfs.NewMem()})
	r.begin()
	iid := r.ok(0, &persistence.StartInstance{ID: "i", Name: "o"}).IID
	for execution, turns := range []int{3, 3, lastTurns} {
		for turn := range turns {
			c := &persistence.CommitTurn{
				ID: "i", IID: iid, Execution: uint64(execution) + 1, Turn: uint64(turn), Outcome: persistence.OutcomeRunning, ConsumesStart: turn == 0,
				Name: "o", Version: "1.0.0", Pin: "0.1.0",
			}
			event := &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}}
			switch {
			case turn == 2:
				event.Kind = &turnpb.Event_ContinuedAsNew{ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{}}
				c.Outcome, c.Next = persistence.OutcomeContinued, &persistence.NextStart{Name: "o"}
			case turn == 1:
				event.Kind = &turnpb.Event_CancelRequested{CancelRequested: &turnpb.OrchestrationCancelRequested{}}
			}
			c.Segment = segment(t, uint64(turn)+1, uint64(turn)+1, event)
			r.ok(0, c)
		}
	}
	must(t, r.s.Close())
	return r.s.o.FS.(*vfs.MemFS)
}

// TestF21_turns_that_are_lost_from_a_former_execution_are_named removes turns of each execution but the last, which the
// head does not speak of.
func TestF21_turns_that_are_lost_from_a_former_execution_are_named(t *testing.T) {
	for _, lastTurns := range []int{0, 1, 2} {
		if rep := verified(t, continued(t, lastTurns)); len(rep.Damages) > 0 {
			t.Fatalf("in a good store: %v", rep.Damages)
		}
		for _, c := range []struct {
			execution uint64
			turns     []uint64
			want      string
		}{
			{1, []uint64{2, 3}, "execution 1 does not end in a terminal event"},
			{1, []uint64{3}, "execution 1 does not end in a terminal event"},
			{2, []uint64{2, 3}, "execution 2 does not end in a terminal event"},
			{2, []uint64{3}, "execution 2 does not end in a terminal event"},
			{1, []uint64{2}, "the next event of history is 2"},
			{1, []uint64{1}, "the next event of history is 1"},
			{1, []uint64{1, 2, 3}, "it follows execution 0"},
			{2, []uint64{1, 2, 3}, "execution"},
		} {
			fs := continued(t, lastTurns)
			withDB(t, fs, func(db *pdb.DB) {
				for _, turn := range c.turns {
					must(t, db.Delete(appendSegment(nil, 0, 1, c.execution, turn, turn), pdb.Sync))
				}
			})
			rep := verified(t, fs)
			named := false
			for _, d := range rep.Damages {
				named = named || strings.Contains(d.String(), c.want)
			}
			if !named {
				t.Errorf("%d turns of the last execution; without turns %d of execution %d: %v, want %q",
					lastTurns, c.turns, c.execution, rep.Damages, c.want)
			}
		}
	}
}

// TestF21_a_former_execution_that_ends_otherwise_is_named: its turns are whole, one by one and together, and the last one
// is not that which the next execution follows. Only the chain shows it.
func TestF21_a_former_execution_that_ends_otherwise_is_named(t *testing.T) {
	for _, lastTurns := range []int{0, 1} {
		for _, execution := range []uint64{1, 2} {
			fs := continued(t, lastTurns)
			withDB(t, fs, func(db *pdb.DB) {
				read := func(turn uint64) (key []byte, part persistence.StoredPart) {
					key = appendSegment(nil, 0, 1, execution, turn, turn)
					row, closer, err := db.Get(key)
					must(t, err)
					part, err = decodePart(execution, turn, turn, bytes.Clone(row))
					must(t, errors.Join(err, closer.Close()))
					return key, part
				}
				_, before := read(2)
				key, last := read(3)
				header := &turnpb.SegmentHeader{}
				must(t, proto.Unmarshal(last.Header, header))
				header.TimeMs++
				var err error
				last.Header, err = proto.Marshal(header)
				must(t, err)
				last.Chain = before.Chain.Next(&last)
				var e rowcode.Enc
				encodePart(&e, &last)
				must(t, db.Set(key, e, pdb.Sync))
			})
			rep := verified(t, fs)
			if len(rep.Damages) != 1 || !strings.Contains(rep.Damages[0].String(), "it follows chain") {
				t.Errorf("%d turns of the last execution; the end of execution %d is another: %v", lastTurns, execution, rep.Damages)
			}
		}
	}
}
