package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// fixture is a tree made of the given files.
func fixture(t *testing.T, files map[string]string) *tree {
	t.Helper()
	tr := newTree()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := tr.add(name, []byte(files[name]), false); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// lines is source text of n lines.
func lines(n int) string { return strings.Repeat("\t_ = 0\n", n) }

const pkg = "// Package p is a fixture.\npackage p\n"

// actorFixture starts a file that uses the actor library; what follows is on line 4.
const actorFixture = pkg + `import "` + actorPackage + `"` + "\n"

// logKeyImport is the import of the keys of log lines; what follows is on line 4.
const logKeyImport = `import "` + Module + "/" + logKeys + `"` + "\n"

// TestEveryRuleRejectsItsFixture is the test of the rules: each case is a small tree and the findings it must give.
func TestEveryRuleRejectsItsFixture(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string // path:line: rule
	}{
		{"nothing wrong", map[string]string{"replay/a.go": pkg + "func f() {}\n"}, nil},

		{"file of 601 lines", map[string]string{"replay/a.go": pkg + strings.Repeat("\n", 599)}, []string{"replay/a.go:601: file-size"}},
		{"file of 600 lines", map[string]string{"replay/a.go": pkg + strings.Repeat("\n", 598)}, nil},
		{"generated file of any length", map[string]string{"replay/a.go": pkg, "replay/a.pb.go": pkg + strings.Repeat("\n", 999)}, nil},
		{"function of 71 lines", map[string]string{"replay/a.go": pkg + "func f() {\n" + lines(69) + "}\n"}, []string{"replay/a.go:3: function-size"}},
		{"function of 70 lines", map[string]string{"replay/a.go": pkg + "func f() {\n" + lines(68) + "}\n"}, nil},
		{"literal of 71 lines", map[string]string{"replay/a.go": pkg + "var f = func() {\n" + lines(69) + "}\n"}, []string{"replay/a.go:3: function-size"}},
		{"test function of 71 lines", map[string]string{"replay/a.go": pkg, "replay/a_test.go": "package p\nfunc f() {\n" + lines(69) + "}\n"}, nil},
		{"test function of 151 lines", map[string]string{"replay/a.go": pkg, "replay/a_test.go": "package p\nfunc f() {\n" + lines(149) + "}\n"},
			[]string{"replay/a_test.go:2: function-size"}},

		{"unknown room", map[string]string{"stuff/a.go": pkg}, []string{"stuff: rooms"}},
		{"diary in the root", map[string]string{"PROGRESS.md": "day one\n"}, []string{"PROGRESS.md: rooms"}},
		{"grab bag", map[string]string{"internal/util/a.go": "// Package util has things.\npackage util\n"}, []string{"internal/util/a.go:2: rooms"}},

		{"wall clock", map[string]string{"replay/a.go": pkg + "import \"time\"\nvar t = time.Now()\n"}, []string{"replay/a.go:4: seams"}},
		{"wall clock under another name", map[string]string{"replay/a.go": pkg + "import clk \"time\"\nvar t = clk.Now\n"}, []string{"replay/a.go:4: seams"}},
		{"wall clock without a name", map[string]string{"replay/a.go": pkg + "import . \"time\"\nvar t = Now()\n"}, []string{"replay/a.go:3: seams"}},
		{"time as a value", map[string]string{"replay/a.go": pkg + "import \"time\"\nvar t = 3 * time.Second\n"}, nil},
		{"wall clock at its seam", map[string]string{"internal/clock/a.go": pkg + "import \"time\"\nvar t = time.Now()\n"}, nil},
		{"randomness", map[string]string{"dispatch/a.go": pkg + "import \"math/rand/v2\"\nvar n = rand.Int()\n"}, []string{"dispatch/a.go:3: seams"}},
		{"operating system", map[string]string{"persistence/a.go": pkg + "import \"os\"\nvar a = os.Args\n"}, []string{"persistence/a.go:3: seams"}},
		{"network", map[string]string{"client/a.go": pkg + "import \"net/http\"\nvar a = http.Get\n"}, []string{"client/a.go:3: seams"}},
		{"log", map[string]string{"replay/a.go": pkg + "import \"log/slog\"\nvar a = slog.Info\n"}, []string{"replay/a.go:3: seams"}},
		{"proposal with a time of its own", map[string]string{"actors/a.go": pkg + "import \"github.com/turnstone-dev/turnstone/persistence\"\nvar a = persistence.Proposal{}\n"},
			[]string{"actors/a.go:4: seams"}},
		{"proposal where they are stamped", map[string]string{"actors/engine.go": pkg + "import \"github.com/turnstone-dev/turnstone/persistence\"\nvar a = persistence.Proposal{}\n"}, nil},
		{"goroutine", map[string]string{"replay/a.go": pkg + "func f() {\n\tgo f()\n}\n"}, []string{"replay/a.go:4: goroutine"}},
		{"core that names the store", map[string]string{"persistence/pebble/core.go": pkg + "func f(s *Store) {\n\tg(s.core.x)\n}\n"},
			[]string{"persistence/pebble/core.go:3: wall"}},
		{"core that starts the log", map[string]string{"persistence/pebble/core.go": pkg + "import l \"" + Module + "/persistence/pebble/internal/locallog\"\nvar a = l.New\n"},
			[]string{"persistence/pebble/core.go:3: wall"}},
		{"another thing of that name", map[string]string{"persistence/pebble/core.go": pkg + "func f() {\n\tflag.Store(true)\n}\n"}, nil},
		{"store above the wall", map[string]string{"persistence/pebble/store.go": pkg + "func f(*Store) {}\n"}, nil},
		{"goroutine in a test", map[string]string{"replay/a.go": pkg, "replay/a_test.go": "package p\nfunc f() {\n\tgo f()\n}\n"}, nil},

		{"sleep in a test", map[string]string{"replay/a.go": pkg, "replay/a_test.go": "package p\nimport \"time\"\nfunc f() {\n\ttime.Sleep(1)\n}\n"},
			[]string{"replay/a_test.go:4: sleep"}},
		{"sleep in a kit", map[string]string{"persistence/persistencetest/a.go": pkg + "import \"time\"\nfunc f() {\n\ttime.Sleep(1)\n}\n"},
			[]string{"persistence/persistencetest/a.go:5: seams", "persistence/persistencetest/a.go:5: sleep"}},
		{"skip", map[string]string{"replay/a.go": pkg, "replay/a_test.go": "package p\nimport \"testing\"\nfunc TestA(t *testing.T) {\n\tt.Skip(\"later\")\n}\n"},
			[]string{"replay/a_test.go:4: skip"}},
		{"testing in production", map[string]string{"replay/a.go": pkg + "import \"testing\"\nvar a = testing.Testing()\n"}, []string{"replay/a.go:3: testing"}},

		{"no package comment", map[string]string{"replay/a.go": "package p\n"}, []string{"replay/a.go:1: package-doc"}},
		{"no comment on a function", map[string]string{"replay/a.go": pkg + "func F() {}\n"}, []string{"replay/a.go:3: doc"}},
		{"no comment on a method", map[string]string{"replay/a.go": pkg + "// T is.\ntype T[V any] struct{}\nfunc (t *T[V]) M() {}\n"}, []string{"replay/a.go:5: doc"}},
		{"method of an unexported type", map[string]string{"replay/a.go": pkg + "type t struct{}\nfunc (*t) M() {}\n"}, nil},
		{"no comment on a type in a group", map[string]string{"replay/a.go": pkg + "// Types.\ntype (\n\tA int\n)\n"}, []string{"replay/a.go:5: doc"}},
		{"no comment on a constant", map[string]string{"replay/a.go": pkg + "const A = 1\n"}, []string{"replay/a.go:3: doc"}},
		{"comment on a group of constants", map[string]string{"replay/a.go": pkg + "// Numbers.\nconst (\n\tA = 1\n)\n"}, nil},
		{"a command needs none", map[string]string{"cmd/turnstone/a.go": "// Command a is a fixture.\npackage main\nfunc F() {}\n"}, nil},

		{"untested error", map[string]string{"replay/a.go": pkg + "// ErrA is.\nvar ErrA = 1\n"}, []string{"replay/a.go:4: error-untested"}},
		{"error tested beside it", map[string]string{"replay/a.go": pkg + "// ErrA is.\nvar ErrA = 1\n", "replay/a_test.go": "package p\nvar a = ErrA\n"}, nil},
		{"error tested from outside", map[string]string{"replay/a.go": pkg + "// ErrA is.\nvar ErrA = 1\n",
			"replay/a_test.go": "package p_test\nimport r \"" + Module + "/replay\"\nvar a = r.ErrA\n"}, nil},
		{"another package's error of that name tested", map[string]string{"replay/a.go": pkg + "// ErrA is.\nvar ErrA = 1\n",
			"dispatch/a_test.go": "package d\nimport r \"" + Module + "/persistence\"\nvar a = r.ErrA\n"}, []string{"replay/a.go:4: error-untested"}},
		{"untested limit", map[string]string{"limits/a.go": pkg + "// Limits are.\ntype Limits struct {\n\tOne, Two int\n}\n",
			"node/a.go": pkg + "var a = l.One + l.Two\n", "node/a_test.go": "package p\nvar b = Limits{One: 1}\n",
			"limits/a_test.go": "package p\nvar a = Limits{Two: 1}\n"}, []string{"limits/a.go:5: limit-untested"}},
		{"limit that nothing enforces", map[string]string{"limits/a.go": pkg + "// Limits are.\ntype Limits struct {\n\tOne int\n}\n",
			"node/a.go": pkg, "node/a_test.go": "package p\nvar b = Limits{One: 1}\n"}, []string{"limits/a.go:5: limit-unused"}},

		{"path of a machine", map[string]string{"docs/a.md": "one\nsee /" + "work/main\n"}, []string{"docs/a.md:2: leak"}},
		{"path inside a word", map[string]string{"docs/a.md": "a net" + "work/client, an ./" + "work/x\n"}, nil},
		{"host of a registry", map[string]string{"docs/a.md": "https://registry." + "npmjs.org\n"}, []string{"docs/a.md:1: leak"}},
		{"loose end", map[string]string{"replay/a.go": pkg + "// TO" + "DO: later\nvar a = 1\n"}, []string{"replay/a.go:3: loose-end"}},
		{"placeholder context", map[string]string{"replay/a.go": pkg + "import \"context\"\nvar c = context.TO" + "DO()\n"}, []string{"replay/a.go:4: loose-end"}},
		{"placeholder panic", map[string]string{"replay/a.go": pkg + "func f() { panic(\"not " + "implemented\") }\n"}, []string{"replay/a.go:3: loose-end"}},

		{"a person's word for a thing", map[string]string{"replay/a.go": pkg + "/* f is called once.\n * Nobody waits. */\nfunc f() {} // for whoever asks\n"},
			[]string{"replay/a.go:4: words", "replay/a.go:5: words"}},
		{"a person's word in a text", map[string]string{"replay/a.go": pkg + "var a = \"nobody\" // and in an anybodyish name\n"}, nil},
		{"a person's word in a test", map[string]string{"replay/a.go": pkg, "replay/a_test.go": "package p\n\n// nobody waits.\nvar a = 1\n"},
			[]string{"replay/a_test.go:3: words"}},
		{"a person's word in generated code", map[string]string{"replay/a.go": pkg, "replay/a.pb.go": pkg + "// nobody waits.\nvar a = 1\n"}, nil},

		{"alias", map[string]string{"a.go": pkg + "import \"" + Module + "/replay\"\n\n// A is.\ntype A = replay.Context\n"}, []string{"a.go:6: alias"}},
		{"defined type", map[string]string{"a.go": pkg + "import \"" + Module + "/replay\"\n\n// A is.\ntype A replay.Context\n"}, nil},

		{"key of a log line", map[string]string{"a.go": pkg + "func f() {\n\tlogger.Warn(\"text\", \"instance\", 1)\n}\n"}, []string{"a.go:4: log-key"}},
		{"key of a log line behind one of the set", map[string]string{"a.go": pkg + logKeyImport + "func f() {\n\tenv.Logger().With(logkey.A, 1, key, 2)\n}\n"},
			[]string{"a.go:5: log-key"}},
		{"key of an attribute", map[string]string{"a.go": pkg + "import \"log/slog\"\n\nvar a = slog.Int(\"n\", 1)\n"}, []string{"a.go:5: log-key"}},
		{"key in a list", map[string]string{"a.go": pkg + "func f(args []any) {\n\tlog.Error(\"text\", append([]any{\"n\", 1}, args...)...)\n}\n"},
			[]string{"a.go:4: log-key"}},
		{"key for a function that logs", map[string]string{"a.go": pkg + "func f(n int, args ...any) {\n\tlogger.Error(\"text\", args...)\n}\n",
			"b.go": pkg + "func g() { f(1, \"n\", 2) }\n"}, []string{"b.go:3: log-key"}},
		{"keys of the set", map[string]string{"a.go": pkg + logKeyImport + "func f() {\n\tlogger.Warn(\"text\", logkey.A, 1, logkey.A, 2)\n}\n"}, nil},
		{"an error's text is no log line", map[string]string{"a.go": pkg + "func f(err error) { g(err.Error(), \"n\", 1) }\n"}, nil},
		{"key that no line has", map[string]string{"internal/logkey/a.go": pkg + "// A is.\nconst A = \"a\"\n",
			logGuide: "\n### Log lines\n\n| `a` | an a | - |\n"}, []string{"internal/logkey/a.go:4: log-key"}},
		{"key that the guide does not list", map[string]string{"internal/logkey/a.go": pkg + "// A is.\nconst A = \"a\"\n",
			"a.go": pkg + logKeyImport + "var a = logkey.A\n"}, []string{"internal/logkey/a.go:4: log-key"}},
		{"row of the guide without a key", map[string]string{logGuide: "\n### Log lines\n\n| `a` | an a | - |\n\n## More\n\n| `b` | no key | - |\n"},
			[]string{logGuide + ":4: log-key"}},

		{"props elsewhere", map[string]string{"actors/a.go": actorFixture + "var p = actor.PropsFromFunc(nil)\n"}, []string{"actors/a.go:4: props"}},
		{"props in their place", map[string]string{propsFile: actorFixture + "var p = actor.PropsFromFunc(nil)\n"}, nil},
		{"stock mailbox", map[string]string{propsFile: actorFixture + "var p = actor.Unbounded\n"}, []string{propsFile + ":4: stock-mailbox"}},
		{"future", map[string]string{"actors/a.go": actorFixture + "func f(c actor.Context) {\n\tc.RequestFuture(nil, nil, 1)\n}\n"},
			[]string{"actors/a.go:5: library-timer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range fixture(t, c.files).run() {
				at := f.Path
				if f.Line > 0 {
					at = fmt.Sprintf("%s:%d", f.Path, f.Line)
				}
				got = append(got, at+": "+f.Rule)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q\n want %q", got, c.want)
			}
		})
	}
}

