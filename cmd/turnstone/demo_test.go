package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/turnstone-dev/turnstone/internal/catalogue"
)

// vanishing are files all over the big directory that disappear after they were listed. Those that had been measured
// by then keep their measures; the others must be reported with an error.
func vanishing() (names []string) {
	for i := 7; i < bigDirectory(); i += 50 {
		names = append(names, fmt.Sprintf("many/0/file-%04d.txt", i))
	}
	return names
}

const leased = "cannot-be-read/leased"

// TestDemoResumesAfterKills is the main job: a tree with everything in it, kill -9 while many activities run, and a
// report that agrees with sha256sum and wc, file by file.
func TestDemoResumesAfterKills(t *testing.T) {
	root := filepath.Join(t.TempDir(), "tree")
	makeTree(t, root)
	for _, name := range []string{leased, "cannot-be-read/locked"} {
		must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, name), []byte("here and gone\n"), 0o644))
	}
	want := oracle(t, root)
	must(t, os.Chmod(filepath.Join(root, "cannot-be-read/locked"), 0))
	holdLease(t, filepath.Join(root, leased))

	store, report := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "report.json")
	args := []string{"demo", "--dir", root, "--store", store, "--report", report, "--progress", "5ms"}
	gone, vanished := vanishing(), false
	for i, done := range []int{0, 100, 1, 150, 700} {
		p := begin(t, slow, args...)
		if i > 0 && p.recorded() > 60 && !vanished {
			// So many can only come from the big directory: it is listed, and not all of it is measured.
			vanished = true
			for _, name := range gone {
				must(t, os.Remove(filepath.Join(root, name)))
			}
		}
		p.until(fmt.Sprintf("%d activities done and 32 running", done), func(l string) bool { return busy(l, done, 32) })
		p.kill()
	}
	if !vanished {
		t.Fatal("the big directory was not listed by the last kill")
	}
	stop := begin(t, slow, args...)
	stop.until("work after the kills", func(l string) bool { return busy(l, 50, 1) })
	must(t, stop.cmd.Process.Signal(os.Interrupt))
	if out, code := stop.end(); code != exitInterrupted || !strings.Contains(out, "Nothing is lost") {
		t.Fatalf("Ctrl-C: exit code %d\n%s", code, out)
	}
	out := mustRun(t, args...)
	if !strings.Contains(out, "were not measured again") {
		t.Errorf("the last run does not say what it did not have to redo:\n%s", out)
	}
	found := readReport(t, report)
	fails := map[string]string{leased: "temporarily unavailable"}
	for _, f := range found.Files {
		if f.Error != "" && slices.Contains(gone, f.Path) {
			fails[f.Path] = "no such file"
		}
	}
	if len(fails) == 1 {
		t.Error("no file that disappeared is reported with an error")
	}
	compare(t, found, want, fails)

	first, err := os.ReadFile(report)
	must(t, err)
	must(t, os.Remove(report))
	out = mustRun(t, args...)
	if !strings.Contains(out, "already finished") {
		t.Errorf("a second run on a finished store says:\n%s", out)
	}
	second, err := os.ReadFile(report)
	must(t, err)
	if string(first) != string(second) {
		t.Error("the second run's report is not the first one's")
	}
	looksRight(t, store)
}

// holdLease makes a file unreadable for every user, root included: opening it without blocking fails while another
// process holds a write lease.
func holdLease(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	signal.Ignore(syscall.SIGIO)
	const setLease = 1024
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, syscall.F_WRLCK); errno != 0 {
		t.Fatalf("cannot take a lease on %s: %v", name, errno)
	}
}

func readReport(t *testing.T, name string) catalogue.Report {
	t.Helper()
	raw, err := os.ReadFile(name)
	must(t, err)
	var r catalogue.Report
	must(t, json.Unmarshal(raw, &r))
	return r
}

// compare holds a report against the tree; fails says which entries must have an error, and which.
func compare(t *testing.T, r catalogue.Report, want map[string]wanted, fails map[string]string) {
	t.Helper()
	if os.Getuid() != 0 {
		fails["cannot-be-read/locked"] = "permission denied"
	}
	seen := map[string]bool{}
	for _, f := range r.Files {
		if seen[f.Path] {
			t.Errorf("%s: reported twice", f.Path)
		}
		seen[f.Path] = true
		w, ok := want[f.Path]
		switch failing := fails[f.Path]; {
		case !ok:
			t.Errorf("%s: reported, and not in the tree", f.Path)
		case failing != "":
			if !strings.Contains(f.Error, failing) {
				t.Errorf("%s: error %q, want one with %q", f.Path, f.Error, failing)
			}
		case f.Error != "":
			t.Errorf("%s: error %q", f.Path, f.Error)
		case f.Kind != w.kind || f.Target != w.target || f.SHA256 != w.sha256 || f.Bytes != w.bytes || f.Lines != w.lines ||
			(w.text && f.Words != w.words):
			t.Errorf("%s: reported %+v, want %+v", f.Path, f, w)
		}
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("%s: not reported", name)
		}
	}
	var files, bytes int64
	for name, w := range want {
		if w.kind == catalogue.KindFile && fails[name] == "" {
			files++
			bytes += w.bytes
		}
	}
	if r.Totals.Files != files || r.Totals.Bytes != bytes {
		t.Errorf("totals %+v, want %d files of %d bytes", r.Totals, files, bytes)
	}
}

// looksRight reads the finished store with the other commands.
func looksRight(t *testing.T, store string) {
	t.Helper()
	out := mustRun(t, "list", store, "--limit", "0")
	if strings.Count(out, "Completed") < bigDirectory()/64 || !strings.Contains(out, " 0 Running, ") {
		t.Errorf("list says:\n%s", out)
	}
	root := ""
	for _, line := range strings.Split(out, "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == catalogue.NameCatalogue {
			root = fields[0]
		}
	}
	story := mustRun(t, "inspect", store, root)
	for _, part := range []string{"catalogue.Tree 1.0.0 starts", "starts child catalogue.Branch", "completed with"} {
		if !strings.Contains(story, part) {
			t.Errorf("the story lacks %q:\n%s", part, story)
		}
	}
	if out := mustRun(t, "verify", store); !strings.Contains(out, " 0 damaged") {
		t.Errorf("verify says:\n%s", out)
	}
}
