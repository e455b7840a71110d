package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// has compares a value as a client reads it; "" is a key that is not there.
func (w *world) has(id, key, want string) {
	w.t.Helper()
	value, ok, err := w.c.KV(w.ctx, id, key)
	if err != nil || string(value) != want || ok != (want != "") {
		w.t.Errorf("key %q of %s is %q, %v, %v; want %q", key, id, value, ok, err, want)
	}
}

// stores compares all values as a client lists them: "a=1 b=2".
func (w *world) stores(id, want string) {
	w.t.Helper()
	entries, err := w.c.KVList(w.ctx, id)
	if err != nil {
		w.t.Fatalf("list the values of %s: %v", id, err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Key+"="+string(e.Value))
	}
	if strings.Join(got, " ") != want {
		w.t.Errorf("%s has the values %q, want %q", id, strings.Join(got, " "), want)
	}
}

func put(ctx octx, key, value string) { ctx.KV().Set(key, []byte(value)) }

func got(ctx octx, key string) string {
	if v, ok := ctx.KV().Get(key); ok {
		return string(v)
	}
	return "none"
}

func work(ctx octx) { _, _ = upper.Call(ctx, "x") }

// stored is a case whose orchestration does f, starts as "i" and must give want; then its values must be these.
func stored(t *testing.T, id, want, values string, f func(ctx octx) string) {
	t.Helper()
	scenario(t, id, func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { return f(ctx), nil })
		w.open(upper, o)
		begin(w, o, "i", "")
		completes(w, "i", want)
		w.stores("i", values)
	})
}

// continued is stored for code that continues as new; f gets the number of the execution and says whether it goes on.
func continued(t *testing.T, id, want, values string, f func(ctx octx, n int) (out string, more bool)) {
	t.Helper()
	scenario(t, id, func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			out, more := f(ctx, n)
			if more {
				return "", turnstone.ContinueAsNew(ctx, n+1)
			}
			return out, nil
		})
		w.open(upper, o)
		begin(w, o, "i", 1)
		completes(w, "i", want)
		w.stores("i", values)
	})
}

func TestKV(t *testing.T) {
	stored(t, "KVS_001 a value is read by clients after the end", "", "progress=50%", func(ctx octx) string { put(ctx, "progress", "50%"); return "" })
	scenario(t, "KVS_002 a missing key is missing", func(w *world) {
		o := text("O", func(octx, string) (string, error) { return "", nil })
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "")
		w.has("i", "missing", "")
		w.has("nobody", "missing", "")
	})
	stored(t, "KVS_003 three values of one turn are read", "", "a=1 b=2 c=3", func(ctx octx) string {
		put(ctx, "c", "3")
		put(ctx, "a", "1")
		put(ctx, "b", "2")
		return ""
	})
	stored(t, "KVS_004 the second of two values is read", "", "k=second", func(ctx octx) string { put(ctx, "k", "first"); put(ctx, "k", "second"); return "" })
	stored(t, "KVS_005 a value that is cleared is missing", "", "", func(ctx octx) string { put(ctx, "k", "v"); ctx.KV().Clear("k"); return "" })
	stored(t, "KVS_006 clearing all clears both", "", "", func(ctx octx) string { put(ctx, "k", "v"); put(ctx, "l", "w"); ctx.KV().ClearAll(); return "" })
	stored(t, "KVS_007 a value is read behind an activity and set again", "first", "k=last", func(ctx octx) string {
		put(ctx, "k", "first")
		work(ctx)
		seen := got(ctx, "k")
		put(ctx, "k", "last")
		return seen
	})
	scenario(t, "KVS_008 a typed value is set and read", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (int, error) {
			turnstone.SetKV(ctx, "n", 42)
			n, ok, err := turnstone.GetKV[int](ctx, "n")
			if !ok {
				return 0, errors.New("it is not there")
			}
			return n, err
		})
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", 42)
		n, ok, err := client.GetKV[int](w.ctx, w.c.Reader, "i", "n")
		_, absent, err2 := client.GetKV[int](w.ctx, w.c.Reader, "i", "m")
		if n != 42 || !ok || err != nil || absent || err2 != nil {
			t.Errorf("a client reads %d, %v, %v; %v, %v", n, ok, err, absent, err2)
		}
		var wrong *turnstone.DecodeError
		if _, ok, err := client.GetKV[[]string](w.ctx, w.c.Reader, "i", "n"); !ok || !errors.As(err, &wrong) {
			t.Errorf("a client that takes it for another type: %v, %v", ok, err)
		}
	})
	stored(t, "KVS_009 a value is seen after its set and not after its clear", "none v none", "", func(ctx octx) string {
		seen := got(ctx, "k")
		put(ctx, "k", "v")
		seen += " " + got(ctx, "k")
		ctx.KV().Clear("k")
		return seen + " " + got(ctx, "k")
	})
}

