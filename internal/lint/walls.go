package lint

import (
	"go/ast"
	"go/token"
)

// wall lies between two rooms of one package, where no table of imports can hold them apart: the lower one must not name
// what belongs to the upper one.
type wall struct {
	dir string
	// names are of the upper room, pkg is a package that only it imports, and permits are its files.
	names   map[string]bool
	pkg     string
	permits []*permit
	instead string
}

// checkWalls finds files of a lower room that name what is above it. A name behind a dot is another thing of that name.
func checkWalls(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if !s.production() {
			continue
		}
		for _, w := range walls {
			if s.dir() != w.dir {
				continue
			}
			at := w.uses(s.file)
			if pos := importOf(s.file, w.pkg); pos.IsValid() {
				at = append(at, pos)
			}
			for _, pos := range at {
				if !t.permitted(s, w.permits) {
					found = append(found, t.at(s, pos, "wall", "this is of the room above: %s", w.instead))
				}
			}
		}
	}
	return found
}

// uses lists where code names something of the upper room.
func (w *wall) uses(code ast.Node) []token.Pos {
	var at []token.Pos
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			at = append(at, w.uses(n.X)...)
			return false
		case *ast.Ident:
			if w.names[n.Name] {
				at = append(at, n.Pos())
			}
		}
		return true
	})
	return at
}
