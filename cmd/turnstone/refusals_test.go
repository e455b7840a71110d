package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/catalogue"
	"github.com/turnstone-dev/turnstone/node"
)

// runIn runs the command to its end in a working directory.
func runIn(t *testing.T, dir string, args ...string) (out, errs string, code int) {
	t.Helper()
	name, err := plain()
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// entries are the names in a directory.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestDemoInAFreshDirectory runs it as `make run DIR= STORE=` does in a fresh clone, where nothing is there yet: the
// directories of the store and of the report are made.
func TestDemoInAFreshDirectory(t *testing.T) {
	tree := smallTree(t)
	for name, c := range map[string]struct {
		args   []string
		report string
	}{
		"as make run":            {[]string{"--store", filepath.Join(t.TempDir(), "s"), "--report", ".turnstone/report.json"}, ".turnstone/report.json"},
		"no flags":               {nil, "catalogue.json"},
		"all of make's own":      {[]string{"--store", ".turnstone/catalogue", "--report", ".turnstone/report.json"}, ".turnstone/report.json"},
		"a directory of its own": {[]string{"--report", "a/b/c.json"}, "a/b/c.json"},
		"a report that is there": {[]string{"--report", "there.json"}, "there.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.report == "there.json" {
				must(t, os.WriteFile(filepath.Join(dir, c.report), []byte("old"), 0o600))
			}
			out, errs, code := runIn(t, dir, append([]string{"demo", "--dir", tree}, c.args...)...)
			if code != 0 || !strings.Contains(out, "The report of 12 entries is in "+c.report) {
				t.Fatalf("exit code %d\n%s%s", code, out, errs)
			}
			if n := len(readReport(t, filepath.Join(dir, c.report)).Files); n != 12 {
				t.Errorf("%d files in the report", n)
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Join(dir, c.report)), ".report.*")); err != nil || len(left) != 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}

// TestTheStoreIsNotCatalogued keeps it in the tree that is catalogued, also behind a link: none of its files is read,
// since closing its lock would give it up. A directory of the same name elsewhere is no store.
func TestTheStoreIsNotCatalogued(t *testing.T) {
	for _, store := range []string{"d0/store", "link/store"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			tree := smallTree(t)
			must(t, os.Symlink("d0", filepath.Join(tree, "link")))
			must(t, os.MkdirAll(filepath.Join(tree, "d1/store"), 0o755))
			must(t, os.WriteFile(filepath.Join(tree, "d1/store/LOCK"), []byte("not a store's"), 0o644))
			for range 2 {
				out, errs, code := runIn(t, tree, "demo", "--dir", ".", "--store", store, "--report", filepath.Join(t.TempDir(), "r.json"))
				if code != 0 || !strings.Contains(out, "The report of 14 entries is in ") {
					t.Fatalf("exit code %d\n%s%s", code, out, errs)
				}
			}
			_, errs, code := runIn(t, tree, "demo", "--dir", filepath.Join(store, "db"), "--store", store)
			if code != exitFailed || !strings.Contains(errs, "it is in the store") || !strings.Contains(errs, "STORE=") {
				t.Errorf("a catalogue of the store: exit code %d\n%s", code, errs)
			}
		})
	}
}

// TestRefusals gives what cannot end well: it is refused before anything is done, in a sentence that names what to
// change, and nothing is left behind.
func TestRefusals(t *testing.T) {
	tree := smallTree(t)
	// Neither may be a device of this machine, such as /dev/null: without the check, a report would take its place.
	pipe, link := filepath.Join(t.TempDir(), "pipe"), filepath.Join(t.TempDir(), "link")
	must(t, syscall.Mkfifo(pipe, 0o600))
	must(t, os.Symlink(pipe, link))
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"--slots=-1"}, []string{"--slots is -1", "1 or more"}},
		{[]string{"--slots=0"}, []string{"--slots is 0", "1 or more"}},
		{[]string{"--rows=-1"}, []string{"--rows is -1", "0 for all", "ROWS="}},
		{[]string{"--progress=0s"}, []string{"--progress is 0s"}},
		{[]string{"--progress=-1s"}, []string{"--progress is -1s"}},
		{[]string{"--dir="}, []string{"--dir is empty", "DIR="}},
		{[]string{"--dir=nowhere"}, []string{"nowhere"}},
		{[]string{"--store="}, []string{"--store is empty", "STORE="}},
		{[]string{"--report="}, []string{"--report is empty", "REPORT="}},
		{[]string{"--report=/proc/x.json"}, []string{"/proc/x.json", "REPORT="}},
		{[]string{"--report=" + tree}, []string{tree, "is a directory", "REPORT="}},
		{[]string{"--report=new/"}, []string{"new/", "directory", "REPORT="}},
		{[]string{"--report=" + pipe}, []string{pipe, "not a plain file", "REPORT="}},
		{[]string{"--report=" + link}, []string{link, "not a plain file", "REPORT="}},
		{[]string{"--report=" + filepath.Join(tree, "d0/f0.txt/x.json")}, []string{"not a directory", "REPORT="}},
		{[]string{"--store=s", "--report=s"}, []string{"in the store s", "REPORT="}},
		{[]string{"--store=s", "--report=s/report.json"}, []string{"in the store s", "REPORT="}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out, errs, code := runIn(t, dir, append([]string{"demo", "--dir", tree}, c.args...)...)
			if code != exitFailed || out != "" {
				t.Errorf("exit code %d\n%s", code, out)
			}
			for _, words := range c.says {
				if !strings.Contains(errs, words) {
					t.Errorf("it does not say %q:\n%s", words, errs)
				}
			}
			if left := entries(t, dir); left != "" {
				t.Errorf("it left %s", left)
			}
		})
	}
	if out, errs, code := runIn(t, t.TempDir(), "list", "anything", "--limit=-1"); code != exitFailed || !strings.Contains(errs, "--limit is -1") {
		t.Errorf("list: exit code %d\n%s%s", code, out, errs)
	}
}