func TestKVAround(t *testing.T) {
	scenario(t, "KVS_018 values are read after completion", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { put(ctx, "k", "v"); work(ctx); return "", nil })
		w.open(upper, o)
		begin(w, o, "i", "")
		completes(w, "i", "")
		w.has("i", "k", "v")
		w.restart()
		w.has("i", "k", "v")
	})
	scenario(t, "KVS_019 values are read after a failure", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { put(ctx, "k", "v"); return fails.Call(ctx, "boom") })
		w.open(fails, o)
		begin(w, o, "i", "")
		w.failure("i")
		w.has("i", "k", "v")
	})
	stored(t, "KVS_024 a value that was cleared is set again", "", "k=new", func(ctx octx) string {
		put(ctx, "k", "old")
		ctx.KV().Clear("k")
		put(ctx, "k", "new")
		return ""
	})
	scenario(t, "KVS_029 a client waits for a value of an instance that runs", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			put(ctx, "state", "initialized")
			return turnstone.WaitEvent[string](ctx, "go").Await()
		})
		w.open(o)
		begin(w, o, "i", "")
		w.until("the value", func() bool { _, ok, err := w.c.KV(w.ctx, "i", "state"); return ok && err == nil })
		w.has("i", "state", "initialized")
		w.restart()
		w.has("i", "state", "initialized")
		w.raise("i", "go", "done")
		completes(w, "i", "done")
	})
	scenario(t, "KVS_035 a child does not see its parent's values", func(w *world) {
		child := text("Child", func(ctx octx, _ string) (string, error) {
			seen := got(ctx, "k")
			put(ctx, "k", "child")
			return seen, nil
		})
		o := text("O", func(ctx octx, _ string) (string, error) { put(ctx, "k", "parent"); return child.Call(ctx, "") })
		w.open(child, o)
		begin(w, o, "i", "")
		completes(w, "i", "none")
		w.stores("i", "k=parent")
		w.stores("i::sub::3", "k=child")
	})
	stored(t, "KVS_037 values are interleaved with an activity, a timer and a clear of all", "none", "k=final", func(ctx octx) string {
		put(ctx, "k", "first")
		work(ctx)
		ctx.Sleep(5 * ms)
		ctx.KV().ClearAll()
		seen := got(ctx, "k")
		put(ctx, "k", "final")
		return seen
	})
	stored(t, "KVS_038 results that fan out are all stored", "", "r0=X0 r1=X1 r2=X2 r3=X3 r4=X4", func(ctx octx) string {
		var all []*turnstone.Future[string]
		for i := range 5 {
			all = append(all, upper.Start(ctx, fmt.Sprint("x", i)))
		}
		results, _ := turnstone.Results(ctx, all...)
		for i, r := range results {
			put(ctx, fmt.Sprint("r", i), r)
		}
		return ""
	})
	stored(t, "KVS_039 a text of JSON is stored as it is", `{"a": [1,  2]}`, `k={"a": [1,  2]}`, func(ctx octx) string { put(ctx, "k", `{"a": [1,  2]}`); return got(ctx, "k") })
	stored(t, "KVS_040 an empty key is valid", "v", "=v", func(ctx octx) string { put(ctx, "", "v"); return got(ctx, "") })
	stored(t, "KVS_041 set, clear and set in one turn leave the last value", "2", "k=2", func(ctx octx) string {
		put(ctx, "k", "1")
		ctx.KV().Clear("k")
		put(ctx, "k", "2")
		return got(ctx, "k")
	})
	stored(t, "KVS_043 a value of another type is an error that can be caught", "error_caught", `k="text"`, func(ctx octx) string {
		turnstone.SetKV(ctx, "k", "text")
		var wrong *turnstone.DecodeError
		if _, ok, err := turnstone.GetKV[int](ctx, "k"); ok && errors.As(err, &wrong) {
			return "error_caught"
		}
		return "not caught"
	})
	stored(t, "KVS_061 a counter is read between two activities", "2", "n=2", func(ctx octx) string {
		put(ctx, "n", "1")
		work(ctx)
		n := len(got(ctx, "n"))
		work(ctx)
		put(ctx, "n", fmt.Sprint(n+1))
		return got(ctx, "n")
	})
	stored(t, "KVS_062 a counter goes through five rounds without nondeterminism", "5", "n=5", func(ctx octx) string {
		for range 5 {
			n, _, _ := turnstone.GetKV[int](ctx, "n")
			turnstone.SetKV(ctx, "n", n+1)
			work(ctx)
		}
		return got(ctx, "n")
	})
	stored(t, "KVS_023 a counter is raised between activities", "", "n=2", func(ctx octx) string {
		put(ctx, "n", "1")
		work(ctx)
		put(ctx, "n", "2")
		work(ctx)
		return ""
	})
	stored(t, "KVS_017 a value set by the winning branch is stored", "activity", "winner=activity", func(ctx octx) string {
		if turnstone.Race(ctx, upper.Start(ctx, "x"), ctx.Timer(patience)) == 0 {
			put(ctx, "winner", "activity")
		}
		return got(ctx, "winner")
	})
}

