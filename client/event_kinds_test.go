package client_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Each kind of event that the format has is a constant of this package.
func TestEveryKindOfEventHasAConstant(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, typed := spec.Type.(*ast.Ident)
		if value, literal := spec.Values[0].(*ast.BasicLit); literal && typed && kind.Name == "EventKind" {
			name, _ := strconv.Unquote(value.Value)
			constants[name] = true
		}
		return true
	})
	kinds := (&turnpb.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range kinds.Len() {
		if name := string(kinds.Get(i).Message().Name()); !constants[name] {
			t.Errorf("the kind %s has no constant of type EventKind", name)
		}
	}
	if len(constants) != kinds.Len()+1 {
		t.Errorf("%d constants for %d kinds and EventUnknown", len(constants), kinds.Len())
	}
}
