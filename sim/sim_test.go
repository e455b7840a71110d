package sim

import (
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

var (
	seedFlag    = flag.Int64("seed", -1, "run only this seed, and tell its story with -v")
	firstFlag   = flag.Uint64("first", 0, "the first seed that a test of many runs")
	plantedFlag = flag.String("planted", "", "plant this fault into the run of -seed")
	tracesFlag  = flag.String("traces", "", "write each seed and the hash of its trace to this file, to compare two versions of the code")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seeds is how many seeds a test runs: TURNSTONE_SIM_SEEDS, else 20 with -short and 1,000 without.
func seeds(t testing.TB) int {
	if v := os.Getenv("TURNSTONE_SIM_SEEDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("TURNSTONE_SIM_SEEDS is %q; it must be a number of seeds, at least 1", v)
		}
		return n
	}
	if testing.Short() {
		return 20
	}
	return 1000
}

// rare are the states that a run of many seeds must reach, each at least once.
var rare = []string{
	"conflict", "stale accept", "second activation", "second activation's turn", "careful mode", "careful turn", "poisoned killer", "uncertain proposal",
	"uncertain proposal repeated", "buffer overflow to the inbox", "10 ms accept", "eviction and reload",
	"eviction during a load", "eviction beside an accept in flight", "exactly full page", "refusal that contradicts a belief",
	"request repeated", "request key reused", "request repeated in flight", "start repeated", "start repeated in flight", "key of a start reused", "clock step of an hour back", "clock step of ten years", "full queue of the journal",
	"deferred message", "re-told nudge", "lost nudge", "read error", "read failure",
	"result after cancel", "duplicate delivery across partitions", "duplicate command", "wait without a read",
	"waited for memory", "new way of a patch", "old way of a patch in code that knows it", "held and released", "held until other code comes", "other code during a try", "code that fits during the last try", "held and terminated", "no consumer is left",
	"another input than history has", "another input than history has, with StrictInputs", "message of a queue carried on", "another attempt of a call",
	"cleanup: error", "cleanup: panic", "cleanup: cancel", "cleanup: abort", "undo step", "undo step that failed", "undo step that had no time",
	"await: completed", "await: failed", "await: no such instance", "await given up",
	"query answered", "query refused: the code does not fit", "query refused: the instance is held", "query refused: the code may be a killer",
	"start with a delay", "execution timeout",
	"send: delivered", "send: not_found", "send: ended",
	"activity that hangs", "heartbeat recorded", "heartbeat of an earlier run", "heartbeat of an earlier attempt",
	"timeout: start_to_close", "timeout: schedule_to_start", "timeout: schedule_to_close", "timeout: heartbeat",
}

// rareFrom is how many seeds are enough to ask for every rare state.
const rareFrom = 200

func repeat(r Result, planted string) string {
	command := fmt.Sprintf("go test ./sim -run 'TestSim$' -seed=%d -v", r.Seed)
	if planted != "" {
		command += fmt.Sprintf(" -planted=%q", planted)
	}
	return command
}

func TestSim(t *testing.T) {
	if *seedFlag >= 0 {
		one(t, uint64(*seedFlag))
		return
	}
	n := seeds(t)
	reached := map[string]int{}
	var steps uint64
	var crashes, failed, done int
	traces := tracesFile(t)
	for r := range runs(n) {
		done++
		fmt.Fprintf(traces, "%d %016x\n", r.Seed, r.Trace)
		for state, times := range r.Reached {
			reached[state] += times
		}
		steps += r.Steps
		if r.Steps > 100_000 {
			t.Logf("seed %d took %d steps", r.Seed, r.Steps)
		}
		crashes += r.Crashes
		if len(r.Failures) > 0 {
			t.Errorf("seed %d: %v\nrepeat it with: %s", r.Seed, r.Failures[0], repeat(r, ""))
			if failed++; failed == 5 {
				t.Log("no more seeds are run after five that failed")
				break
			}
		}
	}
	t.Logf("%d seeds, %d steps, %d crashes", done, steps, crashes)
	report(t, reached, n)
}

// tracesFile is the file that -traces names, or nothing.
func tracesFile(t *testing.T) io.Writer {
	if *tracesFlag == "" {
		return io.Discard
	}
	f, err := os.Create(*tracesFlag)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// runs gives the results of n seeds in order. Several worlds run at once: they share nothing.
func runs(n int) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		workers := min(runtime.GOMAXPROCS(0), 4)
		var next atomic.Int64
		var stopped atomic.Bool
		var running sync.WaitGroup
		results := make([]chan Result, n)
		for i := range results {
			results[i] = make(chan Result, 1)
		}
		for range workers {
			running.Go(func() {
				for i := next.Add(1) - 1; int(i) < n && !stopped.Load(); i = next.Add(1) - 1 {
					results[i] <- Run(*firstFlag+uint64(i), Options{})
				}
			})
		}
		defer running.Wait()
		defer stopped.Store(true)
		for _, result := range results {
			if !yield(<-result) {
				return
			}
		}
	}
}

