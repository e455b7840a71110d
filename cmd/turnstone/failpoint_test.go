package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exitFailpoint is the exit code of a process that a failpoint has ended.
const exitFailpoint = 86

// ends says that the process ends when it is at a point for the n-th time.
func ends(point string, n int) string {
	return fmt.Sprintf("TURNSTONE_FAILPOINT=%s=exit@%d", point, n)
}

// hits are at which hits of a point a process is ended: one of them with -short.
func hits(n ...int) []int {
	if testing.Short() {
		return n[len(n)/2:][:1]
	}
	return n
}

// endAt runs a program until it ends at a failpoint, and returns what it had printed.
func endAt(t *testing.T, build func() (string, error), point string, n int, args ...string) string {
	t.Helper()
	p := beginWith(t, build, ends(point, n), args...)
	out, code := p.end()
	if code != exitFailpoint {
		t.Fatalf("exit code %d, want %d: it was not at %s %d times\n%s%s", code, exitFailpoint, point, n, out, p.errors.String())
	}
	return out
}

// sound fails if the store is damaged.
func sound(t *testing.T, store string) {
	t.Helper()
	if out := mustRun(t, "verify", store); !strings.Contains(out, " 0 damaged") {
		t.Errorf("verify says:\n%s", out)
	}
}

// smallTree has files in three directories, each with contents of its own.
func smallTree(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "tree")
	for i := range 12 {
		name := filepath.Join(root, fmt.Sprintf("d%d", i%3), fmt.Sprintf("f%d.txt", i))
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, []byte(strings.Repeat("words and lines\n", i)), 0o644))
	}
	return root
}

// TestDemoResumesAfterEndingAtAFailpoint ends the demo before and after commits of turns. Its store is sound, the same
// command resumes, and the report is that of a run that nothing interrupted.
func TestDemoResumesAfterEndingAtAFailpoint(t *testing.T) {
	root := smallTree(t)
	demo := func(dir string) (args []string, store, report string) {
		store, report = filepath.Join(dir, "store"), filepath.Join(dir, "report.json")
		return []string{"demo", "--dir", root, "--store", store, "--report", report}, store, report
	}
	args, _, report := demo(t.TempDir())
	mustRun(t, args...)
	want, err := os.ReadFile(report)
	must(t, err)
	if strings.Count(string(want), `"sha256"`) != 12 {
		t.Fatalf("the report of 12 files:\n%s", want)
	}
	for point, at := range map[string][]int{
		"start.beforeCommit": {1}, "turn.beforeCommit": hits(1, 2, 6, 11), "turn.afterSync": hits(1, 3, 7, 12),
	} {
		for _, n := range at {
			t.Run(fmt.Sprint(point, " ", n), func(t *testing.T) {
				t.Parallel()
				args, store, report := demo(t.TempDir())
				before := endAt(t, slow, point, n, args...)
				if _, err := os.Stat(report); err == nil {
					t.Error("there is a report already")
				}
				sound(t, store)
				after := mustRun(t, args...)
				// A start that was acknowledged is there. One that was not may be, if it was durable.
				started, resumed := strings.Contains(before, ": started as"), strings.Contains(after, ": resuming;")
				if durable := n > 1 || point == "turn.afterSync"; started && !resumed || durable != resumed {
					t.Errorf("before:\n%safter:\n%s", before, after)
				}
				got, err := os.ReadFile(report)
				must(t, err)
				if string(got) != string(want) {
					t.Errorf("the report:\n%s\nwant:\n%s", got, want)
				}
				sound(t, store)
			})
		}
	}
}

// TestStartsSurviveTheEndAtAFailpoint ends a program that starts one instance after the other. Those that it was told
// of are there, the others are started by the next run, and the results are those of a run that nothing interrupted.
func TestStartsSurviveTheEndAtAFailpoint(t *testing.T) {
	const orders = 10
	run := func(t *testing.T, store string) string {
		t.Helper()
		p := beginWith(t, starts, "TURNSTONE_FAILPOINT=", "-store", store)
		out, code := p.end()
		if code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, out, p.errors.String())
		}
		return out
	}
	want := linesWith(run(t, filepath.Join(t.TempDir(), "store")), "result of ")
	if len(want) != orders || want[3] != "order-3 is shipped for 30" {
		t.Fatalf("results %q", want)
	}
	for point, at := range map[string][]int{
		"start.beforeCommit": hits(1, 2, 6, 10), "turn.beforeCommit": hits(1, 2, 9, 26), "turn.afterSync": hits(1, 3, 10, 27),
	} {
		for _, n := range at {
			t.Run(fmt.Sprint(point, " ", n), func(t *testing.T) {
				t.Parallel()
				store := filepath.Join(t.TempDir(), "store")
				acknowledged := linesWith(endAt(t, starts, point, n, "-store", store), "started ")
				sound(t, store)
				out := run(t, store)
				found, started := linesWith(out, "found "), linesWith(out, "started ")
				for _, id := range acknowledged {
					if !slices.Contains(found, id) {
						t.Errorf("%s was acknowledged and is not there", id)
					}
				}
				if len(found)+len(started) != orders {
					t.Errorf("found %q, started %q", found, started)
				}
				if point == "start.beforeCommit" && (len(acknowledged) != n-1 || len(found) != n-1) {
					t.Errorf("before the commit of start %d: acknowledged %q, found %q", n, acknowledged, found)
				}
				if got := linesWith(out, "result of "); !slices.Equal(got, want) {
					t.Errorf("results %q, want %q", got, want)
				}
				sound(t, store)
			})
		}
	}
}

// linesWith are the ends of the lines that begin so.
func linesWith(out, beginning string) (rest []string) {
	for line := range strings.Lines(out) {
		if r, ok := strings.CutPrefix(strings.TrimSpace(line), beginning); ok {
			rest = append(rest, r)
		}
	}
	return rest
}

// TestCommandsFollowAKillAtOnce looks at a store, and resumes, when the process that has it is killed only after they
// have begun.
func TestCommandsFollowAKillAtOnce(t *testing.T) {
	root, dir := smallTree(t), t.TempDir()
	store := filepath.Join(dir, "store")
	args := []string{"demo", "--dir", root, "--store", store, "--report", filepath.Join(dir, "report.json"), "--progress", "5ms"}
	first := beginWith(t, slow, "TURNSTONE_FAILPOINT=catalogue.measure=sleep(10m)", args...)
	first.until("work", func(l string) bool { return busy(l, 0, 12) })
	refused := begin(t, plain, "list", store)
	if out, code := refused.end(); code != exitFailed || out != "" ||
		!strings.Contains(refused.errors.String(), "open store "+store+": in use by another process") {
		t.Errorf("a store that is in use: exit code %d\n%s%s", code, out, refused.errors.String())
	}
	list := begin(t, plain, "list", store)
	first.kill()
	if out, code := list.end(); code != 0 || !strings.Contains(out, "Running  ") {
		t.Errorf("list after a kill: exit code %d\n%s%s", code, out, list.errors.String())
	}
	second := beginWith(t, slow, "TURNSTONE_FAILPOINT=catalogue.measure=sleep(10m)", args...)
	second.until("work", func(l string) bool { return busy(l, 0, 12) })
	third := begin(t, plain, args...)
	second.kill()
	if out, code := third.end(); code != 0 || !strings.Contains(out, "resuming") {
		t.Errorf("the demo after a kill: exit code %d\n%s%s", code, out, third.errors.String())
	}
}
