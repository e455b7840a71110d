package turnstone_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// spoil changes bytes in their place, as code may that holds them.
func spoil(data []byte) {
	for i := range data {
		data[i] = '#'
	}
}

func TestF28_raw_bytes_that_code_changes_change_nothing_else(t *testing.T) {
	var kept [][]byte // what code held on to
	keep := func(data []byte) []byte { kept = append(kept, data); return data }
	act := turnstone.NewActivity("Act", func(_ turnstone.ActivityContext, in turnstone.Raw) (turnstone.Raw, error) {
		out := keep(append([]byte("got "), in...))
		spoil(in)
		if bytes.HasSuffix(out, []byte("bad")) {
			return nil, &turnstone.Error{Message: "no", Details: turnstone.Raw(keep([]byte("details")))}
		}
		return out, nil
	})
	child := turnstone.NewOrchestration("Child", func(_ *turnstone.Context, in turnstone.Raw) (turnstone.Raw, error) {
		out := keep(append([]byte("child "), in...))
		spoil(in)
		return out, nil
	})
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, in turnstone.Raw) (turnstone.Raw, error) {
		input := bytes.Clone(in)
		spoil(in) // the started event is encoded after this
		all := [][]byte{input}
		for _, call := range []func(in []byte) ([]byte, error){
			func(in []byte) ([]byte, error) { return act.Call(ctx, in) },
			func(in []byte) ([]byte, error) { return ctx.CallActivity("Act", in) },
			func(in []byte) ([]byte, error) { return child.Call(ctx, in) },
			func(in []byte) ([]byte, error) { return ctx.CallChild("Child", in) },
			func([]byte) ([]byte, error) { return turnstone.WaitEvent[turnstone.Raw](ctx, "e").Await() },
			func([]byte) ([]byte, error) { return ctx.WaitEvent("e").Await() },
		} {
			given := []byte("x")
			data, err := call(given)
			spoil(given)
			if err != nil {
				return nil, err
			}
			all = append(all, bytes.Clone(data))
			spoil(data)
		}
		_, failed := act.Call(ctx, turnstone.Raw("bad"))
		for _, data := range kept { // the details, too: before they are read, and before they are in a history
			spoil(data)
		}
		for range 2 { // what was read and changed is read again as it was
			details, ok := turnstone.Details[turnstone.Raw](failed)
			if !ok {
				return nil, errors.New("no details")
			}
			all = append(all, bytes.Clone(details))
			spoil(details)
		}
		given := []byte("detached")
		ctx.StartDetached("D", "d", given)
		spoil(given)
		return keep(bytes.Join(all, []byte("|"))), nil
	})
	const want = "input|got x|got x|child x|child x|early|late|details|details"
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, act, child, o)
		d.cold = cold
		d.early = []raised{{"e", turnstone.Raw("early")}}
		d.events = []raised{{"e", turnstone.Raw("late")}}
		out := d.run("O", "i", turnstone.Raw("input")) // the oracle compares the histories
		for _, data := range kept {
			spoil(data)
		}
		if string(out.output) != want {
			t.Errorf("output %q, want %q; failure %v", out.output, want, out.failure)
		}
		if in := out.history[0].GetStarted().GetInput(); string(in) != "input" {
			t.Errorf("the started event has %q", in)
		}
		for _, e := range out.history {
			if f := e.GetActivityFailed().GetFailure().GetApplication(); f != nil && string(f.GetDetails()) != "details" {
				t.Errorf("the failed activity has the details %q", f.GetDetails())
			}
		}
		last := out.history[len(out.history)-1].GetCompleted().GetOutput()
		if string(last) != want {
			t.Errorf("the last event has %q", last)
		}
		if string(d.detached[0].Input) != "detached" {
			t.Errorf("the detached input is %q", d.detached[0].Input)
		}
	})
}

