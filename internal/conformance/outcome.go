package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// key names a test of a package.
type key struct{ pkg, test string }

// results are the outcomes of tests: pass, fail or skip. A test that ran several times has its worst.
type results map[key]string

func (r results) add(k key, outcome string) {
	if r[k] == "" || r[k] == "pass" {
		r[k] = outcome
	}
}

// ids maps each id to whether all tests that carry it passed.
func (r results) ids(l *caseList) map[string]bool {
	passed := map[string]bool{}
	for k, outcome := range r {
		for _, id := range l.idsIn(k.test) {
			before, seen := passed[id]
			passed[id] = outcome == "pass" && (before || !seen)
		}
	}
	return passed
}

// record runs go test and writes the outcomes to a file, one line each.
func record(root, file string, args []string, out io.Writer) error {
	r := results{}
	failed := r.test(root, args, out)
	var text strings.Builder
	for k, outcome := range r {
		fmt.Fprintf(&text, "%s\t%s\t%s\n", outcome, k.pkg, k.test)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	return failed
}

// readDir adds what was recorded into the files of a directory.
func (r results) readDir(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no recorded outcomes: run the tests under -record first", dir)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(fields) != 3 {
				return fmt.Errorf("%s: %q is not a recorded outcome", file, line)
			}
			r.add(key{fields[1], fields[2]}, fields[0])
		}
	}
	return nil
}

// test runs go test, adds every test's outcome, and prints a line for each package and all output of what fails.
func (r results) test(root string, args []string, out io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = root
	cmd.Stderr = out
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := r.read(pipe, out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go test %s: %w", strings.Join(args, " "), err)
	}
	return readErr
}

// read takes the events of one run.
func (r results) read(from io.Reader, out io.Writer) error {
	output := map[key]*bytes.Buffer{}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(out, "%s", line) // not an event: the go command says something itself
			} else {
				r.take(e, output, out)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take handles one event: the output of a test is kept until it is known to have passed.
func (r results) take(e event, output map[key]*bytes.Buffer, out io.Writer) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		if output[k] == nil {
			output[k] = &bytes.Buffer{}
		}
		output[k].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "pass", "skip", "fail":
		if e.Test != "" {
			r.add(k, e.Action)
			if e.Action != "fail" {
				delete(output, k)
			}
			return
		}
		r.packageEnds(e, output, out)
	}
}

// packageEnds prints the package's line; if it failed, everything that its failed and unfinished tests had to say.
func (r results) packageEnds(e event, output map[key]*bytes.Buffer, out io.Writer) {
	var said []key
	for k := range output {
		if k.pkg == e.Package {
			said = append(said, k)
		}
	}
	slices.SortFunc(said, func(a, b key) int { // what the package itself says comes last
		if (a.test == "") != (b.test == "") {
			return len(b.test) - len(a.test)
		}
		return strings.Compare(a.test, b.test)
	})
	for _, k := range said {
		if e.Action == "fail" {
			_, _ = out.Write(output[k].Bytes())
		}
		delete(output, k)
	}
	if e.Action != "fail" {
		fmt.Fprintf(out, "%-6s %s %.1fs\n", strings.Replace(e.Action, "pass", "ok", 1), e.Package, e.Elapsed)
	}
}
