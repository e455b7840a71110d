package lint

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
)

// checkPackageDocs wants a comment on the package clause of one file of every package.
func checkPackageDocs(t *tree) []Finding {
	documented, first := map[string]bool{}, map[string]*source{}
	for _, s := range t.sources {
		if s.file == nil || s.nested || s.isTest() {
			continue
		}
		if first[s.dir()] == nil {
			first[s.dir()] = s
		}
		if s.file.Doc != nil && !s.generated() {
			documented[s.dir()] = true
		}
	}
	var found []Finding
	for _, dir := range slices.Sorted(maps.Keys(first)) {
		if !documented[dir] {
			found = append(found, t.at(first[dir], first[dir].file.Package, "package-doc",
				"package %s has no comment: add a doc.go that says what it owns, what it must not know, its invariants, and where to start reading",
				first[dir].file.Name.Name))
		}
	}
	return found
}

// checkExportedDocs wants a comment on every exported symbol of every package but commands.
func checkExportedDocs(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if !s.production() || s.file.Name.Name == "main" {
			continue
		}
		report := func(p token.Pos, name string) {
			found = append(found, t.at(s, p, "doc", "exported %s has no comment: say what it is, its units, limits, defaults and errors", name))
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				recv := receiverType(d)
				if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(recv)) {
					report(d.Pos(), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(d, report)
			}
		}
	}
	return found
}

// undocumented reports the exported names of a declaration that no comment covers. A comment on a group covers its
// values but not its types.
func undocumented(d *ast.GenDecl, report func(token.Pos, string)) {
	for _, spec := range d.Specs {
		switch x := spec.(type) {
		case *ast.TypeSpec:
			if x.Name.IsExported() && x.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				report(x.Pos(), x.Name.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || x.Doc != nil || x.Comment != nil {
				continue
			}
			for _, name := range x.Names {
				if name.IsExported() {
					report(name.Pos(), name.Name)
				}
			}
		}
	}
}
