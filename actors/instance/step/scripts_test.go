package step

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The scripts in testdata tell what an instance does, each in a small story. A script brings messages and answers to a step
// machine, sets the facts that it may ask for, and shows after each step what phase it is in and what it wants done. To see
// a story in other words run `go test ./actors/instance/step -run TestScripts/NAME -v`; to write the outputs anew, after a
// change that is meant, run it with -rewrite and read the difference.

// commands are what a script may say.
var commands = map[string]func(*stage, *line) string{
	// The world.
	"config": (*stage).config, "facts": (*stage).setFacts, "attach": (*stage).attach, "detach": (*stage).detach, "time": (*stage).passTime,
	"durable": (*stage).durable, "spoil": (*stage).spoil, "elsewhere": (*stage).elsewhere, "sent": (*stage).markSent,
	// What is brought to the instance.
	"start": (*stage).bringStart, "event": (*stage).bringEvent, "cancel": (*stage).bringCancel, "result": (*stage).bringResult,
	"nudge": (*stage).bringNudge, "pending": (*stage).bringPending, "timer": (*stage).bringTimer, "retry": (*stage).bringRetry,
	"wake": (*stage).bringWake, "evict": (*stage).bringEvict, "freed": (*stage).bringFreed, "moved": (*stage).bringMoved,
	"accept-due": (*stage).bringAcceptDue, "query": (*stage).bringQuery,
	// What is outstanding is answered.
	"accepted": (*stage).accepted, "committed": (*stage).committed, "leased": (*stage).leased, "abandoned": (*stage).abandoned,
	"released": (*stage).released, "refused": (*stage).refused, "loaded": (*stage).loaded, "granted": (*stage).granted,
	"admitted": (*stage).admitted, "tried": (*stage).tried, "ran": (*stage).ran, "unwound": (*stage).unwound, "tick": (*stage).tick,
	"again": (*stage).again, "asked": (*stage).asked,
	// The end, if something is left on its way.
	"end": (*stage).end,
}

// TestScripts plays every script.
func TestScripts(t *testing.T) {
	for _, path := range scripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { play(t, path) })
	}
}

func scripts(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return paths
}

// play plays one script. It ends with nothing on its way, unless it says how much is.
func play(t *testing.T, path string) {
	t.Helper()
	beginsWithAStory(t, path)
	s := newStage(t)
	defer s.host.DiscardMachines()
	var played strings.Builder
	defer func() {
		if t.Failed() {
			t.Logf("so far:\n%s", played.String())
		}
	}()
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		s.t = t
		do := commands[d.Cmd]
		if do == nil {
			t.Fatalf("%s: there is no command %q", d.Pos, d.Cmd)
		}
		l := &line{t: t, data: d, used: map[string]bool{}}
		out := do(s, l)
		l.allUsed()
		fmt.Fprintf(&played, "%s\n%s", d.Pos, out)
		return out
	})
	s.t = t
	s.checkEnd()
}

// beginsWithAStory wants a comment at the top of a script, for a reader who does not know the code.
func beginsWithAStory(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if lines := bufio.NewScanner(f); !lines.Scan() || !strings.HasPrefix(lines.Text(), "# ") {
		t.Errorf("%s does not begin with a comment that tells its story", path)
	}
}
