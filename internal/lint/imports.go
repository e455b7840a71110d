package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// listed is what `go list` says of a package.
type listed struct {
	ImportPath   string
	Name         string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
	Standard     bool
	ForTest      string
	Module       *struct{ Path string }
}

// dir is the package's directory in the module, "." for the root.
func (p *listed) dir() string {
	if p.ImportPath == Module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, Module+"/")
}

func listPackages(root string, args ...string) ([]listed, error) {
	if len(args) == 0 {
		args = []string{"./..."}
	}
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

// checkImports holds every package to its row of the table: imports point down only.
func checkImports(t *tree) []Finding {
	var found []Finding
	for i := range t.packages {
		p := &t.packages[i]
		row := rowOf(p.dir())
		if row == "" {
			found = append(found, Finding{Path: p.dir(), Rule: "imports", Message: "the package has no row in the table of import directions: decide what it may import"})
			continue
		}
		allowed := directions[row]
		found = append(found, badImports(p, p.Imports, allowed, false)...)
		tests := slices.Concat(p.TestImports, p.XTestImports)
		found = append(found, badImports(p, tests, slices.Concat(allowed, forTests, testDirections[row]), true)...)
	}
	return found
}

// rowOf finds the row of a directory: its own, or that of the nearest directory above that has one. "" is none.
func rowOf(dir string) string {
	for {
		if _, ok := directions[dir]; ok {
			return dir
		}
		i := strings.LastIndex(dir, "/")
		if i < 0 {
			return ""
		}
		dir = dir[:i]
	}
}

func badImports(p *listed, imports, allowed []string, test bool) []Finding {
	var found []Finding
	report := func(format string, args ...any) {
		what := "imports "
		if test {
			what = "its tests import "
		}
		found = append(found, Finding{Path: p.dir(), Rule: "imports", Message: what + fmt.Sprintf(format, args...)})
	}
	seen := map[string]bool{}
	for _, path := range imports {
		if seen[path] || path == p.ImportPath {
			continue
		}
		seen[path] = true
		if path == Module || strings.HasPrefix(path, Module+"/") {
			dir := (&listed{ImportPath: path}).dir()
			if !slices.Contains(allowed, "*") && !slices.Contains(allowed, dir) && rowOf(dir) != rowOf(p.dir()) {
				report("%s, which is not below it: see ARCHITECTURE.md for the directions", dir)
			}
			continue
		}
		if !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
			continue // the standard library
		}
		lib := libraryOf(path)
		switch {
		case lib == nil:
			report("%s: a new dependency is a decision: add it to the table of libraries with its users", path)
		case lib.testsOnly && !test && !isAmong(p.dir(), lib.users):
			report("%s, which is for tests only", path)
		case !lib.testsOnly && lib.users != nil && !isAmong(p.dir(), lib.users):
			report("%s, which only %s may", path, strings.Join(lib.users, ", "))
		case isAmong(p.dir(), lib.except):
			report("%s, which it must not know", path)
		}
	}
	return found
}

// isAmong reports whether a package is in one of the directories.
func isAmong(pkg string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return within(pkg, dir) })
}

func libraryOf(path string) *library {
	for i := range libraries {
		if l := &libraries[i]; path == l.path || strings.HasPrefix(path, l.path+"/") {
			return l
		}
	}
	return nil
}

// checkLinks looks at everything that the packages which authors compile against pull in: neither the storage engine
// nor the actor library may be among it. The tests of a package that uses only the author's API are held to the same.
func checkLinks(root string, packages []listed) ([]Finding, error) {
	var found []Finding
	plain, tested := lightPackages(packages)
	for _, group := range []struct {
		paths []string
		flags []string
	}{{plain, nil}, {tested, []string{"-test"}}} {
		if len(group.paths) == 0 {
			continue
		}
		all, err := listPackages(root, append(group.flags, group.paths...)...)
		if err != nil {
			return nil, err
		}
		found = append(found, heavyDeps(all)...)
	}
	return found, nil
}

// heavyDeps reports packages that link a library which authors must not link.
func heavyDeps(packages []listed) []Finding {
	var found []Finding
	for i := range packages {
		p := &packages[i]
		for _, dep := range p.Deps {
			for _, heavy := range heavyLibraries {
				if dep == heavy || strings.HasPrefix(dep, heavy+"/") {
					found = append(found, Finding{Path: strings.TrimPrefix(p.ImportPath, Module+"/"), Rule: "links",
						Message: "links " + dep + ": an author's package must link neither the storage engine nor the actor library"})
				}
			}
		}
	}
	return found
}

// lightPackages splits out what must stay light: the rooms that authors see, and, with their tests, all packages that
// use nothing of this module but the author's API.
func lightPackages(packages []listed) (plain, tested []string) {
	for i := range packages {
		p := &packages[i]
		if slices.Contains(lightRooms, p.dir()) {
			plain = append(plain, p.ImportPath)
			continue
		}
		own := slices.DeleteFunc(slices.Clone(p.Imports), func(i string) bool {
			return i != Module && !strings.HasPrefix(i, Module+"/")
		})
		if p.Name != "main" && len(own) > 0 && !slices.ContainsFunc(own, func(i string) bool { return i != Module }) {
			tested = append(tested, p.ImportPath)
		}
	}
	return plain, tested
}
