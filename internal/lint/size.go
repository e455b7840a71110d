package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"path"
	"slices"
)

const (
	fileLinesMax         = 600
	functionLinesMax     = 70
	testFunctionLinesMax = 150
)

// checkSizes bounds files and functions: what does not fit is split by noun.
func checkSizes(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if s.file == nil || s.generated() {
			continue
		}
		if n := bytes.Count(s.text, []byte("\n")); n > fileLinesMax {
			found = append(found, Finding{Path: s.path, Line: n, Rule: "file-size",
				Message: fmt.Sprintf("%d lines, the most is %d: split the file by noun", n, fileLinesMax)})
		}
		most := functionLinesMax
		if s.isTest() || isKit(s) {
			most = testFunctionLinesMax
		}
		for _, decl := range s.file.Decls {
			found = append(found, t.longFunctions(s, decl, most)...)
		}
	}
	return found
}

// longFunctions finds functions that are too long in a declaration: the function itself, or literals in variables.
func (t *tree) longFunctions(s *source, decl ast.Decl, most int) []Finding {
	var found []Finding
	report := func(n ast.Node, what string) {
		if lines := t.line(n.End()) - t.line(n.Pos()) + 1; lines > most {
			found = append(found, t.at(s, n.Pos(), "function-size", "%s has %d lines, the most is %d: name its parts", what, lines, most))
		}
	}
	if fn, ok := decl.(*ast.FuncDecl); ok {
		report(fn, fn.Name.Name)
		return found
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		lit, ok := n.(*ast.FuncLit)
		if ok {
			report(lit, "function literal")
		}
		return !ok
	})
	return found
}

// grabBags are package names that say nothing about what is inside.
var grabBags = []string{"util", "utils", "helper", "helpers", "common", "misc", "shared", "base"}

// checkRooms holds the top level to the rooms of the design, and names to nouns.
func checkRooms(t *tree) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, s := range t.sources {
		top, inside := cutFirst(s.path)
		if inside && !slices.Contains(rooms, top) && !seen[top] {
			seen[top] = true
			found = append(found, Finding{Path: top, Rule: "rooms", Message: "not one of the rooms in ARCHITECTURE.md: put it into one, or add the room there and to this rule"})
		}
		if !inside && path.Ext(s.path) == ".md" && !slices.Contains(rootDocuments, s.path) {
			found = append(found, Finding{Path: s.path, Rule: "rooms", Message: "a document in the root that is not one of the known ones: it belongs under docs/"})
		}
		if s.code() && slices.Contains(grabBags, s.file.Name.Name) {
			found = append(found, t.at(s, s.file.Name.Pos(), "rooms", "package %s says nothing about what it owns: name it after its noun", s.file.Name.Name))
		}
	}
	return found
}
