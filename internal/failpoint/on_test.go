//go:build failpoint

package failpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain runs the body of a child process when the test has started itself as one: five hits of the point "here".
func TestMain(m *testing.M) {
	if os.Getenv("FAILPOINT_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	defer fmt.Println("deferred")
	for i := 1; i <= 5; i++ {
		Hit("elsewhere")
		Hit("here")
		fmt.Println("passed", i)
	}
}

// child runs five hits under a setting and returns the exit code and everything that was printed.
func child(t *testing.T, setting string) (int, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FAILPOINT_TEST_CHILD=1", Environment+"="+setting)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestActionsEndAProcessAtTheHitTheyName(t *testing.T) {
	if !Enabled {
		t.Fatal("Enabled is false in a build with the tag failpoint")
	}
	for _, c := range []struct {
		name, setting string
		code          int
		says          string
		passed        int
		deferred      bool
	}{
		{"nothing armed", "", 0, "", 5, true},
		{"another point", "nowhere=exit", 0, "", 5, true},
		{"exit at the first hit", "here=exit", ExitCode, "", 0, false},
		{"exit at the third hit", "here=exit@3", ExitCode, "", 2, false},
		{"exit after the last hit", "here=exit@6", 0, "", 5, true},
		{"panic", "here=panic@2", 2, "failpoint here", 1, true},
		{"two points", "elsewhere=sleep(1ms)@1; here=exit@4", ExitCode, "", 3, false},
		{"unknown action", "here=explode", 2, `unknown action "explode"`, 0, false},
		{"no action", "here", 2, "is not name=action", 0, false},
		{"no name", "=exit", 2, "is not name=action", 0, false},
		{"hit zero", "here=exit@0", 2, "must be a number from 1", 0, false},
		{"bad duration", "here=sleep(soon)", 2, "invalid duration", 0, false},
		{"named twice", "here=exit;here=panic", 2, "a second time", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := child(t, c.setting)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit code %d, want %d; output must contain %q:\n%s", code, c.code, c.says, out)
			}
			if n := strings.Count(out, "passed"); n != c.passed {
				t.Errorf("%d hits were passed, want %d:\n%s", n, c.passed, out)
			}
			if got := strings.Contains(out, "deferred"); got != c.deferred {
				t.Errorf("deferred function ran: %v, want %v", got, c.deferred)
			}
		})
	}
}

func TestSleepDelaysEveryHitOrTheNamedOne(t *testing.T) {
	for _, c := range []struct {
		entry string
		least time.Duration
		slow  int
	}{
		{"here=sleep(20ms)", 20 * time.Millisecond, 3},
		{"here=sleep(20ms)@2", 20 * time.Millisecond, 1},
	} {
		s, err := parse(c.entry)
		if err != nil {
			t.Fatal(err)
		}
		slow := 0
		for range 3 {
			start := time.Now()
			s.points["here"].hit()
			if time.Since(start) >= c.least {
				slow++
			}
		}
		if slow < c.slow {
			t.Errorf("%s: %d of 3 hits slept, want %d", c.entry, slow, c.slow)
		}
	}
}
