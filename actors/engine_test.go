package actors

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"
)

// TestTwoCommits is the whole good case: a start with its first turn is one commit, a result with the last turn another.
func TestTwoCommits(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "echo", "hello")
		synctest.Wait()
		w.completed("a", "hello")
		if n := w.journal.count(&persistence.CommitTurn{}); n != 2 {
			t.Errorf("%d commits, want 2", n)
		}
		for _, c := range []persistence.Command{&persistence.StartInstance{}, &persistence.Enqueue{}, &persistence.CompleteWork{}} {
			if n := w.journal.count(c); n != 0 {
				t.Errorf("%d %T, want none", n, c)
			}
		}
	})
}

// TestAStartOfATakenIDIsRefused, whether it runs or has ended; a repeated request key gets the first answer.
func TestAStartOfATakenIDIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		first := arrival.StartRequest{ID: "a", Name: "wait", RequestKey: "k"}
		if err := w.ask(first).wait(); err != nil {
			t.Fatal(err)
		}
		if err := w.ask(arrival.StartRequest{ID: "a", Name: "wait"}).wait(); !errors.Is(err, persistence.ErrAlreadyExists) {
			t.Errorf("a second start while it runs: %v", err)
		}
		again := w.ask(first)
		if err := again.wait(); err != nil || !again.repeated {
			t.Errorf("the same request: %v, repeated %v", err, again.repeated)
		}
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
		if err := w.ask(arrival.StartRequest{ID: "a", Name: "wait"}).wait(); !errors.Is(err, persistence.ErrAlreadyExists) {
			t.Errorf("a start after the end: %v", err)
		}
		again = w.ask(first)
		if err := again.wait(); err != nil || !again.repeated {
			t.Errorf("the same request after the end: %v, repeated %v", err, again.repeated)
		}
	})
}

// TestAMessageForNobodyIsNotFound and writes nothing.
func TestAMessageForNobodyIsNotFound(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		if err := w.raise("nobody", "go", "x").wait(); !errors.Is(err, persistence.ErrNotFound) {
			t.Errorf("raise: %v", err)
		}
		if err := w.cancel("nobody", "why").wait(); !errors.Is(err, persistence.ErrNotFound) {
			t.Errorf("cancel: %v", err)
		}
		if n := w.journal.count(&persistence.Enqueue{}); n != 0 {
			t.Errorf("%d Enqueue", n)
		}
	})
}
