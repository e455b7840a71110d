package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const list = "# cases\n" +
	"RE-001\tnow\tReplay: Fresh\tthe first is there\n" +
	"RE-002\tnow\tReplay: Fresh\tthe second is there\n" +
	"RE-003\tnow\tReplay: Later turns\tthe third is there\n" +
	"E2E-027\twaits:pruning\tSamples\ta sample is pruned\n" +
	"KVS-001\tlater\tKV\ta value is set\n"

func parsed(t *testing.T, text string) *caseList {
	t.Helper()
	l, err := parseList(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListIsRefusedWhenALineIsWrong(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"RE-001 now Replay\n", "line 1: want id, step, group and sentence"},
		{"RE-001\tnow\tReplay\n", "line 1: want id, step, group and sentence"},
		{"# x\nRE001\tnow\tReplay\tit is there\n", "line 2: \"RE001\" is not an id"},
		{"RE-001\tsoon\tReplay\tit is there\n", "unknown step \"soon\""},
		{"RE-001\twaits:\tReplay\tit is there\n", "unknown step"},
		{"RE-001\tnow\tA\tit is there\nRE-001\tnow\tB\tit is here\n", "RE-001 is listed twice"},
		{"RE-001\tnow\tA\t\n", "RE-001: \"\" is not a sentence"},
		{"RE-001\tnow\tA\tyes or no\nRE-002\tnow\tB\tyes or no\n", "RE-002 says the same as RE-001"},
		{"RE-001\tnow\tA\tthis or this/that\n", "leave out slashes"},
		{"RE-001\tnow\tA\tit is " + strings.Repeat("so ", sentenceMax) + "\n", "too long"},
	} {
		if _, err := parseList(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q gives %v, want %q", c.text, err, c.says)
		}
	}
}

func TestIDsAreFoundInNames(t *testing.T) {
	l := parsed(t, list)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"TestRE_001", []string{"RE_001"}},
		{"TestReplay/RE_002_two_activities", []string{"RE_002"}},
		{"RE_001_RE_002", []string{"RE_001", "RE_002"}},
		{"TestE2E_027", []string{"E2E_027"}},
		{"RE_0011", nil},
		{"CARE_001", nil},
		{"RE-001", nil},
		{"RE_999", []string{"RE_999"}},
	} {
		if got := l.idsIn(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q has %q, want %q", c.text, got, c.want)
		}
	}
}

// module writes a small module with a list, a floor and tests, and returns options for it.
func module(t *testing.T, floor, tests string) options {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test\n\ngo 1.26\n", "list": list, "floor": floor,
		"a/a_test.go": tests,
		// What is not test code does not count, and neither do comments.
		"a/a.go": "package a\n\nconst C = \"RE_003\"\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return options{root: dir, list: filepath.Join(dir, "list"), floor: filepath.Join(dir, "floor"), run: true}
}

const head = "package a\n\nimport \"testing\"\n\n"

const passing = head + `// RE_003 in a comment
func TestRE_001_first(t *testing.T) {}
func TestTable(t *testing.T) {
	for _, name := range []string{"RE_002 the second is there"} {
		t.Run(name, func(t *testing.T) {})
	}
}
`

func TestTableCountsWhatIsPresentAndPasses(t *testing.T) {
	var out strings.Builder
	if err := run(module(t, "2\n", passing), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"Replay: Fresh 2 2 2 RE_001 pass the first is there RE_002 pass the second is there Replay: Later turns 1 0 0",
		"this step 3 2 2", "later steps 2 0 0",
		"this step, not present (1): RE_003 the third is there", "waits for pruning (1): E2E_027 a sample is pruned",
	} {
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, want) {
			t.Errorf("the table does not say %q:\n%s", want, out.String())
		}
	}
}

