package clienttest

import (
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// recorder keeps what reaches the engine, as the engine does until it is encoded.
type recorder struct {
	*world
	inputs [][]byte
}

func (r *recorder) StartInstance(q api.StartRequest, reply func(api.Started, error)) {
	r.inputs = append(r.inputs, q.Input)
	r.world.StartInstance(q, reply)
}

func (s suite) F28_what_a_caller_gave_may_be_changed_after_the_call(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	r := &recorder{world: w}
	c, ctx := client.New(s.through(t, localport.New(r, w.journal, localport.Options{})), nil), t.Context()
	raw := turnstone.NewOrchestration("O", func(_ *turnstone.Context, in turnstone.Raw) (turnstone.Raw, error) { return in, nil })
	w.answer = func() ([]byte, *turnpb.Failure, error) { return nil, nil, nil }
	calls := []func(id string, data []byte) error{
		func(id string, data []byte) error { _, err := c.Start(ctx, id, "O", data); return err },
		func(id string, data []byte) error { _, err := client.Start(ctx, c, id, raw, data); return err },
		func(_ string, data []byte) error { return c.Raise(ctx, "a", "e", data) },
		func(_ string, data []byte) error { return client.Raise(ctx, c, "b", "e", turnstone.Raw(data)) },
		func(_ string, data []byte) error {
			return client.Attach[int](c, "a").Raise(ctx, "e", turnstone.Raw(data))
		},
		func(_ string, data []byte) error { _, err := c.Query(ctx, "a", "q", data); return err },
		func(_ string, data []byte) error {
			_, err := client.Query[turnstone.Raw](ctx, c, "a", "q", turnstone.Raw(data))
			return err
		},
	}
	for i, call := range calls {
		data := []byte("given")
		if err := call(string(rune('a'+i)), data); err != nil {
			t.Fatal(err)
		}
		copy(data, "#####")
	}
	got := r.inputs
	for _, m := range w.delivers {
		got = append(got, m.GetEventRaised().GetData())
	}
	for _, q := range w.asks {
		got = append(got, q.Input)
	}
	for i, data := range got {
		if string(data) != "given" {
			t.Errorf("call %d gave the engine %q", i, data)
		}
	}
	if len(got) != len(calls) {
		t.Errorf("%d requests, want %d", len(got), len(calls))
	}
}

func (s suite) F28_what_a_caller_was_given_may_be_changed(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	ctx := t.Context()
	w.start("i")
	var outputs [2]chan []byte
	for i := range outputs {
		outputs[i] = make(chan []byte, 1)
		go func() {
			out, err := client.Attach[turnstone.Raw](w.c, "i").Wait(ctx)
			if err != nil {
				t.Error(err)
			}
			outputs[i] <- out
		}()
		w.watched("i")
	}
	w.turn("i", persistence.OutcomeCompleted, started(), completed("out"))
	first, second := <-outputs[0], <-outputs[1]
	copy(first, "###")
	if string(second) != "out" {
		t.Errorf("the second waiter has %q", second)
	}
	output := func(turns []client.Turn) []byte {
		events := turns[0].Events
		return events[len(events)-1].Data
	}
	for range 2 {
		status, err := w.c.Status(ctx, "i")
		description, err2 := w.c.Describe(ctx, "i")
		turns, err3 := w.c.History(ctx, "i", 0)
		if err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		for where, data := range map[string][]byte{"status": status.Output, "description": description.Output, "history": output(turns)} {
			if string(data) != "out" {
				t.Errorf("the %s has %q", where, data)
			}
			copy(data, "###")
		}
	}
}
