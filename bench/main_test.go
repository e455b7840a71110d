package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// measured runs the bench as its command line says, in a directory of its own, which must be empty afterwards.
func measured(t *testing.T, change func(o *options), args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	var said bytes.Buffer
	o, err := parse(append(args, "-dir", dir), &said)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, said.String())
	}
	if change != nil {
		change(&o)
	}
	var out bytes.Buffer
	err = run(&out, o)
	left, derr := os.ReadDir(dir)
	if derr != nil || len(left) > 0 {
		t.Errorf("the run leaves %v (%v)", left, derr)
	}
	return out.String(), err
}

// lineOf reads the one line that there must be: its fields as they are, and what they mean.
func lineOf(t *testing.T, out string) (l Line, fields map[string]any) {
	t.Helper()
	if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\n") {
		t.Fatalf("not one line: %q", out)
	}
	strict := json.NewDecoder(strings.NewReader(out))
	strict.DisallowUnknownFields()
	if err := errors.Join(strict.Decode(&l), json.Unmarshal([]byte(out), &fields)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return l, fields
}

// TestEveryWorkloadPrintsItsLine runs each workload with few instances, with the limit and without.
func TestEveryWorkloadPrintsItsLine(t *testing.T) {
	beside := []string{"limit_per_sec", "limit_ratio", "bare_sync_ms", "p50_over_two_syncs"}
	latency := []string{"p50_ms", "p99_ms"}
	steps := []string{"step_us_1000", "step_us_last", "step_ratio", "step_mean_ratio"}
	waits := []string{"waiting_s", "finish_s"}
	rounds := []string{"round_us_few", "round_us_many", "round_ratio"}
	pending := []string{"pending_s", "pending_again_s", "pending_ratio"}
	inbox := []string{"fill_s", "drain_s", "peak_mb"}
	optional := slices.Concat(beside, latency, steps, waits, rounds, pending, inbox)
	cases := map[string]struct {
		n        string
		inFlight int
		has      []string // of the optional fields
		limit    []string // those and these with -limit
		commits  func(n int64) (least, most int64)
	}{
		"w1":  {"30", 4, latency, beside[:2], exactly(2, 0)},
		"w1k": {"30", 1024, latency, beside[:2], exactly(2, 0)},
		"w2":  {"12", 4, latency, nil, exactly(11, 0)},
		"w3":  {"6", 4, latency, nil, func(n int64) (int64, int64) { return 2 * n, 51 * n }}, // results that come together are taken together
		"w4":  {"20", 1, latency, beside[2:], exactly(2, 0)},
		"w5":  {"210", 1, steps, nil, exactly(1, 1+152)}, // the fresh execution has 151 steps
		"w6":  {"40", 4, waits, nil, exactly(2, 0)},      // the start, and the turn that takes the event
		"w7":  {"60", 4, rounds, nil, many(2 * roundPairs)},
		"w8":  {"30", 1, pending, nil, many(2 * pendingPairs)},
		"w9":  {"210", 4, inbox, nil, many(1)},
	}
	if len(cases) != len(workloads) {
		t.Errorf("%d cases for %d workloads", len(cases), len(workloads))
	}
	for name, c := range cases {
		for _, limit := range []bool{false, true} {
			args, has := []string{"-w", name, "-n", c.n, "-c", "4", "-json"}, c.has
			if limit {
				args, has = append(args, "-limit"), append(append([]string{}, has...), c.limit...)
			}
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				out, err := measured(t, func(o *options) { o.window = 100 }, args...)
				if err != nil {
					t.Fatal(err)
				}
				l, fields := lineOf(t, out)
				n := number(t, c.n)
				if l.Engine != "turnstone" || l.Workload != name || l.N != n || l.InFlight != c.inFlight || l.GOGC != 100 {
					t.Errorf("the line is of something else: %s", out)
				}
				if l.Seconds <= 0 || l.PerSec <= 0 || l.Syncs <= 0 || l.DiskBytes <= 0 || l.RSSMB <= 0 || l.CPUMicros <= 0 {
					t.Errorf("a figure is missing: %s", out)
				}
				least, most := c.commits(int64(n))
				if l.Commits < least || l.Commits > most+l.Accepted {
					t.Errorf("%d commits, %d messages accepted before their turn; want %d to %d commits", l.Commits, l.Accepted, least, most)
				}
				promised := map[string]bool{}
				for _, f := range has {
					promised[f] = true
				}
				for _, f := range optional {
					value, there := fields[f].(float64)
					if there != promised[f] || there && value <= 0 {
						t.Errorf("%s: there is one: %v, %v; promised: %v", f, there, value, promised[f])
					}
				}
			})
		}
	}
}

// exactly is so many commits for each of n, and some more for all.
func exactly(each, more int64) func(n int64) (least, most int64) {
	return func(n int64) (int64, int64) { return each*n + more, each*n + more }
}

// many is at least so many commits.
func many(least int64) func(n int64) (int64, int64) {
	return func(int64) (int64, int64) { return least, math.MaxInt32 }
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A run that is too short to compare steps says nothing of them, and one for people has no JSON.
func TestShortStepsAndLinesForPeople(t *testing.T) {
	out, err := measured(t, nil, "-w", "w5,w1", "-n", "20", "-c", "2")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "w5 ") || !strings.HasPrefix(lines[1], "w1 ") || strings.Contains(out, "{") {
		t.Errorf("it prints\n%s", out)
	}
	if strings.Contains(lines[0], "step") || !strings.Contains(lines[0], "21 commits") || !strings.Contains(lines[1], "p50") {
		t.Errorf("it prints\n%s", out)
	}
}

// An unknown workload is refused before any other is measured.
func TestUnknownWorkloadIsRefused(t *testing.T) {
	for _, names := range []string{"w10", "w1,w10", "", "W1"} {
		bad := names[strings.LastIndex(names, ",")+1:]
		out, err := measured(t, nil, "-w", names, "-n", "5", "-json")
		if err == nil || !strings.Contains(err.Error(), `unknown workload "`+bad+`"; there are w1 to w9`) || out != "" {
			t.Errorf("%q: %v, output %q", names, err, out)
		}
	}
}

// A workload that takes too long is given up, and its store is removed, too.
func TestTimeoutIsAnError(t *testing.T) {
	for _, name := range []string{"w1", "w5", "w6"} {
		out, err := measured(t, nil, "-w", name, "-n", "1000000", "-timeout", "30ms", "-json")
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || out != "" {
			t.Errorf("%s: %v, output %q", name, err, out)
		}
	}
}

func TestCommandLine(t *testing.T) {
	var said bytes.Buffer
	if _, err := parse([]string{"-n", "many"}, &said); err == nil || !strings.Contains(said.String(), "many") {
		t.Errorf("a number that is none: %v\n%s", err, said.String())
	}
	if _, err := parse([]string{"-h"}, &said); !errors.Is(err, flag.ErrHelp) || !strings.Contains(said.String(), "-limit") {
		t.Errorf("help: %v\n%s", err, said.String())
	}
	o, err := parse(nil, &said)
	if err != nil || strings.Join(o.workloads, ",") != "w1,w2,w3,w4,w5,w6,w7,w8,w9" || o.window != 1000 || o.gc != 100 {
		t.Errorf("without flags: %+v, %v", o, err)
	}
}
