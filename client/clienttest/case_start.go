package clienttest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
)

// F42_a_wait_for_an_unknown_id_is_answered_at_once has no deadline: a wait that hangs is found by the test's own.
func (s suite) F42_a_wait_for_an_unknown_id_is_answered_at_once(t *testing.T) {
	w := s.world(t, 2, localport.Options{})
	ctx := context.Background()
	_, err := w.c.Wait(ctx, "mistyped")
	if !errors.Is(err, turnstone.ErrInstanceNotFound) || !strings.Contains(err.Error(), `instance "mistyped"`) {
		t.Errorf("Wait: %v", err)
	}
	if _, err := client.Attach[int](w.c, "mistyped").Wait(ctx); !errors.Is(err, turnstone.ErrInstanceNotFound) {
		t.Errorf("Run.Wait: %v", err)
	}
}

func (s suite) F42_a_wait_that_asks_for_it_waits_for_the_start(t *testing.T) {
	w := s.world(t, 2, localport.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() { _, err := w.c.Wait(ctx, "later", client.WaitForStart()); answered <- err }()
	w.watched("later")
	w.start("later")
	w.turn("later", persistence.OutcomeCompleted, started(), completed("8"))
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func (s suite) F42_a_start_says_that_no_runtime_has_its_name(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	ctx := context.Background()
	if s, err := w.c.Start(ctx, "i", "Mistyped", nil); err != nil || !s.NoHandler || s.Repeated {
		t.Errorf("a name that nothing runs: %+v, %v", s, err)
	}
	if s, err := w.c.Status(ctx, "i"); err != nil || s.State != client.StateRunning {
		t.Errorf("the start is not kept: %+v, %v", s, err)
	}
	run, err := client.Start(ctx, w.c, "j", echo, 7, client.WithRequestKey("k"))
	if err != nil || run.Started() != (client.Started{}) {
		t.Errorf("a name that something runs: %+v, %v", run.Started(), err)
	}
	again, err := client.Start(ctx, w.c, "j", echo, 7, client.WithRequestKey("k"))
	if err != nil || again.Started() != (client.Started{Repeated: true}) {
		t.Errorf("the same request: %+v, %v", again.Started(), err)
	}
	if got := client.Attach[int](w.c, "j").Started(); got != (client.Started{}) {
		t.Errorf("a handle that started nothing: %+v", got)
	}
}

// A_run_raises_as_the_package_does compares what reaches the engine.
func (s suite) A_run_raises_as_the_package_does(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	type point struct{ X, Y int }
	for i, raise := range []func(r *client.Run[int], id string) [2]error{
		raisesBoth(w, 7), raisesBoth(w, "text"), raisesBoth(w, point{1, 2}), raisesBoth(w, &point{3, 4}), raisesBoth(w, turnstone.Raw("raw")),
		raisesBoth(w, []byte(nil)),
	} {
		id := string(rune('a' + i))
		w.start(id)
		for _, err := range raise(client.Attach[int](w.c, id), id) {
			if err != nil {
				t.Error(err)
			}
		}
		first, second := w.delivers[2*i].GetEventRaised(), w.delivers[2*i+1].GetEventRaised()
		if first.GetName() != "e" || second.GetName() != "e" || string(first.GetData()) != string(second.GetData()) {
			t.Errorf("%v and %v", first, second)
		}
	}
}

func raisesBoth[T any](w *world, value T) func(r *client.Run[int], id string) [2]error {
	return func(r *client.Run[int], id string) [2]error {
		return [2]error{client.Raise(w.t.Context(), w.c, id, "e", value), r.Raise(w.t.Context(), "e", value)}
	}
}
