package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named finds what a document names of the API: a package, a type with fields, or the variable that the documents use for
// a context, a client or a node, and what is behind the dot.
var named = regexp.MustCompile(`\b(turnstone|client|node|limits|Config|Limits|Description|ctx|c|n)\.([A-Z]\w*)`)

// programs are those of the documents. They name variables of their own, and other tests compile them.
var programs = regexp.MustCompile("(?s)```go\npackage .*?\n```")

// documents returns README.md, the guide and its pages, by their paths.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range append(paths, "../../README.md", "../../docs/guide.md", "../../docs/limits.md", "../../docs/concepts.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

// TestDocumentsNameWhatThereIs finds each name of the API that README.md and the guide have in the packages themselves.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	root, client, node, limits := declared(t, "."), declared(t, "client"), declared(t, "node"), declared(t, "limits")
	context := union(root["Context"], root["ActivityContext"], map[string]bool{"Deadline": true, "Done": true, "Err": true, "Value": true})
	clients := union(client["Client"], client["Reader"])
	scopes := map[string]map[string]bool{
		"turnstone": root[""], "client": union(client[""], clients), "node": node[""], "limits": limits[""],
		"Config": node["Config"], "Limits": limits["Limits"], "Description": client["Description"],
		"ctx": context, "c": union(clients, context), "n": node["Node"],
	}
	for document, text := range documents(t) {
		for _, name := range named.FindAllStringSubmatch(programs.ReplaceAllString(text, ""), -1) {
			if !scopes[name[1]][name[2]] {
				t.Errorf("%s names %s, which there is not", filepath.Base(document), name[0])
			}
		}
	}
}

// TestDocumentsLinkWhatThereIs follows each link of README.md and the guide to a file, and to the heading in it.
func TestDocumentsLinkWhatThereIs(t *testing.T) {
	link, code := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`), regexp.MustCompile("(?s)```.*?\n```|`[^`]*`")
	for document, text := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			target := document
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(document), found[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links %s, which there is not", filepath.Base(document), found[1])
				continue
			}
			if found[2] != "" && !anchors(t, target)[found[2]] {
				t.Errorf("%s links the heading %s of %s, which there is not", filepath.Base(document), found[2], filepath.Base(target))
			}
		}
	}
}

// anchors returns the headings of a document as links name them.
func anchors(t *testing.T, document string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	all, dropped := map[string]bool{}, regexp.MustCompile("[^a-z0-9 -]")
	for line := range strings.Lines(string(text)) {
		if heading, found := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); found && strings.HasPrefix(line, "#") {
			all["#"+strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")] = true
		}
	}
	return all
}

// declared returns the exported names of a package: under "" what it declares, under a type its fields and methods.
func declared(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	names := map[string]map[string]bool{"": {}}
	add := func(owner, name string) {
		if names[owner] == nil {
			names[owner] = map[string]bool{}
		}
		names[owner][name] = true
	}
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				add(receiverType(d), d.Name.Name)
			case *ast.GenDecl:
				declaredIn(d, add)
			}
		}
	}
	return names
}

func declaredIn(d *ast.GenDecl, add func(owner, name string)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			for _, name := range s.Names {
				add("", name.Name)
			}
		case *ast.TypeSpec:
			add("", s.Name.Name)
			fields, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					add(s.Name.Name, name.Name)
				}
				if star, embedded := f.Type.(*ast.StarExpr); embedded && len(f.Names) == 0 {
					add(s.Name.Name, star.X.(*ast.Ident).Name)
				}
			}
		}
	}
}

func union(sets ...map[string]bool) map[string]bool {
	all := map[string]bool{}
	for _, set := range sets {
		for name := range set {
			all[name] = true
		}
	}
	return all
}
