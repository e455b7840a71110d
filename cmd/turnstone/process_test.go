package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Each program is built once for all tests. The slow one has failpoints, and lets every measuring activity take a
// moment without using the processor, so that many run when it is killed. starts is a program with failpoints, too.
var (
	plain  = sync.OnceValues(func() (string, error) { return build("plain", ".") })
	slow   = sync.OnceValues(func() (string, error) { return build("slow", ".", "-tags", "failpoint") })
	starts = sync.OnceValues(func() (string, error) { return build("starts", "./testdata/starts", "-tags", "failpoint") })
	built  string
)

const slowly = "TURNSTONE_FAILPOINT=catalogue.measure=sleep(25ms)"

func build(name, program string, flags ...string) (string, error) {
	file := filepath.Join(built, name)
	args := append([]string{"build", "-ldflags=-s -w", "-o", file}, flags...) // linking is most of the time
	out, err := exec.Command("go", append(args, program)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
}

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "turnstone-command"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

// process is one run of the real command.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	output bytes.Buffer
	errors bytes.Buffer
}

func begin(t *testing.T, build func() (string, error), args ...string) *process {
	t.Helper()
	return beginWith(t, build, slowly, args...) // only the slow build reads it
}

// beginWith is begin with another variable of the environment.
func beginWith(t *testing.T, build func() (string, error), variable string, args ...string) *process {
	t.Helper()
	name, err := build()
	must(t, err)
	p := &process{t: t, cmd: exec.Command(name, args...), lines: make(chan string, 1024)}
	p.cmd.Env = append(os.Environ(), variable)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	p.cmd.Stderr = &p.errors
	must(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go func() {
		defer close(p.lines)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			p.lines <- s.Text()
		}
	}()
	return p
}

const patience = 3 * time.Minute

// until reads output until a line satisfies f, and fails when the process ends first.
func (p *process) until(what string, f func(string) bool) {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the command ended before %s: %v\n%s%s", what, p.cmd.Wait(), p.output.String(), p.errors.String())
			}
			fmt.Fprintln(&p.output, line)
			if f(line) {
				return
			}
		case <-late:
			p.t.Fatalf("no %s after %v:\n%s%s", what, patience, p.output.String(), p.errors.String())
		}
	}
}

var recordedLine = regexp.MustCompile(`resuming; (\d+) entries are measured already and will not be measured again`)

// recorded waits for the word of what is done already and returns the number.
func (p *process) recorded() (n int) {
	p.t.Helper()
	p.until("the word of what is done", func(l string) bool {
		m := recordedLine.FindStringSubmatch(l)
		if m == nil {
			return false
		}
		n, _ = strconv.Atoi(m[1])
		return true
	})
	return n
}

// end reads the rest and returns all output and the exit code.
func (p *process) end() (string, int) {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				_ = p.cmd.Wait()
				return p.output.String(), p.cmd.ProcessState.ExitCode()
			}
			fmt.Fprintln(&p.output, line)
		case <-late:
			p.t.Fatalf("the command did not end within %v:\n%s%s", patience, p.output.String(), p.errors.String())
		}
	}
}

// kill is kill -9.
func (p *process) kill() string {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(syscall.SIGKILL))
	out, _ := p.end()
	return out
}

var progressLine = regexp.MustCompile(`activities: (\d+) done, .*running=(\d+)`)

// busy reports whether a progress line says that at least this many activities are done and run.
func busy(line string, done, running int) bool {
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	d, err1 := strconv.Atoi(m[1])
	r, err2 := strconv.Atoi(m[2])
	return err1 == nil && err2 == nil && d >= done && r >= running
}

// mustRun runs the command to its end and fails unless it succeeds.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	p := begin(t, plain, args...)
	out, code := p.end()
	if code != 0 {
		t.Fatalf("turnstone %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, p.errors.String())
	}
	return out
}
