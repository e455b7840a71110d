package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

var heldProgram = sync.OnceValues(func() (string, error) { return build("held", "./testdata/held") })

// TestF50_held_instances_outlive_a_kill_are_shown_and_end_with_code_that_fits kills the process while its instances are
// held, looks at its store, and starts it again with the code that they began with.
func TestF50_held_instances_outlive_a_kill_are_shown_and_end_with_code_that_fits(t *testing.T) {
	store := t.TempDir() + "/store"
	untilSaid := func(line string, args ...string) {
		t.Helper()
		p := begin(t, heldProgram, append([]string{"--store", store}, args...)...)
		p.until(line, func(l string) bool { return l == line })
		p.kill()
	}
	untilSaid("all are waiting", "--code", "1")
	untilSaid("all are held", "--code", "2", "--raise")

	const summary = "10 instances in the store: 0 Pending, 10 Running, 0 Completed, 0 Failed; 10 are held\n"
	all := mustRun(t, "list", store)
	if strings.Count(all, "Running HELD") != 10 || !strings.HasSuffix(all, summary) {
		t.Errorf("list says:\n%s", all)
	}
	held := mustRun(t, "list", store, "--held", "--limit", "4")
	if strings.Count(held, "Running HELD") != 4 || strings.Count(held, "code-2") != 4 || strings.Count(held, "main.go:") != 8 ||
		!strings.Contains(held, "REASON") || !strings.Contains(held, "(more; --limit 0 shows all)") || !strings.HasSuffix(held, summary) {
		t.Errorf("list --held says:\n%s", held)
	}
	story := mustRun(t, "inspect", store, "order-3")
	for _, want := range []string{"Running HELD", "why: held since ", `history has ExternalSubscribed "paid"`, `the code asked for activity "Check"`,
		"Build code-2 has tried it", "roll back", "1 message waits for it"} {
		if !strings.Contains(story, want) {
			t.Errorf("inspect does not say %q:\n%s", want, story)
		}
	}
	if _, errs, code := runIn(t, t.TempDir(), "list", store, "--held", "--state", "Running"); code != exitFailed || !strings.Contains(errs, "--held and --state") {
		t.Errorf("--held with --state: exit code %d\n%s", code, errs)
	}
	any := mustRun(t, "list", store, "--state", "running", "--limit", "1")
	if strings.Count(any, "Running HELD") != 1 || !strings.HasSuffix(any, summary) {
		t.Errorf("list --state running says:\n%s", any)
	}
	if _, errs, code := runIn(t, t.TempDir(), "list", store, "--state", "held"); code != exitFailed ||
		!strings.Contains(errs, `"held"; the states are Pending, Running, Completed and Failed`) {
		t.Errorf("--state held: exit code %d\n%s", code, errs)
	}
	sound(t, store)

	p := begin(t, heldProgram, "--store", store, "--code", "1", "--wait")
	out, code := p.end()
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, p.errors.String())
	}
	for i := range 10 {
		if !strings.Contains(out, fmt.Sprintf("result shipped %d\n", i)) {
			t.Errorf("no result of %d:\n%s", i, out)
		}
	}
	none := mustRun(t, "list", store, "--held")
	if strings.Contains(none, "HELD ") || !strings.HasSuffix(none, "10 Completed, 0 Failed; 0 are held\n") {
		t.Errorf("list --held says:\n%s", none)
	}
}
