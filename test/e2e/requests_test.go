package e2e

import (
	"errors"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestF04_a_request_key_names_one_request: the same request is answered as it was, another one with its key is refused
// and does nothing; while the instance waits, while a turn takes the message at once, and when it has ended.
func TestF04_a_request_key_names_one_request(t *testing.T) {
	scenario(t, "F_04", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			first, err := turnstone.WaitEvent[string](ctx, "e").Await()
			if err != nil {
				return "", err
			}
			second, err := turnstone.WaitEvent[string](ctx, "e").Await()
			return first + " " + second, err
		})
		w.resident = false // a key that was used makes the turn which took the message run again
		w.open(o, text("P", func(octx, string) (string, error) { return "", nil }))
		key := client.WithRequestKey
		start := func(name, input string) error {
			_, err := w.c.Start(w.ctx, "i", name, []byte(input), key("k"))
			return err
		}
		raise := func(value, k string) error { return client.Raise(w.ctx, w.c, "i", "e", value, key(k)) }
		reused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, turnstone.ErrRequestKeyReused) {
				t.Errorf("%s gave %v", what, err)
			}
		}
		done := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		all := func() {
			t.Helper()
			done("the start again", start("O", `"in"`))
			reused("a start with another input", start("O", `"other"`))
			reused("a start of another orchestration", start("P", `"in"`))
			reused("an event with the key of the start", raise("x", "k"))
			reused("a cancel with the key of the start", w.c.Cancel(w.ctx, "i", "stop", key("k")))
		}
		done("the start", start("O", `"in"`))
		all()
		done("the first event", raise("one", "m"))
		done("the first event again", raise("one", "m"))
		reused("an event with other content", raise("two", "m"))
		reused("an event of another name", client.Raise(w.ctx, w.c, "i", "f", "one", key("m")))
		all()
		done("the second event", raise("two", "n"))
		completes(w, "i", "one two")
		all()
		done("the second event again, after the end", raise("two", "n"))
		reused("an event with other content, after the end", raise("three", "n"))
		if n := w.history("i", 0).count("ExternalEvent"); n != 2 {
			t.Errorf("%d events in the history, want 2", n)
		}
	})
}
