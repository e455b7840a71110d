package pebble

import (
	"errors"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestADeletedHeadIsNotReadAgainWithinTheBatch replaces an instance that has ended, and names it in commands of the same
// batch. Its head is in a table of the database meanwhile, and in memory or not.
func TestADeletedHeadIsNotReadAgainWithinTheBatch(t *testing.T) {
	for name, cached := range map[string]bool{"from memory": true, "from the database": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{Partitions: 1})
			r.begin()
			request := persistence.Request{Key: "k"}
			old := r.ok(0, &persistence.StartInstance{ID: "i", Name: "o", Request: request}).IID
			turn := &persistence.CommitTurn{
				ID: "i", IID: old, Execution: 1, ConsumesStart: true, Segment: part(1, 1), Name: "o", Version: "1.0.0",
				Pin: "0.1.0", Outcome: persistence.OutcomeCompleted,
			}
			r.ok(0, turn)
			if !cached {
				must(t, r.s.Close())
				r.open(r.s.o)
			}
			replace := &persistence.StartInstance{ID: "i", Name: "o", Reuse: persistence.AllowIfTerminal}
			results := r.batch(
				replace, turn, &persistence.LeaseTurn{IID: old, Execution: 1, Turn: 1},
				&persistence.StartInstance{ID: "i", Name: "o", Request: request},
			)
			if results[0].Err != nil || results[0].IID <= old {
				t.Fatalf("the instance is not replaced: %+v", results[0])
			}
			for i, want := range []error{nil, persistence.ErrConflict, persistence.ErrNotFound, persistence.ErrNotFound} {
				if err := results[i].Err; !errors.Is(err, want) {
					t.Errorf("command %d: %v, want %v", i, err, want)
				}
			}
			if heads := r.dump(0).Heads; len(heads) != 1 || heads[0].IID != results[0].IID {
				t.Fatalf("left are %+v", heads)
			}
		})
	}
}

// batch proposes commands to a partition, has them applied as one batch, and drives them to their results.
func (r *rig) batch(commands ...persistence.Command) []persistence.Result {
	r.t.Helper()
	results := make([]persistence.Result, len(commands))
	for i, c := range commands {
		r.s.Propose(0, persistence.Proposal{TimeMs: r.now, Epoch: r.epoch, Command: c, Done: func(res persistence.Result) {
			results[i] = res
		}})
	}
	before := r.s.Metrics()
	r.run()
	if after := r.s.Metrics(); after.Batches-before.Batches != 1 || after.Commands-before.Commands != uint64(len(commands)) {
		r.t.Fatalf("%d commands took %d batches", after.Commands-before.Commands, after.Batches-before.Batches)
	}
	return results
}