// TestImportsPointDown feeds the table of directions with imports that it must reject, and some that it must not.
func TestImportsPointDown(t *testing.T) {
	pkgOf := func(dir string, imports ...string) listed {
		return listed{ImportPath: importPath(dir), Name: "p", Imports: imports}
	}
	for _, c := range []struct {
		name string
		p    listed
		want string // part of the only finding's message; empty: none
	}{
		{"up", pkgOf("replay", importPath("persistence")), "imports persistence, which is not below it"},
		{"root is up", pkgOf("replay", Module), "imports ., which is not below it"},
		{"down", pkgOf("replay", importPath("proto"), "iter"), ""},
		{"to itself below", pkgOf("cmd/turnstone", importPath("cmd/turnstone/internal/demo")), ""},
		{"to a room below itself", pkgOf("persistence", importPath("persistence/pebble")), "imports persistence/pebble, which is not below it"},
		{"the local log and the core", pkgOf("persistence/pebble/internal/locallog", importPath("persistence/pebble")), "imports persistence/pebble"},
		{"the actors and the local log", pkgOf("actors", importPath("persistence/pebble/internal/locallog")), "imports persistence/pebble/internal/locallog"},
		{"row of the directory above", pkgOf("cmd/turnstone/internal/demo", importPath("actors")), "imports actors"},
		{"actors and the engine", pkgOf("actors", importPath("persistence/pebble")), "imports persistence/pebble"},
		{"pebble elsewhere", pkgOf("actors", "github.com/cockroachdb/pebble/v2"), "which only persistence/pebble, sim, bench/limit may"},
		{"pebble's file system elsewhere", pkgOf("node", "github.com/cockroachdb/pebble/v2/vfs"), "which only persistence/pebble"},
		{"pebble in the local log", pkgOf("persistence/pebble/internal/locallog", "github.com/cockroachdb/pebble/v2"), "which it must not know"},
		{"actor library elsewhere", pkgOf("client", actorPackage), "which only actors, node, sim may"},
		{"unknown library", pkgOf("node", "example.com/new/thing"), "a new dependency is a decision"},
		{"test library in production", pkgOf("node", "go.uber.org/goleak"), "for tests only"},
		{"test library in a test", listed{ImportPath: importPath("node"), TestImports: []string{"go.uber.org/goleak"}}, ""},
		{"test that looks up", listed{ImportPath: importPath("replay"), XTestImports: []string{importPath("node")}}, "its tests import node"},
		{"simulator", pkgOf("sim", importPath("persistence/pebble"), importPath("actors")), ""},
		{"no row", pkgOf("elsewhere"), "has no row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTree()
			tr.packages = []listed{c.p}
			found := checkImports(tr)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0].Message, c.want)):
				t.Errorf("found %v, want one that says %q", found, c.want)
			}
		})
	}
}