func TestFloorAndOutcomesDecide(t *testing.T) {
	for _, c := range []struct {
		name, floor, tests string
		says               string // part of the error; empty: none
		prints             string
	}{
		{"above the floor", "1", passing, "", "raise it with -write-floor"},
		{"below the floor", "3", passing, "2 cases are present", ""},
		{"floor is no number", "many", passing, "invalid syntax", ""},
		{"id that is not listed", "1", head + "func TestRE_009_ninth(t *testing.T) {}\n", "not in the list: RE_009", ""},
		{"failing", "1", head + "func TestRE_001_first(t *testing.T) { t.Error(\"reason\") }\n", "exit status 1", "reason"},
		{"panicking", "1", head + "func TestRE_001_first(t *testing.T) { panic(\"cause\") }\n", "exit status 1", "cause"},
		{"not compiling", "1", head + "func TestRE_001_first(t *testing.T) { missing() }\n", "exit status 1", "undefined: missing"},
		{"present but never run", "1", head + "func TestA(t *testing.T) {\n\tif false {\n\t\tt.Run(\"RE_001 the first is there\", nil)\n\t}\n}\n", "1 cases are in test code but did not pass", ""},
		{"passes in one place, fails in another", "1",
			head + "func TestA_RE_001_a(t *testing.T) {}\nfunc TestB_RE_001_b(t *testing.T) { t.Fail() }\nfunc TestC_RE_001_c(t *testing.T) {}\n",
			"did not pass", "present, not passing (1):\n  RE_001   the first is there"},
		{"bare function", "1", head + "func TestRE_001(t *testing.T) {}\n", "a/a_test.go:5: \"TestRE_001\"", ""},
		{"bare string", "1", head + "func TestA(t *testing.T) {\n\tt.Run(\"RE_001\", func(*testing.T) {})\n}\n", "a/a_test.go:6: \"RE_001\"", ""},
		{"another sentence", "1", head + "func TestA(t *testing.T) {\n\tt.Run(\"RE_001 the second is there\", func(*testing.T) {})\n}\n",
			"tests that do not say their case", ""},
		{"more than the sentence", "1", head + "func TestA(t *testing.T) {\n\tt.Run(\"RE_001 the first is there: twice\", func(*testing.T) {})\n}\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			err := run(module(t, c.floor, c.tests), &out)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if !strings.Contains(out.String(), c.prints) {
				t.Errorf("output does not say %q:\n%s", c.prints, out.String())
			}
		})
	}
}

func TestRecordedOutcomesGiveTheSameTable(t *testing.T) {
	o := module(t, "2", passing)
	logs := t.TempDir()
	rec := options{root: o.root, record: filepath.Join(logs, "first"), args: []string{"-count=1", "./..."}}
	var out strings.Builder
	if err := run(rec, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "ok     example.test/a") {
		t.Errorf("the recorder does not print the package:\n%s", out.String())
	}
	o.run, o.from = false, logs
	out.Reset()
	if err := run(o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, "this step 3 2 2") {
		t.Errorf("the table of the recorded run:\n%s", out.String())
	}
	o.from = t.TempDir()
	if err := run(o, &out); err == nil || !strings.Contains(err.Error(), "holds no recorded outcomes") {
		t.Errorf("an empty directory gives %v", err)
	}
}

func TestWriteFloor(t *testing.T) {
	o := module(t, "0", passing)
	o.run, o.writeFloor = false, true
	var out strings.Builder
	if err := run(o, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.floor)
	if err != nil || string(text) != "2\n" {
		t.Errorf("the floor is %q, %v", text, err)
	}
}

// TestRepositoryNamesSayTheirCases looks through the test code of this repository for ids without words.
func TestRepositoryNamesSayTheirCases(t *testing.T) {
	text, err := os.ReadFile("../../docs/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	found, err := scan("../..", parsed(t, string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := found.bareError(); err != nil {
		t.Error(err)
	}
}

// TestRepositoryListIsWellFormed reads the list of this repository.
func TestRepositoryListIsWellFormed(t *testing.T) {
	text, err := os.ReadFile("../../docs/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	l := parsed(t, string(text))
	now := 0
	for i := range l.cases {
		if l.cases[i].now() {
			now++
		}
	}
	if len(l.cases) != 1020 || now != 711 {
		t.Errorf("%d cases, %d of this step, want 1020 and 711", len(l.cases), now)
	}
}
