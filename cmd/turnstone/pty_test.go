package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/turnstone-dev/turnstone/internal/terminal"
)

// openTerminal makes a terminal of so many cells: what is written to tty can be read from the other end.
func openTerminal(t *testing.T, width, height uint16) (end, tty *os.File) {
	t.Helper()
	end, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { _ = end.Close() })
	var unlocked, number int32
	control(t, end, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, end, syscall.TIOCGPTN, unsafe.Pointer(&number))
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	size := [4]uint16{height, width}
	control(t, tty, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	return end, tty
}

func control(t *testing.T, f *os.File, request uintptr, value unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(value)); errno != 0 {
		t.Fatalf("control of %s: %v", f.Name(), errno)
	}
}

// onTerminal runs the command on a terminal and returns all that it wrote.
func onTerminal(t *testing.T, dir string, width uint16, build func() (string, error), args ...string) string {
	t.Helper()
	name, err := build()
	must(t, err)
	end, tty := openTerminal(t, width, 24)
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), slowly)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	must(t, cmd.Start())
	must(t, tty.Close())
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	out, err := io.ReadAll(end) // ends with EIO when the command has ended
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%q", err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

const clearLine = "\r\x1b[K"

// TestF57_the_demo_on_a_terminal runs it on terminals of several widths: no line of its progress wraps, each has the rate,
// none goes back, nothing is glued to one, and all that is left fits 24 lines together with the prompt that follows.
func TestF57_the_demo_on_a_terminal(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		name := filepath.Join(dir, "tree", fmt.Sprintf("directory-with-a-name-that-is-too-long-for-a-narrow-terminal-%02d", i%30), fmt.Sprintf("file-%d.ext%d", i, i%20))
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, []byte("words\n"), 0o644))
	}
	for _, width := range []uint16{20, 80, 200} {
		store, frames := fmt.Sprint("store-", width), 0
		args := []string{"demo", "--dir", "tree", "--store", store, "--report", "r.json", "--slots", "8"}
		parts := strings.Split(onTerminal(t, dir, width, slow, args...), clearLine)
		if !strings.HasPrefix(parts[0], "Catalogue of ") || strings.Count(parts[0], "\n") != 1 || !strings.HasSuffix(parts[0], "\n") {
			t.Errorf("width %d: it begins with %q", width, parts[0])
		}
		most := 0
		for _, frame := range parts[1 : len(parts)-1] {
			if frames++; terminal.Width(frame) >= int(width) || terminal.Text(frame) != frame || !strings.Contains(frame, "/s") {
				t.Errorf("width %d: a line of progress is %q", width, frame)
			}
			var ended int
			if m := endedOf.FindStringSubmatch(frame); m != nil {
				_, err := fmt.Sscan(m[1], &ended)
				must(t, err)
				if ended < most {
					t.Errorf("width %d: %d instances had ended, then %q", width, most, frame)
				}
				most = ended
			}
		}
		if frames < 2 {
			t.Errorf("width %d: %d lines of progress", width, frames)
		}
		left := parts[len(parts)-1]
		fits(t, width, left)
		again := onTerminal(t, dir, width, plain, append(args, "--rows", "0")...)
		if width == 200 && (strings.Count(again, "narrow-terminal-") != 30 || strings.Count(again, ".ext") != 20 || strings.Contains(again, "more)")) {
			t.Errorf("not everything that was asked for is shown:\n%s", again)
		}
	}
}

var endedOf = regexp.MustCompile(`(\d+) of \d+ instances`)

// fits checks what stays on the terminal: the table ends with its totals, and there is room for the first line, for that
// of a run that resumed, and for the prompt.
func fits(t *testing.T, width uint16, left string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(left, "\n"), "\n")
	last := lines[len(lines)-1]
	if len(lines) > 24-3 || !strings.HasPrefix(strings.TrimSpace(last), "300 ") {
		t.Errorf("width %d: %d lines stay:\n%s", width, len(lines), left)
	}
	if width >= 80 && (!strings.HasSuffix(last, "  total") || strings.Count(left, "more)") != 2) {
		t.Errorf("width %d: the last line is %q in\n%s", width, last, left)
	}
	for _, line := range lines[2:] {
		if terminal.Width(line) > int(width) {
			t.Errorf("width %d: %q does not fit", width, line)
		}
	}
}
