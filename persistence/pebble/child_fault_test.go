package pebble

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A store whose latch has closed is left as it is: its goroutines stay parked in the middle of Pebble. So cases that
// close it run in child processes, a batch in each, which report in their last line and exit.

const childVar = "TURNSTONE_TEST_BATCH"

// isChild reports whether this process is a child that was given a batch, and reads the batch.
func isChild(t *testing.T, batch any) bool {
	t.Helper()
	spec := os.Getenv(childVar)
	if spec == "" {
		return false
	}
	if err := json.Unmarshal([]byte(spec), batch); err != nil {
		t.Fatal(err)
	}
	return true
}

// report ends a child.
func report(r any) {
	line, err := json.Marshal(r)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(string(line))
	os.Exit(0)
}

// runChild runs this very test in a child with a batch, and reads its report.
func runChild(t *testing.T, batch, r any) {
	t.Helper()
	runChildOf(t, t.Name(), batch, r)
}

// runChildOf runs a test in a child.
func runChildOf(t *testing.T, test string, batch, r any) {
	t.Helper()
	spec, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), childVar+"="+string(spec))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the child with batch %s: %v\n%s", spec, err, out)
	}
	line := out[bytes.LastIndex(bytes.TrimSpace(out), []byte("\n"))+1:]
	if err := json.Unmarshal(line, r); err != nil {
		t.Fatalf("the child's report: %v\n%s", err, out)
	}
}
