package docs

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages has what the program of each page under docs/guide prints.
var pages = map[string]string{
	"activities.md":               "attempt 2 copied rows 4 to 5; not faxed: ScheduleToStartTimeout\n",
	"bounded-fan-out.md":          "the sum is 332833500\nat most ten at once: true\nsquares has 22 entries\nsquares-from-300 has 202 entries\n",
	"cancellation-and-cleanup.md": "charge order 7\nrefund payment of order 7\nnot sent: canceled: out of stock\n",
	"changing-code.md":            "old: the book is shipped\nnew: the book is checked, and is shipped\nnewer: the book is checked, and is shipped\n",
	"changing-types.md": `held: cannot decode the input of orchestration Order, event 1, as main.Price with the codec "json"` +
		"\npaid {Cents:995 Currency:EUR}\n",
	"children.md":    "[pack send]\n2 jobs, and true\nexecution timed out: it took longer than 50ms\ncanceled: nothing to remember\n",
	"determinism.md": "number 42, drawn 1 time(s)\n",
	"errors.md": "charged 20 at attempt 3 <nil>\norder of 80: the card is declined\n" +
		"application OrchestrationFailed CardDeclined 50\ncharged 50 at attempt 3 <nil>\n",
	"events-and-queues.md": "55 in 4 executions\n",
	"long-lives.md": "total 460 460 highest since version 2 65\nexecution 1 of version 1.0.0 ContinuedAsNew\n" +
		"execution 2 of version 1.0.0 ContinuedAsNew\nexecution 3 of version 1.0.0 ContinuedAsNew\n" +
		"execution 4 of version 2.0.0 ContinuedAsNew\nexecution 5 of version 2.0.0 Completed\n",
	"start-here.md": "packing the book\npacking the lamp\npacking the chair\n3 items, and at last the chair is packed\n",
	"state.md":      "checked 3 15 15\n15 rows\n",
	"timeouts.md":   "Ada has paid 30\nBob has not paid\nno second offer in time\nslept over a crash, and long enough: true\n",
}

// TestPagesOfTheGuideRun runs the program of each page under docs/guide. The guide lists each of them.
func TestPagesOfTheGuideRun(t *testing.T) {
	files, err := os.ReadDir("../../docs/guide")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range files {
		t.Run(page.Name(), func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(string(guide), "](guide/"+page.Name()+")") {
				t.Error("docs/guide.md does not name it")
			}
			cmd := exec.Command(documentProgram(t, "docs/guide/"+page.Name()))
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "TMPDIR="+cmd.Dir)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if out, err := cmd.Output(); err != nil || string(out) != pages[page.Name()] {
				t.Errorf("it printed %q, %v; want %q\n%s", out, err, pages[page.Name()], stderr.String())
			}
		})
	}
}

// TestFirstProgramOfTheGuideIsKilled kills the program of the first page in its middle and runs it again, as the page
// says. The history that the page shows is the beginning of what the command shows afterwards.
func TestFirstProgramOfTheGuideIsKilled(t *testing.T) {
	t.Parallel()
	binary, dir := documentProgram(t, "docs/guide/start-here.md"), t.TempDir()
	run := exec.Command(binary)
	run.Dir = dir
	stdout, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "packing the lamp"; {
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait() // it was killed, and that is the error

	again := exec.Command(binary)
	again.Dir = dir
	out, err := again.Output()
	// The kill came while the lamp was packed, or right after: only that may be done again, maybe before the start is answered.
	text := strings.Replace(string(out), "parcel-1 was started before\n", "", 1)
	text = strings.TrimPrefix(text, "packing the lamp\n")
	if want := "packing the chair\n3 items, and at last the chair is packed\n"; err != nil || text != want {
		t.Errorf("after the kill it printed %q, %v", out, err)
	}

	command := filepath.Join(t.TempDir(), "turnstone")
	build(t, ".", "../../cmd/turnstone", command)
	inspect := exec.Command(command, "inspect", "parcels.store", "parcel-1")
	inspect.Dir = dir
	shown, err := inspect.Output()
	if err != nil {
		t.Fatal(err)
	}
	if page, now := storyOf(t, readPage(t, "start-here.md")), storyOf(t, string(shown)); !strings.HasPrefix(now, page) {
		t.Errorf("the page shows\n%s\nand the command\n%s", page, now)
	}
}

var times = regexp.MustCompile(`\d{4}-\d\d-\d\d |\d\d:\d\d:\d\d\.\d{3}|[0-9.]+m?s later`)

// storyOf returns the first execution of a story, without its times, to the end of the text or of the block.
func storyOf(t *testing.T, text string) string {
	t.Helper()
	_, story, found := strings.Cut(text, "\nexecution 1\n")
	if !found {
		t.Fatalf("no story in %q", text)
	}
	story, _, _ = strings.Cut(story, "\n```")
	return times.ReplaceAllString(story, "-")
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/guide/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