// report prints which rare states were reached, and fails if one was not though there were seeds enough.
func report(t *testing.T, reached map[string]int, n int) {
	for _, state := range slices.Sorted(keysOf(reached)) {
		t.Logf("%8d x %s", reached[state], state)
	}
	for _, state := range rare {
		if reached[state] == 0 && n >= rareFrom {
			t.Errorf("the state %q was not reached in %d seeds: the simulator has lost sight of it", state, n)
		}
	}
}

func keysOf(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// one runs a single seed and tells its story.
func one(t *testing.T, seed uint64) {
	var story strings.Builder
	o := Options{Planted: *plantedFlag}
	if testing.Verbose() {
		o.Story = &story
	}
	r := Run(seed, o)
	if testing.Verbose() {
		fmt.Print(story.String())
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	t.Logf("seed %d: %d steps, %v, %d crashes, trace %016x, reached %v", seed, r.Steps, r.Virtual, r.Crashes, r.Trace, r.Reached)
}

// The same seed gives the same trace, whatever GOMAXPROCS is.
func TestSameSeedSameTrace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	distinct := map[uint64]bool{}
	const n = 20
	for seed := range uint64(n) {
		runtime.GOMAXPROCS(1)
		first := Run(seed, Options{})
		runtime.GOMAXPROCS(2)
		second := Run(seed, Options{})
		if first.Trace != second.Trace || first.Steps != second.Steps {
			t.Errorf("seed %d: traces %016x in %d steps and %016x in %d", seed, first.Trace, first.Steps, second.Trace, second.Steps)
		}
		distinct[first.Trace] = true
	}
	if len(distinct) != n {
		t.Errorf("%d distinct traces of %d seeds", len(distinct), n)
	}
}

// quick are the planted faults that a short run looks for, in quickSeeds seeds at most.
var quick = []string{"consume twice", "drop the fence", "early timer"}

const quickSeeds = 100

// plantedSteps is enough for a run in which all is well, and stops one that a fault keeps busy for ever.
const plantedSteps = 300_000

// Every planted fault is found within the gate's seeds.
func TestPlantedFaultsAreFound(t *testing.T) {
	names, most := PlantedNames(), seeds(t)
	if testing.Short() {
		names, most = quick, quickSeeds
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(most) {
				if r := Run(seed, Options{Planted: name, MaxSteps: plantedSteps}); len(r.Failures) > 0 {
					t.Logf("found by seed %d: %v", seed, r.Failures[0])
					return
				}
			}
			t.Errorf("not found in %d seeds", most)
		})
	}
}

// inside are the planted faults that lie inside other packages and need a build of their own.
var inside = []string{
	"a full page invents a row", "a query takes the id of an event", "compute a side effect again", "decide a patch anew", "drop the turn's position", "evict what has news", "forget that inputs are strict", "forget what a held instance waits for",
	"forget what is unserved", "give a message twice", "hold beside an attach", "hold in the step of an attach", "keep a contradicted belief", "keep the values of a refused turn",
	"leave without counting", "lose a watcher", "run an undo step twice", "take messages in reverse", "wait for what is over", "wrong coroutine order",
}

// The faults inside are found, too, and a build without the tag has none of them.
func TestPlantedFaultsInsideAreFound(t *testing.T) {
	if here := slices.DeleteFunc(PlantedNames(), func(n string) bool { return !slices.Contains(inside, n) }); len(here) > 0 {
		// This is that build, and the test above finds them. It has no others.
		if !slices.Equal(here, inside) || len(PlantedNames()) != len(inside)+plainFaults {
			t.Errorf("this build has %q, want %q and %d more", PlantedNames(), inside, plainFaults)
		}
		return
	}
	if n := len(PlantedNames()); n != plainFaults {
		t.Errorf("there are %d faults outside, want %d", n, plainFaults)
	}
	if testing.Short() {
		return // the gate's business
	}
	pattern := strings.ReplaceAll(strings.Join(inside, "|"), " ", "_")
	command := exec.Command("go", "test", "-tags", "planted", "-count=1", "-v", "-run", "TestPlantedFaultsAreFound/^("+pattern+")$", ".")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if found := strings.Count(string(out), "found by seed"); found != len(inside) {
		t.Errorf("%d of %d faults were found:\n%s", found, len(inside), out)
	}
	t.Logf("%s", out)
}

// plainFaults is how many faults every build can plant.
const plainFaults = 19
