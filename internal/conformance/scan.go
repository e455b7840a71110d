package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// places maps each id that test code carries to the packages (relative directories) that carry it.
type places map[string][]string

// own are the packages whose strings are about ids, not cases.
var own = []string{"internal/conformance", "internal/lint"}

// scan reads the test code below root: files that end in _test.go, and packages that are kits of tests.
func scan(root string, l *caseList) (places, error) {
	found := places{}
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
		return found.file(path.Dir(rel), rel, text, l)
	})
	return found, err
}

// file adds the ids in a file's function names and strings. Comments do not count.
func (p places) file(dir, name string, text []byte, l *caseList) error {
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.FuncDecl:
			p.add(dir, l.idsIn(x.Name.Name))
		case *ast.BasicLit:
			if x.Kind == token.STRING {
				p.add(dir, l.idsIn(x.Value))
			}
		}
		return true
	})
	return nil
}

func (p places) add(dir string, ids []string) {
	for _, id := range ids {
		if !slices.Contains(p[id], dir) {
			p[id] = append(p[id], dir)
		}
	}
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
