package lint

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeProgramRuns builds the program in README.md as it stands there, in a module of its own outside of the
// repository, and runs it twice on one store.
func TestReadmeProgramRuns(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```go\n")
	program, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed || !strings.HasPrefix(program, "package main\n") {
		t.Fatal("README.md has no program")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "program")
	write(t, filepath.Join(dir, "main.go"), []byte(program))
	outsideModule(t, root, dir)
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for run := 1; run <= 2; run++ {
		cmd := exec.Command(binary)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || string(out) != "Hello, Ada!\n" {
			t.Errorf("run %d printed %q, %v\n%s", run, out, err, stderr.String())
		}
	}
}

// outsideModule makes dir a module that depends on the checkout by a replace directive, as README.md says. What `go mod
// tidy` would find out from the network is taken from the checkout: the versions and sums of everything else.
func outsideModule(t *testing.T, root, dir string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(mod), "\n")
	if !found || head != "module "+Module {
		t.Fatalf("go.mod begins with %q", head)
	}
	write(t, filepath.Join(dir, "go.mod"), fmt.Appendf(nil, "module example.com/greetings\n%s\nrequire %s v0.0.0\nreplace %s => %s\n",
		rest, Module, Module, root))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), sums)
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