// TestAuthorsStayLight checks which packages are held to be light, and that a heavy one is found.
func TestAuthorsStayLight(t *testing.T) {
	plain, tested := lightPackages([]listed{
		{ImportPath: Module, Imports: []string{importPath("replay")}},
		{ImportPath: importPath("examples/orders"), Name: "orders", Imports: []string{Module, "time"}},
		{ImportPath: importPath("examples/orders/run"), Name: "main", Imports: []string{Module}},
		{ImportPath: importPath("node"), Name: "node", Imports: []string{Module, importPath("actors")}},
		{ImportPath: importPath("internal/clock"), Name: "clock", Imports: []string{"time"}},
	})
	if !slices.Equal(plain, []string{Module}) || !slices.Equal(tested, []string{importPath("examples/orders")}) {
		t.Errorf("plain %q, tested %q", plain, tested)
	}
	found := heavyDeps([]listed{
		{ImportPath: Module, Deps: []string{"time", "github.com/cockroachdb/pebble/v2/vfs"}},
		{ImportPath: importPath("replay"), Deps: []string{"iter", "github.com/cockroachdb/pebbles"}},
	})
	if len(found) != 1 || found[0].Path != Module {
		t.Errorf("found %v, want one finding at the root package", found)
	}
}

// TestUnusedExceptionsAreFound runs the rules over a tree that needs one exception of the table and no other.
func TestUnusedExceptionsAreFound(t *testing.T) {
	tr := fixture(t, map[string]string{"internal/clock/a.go": pkg + "import \"time\"\nvar t = time.Now()\n"})
	tr.run()
	total := len(goroutinePermits)
	for _, b := range bans {
		total += len(b.permits)
	}
	for _, w := range walls {
		total += len(w.permits)
	}
	found := unusedPermits(tr)
	if len(found) != total-1 {
		t.Errorf("%d of %d exceptions are reported as not needed, want all but one", len(found), total)
	}
	for _, f := range found {
		if strings.Contains(f.Message, "internal/clock") {
			t.Errorf("the needed exception is reported: %v", f)
		}
	}
}