func TestF28_an_input_of_the_next_execution_that_code_changes_is_carried_as_it_was(t *testing.T) {
	for name, next := range map[string]func(ctx *turnstone.Context, in []byte) error{
		"typed":   func(ctx *turnstone.Context, in []byte) error { return turnstone.ContinueAsNew(ctx, turnstone.Raw(in)) },
		"untyped": func(ctx *turnstone.Context, in []byte) error { return ctx.ContinueAsNew(in) },
	} {
		o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, in turnstone.Raw) (turnstone.Raw, error) {
			if ctx.Execution() == 2 {
				return in, nil
			}
			given := []byte("next")
			err := next(ctx, given)
			spoil(given)
			return nil, err
		})
		d := newDriver(t, o)
		if out := d.run("O", "i", turnstone.Raw("first")); string(out.output) != "next" || out.executions != 2 {
			t.Errorf("%s: output %q in execution %d, want that of the second: next", name, out.output, out.executions)
		}
	}
}

func TestF28_details_that_code_changes_fail_an_instance_as_they_were(t *testing.T) {
	details := []byte("details")
	o := turnstone.NewOrchestration("O", func(_ *turnstone.Context, in turnstone.Raw) (turnstone.Raw, error) {
		return nil, &turnstone.Error{Message: "no", Details: turnstone.Raw(details)}
	})
	out := newDriver(t, o).run("O", "i", turnstone.Raw("in"))
	spoil(details)
	last := out.history[len(out.history)-1].GetFailed().GetFailure().GetApplication()
	if string(last.GetDetails()) != "details" {
		t.Errorf("the last event has the details %q", last.GetDetails())
	}
}

// hoarder is a codec that keeps every byte that it sees, and changes it later.
type hoarder struct{ seen *[][]byte }

func (h hoarder) Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	*h.seen = append(*h.seen, data)
	return data, err
}

func (h hoarder) Name() string { return "hoarder" }

func (h hoarder) Decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	spoil(data)
	return err
}

func TestF28_a_codec_that_keeps_and_changes_its_bytes_changes_nothing_else(t *testing.T) {
	var seen [][]byte
	reverse := turnstone.NewActivity("Reverse", func(_ turnstone.ActivityContext, s []byte) ([]byte, error) {
		for _, data := range seen {
			spoil(data)
		}
		if string(s) == "bad" {
			return nil, &turnstone.Error{Message: "no", Details: "why"}
		}
		return append(s, '!'), nil
	})
	r := turnstone.NewRegistry(turnstone.WithCodec(hoarder{&seen}))
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, in string) ([]string, error) {
		out, err := reverse.Call(ctx, []byte(in))
		if err != nil {
			return nil, err
		}
		_, failed := reverse.Call(ctx, []byte("bad"))
		if _, err := reverse.Call(ctx, []byte("more")); err != nil { // it changes what was seen until now
			return nil, err
		}
		first, _ := turnstone.Details[string](failed)
		second, _ := turnstone.Details[string](failed)
		return []string{string(out), first, second}, nil
	})
	if err := r.Register(reverse, o); err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t)
		d.registry, d.cold = r, cold
		d.run("O", "i", "in").completes(t, []string{"in!", "why", "why"})
	})
}

// grabs decodes itself, keeps the bytes that it is given and changes them.
type grabs struct{ text string }

func (g grabs) MarshalJSON() ([]byte, error) { return json.Marshal(g.text) }
func (g *grabs) UnmarshalJSON(data []byte) error {
	err := json.Unmarshal(data, &g.text)
	spoil(data)
	return err
}

func TestF28_a_type_that_changes_its_JSON_changes_nothing_else(t *testing.T) {
	echo := turnstone.NewActivity("Echo", func(_ turnstone.ActivityContext, g struct{ G grabs }) ([]grabs, error) {
		return []grabs{g.G}, nil
	})
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, in map[string]grabs) ([]grabs, error) {
		return echo.Call(ctx, struct{ G grabs }{in["a"]})
	})
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, echo, o)
		d.cold = cold
		out := d.run("O", "i", map[string]grabs{"a": {"text"}})
		out.completes(t, []grabs{{"text"}})
		if in := out.history[0].GetStarted().GetInput(); string(in) != `{"a":"text"}` {
			t.Errorf("the started event has %s", in)
		}
	})
}

