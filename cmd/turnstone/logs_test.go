package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestF55_a_stop_and_an_unclean_start_log_one_line_each has twelve activities whose code does not end when it is told to.
func TestF55_a_stop_and_an_unclean_start_log_one_line_each(t *testing.T) {
	root, dir := smallTree(t), t.TempDir()
	args := []string{"demo", "--dir", root, "--store", filepath.Join(dir, "store"), "--report", filepath.Join(dir, "report.json"), "--progress", "5ms"}
	blocked := func() *process {
		t.Helper()
		p := beginWith(t, slow, "TURNSTONE_FAILPOINT=catalogue.measure=sleep(10m)", args...)
		p.until("work", func(l string) bool { return busy(l, 0, 12) })
		return p
	}
	oneLine := func(what, logged string, words ...string) {
		t.Helper()
		if strings.Count(logged, "\n") != 1 {
			t.Errorf("%s logs:\n%s", what, logged)
		}
		for _, w := range words {
			if !strings.Contains(logged, w) {
				t.Errorf("%s does not log %q:\n%s", what, w, logged)
			}
		}
	}
	stopped := blocked()
	must(t, stopped.cmd.Process.Signal(os.Interrupt))
	if out, code := stopped.end(); code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, out)
	}
	oneLine("Ctrl-C", stopped.errors.String(), "activities=12", "run again later")
	if strings.Contains(stopped.errors.String(), "leak") {
		t.Errorf("a stop is called a leak:\n%s", stopped.errors.String())
	}

	killed := blocked()
	killed.kill()
	if logged := killed.errors.String(); logged != "" {
		t.Errorf("a clean start logs:\n%s", logged)
	}
	last := begin(t, plain, args...)
	if out, code := last.end(); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	oneLine("an unclean start", last.errors.String(), "not closed cleanly", "partitions=8", "target=turnstone::runtime")
}