func TestKVLimits(t *testing.T) {
	fillTo := func(ctx octx, n int) {
		for i := range n {
			put(ctx, fmt.Sprintf("k%03d", i), "v")
		}
	}
	keys := num(func(ctx octx, n int) error { fillTo(ctx, n); return nil })
	value := num(func(ctx octx, n int) error { ctx.KV().Set("k", fill(n)); return nil })
	scenario(t, "KVS_013 one key more than the limit fails the instance", func(w *world) {
		w.open(keys)
		begin(w, keys, "i", 101)
		if f := w.failure("i"); !strings.Contains(f.Error(), "the key-value store has 101 keys, the limit is 100 keys") {
			t.Errorf("failure %v", f)
		}
		w.stores("i", "")
	})
	scenario(t, "KVS_014 one byte more than a value's limit fails the instance", func(w *world) {
		w.open(value)
		begin(w, value, "i", 16<<10+1)
		if f := w.failure("i"); !strings.Contains(f.Error(), `value of key "k" is 16385 bytes, the limit is 16384 bytes`) {
			t.Errorf("failure %v", f)
		}
		w.stores("i", "")
	})
	scenario(t, "KVS_015 as many keys as the limit are accepted", func(w *world) {
		w.open(keys)
		begin(w, keys, "i", 100)
		completes(w, "i", "ok")
	})
	scenario(t, "KVS_016 the keys are counted anew after a clear of all", func(w *world) {
		o := num(func(ctx octx, n int) error {
			fillTo(ctx, n)
			work(ctx)
			ctx.KV().ClearAll()
			fillTo(ctx, n)
			return nil
		})
		w.open(upper, o)
		begin(w, o, "i", 100)
		completes(w, "i", "ok")
	})
	scenario(t, "KVS_047 rewriting keys at the limit is accepted", func(w *world) {
		o := num(func(ctx octx, n int) error {
			for range 3 {
				fillTo(ctx, n)
				work(ctx)
			}
			if ctx.KV().Len() != n {
				return fmt.Errorf("%d keys", ctx.KV().Len())
			}
			return nil
		})
		w.open(upper, o)
		begin(w, o, "i", 100)
		completes(w, "i", "ok")
		if all, err := w.c.KVList(w.ctx, "i"); len(all) != 100 || err != nil {
			t.Errorf("%d keys, %v", len(all), err)
		}
	})
	scenario(t, "configured", func(w *world) {
		w.cfg.Limits.KVKeys, w.cfg.Limits.KVValueBytes, w.cfg.Limits.IDBytes = 10, 50, 20
		of := turnstone.NewOrchestration("Of", func(ctx octx, n int) (string, error) { ctx.KV().Set("k", fill(n)); return "ok", nil })
		key := turnstone.NewOrchestration("Key", func(ctx octx, n int) (string, error) { ctx.KV().Set(strings.Repeat("k", n), nil); return "ok", nil })
		w.open(keys, of, key)
		limited(w, keys, 10, "10 keys")
		for _, n := range []int{49, 50, 51} {
			id := fmt.Sprint("of", n)
			begin(w, of, id, n)
			if end := w.end(id); (end.Failure == nil) != (n <= 50) || end.Failure != nil && !strings.Contains(end.Failure.Error(), "the limit is 50 bytes") {
				t.Errorf("a value of %d bytes: %+v", n, end.Failure)
			}
		}
		for _, n := range []int{19, 20, 21} {
			id := fmt.Sprint("key", n)
			begin(w, key, id, n)
			if end := w.end(id); (end.Failure == nil) != (n <= 20) || end.Failure != nil && !strings.Contains(end.Failure.Error(), "key is 21 bytes, the limit is 20 bytes") {
				t.Errorf("a key of %d bytes: %+v", n, end.Failure)
			}
		}
	})
}
