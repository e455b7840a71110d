package lint

import (
	"bytes"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// leaks are texts that must not stand in any file: they are true on one machine only. The patterns are cut in two so
// that this file does not match itself.
var leaks = []struct {
	pattern *regexp.Regexp
	message string
}{
	{regexp.MustCompile(`(^|[^\w.\-/:])/(` + `work|farm|home|root)/[A-Za-z.]`), "a path of one machine: use a path relative to the repository, a flag, or a temporary directory"},
	{regexp.MustCompile(`proxy\.` + `golang\.org|sum\.` + `golang\.org|registry\.` + `npmjs|pypi\.` + `org|deb\.` + `debian\.org`),
		"the host of a package registry: leave the choice to the machine's own settings"},
}

// checkText looks for texts that leak the machine they were written on.
func checkText(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		for i, line := range bytes.Split(s.text, []byte("\n")) {
			for _, leak := range leaks {
				if leak.pattern.Match(line) {
					found = append(found, Finding{Path: s.path, Line: i + 1, Rule: "leak", Message: leak.message})
				}
			}
		}
	}
	return found
}

var (
	looseWords   = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b|//\s*no` + `lint`)
	looseStrings = regexp.MustCompile(`(?i)not ` + `implemented`)
)

// checkLooseEnds finds work that was put off in a comment, a panic or a placeholder context.
func checkLooseEnds(t *tree) []Finding {
	var found []Finding
	report := func(s *source, p token.Pos, what string) {
		found = append(found, t.at(s, p, "loose-end", "%s: finish it, or write down the decision without it", what))
	}
	for _, s := range t.sources {
		if s.file == nil || s.generated() {
			continue
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if word := looseWords.FindString(c.Text); word != "" {
					report(s, c.Pos(), strconv.Quote(word))
				}
			}
		}
		names := importNames(s.file)
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.BasicLit:
				if x.Kind == token.STRING && looseStrings.MatchString(x.Value) {
					report(s, x.Pos(), x.Value)
				}
			case *ast.SelectorExpr:
				if pkg, name, ok := qualified(x, names); ok && pkg == "context" && name == "TO"+"DO" {
					report(s, x.Pos(), "a placeholder context")
				}
			}
			return true
		})
	}
	return found
}

// checkAliases keeps the author's API from giving a second name to a type of another package.
func checkAliases(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if !s.production() || s.dir() != "." {
			continue
		}
		names := importNames(s.file)
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Assign.IsValid() {
				return true
			}
			if _, _, ok := qualified(spec.Type, names); ok {
				found = append(found, t.at(s, spec.Pos(), "alias", "%s is a second name for a type of another package: define the type here", spec.Name.Name))
			}
			return true
		})
	}
	return found
}

// checkActors holds the use of the actor library to the few forms that do not lose messages.
func checkActors(t *tree) []Finding {
	var found []Finding
	propsFiles := map[string]bool{}
	for _, s := range t.sources {
		if s.file == nil || s.nested || !usesActors(s.file) {
			continue
		}
		names := importNames(s.file)
		ast.Inspect(s.file, func(n ast.Node) bool {
			e, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, name, isPkg := qualified(e, names)
			switch {
			case isPkg && pkg == actorPackage && propsMakers[name]:
				propsFiles[s.path] = true
				if s.path != propsFile {
					found = append(found, t.at(s, e.Pos(), "props", "actor.%s: Props are made in %s only, so that each gets our mailbox, dispatcher and supervision", name, propsFile))
				}
			case isPkg && pkg == actorPackage && stockParts[name]:
				found = append(found, t.at(s, e.Pos(), "stock-mailbox", "actor.%s loses messages around a stop or starts a cold goroutine for each activation: use ours", name))
			case !isPkg && slices.Contains(libraryTimers, e.Sel.Name):
				found = append(found, t.at(s, e.Sel.Pos(), "library-timer", "%s: no timers, futures or stashes of the library: every answer is an ordinary message, every delay is the clock's", e.Sel.Name))
			}
			return true
		})
	}
	return found
}

func usesActors(f *ast.File) bool { return importOf(f, actorPackage).IsValid() }

// vagueWords are words for a person. In a comment of ours they stand for a thing, and hide which: a caller, a waiter,
// another process.
var vagueWords = regexp.MustCompile(`(?i)\b(whoever|nobody|somebody|someone|anybody|anyone|everybody|everyone)\b`)

// checkWords finds comments that use a person's word for a thing.
func checkWords(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if !s.code() {
			continue
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				for i, line := range strings.Split(c.Text, "\n") {
					if word := vagueWords.FindString(line); word != "" {
						f := t.at(s, c.Pos(), "words", "%q hides what is meant: name it (the caller, the waiter, no consumer, another process)", word)
						f.Line += i
						found = append(found, f)
					}
				}
			}
		}
	}
	return found
}
