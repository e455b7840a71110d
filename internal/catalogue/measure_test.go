package catalogue

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMeasureCountsBytesLinesAndWords(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text         string
		lines, words int64
	}{
		"empty":      {"", 0, 0},
		"no-newline": {"one two", 0, 2},
		"spaces":     {" \t\n\v\f\r", 1, 0},
		"mixed":      {"a\x00b \xff\n\nc\rd\n", 3, 4},
		"long":       {strings.Repeat("word ", 100_000), 0, 100_000},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Measure(dir, name)
		sum := sha256.Sum256([]byte(c.text))
		want := File{Path: name, Kind: KindFile, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(c.text)), Lines: c.lines, Words: c.words}
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestMeasureReportsWhatIsNoFileWithoutOpeningIt(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("nowhere\n", filepath.Join(dir, "dangling")))
	must(syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	must(os.Mkdir(filepath.Join(dir, "dir"), 0o700))
	for name, want := range map[string]File{
		"dangling": {Path: "dangling", Kind: KindSymlink, Target: `nowhere\x0a`},
		"pipe":     {Path: "pipe", Kind: KindPipe},
		"dir":      {Path: "dir", Kind: KindDir},
	} {
		if got, err := Measure(dir, name); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if _, err := Measure(dir, "gone"); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("a missing file gave %v", err)
	}
}

func TestListPagesThroughADirectory(t *testing.T) {
	dir := t.TempDir()
	const n = PageEntries*2 + 7
	for i := range n {
		name := strings.Repeat("x", i%5) + string(rune('a'+i%26)) + hex.EncodeToString([]byte{byte(i >> 8), byte(i)})
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	after := ""
	for {
		page, err := List(dir, "", after, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			names = append(names, e.Name)
		}
		if !page.More {
			break
		}
		after = page.Entries[len(page.Entries)-1].Name
	}
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
	}
	if len(names) != n || len(seen) != n {
		t.Fatalf("listed %d entries, %d distinct, want %d", len(names), len(seen), n)
	}
}

func TestReportSumsUp(t *testing.T) {
	r := NewReport("/dir", []File{
		{Path: "b/two.go", Kind: KindFile, Bytes: 5, Lines: 1, Words: 2},
		{Path: "a.txt", Kind: KindFile, Bytes: 1},
		{Path: "b/link", Kind: KindSymlink, Target: "x"},
		{Path: "b/bad.go", Kind: KindFile, Error: "open: no"},
		{Path: "b/closed", Kind: KindDir, Error: "open: no"},
	})
	want := Totals{Files: 2, Bytes: 6, Lines: 1, Words: 2, Errors: 1, Others: 1}
	if r.Totals != want || len(r.Files) != 4 || len(r.Directories) != 1 || r.Files[0].Path != "a.txt" {
		t.Fatalf("got %+v", r)
	}
	var out bytes.Buffer
	if err := r.WriteTable(&out, 0, 0); err != nil || !strings.HasSuffix(out.String(), "  total\n") {
		t.Fatalf("table %q, %v", out.String(), err)
	}
	name := filepath.Join(t.TempDir(), "report.json")
	if err := r.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(name); err != nil || !bytes.Contains(raw, []byte(`"path": "b/two.go"`)) {
		t.Fatalf("report %s, %v", raw, err)
	}
}
