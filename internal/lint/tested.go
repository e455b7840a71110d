package lint

import (
	"go/ast"
	"go/token"
	"strings"
)

func isTestCode(s *source) bool { return s.isTest() || isKit(s) }

// mentions are the names that some files use, by package: "import/path.Name", and for plain identifiers and selectors
// of unknown type ".Name".
func (t *tree) mentions(counts func(*source) bool) map[string]bool {
	used := map[string]bool{}
	for _, s := range t.sources {
		if s.file == nil || s.nested || !counts(s) {
			continue
		}
		names := importNames(s.file)
		own := importPath(s.dir())
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.SelectorExpr:
				if pkg, name, ok := qualified(x, names); ok {
					used[pkg+"."+name] = true
				}
				used["."+x.Sel.Name] = true
			case *ast.Ident:
				used[own+"."+x.Name] = true
				used["."+x.Name] = true
			}
			return true
		})
	}
	return used
}

// checkErrorsTested wants every exported error that a caller can branch on in some test.
func checkErrorsTested(t *tree) []Finding {
	used := t.mentions(isTestCode)
	var found []Finding
	for _, s := range t.sources {
		if !s.production() || s.file.Name.Name == "main" {
			continue
		}
		eachValue(s.file, func(name *ast.Ident) {
			if strings.HasPrefix(name.Name, "Err") && name.IsExported() && !used[importPath(s.dir())+"."+name.Name] {
				found = append(found, t.at(s, name.Pos(), "error-untested", "no test mentions %s: show when a caller gets it", name.Name))
			}
		})
	}
	return found
}

// eachValue calls f with every name that a file declares as a package variable or constant.
func eachValue(f *ast.File, do func(*ast.Ident)) {
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.VAR && d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				do(name)
			}
		}
	}
}

// checkLimitsTested wants every limit in code that enforces it, and in a test of that code: limits itself does
// not count.
func checkLimitsTested(t *tree) []Finding {
	const home = "limits"
	tested := t.mentions(func(s *source) bool { return isTestCode(s) && s.dir() != home })
	enforced := t.mentions(func(s *source) bool { return s.production() && s.dir() != home })
	var found []Finding
	for _, s := range t.sources {
		if !s.production() || s.dir() != home {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != "Limits" {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				return false
			}
			for _, field := range fields.Fields.List {
				for _, name := range field.Names {
					if !enforced["."+name.Name] {
						found = append(found, t.at(s, name.Pos(), "limit-unused", "nothing enforces the limit %s", name.Name))
					}
					if !tested["."+name.Name] {
						found = append(found, t.at(s, name.Pos(), "limit-untested",
							"no test mentions the limit %s: test it at one below, at, and one above", name.Name))
					}
				}
			}
			return false
		})
	}
	return found
}
