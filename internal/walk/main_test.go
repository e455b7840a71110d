package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDocumentFitsTheWalk counts a start of this module and compares.
func TestDocumentFitsTheWalk(t *testing.T) {
	var out strings.Builder
	if err := report(&out, "../.."); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "\nactors/instance (") {
		t.Errorf("the report does not list the rooms:\n%s", out.String())
	}
}

// TestWhatDoesNotFitIsFound compares a small document with small walks.
func TestWhatDoesNotFitIsFound(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a.go": "package p\n", "b.go": "package p\n", "c.go": "//go:build plan9\n\npackage p\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	many := strings.Builder{}
	for c := 'a'; c <= 'z'; c++ {
		many.WriteString("`" + string(c) + ".go` ")
	}
	for _, c := range []struct {
		name, section string
		hit           map[string]int
		want          []string // a part of each problem
	}{
		{"all are named", "1. `a.go` begins, and `a.go` ends.\n\n| `.` | `b.go` | why |\n", map[string]int{"a.go": 1, "b.go": 2}, nil},
		{"hit and not named", "1. `a.go`.\n", map[string]int{"a.go": 1, "b.go": 2}, []string{"`.`, hit by a start, and not named: tell what it does, or say in the table why not: `b.go`"}},
		{"named and not hit", "1. `a.go`, `b.go`.\n", map[string]int{"a.go": 1}, []string{"`.`, named, and a start does not hit it: `b.go`"}},
		{"named and not there", "| `d` | `e.go` | why |\n", nil, []string{"`d`, named, and there is no such file: `e.go`"}},
		{"of another platform", "1. `c.go`.\n", nil, nil},
		{"named twice", "1. `a.go`.\n\n| `.` | `a.go` | why |\n", map[string]int{"a.go": 1}, []string{"`.`, named twice, in the walk and beside it or twice beside it: `a.go`"}},
		{"named elsewhere", "\n## Next\n\n`a.go`\n", map[string]int{"a.go": 1, "b.go": 1, "d/a.go": 1}, []string{
			"not named: tell what it does, or say in the table why not: `a.go`, `b.go`", "`d`, hit by a start",
		}},
		{"too many", many.String(), nil, []string{"opens 26 files, the most", "opens 26 files in ., the most"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			told, err := readDocument("# Title\n" + heading + c.section)
			if err != nil {
				t.Fatal(err)
			}
			got := told.problems(root, c.hit)
			if c.name == "too many" {
				got = got[:2]
			}
			if len(got) != len(c.want) {
				t.Fatalf("found %q, want %q", got, c.want)
			}
			for i, w := range c.want {
				if !strings.Contains(got[i], w) {
					t.Errorf("found %q, want %q", got[i], w)
				}
			}
		})
	}
	if _, err := readDocument("# Title\n"); err == nil || !strings.Contains(err.Error(), "has no section") {
		t.Errorf("a document without the section: %v", err)
	}
}

// TestFilesOfMostStartsCount reads three profiles.
func TestFilesOfMostStartsCount(t *testing.T) {
	var profiles []map[string]int
	for _, text := range []string{
		"mode: atomic\n" + module + "/a.go:1.1,2.2 2 7\n" + module + "/a.go:3.1,4.2 1 0\n" + module + "/d/b.go:1.1,2.2 1 1\n",
		"mode: atomic\n" + module + "/a.go:1.1,2.2 2 7\n" + module + "/a.go:3.1,4.2 1 1\n" + module + "/c.go:1.1,2.2 0 1\n",
		"mode: atomic\n" + module + "/a.go:1.1,2.2 2 0\n" + module + "/" + own + "/start.go:1.1,2.2 1 1\n",
	} {
		p, err := readProfile(text)
		if err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	if got, want := inMost(profiles), map[string]int{"a.go": 3}; !maps.Equal(got, want) {
		t.Errorf("most hit %v, want %v", got, want)
	}
	if _, err := readProfile("no line of a profile\n"); err == nil {
		t.Error("a line that is none is taken")
	}
	rooms := byRoom(map[string]int{"d/b.go": 1, "d/a.go": 1, "c.go": 1})
	if len(rooms) != 2 || rooms[0].dir != "." || !slices.Equal(rooms[1].files, []string{"d/a.go", "d/b.go"}) {
		t.Errorf("the rooms are %v", rooms)
	}
}
