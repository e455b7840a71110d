package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/terminal"
)

// evil is what a terminal obeys: it clears the screen, begins a line that looks like a command's own, turns the direction
// of writing, and sets a title. As a file's name it needs no more.
const evil = "x\x1b[2J\nturnstone: all is well\u202etxt.exe\x1b]0;title\x07\r\u009b31m"

// harmless fails if a terminal would obey anything but line ends.
func harmless(t *testing.T, what, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if escaped := terminal.Text(line); escaped != line {
			t.Errorf("%s prints to a terminal what it obeys: %s", what, escaped)
		}
	}
}

func TestF41_what_was_recorded_is_shown_and_not_obeyed(t *testing.T) {
	const id = "invoice-\u202egpj.exe"
	fails := turnstone.NewActivity("Fails\u202e", func(turnstone.ActivityContext, string) (string, error) {
		return "", errors.New(evil)
	})
	o := turnstone.NewOrchestration("Order\u2066", func(ctx *turnstone.Context, in string) (string, error) {
		event, err := turnstone.WaitEvent[string](ctx, "e\u200b").Await()
		if err != nil {
			return "", err
		}
		return fails.Call(ctx, event)
	})
	store := filepath.Join(t.TempDir(), "store\u202e")
	inNode(t, store, func(ctx context.Context, c *client.Client) {
		run, err := client.Start(ctx, c, id, o, evil)
		must(t, err)
		must(t, client.Raise(ctx, c, id, "e\u200b", evil))
		_, err = run.Wait(ctx)
		if err == nil {
			t.Fatal("it did not fail")
		}
		_, err = client.Start(ctx, c, "cancelled", o, evil)
		must(t, err)
		must(t, c.Cancel(ctx, "cancelled", evil))
	}, o, fails)
	for _, args := range [][]string{
		{"list", store}, {"inspect", store, id}, {"inspect", store, "cancelled"}, {"verify", store},
		{"inspect", store, evil}, {"list", store, "--state", evil}, {"verify", evil}, {"list", evil}, {evil}, {"list", "--" + evil},
	} {
		out, errs, code := runIn(t, t.TempDir(), args...)
		harmless(t, strings.Join(args, " "), out+errs)
		if known := !strings.Contains(strings.Join(args, " "), evil); known != (code == 0) {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	story, _, _ := runIn(t, t.TempDir(), "inspect", store, id)
	for _, words := range []string{`invoice-\u202egpj.exe`, `Order\u2066`, `failed: x\x1b[2J\nturnstone: all is well\u202etxt.exe\x1b]0;title\a\r\u009b31m`} {
		if !strings.Contains(story, words) {
			t.Errorf("the story lacks %s:\n%s", words, story)
		}
	}
}

func TestF41_the_demo_shows_names_and_does_not_obey_them(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, evil)
	for _, name := range []string{"plain.txt", "日本語.txt", evil, "a.\u202etxt", evil + "/" + evil} {
		if strings.HasPrefix(name, evil+"/") {
			name = "d" + name
		}
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(tree, name), []byte("text\n"), 0o644))
	}
	args := []string{"demo", "--dir", tree, "--store", filepath.Join(dir, "store"+evil), "--report", filepath.Join(dir, evil+".json"), "--progress", "5ms"}
	for _, build := range []func() (string, error){slow, plain} {
		p := begin(t, build, args...)
		out, code := p.end()
		harmless(t, "demo", out+p.errors.String())
		if code != 0 || !strings.Contains(out, `.\u202etxt`) || !strings.Contains(out, "The report of 5 entries is in ") {
			t.Errorf("exit code %d\n%s%s", code, out, p.errors.String())
		}
	}
	for _, args := range [][]string{{"--dir", evil}, {"--report", dir + "/" + evil}, {"--store", filepath.Join(tree, "plain.txt", evil)}} {
		out, errs, code := runIn(t, t.TempDir(), append([]string{"demo", "--dir", dir}, args...)...)
		harmless(t, strings.Join(args, " "), out+errs)
		if code != exitFailed && args[0] != "--report" {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

func TestF41_a_backup_shows_the_names_of_directories_and_does_not_obey_them(t *testing.T) {
	store, dir := filepath.Join(t.TempDir(), evil), filepath.Join(t.TempDir(), evil, evil)
	inNode(t, store, func(context.Context, *client.Client) {})
	for _, want := range []int{0, exitFailed} { // the second one is refused
		out, errs, code := runIn(t, t.TempDir(), "backup", store, dir)
		harmless(t, "backup", out+errs)
		if code != want || !strings.Contains(out+errs, `\u202etxt.exe`) {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
	}
}
