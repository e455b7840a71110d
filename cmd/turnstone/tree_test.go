package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/turnstone-dev/turnstone/internal/catalogue"
)

// wanted is what the report must say about one entry; words are compared for text only, because wc counts words by
// the locale's printable characters.
type wanted struct {
	kind   catalogue.Kind
	target string
	sha256 string
	bytes  int64
	lines  int64
	words  int64
	text   bool
}

// bigDirectory is how many files the biggest directory has, which is several pages of a listing, and sparseBytes the length of the file that is all holes.
func bigDirectory() int  { return fullOrShort(5000, 2500) }
func sparseBytes() int64 { return int64(fullOrShort(200<<20, 20<<20)) }

// fullOrShort is what a test does, and what it does with -short.
func fullOrShort(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeTree makes a tree with everything that a real one can have, and worse.
func makeTree(t *testing.T, root string) {
	t.Helper()
	write := func(name, content string) {
		t.Helper()
		full := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, os.WriteFile(full, []byte(content), 0o644))
	}
	write("top.txt", "at the top\n")
	write("-leading/-dash", "a leading dash\n")
	write("odd/with spaces  in it.txt", "some words here\n")
	write("odd/new\nline.txt", "the name has a newline\n")
	write("odd/bad\xff\xfeutf8.txt", "the name is not text\n")
	write("odd/back\\slash", "the name has a backslash\n")
	write("odd/\\x41", "the name looks escaped\n")
	write("odd/\x01control\u0085", "the name has control characters\n")
	write("odd/日本語.txt", "ein zwei drei\n")
	write("odd/emp ty/none", "")
	write("odd/no newline at the end", "last line has no newline")
	write("odd/spaces only", " \t\v\f\r\n\n")
	write("odd/binary.bin", "\x00\x01\xff\xfe\n\x80 \x00")
	must(t, os.MkdirAll(filepath.Join(root, "empty-directory"), 0o755))
	for i := range bigDirectory() {
		write(fmt.Sprintf("many/%d/file-%04d.txt", 0, i), strings.Repeat(fmt.Sprintf("line %d of file\n", i), i%17))
	}
	sparse := func(name string, size int64) {
		t.Helper()
		full := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		f, err := os.Create(full)
		must(t, err)
		must(t, f.Truncate(size))
		must(t, f.Close())
	}
	sparse("sparse/holes", sparseBytes())
	must(t, os.MkdirAll(filepath.Join(root, "links"), 0o755))
	must(t, os.Symlink("no/such\nplace", filepath.Join(root, "links/dangling")))
	must(t, os.Symlink("cycle-b", filepath.Join(root, "links/cycle-a")))
	must(t, os.Symlink("cycle-a", filepath.Join(root, "links/cycle-b")))
	must(t, os.Symlink("..", filepath.Join(root, "links/up")))
	must(t, syscall.Mkfifo(filepath.Join(root, "links/pipe"), 0o644))
}

// oracle asks sha256sum and wc about every regular file, and the file system about everything else.
func oracle(t *testing.T, root string) map[string]wanted {
	t.Helper()
	want := map[string]wanted{}
	var regular []string
	must(t, filepath.Walk(root, func(full string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		w := wanted{kind: catalogue.KindFile}
		switch mode := info.Mode(); {
		case mode&os.ModeSymlink != 0:
			w.kind = catalogue.KindSymlink
			target, err := os.Readlink(full)
			if err != nil {
				return err
			}
			w.target = catalogue.Escape(target)
		case mode&os.ModeNamedPipe != 0:
			w.kind = catalogue.KindPipe
		default:
			regular = append(regular, rel)
		}
		want[catalogue.Escape(rel)] = w
		return nil
	}))
	sums := run(t, root, regular, "xargs", "-0", "sha256sum", "-z", "--")
	for _, line := range strings.Split(strings.TrimSuffix(sums, "\x00"), "\x00") {
		sum, name, ok := strings.Cut(line, "  ")
		if !ok {
			t.Fatalf("sha256sum said %q", line)
		}
		w := want[catalogue.Escape(name)]
		w.sha256 = sum
		want[catalogue.Escape(name)] = w
	}
	counts(t, root, regular, want)
	return want
}

// counts has wc count. It names the files that it has counted, which is safe to read for plain names; the others it gets
// through its standard input, one by one.
func counts(t *testing.T, root string, regular []string, want map[string]wanted) {
	t.Helper()
	var plain, odd []string
	for _, name := range regular {
		if plainName.MatchString(name) {
			plain = append(plain, name)
		} else {
			odd = append(odd, name)
		}
	}
	counted := 0
	for line := range strings.Lines(run(t, root, plain, "xargs", "-0", "wc", "-lwc", "--")) {
		fields := strings.Fields(line)
		if len(fields) != 4 {
			t.Fatalf("wc said %q", line)
		}
		if fields[3] != "total" { // of some files
			count(t, root, fields[3], fields, want)
			counted++
		}
	}
	fields := strings.Fields(run(t, root, odd, "xargs", "-0", "sh", "-c", `for f in "$@"; do wc -lwc <"$f"; done`, "sh"))
	if counted != len(plain) || len(fields) != 3*len(odd) {
		t.Fatalf("wc counted %d and %d numbers for %d and %d files", counted, len(fields), len(plain), len(odd))
	}
	for i, name := range odd {
		count(t, root, name, fields[3*i:], want)
	}
}

// plainName is one that wc prints as it is. A file in the root may have any name, also that of wc's sum.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)+$`)

// count notes what wc has counted: lines, words and bytes, in this order.
func count(t *testing.T, root, name string, fields []string, want map[string]wanted) {
	t.Helper()
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		must(t, err)
		return n
	}
	w, ok := want[catalogue.Escape(name)]
	if !ok {
		t.Fatalf("wc counted %q, which is not in the tree", name)
	}
	w.lines, w.words, w.bytes = number(fields[0]), number(fields[1]), number(fields[2])
	raw := make([]byte, 4096)
	f, err := os.Open(filepath.Join(root, name))
	must(t, err)
	n, _ := f.Read(raw)
	must(t, f.Close())
	w.text = isText(raw[:n])
	want[catalogue.Escape(name)] = w
}

func isText(b []byte) bool {
	for _, c := range b {
		if c >= 0x7f || (c < ' ' && !(c >= '\t' && c <= '\r')) {
			return false
		}
	}
	return true
}

func run(t *testing.T, dir string, names []string, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = strings.NewReader(strings.Join(names, "\x00") + "\x00")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, errs.String())
	}
	return string(out)
}