// A value that is decoded shares nothing with the bytes, so they are not copied for it.
func TestF28_decoded_values_cost_no_copy(t *testing.T) {
	data := []byte(`"` + string(bytes.Repeat([]byte("x"), 4096)) + `"`)
	once := func(f func()) float64 { return testing.AllocsPerRun(100, f) }
	if n := once(func() { _, _ = turnstone.DecodeValue[string](turnstone.JSON, data) }); n > 2 {
		t.Errorf("a string is decoded with %v allocations, want 2: the value and what it is decoded into", n)
	}
	if n := once(func() { _, _ = turnstone.EncodeValue(turnstone.JSON, 7_000_000) }); n > 2 {
		t.Errorf("a number is encoded with %v allocations, want 2: the bytes and the number as an any", n)
	}
	if n := once(func() { _, _ = turnstone.DecodeValue[turnstone.Raw](turnstone.JSON, data) }); n != 1 && n != 2 {
		t.Errorf("raw bytes are handed over with %v allocations", n)
	}
}

// reuser is a codec that encodes into one buffer again and again.
type reuser struct{ buffer *[]byte }

func (r reuser) Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	*r.buffer = append((*r.buffer)[:0], data...)
	return *r.buffer, err
}

func (r reuser) Name() string { return "reuser" }

func (r reuser) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// TestF28_inputs_of_calls_with_a_retry_policy_are_copied_at_the_call: the attempts are scheduled later, when the caller
// has used its bytes for something else.
func TestF28_inputs_of_calls_with_a_retry_policy_are_copied_at_the_call(t *testing.T) {
	runs := 0
	act := turnstone.NewActivity("Act", func(_ turnstone.ActivityContext, in turnstone.Raw) (turnstone.Raw, error) {
		if runs++; runs <= 2 {
			return nil, errors.New("not yet")
		}
		return in, nil
	})
	child := turnstone.NewOrchestration("Child", func(_ *turnstone.Context, in turnstone.Raw) (turnstone.Raw, error) {
		return in, nil
	})
	number := turnstone.NewActivity("Number", func(_ turnstone.ActivityContext, n int) (turnstone.Raw, error) {
		return turnstone.Raw(strconv.Itoa(n)), nil
	})
	policy := turnstone.WithRetry(turnstone.NewRetryPolicy(2).WithBackoff(turnstone.FixedBackoff(time.Millisecond)))
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, _ turnstone.Raw) (turnstone.Raw, error) {
		input := []byte("first")
		futures := []interface{ Await() ([]byte, error) }{ctx.StartActivity("Act", input, policy), ctx.StartChild("Child", input, policy)}
		typed := []*turnstone.Future[turnstone.Raw]{
			act.Start(ctx, input, policy), child.Start(ctx, input, policy),
			number.Start(ctx, 1, policy), number.Start(ctx, 2, policy),
		}
		spoil(input)
		var all [][]byte
		for _, f := range futures {
			data, err := f.Await()
			if err != nil {
				return nil, err
			}
			all = append(all, data)
		}
		for _, f := range typed {
			data, err := f.Await()
			if err != nil {
				return nil, err
			}
			all = append(all, data)
		}
		return bytes.Join(all, []byte("|")), nil
	})
	r := turnstone.NewRegistry(turnstone.WithCodec(reuser{new([]byte)}))
	if err := r.Register(act, child, number, o); err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, cold bool) {
		runs = 0
		d := newDriver(t)
		d.registry, d.cold = r, cold
		out := d.run("O", "i", turnstone.Raw(""))
		if want := "first|first|first|first|1|2"; string(out.output) != want {
			t.Errorf("output %q, want %q; failure %v", out.output, want, out.failure)
		}
	})
}
