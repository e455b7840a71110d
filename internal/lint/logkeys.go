package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

const (
	// logKeys is the package whose constants are the keys of log lines, logGuide the document that lists them.
	logKeys  = "internal/logkey"
	logGuide = "docs/guide.md"
)

// logMethods are the methods of a logger that take keys and values, with how many arguments come before these.
var logMethods = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0, "Log": 3,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
}

// logAttributes are the functions of log/slog that make an attribute of a key.
var logAttributes = set("Any", "Bool", "Duration", "Float64", "Group", "Int", "Int64", "String", "Time", "Uint64")

// logName is how a variable, field or method that is a logger is called.
var logName = regexp.MustCompile(`(?i)^(slog|log|.*logger)$`)

// checkLogKeys holds log lines to the one set of keys.
func checkLogKeys(t *tree) []Finding {
	helpers := map[string]int{}
	for _, s := range t.sources {
		if s.production() && s.dir() != logKeys {
			logHelpers(s, helpers)
		}
	}
	var found []Finding
	for _, s := range t.sources {
		if !s.production() || s.dir() == logKeys {
			continue
		}
		names := importNames(s.file)
		for _, key := range keysOf(s, names, helpers) {
			if pkg, _, ok := qualified(key, names); !ok || pkg != importPath(logKeys) {
				found = append(found, t.at(s, key.Pos(), "log-key", "a key of a log line that is not of %s: use its constant, or add one there", logKeys))
			}
		}
	}
	return append(found, checkLogGuide(t)...)
}

// keysOf are the keys of all attributes that a file logs.
func keysOf(s *source, names map[string]string, helpers map[string]int) (keys []ast.Expr) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if pkg, name, ok := qualified(call.Fun, names); ok && pkg == "log/slog" && logAttributes[name] && len(call.Args) > 0 {
			keys = append(keys, call.Args[0])
			return true
		}
		first, ok := logMethod(call)
		if !ok {
			first, ok = helpers[helperName(s, calledName(call))]
		}
		if ok {
			keys = append(keys, keysFrom(call, first)...)
		}
		return true
	})
	return keys
}

// keysFrom are the keys among a call's arguments from a place on, also of a slice that is made for the call.
func keysFrom(call *ast.CallExpr, first int) (keys []ast.Expr) {
	args := call.Args[min(first, len(call.Args)):]
	if call.Ellipsis.IsValid() {
		list, _ := spread(call)
		if list == nil {
			return nil
		}
		args = list.Elts
	}
	for i := 0; i < len(args); i++ {
		if inner, ok := args[i].(*ast.CallExpr); ok && isAttribute(inner) {
			continue // it is its key and value in one, and its key is looked at where it is made
		}
		keys = append(keys, args[i])
		i++
	}
	return keys
}

func isAttribute(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "slog"
}

// spread takes a call's f(x...) apart: the literal and the variable of append(literal, variable...), or either alone.
func spread(call *ast.CallExpr) (list *ast.CompositeLit, rest *ast.Ident) {
	switch last := call.Args[len(call.Args)-1].(type) {
	case *ast.CompositeLit:
		return last, nil
	case *ast.Ident:
		return nil, last
	case *ast.CallExpr:
		if calledName(last) == "append" && len(last.Args) == 2 {
			list, _ = last.Args[0].(*ast.CompositeLit)
			rest, _ = last.Args[1].(*ast.Ident)
		}
	}
	return list, rest
}

// logMethod reports whether a call is one of a logger's, and how many arguments come before the keys.
func logMethod(call *ast.CallExpr) (first int, ok bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	first, ok = logMethods[sel.Sel.Name]
	return first, ok && logName.MatchString(lastName(sel.X))
}

// calledName is the name of the function or method that is called.
func calledName(call *ast.CallExpr) string { return lastName(call.Fun) }

// lastName is the last name of an expression: c in a.b.c, in a.b.c(), and in c.
func lastName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.CallExpr:
		return lastName(x.Fun)
	}
	return ""
}

func helperName(s *source, name string) string { return s.dir() + "." + name }

// logHelpers notes the functions of a file that hand their own last parameters to a logger as keys and values, with how
// many parameters come before these: what they are called with is held to the set as well.
func logHelpers(s *source, helpers map[string]int) {
	for _, decl := range s.file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		name, before := variadic(fn.Type)
		if name == "" {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !call.Ellipsis.IsValid() {
				return true
			}
			if _, ok := logMethod(call); ok {
				if _, rest := spread(call); rest != nil && rest.Name == name {
					helpers[helperName(s, fn.Name.Name)] = before
				}
			}
			return true
		})
	}
}

// variadic is the name of a function's variadic parameter, or "", and how many parameters come before it.
func variadic(f *ast.FuncType) (name string, before int) {
	for _, field := range f.Params.List {
		if _, ok := field.Type.(*ast.Ellipsis); ok && len(field.Names) == 1 {
			return field.Names[0].Name, before
		}
		before += len(field.Names)
	}
	return "", 0
}

// guideKey is a row of the guide's table of keys.
var guideKey = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]+ \\| [^|]+ \\|$")

// checkLogGuide wants each key used, and listed in the guide; and no other key in the guide's table.
func checkLogGuide(t *tree) []Finding {
	listed, used := guideKeys(t), t.mentions(func(s *source) bool { return s.production() && s.dir() != logKeys })
	var found []Finding
	for _, s := range t.sources {
		if !s.production() || s.dir() != logKeys {
			continue
		}
		eachKey(s.file, func(name *ast.Ident, key string) {
			if !used[importPath(logKeys)+"."+name.Name] {
				found = append(found, t.at(s, name.Pos(), "log-key", "no line has the key %s: delete it", name.Name))
			}
			if _, ok := listed[key]; !ok && !strings.HasPrefix(key, path.Base(Module)+"::") {
				found = append(found, t.at(s, name.Pos(), "log-key", "%s does not list the key %s: add a row with its meaning and unit", logGuide, key))
			}
			delete(listed, key)
		})
	}
	for key, line := range listed {
		found = append(found, Finding{Path: logGuide, Line: line, Rule: "log-key", Message: fmt.Sprintf("%s has no key %s: delete the row", logKeys, key)})
	}
	return found
}

// guideKeys are the keys that the guide lists under its heading about logs, with their lines.
func guideKeys(t *tree) map[string]int {
	keys := map[string]int{}
	for _, s := range t.sources {
		if s.path != logGuide {
			continue
		}
		text := string(s.text)
		at := strings.Index(text, "\n### Log lines\n")
		if at < 0 {
			continue
		}
		section := text[at+1:]
		if end := strings.Index(section, "\n#"); end >= 0 {
			section = section[:end]
		}
		for _, m := range guideKey.FindAllStringSubmatchIndex(section, -1) {
			keys[section[m[2]:m[3]]] = strings.Count(text[:at+1+m[0]], "\n") + 1
		}
	}
	return keys
}

// eachKey calls do with the name and the text of each constant of a file.
func eachKey(f *ast.File, do func(name *ast.Ident, key string)) {
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			for i, value := range v.Values {
				if lit, ok := value.(*ast.BasicLit); ok {
					if key, err := strconv.Unquote(lit.Value); err == nil {
						do(v.Names[i], key)
					}
				}
			}
		}
	}
}
