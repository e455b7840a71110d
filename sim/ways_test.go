package sim

import (
	"slices"
	"strings"
	"testing"
)

// waysPart is how many seeds of the ordinary kind there are for one whose programs are run in every way.
const waysPart = 20

// waysLeast is how many seeds are enough to ask for what each way is there for.
const waysLeast = 5

// A program comes to the same end whether it is run straight, cut at every turn, evicted at every turn, or with its
// completions in any order.
func TestWays(t *testing.T) {
	reached := map[string]int{}
	n := max(seeds(t)/waysPart, 1)
	if testing.Short() {
		n = waysLeast
	}
	for seed := range uint64(n) {
		r := RunWays(*firstFlag+seed, Options{})
		for state, times := range r.Reached {
			reached[state] += times
		}
		for _, f := range r.Failures {
			t.Fatalf("seed %d: %v\nrepeat it with: TURNSTONE_SIM_SEEDS=1 go test ./sim -run 'TestWays$' -first=%d", r.Seed, f, r.Seed)
		}
	}
	for _, state := range slices.Sorted(keysOf(reached)) {
		t.Logf("%8d x %s", reached[state], state)
	}
	for i := range ways {
		w := &ways[i]
		if !w.cut && n >= waysLeast && reached[w.name+": query answered"] == 0 {
			t.Errorf("%s: no query was answered", w.name)
		}
		for _, want := range []struct {
			state string
			is    bool
		}{
			{"crash", w.cut}, {"history read again", w.cut || w.evict}, {"message of a queue carried on", true}, {"value stored", true}, {"status stored", true},
			{"cleanup: error", true}, {"cleanup: panic", true}, {"undo step", true}, {"undo step that had no time", true},
			{"await: completed", true}, {"await: failed", true}, {"await: no such instance", true}, {"await given up", true},
			{"query refused: the code may be a killer", w.cut},
			{"start with a delay", true}, {"execution timeout", true},
			{"send: delivered", true}, {"send: not_found", true}, {"send: ended", true},
			{"heartbeat recorded", true}, {"heartbeat of an earlier attempt", true},
			{"timeout: start_to_close", true}, {"timeout: schedule_to_start", true}, {"timeout: schedule_to_close", true}, {"timeout: heartbeat", true},
		} {
			if is := n < waysLeast && want.is || reached[w.name+": "+want.state] > 0; is != want.is {
				t.Errorf("%s: the state %q was reached: %v", w.name, want.state, is)
			}
		}
	}
}

// Two runs that end in different ways are told apart, whatever it is that differs.
func TestDifferencesAreFound(t *testing.T) {
	first := map[string]string{"i0": "completed", "i1": "failed"}
	for _, second := range []map[string]string{
		{"i0": "completed"}, {"i0": "completed", "i1": "completed"}, {"i0": "completed", "i1": "failed", "i2": "failed"},
	} {
		if len(differences("again", first, second)) != 1 {
			t.Errorf("%v and %v were not told apart", first, second)
		}
	}
	if found := differences("again", first, first); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// inWays are planted faults that the ways find, beside the seeds in which everything goes wrong.
var inWays = []string{"early timer", "lost status", "forget the attempt", "lost heartbeat", "forget a timeout"}

func TestWaysFindPlantedFaults(t *testing.T) {
	for _, name := range inWays {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			for seed := range uint64(quickSeeds) {
				if r := RunWays(seed, Options{Planted: name, MaxSteps: plantedSteps}); len(r.Failures) > 0 {
					t.Logf("found by seed %d: %v", seed, r.Failures[0])
					return
				}
			}
			t.Errorf("not found in %d seeds", quickSeeds)
		})
	}
}
