package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// places maps each id that test code carries to the packages (relative directories) that carry it.
type places map[string][]string

// scanned is what was found in test code.
type scanned struct {
	places places
	// bare are the names that have an id and do not say its case, each with its file and line.
	bare []string
}

// own are the packages whose strings are about ids, not cases.
var own = []string{"internal/conformance", "internal/lint"}

// scan reads the test code below root: files that end in _test.go, and packages that are kits of tests.
func scan(root string, l *caseList) (*scanned, error) {
	found := &scanned{places: places{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || slices.Contains(own, rel) {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && rel != "." {
				return filepath.SkipDir
			}
			return nil
		}
		isTest := strings.HasSuffix(rel, "_test.go") || strings.HasSuffix(path.Dir(rel), "test") && strings.HasSuffix(rel, ".go")
		if !isTest {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return found.file(rel, text, l)
	})
	return found, err
}

// file adds the ids in a file's function names and strings. Comments do not count.
func (s *scanned) file(name string, text []byte, l *caseList) error {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.FuncDecl:
			s.add(files.Position(x.Pos()), x.Name.Name, l, l.saysInName)
		case *ast.BasicLit:
			if text, err := strconv.Unquote(x.Value); x.Kind == token.STRING && err == nil {
				s.add(files.Position(x.Pos()), text, l, l.saysInText)
			}
		}
		return true
	})
	return nil
}

// add notes the ids of a name or string, and whether it says their cases.
func (s *scanned) add(at token.Position, text string, l *caseList, says func(text, id string) bool) {
	dir := path.Dir(at.Filename)
	for _, id := range l.idsIn(text) {
		if !slices.Contains(s.places[id], dir) {
			s.places[id] = append(s.places[id], dir)
		}
		if _, known := l.known[id]; known && !says(text, id) {
			s.bare = append(s.bare, fmt.Sprintf("%s:%d: %q", at.Filename, at.Line, text))
		}
	}
}

// saysInText reports whether a string begins with the id and its sentence.
func (l *caseList) saysInText(text, id string) bool {
	return strings.HasPrefix(text, id+" "+l.known[id])
}

// saysInName reports whether a function's name goes on with words behind the id.
func (l *caseList) saysInName(name, id string) bool {
	_, words, _ := strings.Cut(name, id)
	return strings.ContainsFunc(words, unicode.IsLower)
}

// bareError refuses names that have an id and do not say its case.
func (s *scanned) bareError() error {
	if len(s.bare) == 0 {
		return nil
	}
	return fmt.Errorf("tests that do not say their case: a string has the id and the list's sentence, a function's name words behind the id:\n%s",
		strings.Join(s.bare, "\n"))
}

// packages are the package patterns whose tests carry ids. A kit's cases run in the packages beside it.
func (p places) packages() []string {
	var dirs []string
	for _, at := range p {
		for _, dir := range at {
			if strings.HasSuffix(dir, "test") {
				dir = path.Dir(dir) + "/..."
			}
			if dir = "./" + dir; !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.Sort(dirs)
	return dirs
}