// TestInspectOfAnExecutionThatIsNot says so, and which there are.
func TestInspectOfAnExecutionThatIsNot(t *testing.T) {
	again := turnstone.NewOrchestration("Again", func(ctx *turnstone.Context, n int) (int, error) {
		if n == 0 {
			return 0, nil
		}
		return 0, turnstone.ContinueAsNew(ctx, n-1)
	})
	store := filepath.Join(t.TempDir(), "store")
	inNode(t, store, func(ctx context.Context, c *client.Client) {
		for id, n := range map[string]int{"once": 0, "thrice": 2} {
			run, err := client.Start(ctx, c, id, again, n)
			must(t, err)
			_, err = run.Wait(ctx)
			must(t, err)
		}
	}, again)
	for _, c := range []struct {
		id, execution, says string
		code                int
	}{
		{"once", "1", "execution 1\nturn 1", 0}, {"once", "2", "no execution 2: it has had one only", exitFailed},
		{"thrice", "0", "execution 3\nturn 1", 0}, {"thrice", "3", "execution 3\nturn 1", 0},
		{"thrice", "9", "no execution 9: it has had those from 1 to 3", exitFailed},
	} {
		out, errs, code := runIn(t, t.TempDir(), "inspect", store, c.id, "--execution", c.execution)
		if code != c.code || !strings.Contains(out+errs, c.says) || code != 0 && out != "" {
			t.Errorf("%+v: exit code %d\n%s%s", c, code, out, errs)
		}
	}
}

// inNode runs f with a client of a node in this process, and shuts the node down.
func inNode(t *testing.T, store string, f func(context.Context, *client.Client), handlers ...turnstone.Handler) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	registry := turnstone.NewRegistry()
	must(t, registry.Register(handlers...))
	n, err := node.Open(ctx, node.Config{Dir: store, Registry: registry, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer n.Kill()
	f(ctx, n.Client())
	must(t, n.Shutdown(ctx))
}

// TestDemoOfACatalogueThatHasFailed says that it has, why, and what to do: it is not resumed.
func TestDemoOfACatalogueThatHasFailed(t *testing.T) {
	tree, dir := smallTree(t), t.TempDir()
	store, report := filepath.Join(dir, "store"), filepath.Join(dir, "report.json")
	broken := turnstone.NewOrchestration(catalogue.NameCatalogue, func(*turnstone.Context, catalogue.Job) (int, error) {
		return 0, errors.New("the disk is on fire")
	})
	inNode(t, store, func(ctx context.Context, c *client.Client) {
		run, err := client.Start(ctx, c, instanceID(tree), broken, catalogue.Job{Dir: tree})
		must(t, err)
		if _, err := run.Wait(ctx); err == nil {
			t.Fatal("it did not fail")
		}
	}, broken)
	out, errs, code := runIn(t, dir, "demo", "--dir", tree, "--store", store, "--report", report)
	if code != exitFailed || strings.Contains(out, "resuming") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for _, words := range []string{"has failed", "the disk is on fire", "turnstone inspect " + store + " " + instanceID(tree), "another store"} {
		if !strings.Contains(errs, words) {
			t.Errorf("it does not say %q:\n%s", words, errs)
		}
	}
}

// TestCtrlCWhileTheStoreIsInUse ends with a message.
func TestCtrlCWhileTheStoreIsInUse(t *testing.T) {
	tree, dir := smallTree(t), t.TempDir()
	store, reports := filepath.Join(dir, "store"), filepath.Join(dir, "reports")
	inNode(t, store, func(context.Context, *client.Client) {
		p := begin(t, plain, "demo", "--dir", tree, "--store", store, "--report", filepath.Join(reports, "r.json"))
		await(t, "the directory of the report, which is made just before the store is opened", func() bool {
			_, err := os.Stat(reports)
			return err == nil
		})
		must(t, p.cmd.Process.Signal(os.Interrupt))
		if out, code := p.end(); code != exitInterrupted || !strings.Contains(out, "Interrupted before the store "+store+" was open") {
			t.Errorf("exit code %d\n%s%s", code, out, p.errors.String())
		}
	})
}

// await waits for a condition that nothing announces.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	late, look := time.After(patience), time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !f() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("no %s after %v", what, patience)
		}
	}
}

