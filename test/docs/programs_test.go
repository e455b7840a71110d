package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeProgramRuns runs the program in README.md twice on one store.
func TestReadmeProgramRuns(t *testing.T) {
	binary := documentProgram(t, "README.md")
	for run := 1; run <= 2; run++ {
		cmd := exec.Command(binary)
		cmd.Dir = filepath.Dir(binary)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || string(out) != "Hello, Ada!\n" {
			t.Errorf("run %d printed %q, %v\n%s", run, out, err, stderr.String())
		}
	}
}

// TestGuideProgramRuns runs the program in the guide's section about code and history that differ.
func TestGuideProgramRuns(t *testing.T) {
	cmd := exec.Command(documentProgram(t, "docs/guide.md"))
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "Running and held: nondeterministic: ") || strings.Count(string(out), "main.go:") != 2 ||
		!strings.HasSuffix(string(out), "\nthe book is shipped\n") || strings.Count(stderr.String(), "an instance is held") != 1 {
		t.Errorf("it printed %q, %v\n%s", out, err, stderr.String())
	}
}

// documentProgram builds the whole program in a document as it stands there, in a module of its own outside of the
// repository.
func documentProgram(t *testing.T, document string) (binary string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```go\npackage main\n")
	program, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s has no program", document)
	}
	dir := t.TempDir()
	binary = filepath.Join(dir, "program")
	write(t, filepath.Join(dir, "main.go"), []byte("package main\n"+program))
	outsideModule(t, root, dir)
	build(t, dir, ".", binary)
	return binary
}

// build builds a program from a directory, without what a debugger needs: linking is most of it.
func build(t *testing.T, dir, program, binary string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, program)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// module is the path of this one.
const module = "github.com/turnstone-dev/turnstone"

// outsideModule makes dir a module that depends on the checkout by a replace directive, as README.md says. What `go mod
// tidy` would find out from the network is taken from the checkout: the versions and sums of everything else.
func outsideModule(t *testing.T, root, dir string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(mod), "\n")
	if !found || head != "module "+module {
		t.Fatalf("go.mod begins with %q", head)
	}
	write(t, filepath.Join(dir, "go.mod"), fmt.Appendf(nil, "module example.com/greetings\n%s\nrequire %s v0.0.0\nreplace %s => %s\n",
		rest, module, module, root))
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
