package lint

import (
	"bytes"
	"cmp"
	"fmt"
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

// Module is the path of the module that the rules are for.
const Module = "github.com/turnstone-dev/turnstone"

// Finding is one place that breaks a rule.
type Finding struct {
	// Path is relative to the root, with slashes. Line counts from 1; 0 means the whole file or directory.
	Path string
	Line int
	// Rule is the rule's short name, Message says what is wrong and what to do.
	Rule, Message string
}

// String has the form that editors jump to.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.Path, f.Rule, f.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Message)
}

// source is one text file of the tree.
type source struct {
	path string // relative to the root, with slashes
	text []byte
	// file is nil unless this is Go code of any module in the tree.
	file *ast.File
	// nested says that the file belongs to a module of its own inside the tree.
	nested bool
}

func (s *source) dir() string     { return path.Dir(s.path) }
func (s *source) isTest() bool    { return strings.HasSuffix(s.path, "_test.go") }
func (s *source) generated() bool { return strings.HasSuffix(s.path, ".pb.go") }

// code reports whether the file is hand-written Go code of the main module.
func (s *source) code() bool { return s.file != nil && !s.nested && !s.generated() }

// production reports whether the file is code that is not a test.
func (s *source) production() bool { return s.code() && !s.isTest() }

// tree is everything the rules look at.
type tree struct {
	fset     *token.FileSet
	sources  []*source
	packages []listed // nil in fixtures that have no import graph
	// used remembers which exceptions were needed.
	used map[*permit]bool
}

func newTree() *tree { return &tree{fset: token.NewFileSet(), used: map[*permit]bool{}} }

// add parses a file if it is Go code. Text that is not text is left out.
func (t *tree) add(name string, text []byte, nested bool) error {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	s := &source{path: name, text: text, nested: nested}
	if strings.HasSuffix(name, ".go") {
		f, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.file = f
	}
	t.sources = append(t.sources, s)
	return nil
}

// skipped are directories that hold no sources of this repository.
var skipped = []string{".git", ".turnstone", "bin", "node_modules", "testdata"}

// readTree reads all text files under root.
func readTree(root string) (*tree, error) {
	t := newTree()
	var modules []string // directories with a go.mod of their own
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && slices.Contains(skipped, d.Name()):
			return filepath.SkipDir
		case d.IsDir():
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && rel != "." {
				modules = append(modules, rel+"/")
			}
			return nil
		case !d.Type().IsRegular() || !isText(rel):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		nested := slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(rel, m) })
		return t.add(rel, text, nested)
	})
	return t, err
}

// isText tells by the name which files are written by hand or could hold text that leaks something.
func isText(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".proto", ".sh", ".txt", ".json", ".yml", ".yaml", ".toml", ".conf", ".mod":
		return true
	case "":
		return true
	}
	return strings.HasPrefix(path.Base(name), ".")
}

// line is the line of a node.
func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// at makes a finding at a node.
func (t *tree) at(s *source, p token.Pos, rule, format string, args ...any) Finding {
	return Finding{Path: s.path, Line: t.line(p), Rule: rule, Message: fmt.Sprintf(format, args...)}
}

// Check runs every rule over the module whose root directory is given and returns the findings in order. An error
// means that the tree could not be read or listed at all.
func Check(root string) ([]Finding, error) {
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	if t.packages, err = listPackages(root); err != nil {
		return nil, err
	}
	found := t.run()
	found = append(found, unusedPermits(t)...)
	links, err := checkLinks(root, t.packages)
	if err != nil {
		return nil, err
	}
	return sorted(append(found, links...)), nil
}

// run applies the rules that need nothing but the tree.
func (t *tree) run() []Finding {
	var found []Finding
	for _, rule := range rules {
		found = append(found, rule(t)...)
	}
	return sorted(found)
}

func sorted(found []Finding) []Finding {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return found
}

// rules are all rules but those that run the go command.
var rules = []func(*tree) []Finding{
	checkSizes, checkRooms, checkImports, checkWalls, checkCalls, checkGoroutines, checkTests, checkPackageDocs, checkExportedDocs,
	checkErrorsTested, checkLimitsTested, checkText, checkLooseEnds, checkAliases, checkActors,
	checkLogKeys, checkWords,
}
