// Package tools_test tests the scripts of this directory.
package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stages runs stages.sh over stages that a script in place of make performs, and returns its output and exit code.
func stages(t *testing.T, script string, names ...string) (string, int) {
	t.Helper()
	dir := t.TempDir()
	fake := filepath.Join(dir, "make")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{"stages.sh"}, names...)...)
	cmd.Env = append(os.Environ(), "MAKE="+fake, "TURNSTONE_STAGE_LOGS="+logs)
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(logs, name+".log")); err != nil {
			t.Errorf("no log of stage %s: %v", name, err)
		}
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestStagesPrintOneLineEach(t *testing.T) {
	out, code := stages(t, "echo noise of $1; exit 0\n", "vet", "race")
	if code != 0 || !regexp.MustCompile(`(?m)^vet +ok +\d+ s\nrace +ok +\d+ s\nall +\d+ s, logs in `).MatchString(out) {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
	if strings.Contains(out, "noise") {
		t.Errorf("the output of a stage that passes is shown:\n%s", out)
	}
}

func TestStagesGoOnAfterAFailureAndShowIt(t *testing.T) {
	out, code := stages(t, `[ "$1" = stage-vet ] || exit 0
echo "--- FAIL: TestEarly (0.01s)"
i=0; while [ $i -lt 100 ]; do echo "line $i"; i=$((i+1)); done
exit 2
`, "vet", "race")
	if code != 1 || !regexp.MustCompile(`(?m)^vet +FAILED +\d+ s$`).MatchString(out) || !regexp.MustCompile(`(?m)^race +ok `).MatchString(out) {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
	for _, want := range []string{"1:--- FAIL: TestEarly", "line 99", "FAILED: vet"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not show %q:\n%s", want, out)
		}
	}
}

func TestStagesShowTheConformanceTable(t *testing.T) {
	out, code := stages(t, "echo go run ./internal/conformance; echo group listed present\n", "conformance")
	if code != 0 || !strings.Contains(out, "group listed present") || strings.Contains(out, "go run") {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
}
