package lint

import (
	"go/ast"
	"path"
	"regexp"
	"strconv"
)

var versionSuffix = regexp.MustCompile(`^v[0-9]+$`)

// importNames maps the names under which a file knows its imports to their paths.
func importNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if versionSuffix.MatchString(name) {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

// qualified returns the import path and the name if e is a selector on an imported package.
func qualified(e ast.Expr, names map[string]string) (pkg, name string, ok bool) {
	sel, isSel := e.(*ast.SelectorExpr)
	if !isSel {
		return "", "", false
	}
	id, isIdent := sel.X.(*ast.Ident)
	if !isIdent {
		return "", "", false
	}
	pkg, ok = names[id.Name]
	return pkg, sel.Sel.Name, ok
}

// importPath is the import path of a directory of the main module.
func importPath(dir string) string {
	if dir == "." {
		return Module
	}
	return Module + "/" + dir
}

// receiverType is the name of a method's receiver type, or "" for a function.
func receiverType(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	e := fn.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
