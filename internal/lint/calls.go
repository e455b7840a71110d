package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// permitted reports whether an exception covers the file, and remembers that it was needed.
func (t *tree) permitted(s *source, permits []*permit) bool {
	for _, p := range permits {
		if within(s.path, p.where) {
			t.used[p] = true
			return true
		}
	}
	return false
}

// within reports whether a path is the file or lies in the directory that is named.
func within(name, where string) bool {
	return where == "." && !strings.Contains(name, "/") || name == where || strings.HasPrefix(name, where+"/")
}

// cutFirst returns the first part of a path, and whether there is more.
func cutFirst(name string) (first string, more bool) {
	first, _, more = strings.Cut(name, "/")
	return first, more
}

// checkCalls finds calls and imports that reach around a seam.
func checkCalls(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if !s.production() {
			continue
		}
		for _, b := range bans {
			if !b.appliesTo(s) {
				continue
			}
			for _, pos := range b.uses(s.file) {
				if !t.permitted(s, b.permits) {
					found = append(found, t.at(s, pos, "seams", "%s: %s", b.what, b.instead))
				}
			}
		}
	}
	return found
}

// appliesTo reports whether a ban that is restricted to some directories covers a file.
func (b *ban) appliesTo(s *source) bool {
	return b.only == nil || slices.ContainsFunc(b.only, func(dir string) bool { return within(s.path, dir) })
}

// uses finds where a file breaks a ban: each selector of a banned name, or the import if the whole package is banned.
func (b *ban) uses(f *ast.File) []token.Pos {
	var at []token.Pos
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		dot := spec.Name != nil && spec.Name.Name == "."
		if err == nil && b.covers(p) && (b.names == nil || dot) {
			at = append(at, spec.Pos())
		}
	}
	if b.names == nil {
		return at
	}
	names := importNames(f)
	ast.Inspect(f, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if pkg, name, ok := qualified(e, names); ok && b.covers(pkg) && b.names[name] {
				at = append(at, n.Pos())
			}
		}
		return true
	})
	return at
}

// covers reports whether an import path is one of the ban's packages.
func (b *ban) covers(pkg string) bool {
	for _, p := range b.packages {
		if pkg == p || strings.HasSuffix(p, "/") && (strings.HasPrefix(pkg, p) || pkg == strings.TrimSuffix(p, "/")) {
			return true
		}
	}
	return false
}

// checkGoroutines finds go statements outside the packages that own goroutines and wait for them.
func checkGoroutines(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if !s.production() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok && !t.permitted(s, goroutinePermits) {
				found = append(found, t.at(s, g.Pos(), "goroutine",
					"a go statement in a package that owns no goroutines: hand the work to an executor, or return it to the caller"))
			}
			return true
		})
	}
	return found
}

// checkTests holds tests to waiting on conditions and to running whole.
func checkTests(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if s.file == nil {
			continue
		}
		names := importNames(s.file)
		if !s.isTest() && !isKit(s) {
			if p := importOf(s.file, "testing"); p.IsValid() && s.production() {
				found = append(found, t.at(s, p, "testing", "production code that imports testing: it must not know whether it is under test"))
			}
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if pkg, name, ok := qualified(call.Fun, names); ok {
				if pkg == "time" && name == "Sleep" {
					found = append(found, t.at(s, n.Pos(), "sleep", "time.Sleep in a test: wait for the condition, or use testing/synctest or an injected clock"))
				}
				return true
			}
			if isSkip(call) {
				found = append(found, t.at(s, n.Pos(), "skip", "a test that is skipped proves nothing: make it run, or delete it"))
			}
			return true
		})
	}
	return found
}

// isSkip reports whether a call leaves a test out: by the method's name on what tests call their first parameter.
func isSkip(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	on, ok := sel.X.(*ast.Ident)
	if !ok || !slices.Contains([]string{"t", "tb", "b", "f"}, on.Name) {
		return false
	}
	return slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name)
}

// isKit reports whether a file is test code without the suffix: a conformance kit that other packages' tests call.
func isKit(s *source) bool {
	return within(s.path, "persistence/persistencetest") || within(s.path, "client/clienttest")
}

func importOf(f *ast.File, pkg string) token.Pos {
	for _, spec := range f.Imports {
		if spec.Path.Value == strconv.Quote(pkg) {
			return spec.Pos()
		}
	}
	return token.NoPos
}

// unusedPermits keeps the tables of exceptions from outliving their reasons.
func unusedPermits(t *tree) []Finding {
	var found []Finding
	report := func(what string, permits []*permit) {
		for _, p := range permits {
			if !t.used[p] {
				found = append(found, Finding{Path: "internal/lint/policy.go", Rule: "permit",
					Message: "the exception of " + p.where + " from \"" + what + "\" (" + p.why + ") is not needed: delete it"})
			}
		}
	}
	for _, b := range bans {
		report(b.what, b.permits)
	}
	report("go statement", goroutinePermits)
	for _, w := range walls {
		report("wall in "+w.dir, w.permits)
	}
	return found
}