// TestInterruptedHidesNoFailure: after a signal, an error that is not the context's is still told.
func TestInterruptedHidesNoFailure(t *testing.T) {
	failed := errors.New("no space left on device")
	over, stop := context.WithCancelCause(context.Background())
	signal := errors.New("interrupt signal received")
	for _, err := range []error{nil, failed, context.Canceled} {
		if got := interrupted(over, err); got != err {
			t.Errorf("before the signal %v became %v", err, got)
		}
	}
	stop(signal)
	for err, want := range map[error]error{
		failed: failed, context.Canceled: errInterrupted, fmt.Errorf("start: %w", context.Canceled): errInterrupted,
		fmt.Errorf("in use; waited for it: %w", signal): errInterrupted,
	} {
		if got := interrupted(over, err); got != want {
			t.Errorf("after the signal %v became %v", err, got)
		}
	}
	if got := interrupted(over, nil); got != nil {
		t.Errorf("after the signal success became %v", got)
	}
}

// TestF23_the_command_exits_with_70_when_the_store_fails breaks the store of a demo that runs, and of one that begins.
func TestF23_the_command_exits_with_70_when_the_store_fails(t *testing.T) {
	tree, dir := smallTree(t), t.TempDir()
	store := filepath.Join(dir, "store")
	args := []string{"demo", "--dir", tree, "--store", store, "--report", filepath.Join(dir, "r.json"), "--progress", "10ms", "--slots=1"}
	p := beginWith(t, slow, "TURNSTONE_FAILPOINT=catalogue.measure=sleep(500ms)", args...)
	p.until("progress", func(l string) bool { return progressLine.MatchString(l) })
	must(t, os.MkdirAll(filepath.Join(store, "witness.new", "in the way"), 0o755))
	for _, when := range []string{"while it ran", "while it opened"} {
		if when == "while it opened" {
			p = begin(t, plain, args...)
		}
		out, code := p.end()
		errs := p.errors.String()
		if code != exitStore || !strings.Contains(errs, "the store has failed: create "+store+"/witness.new") {
			t.Errorf("%s: exit code %d\n%s%s", when, code, out, errs)
		}
	}
	must(t, os.RemoveAll(filepath.Join(store, "witness.new")))
	mustRun(t, args...)
	sound(t, store)
}

// TestF24_backup_of_a_closed_store copies the store of a demo that was killed, and the copy resumes. A copy that was
// killed is refused, and so are a store that is in use and a directory that is not empty.
func TestF24_backup_of_a_closed_store(t *testing.T) {
	tree, dir := smallTree(t), t.TempDir()
	store, report := filepath.Join(dir, "store"), filepath.Join(dir, "r.json")
	endAt(t, slow, "turn.afterSync", 10, "demo", "--dir", tree, "--store", store, "--report", report)
	for _, point := range []string{"backup.copied", "backup.witnessed", "backup.verified"} {
		cut := filepath.Join(dir, point)
		endAt(t, slow, point, 1, "backup", store, cut)
		for _, args := range [][]string{
			{"verify", cut}, {"list", cut}, {"backup", cut, cut + "2"}, {"backup", store, cut},
			{"demo", "--dir", tree, "--store", cut, "--report", report},
		} {
			if out, errs, code := runIn(t, dir, args...); code != exitFailed || !strings.Contains(errs, "a backup that was not finished") {
				t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
			}
		}
	}
	copied := filepath.Join(dir, "copy")
	if out := mustRun(t, "backup", store, copied); out != copied+" is a copy of "+store+", and sound. Run one of them, not both.\n" {
		t.Errorf("it says %q", out)
	}
	sound(t, copied)
	if out, errs, code := runIn(t, dir, "backup", store, copied); code != exitFailed || !strings.Contains(errs, "not an empty directory") {
		t.Errorf("into a store: exit code %d\n%s%s", code, out, errs)
	}
	for _, place := range []string{copied, store} {
		if out := mustRun(t, "demo", "--dir", tree, "--store", place, "--report", report); !strings.Contains(out, "resuming") {
			t.Errorf("%s does not resume:\n%s", place, out)
		}
		sound(t, place)
	}
	inNode(t, store, func(context.Context, *client.Client) {
		if out, errs, code := runIn(t, dir, "backup", store, filepath.Join(dir, "busy")); code != exitFailed || !strings.Contains(errs, "in use") {
			t.Errorf("of a store in use: exit code %d\n%s%s", code, out, errs)
		}
	})
}
