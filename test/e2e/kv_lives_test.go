package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

func TestKVAcrossExecutions(t *testing.T) {
	continued(t, "KVS_010 a value goes on into the next execution", "1", "counter=1", func(ctx octx, n int) (string, bool) {
		if n == 1 {
			put(ctx, "counter", "1")
		}
		return got(ctx, "counter"), n == 1
	})
	continued(t, "KVS_025 a value is overwritten after continue-as-new", "old", "k=new", func(ctx octx, n int) (string, bool) {
		seen := got(ctx, "k")
		put(ctx, "k", []string{"old", "new"}[n-1])
		return seen, n == 1
	})
	continued(t, "KVS_026 all values are cleared after continue-as-new", "none", "", func(ctx octx, n int) (string, bool) {
		if n == 1 {
			put(ctx, "a", "1")
			put(ctx, "b", "2")
			return "", true
		}
		ctx.KV().ClearAll()
		return got(ctx, "a"), false
	})
	continued(t, "KVS_027 a chain of executions adds to a value", "2", "n=2", func(ctx octx, n int) (string, bool) {
		if v, _, _ := turnstone.GetKV[int](ctx, "n"); n < 3 {
			turnstone.SetKV(ctx, "n", v+1)
		}
		return got(ctx, "n"), n < 3
	})
	continued(t, "KVS_049 the last of five executions has the last value", "4", "iter=4", func(ctx octx, n int) (string, bool) {
		turnstone.SetKV(ctx, "iter", n-1)
		return got(ctx, "iter"), n < 5
	})
	continued(t, "KVS_054 all values of several executions are read", "3", "k1=1 k2=2 k3=3", func(ctx octx, n int) (string, bool) {
		put(ctx, fmt.Sprint("k", n), fmt.Sprint(n))
		return fmt.Sprint(ctx.KV().Len()), n < 3
	})
	continued(t, "KVS_063 clearing all after continue-as-new hides old values across a turn", "none none fresh", "new=fresh", func(ctx octx, n int) (string, bool) {
		if n == 1 {
			put(ctx, "a", "1")
			put(ctx, "b", "2")
			return "", true
		}
		ctx.KV().ClearAll()
		put(ctx, "new", "fresh")
		work(ctx)
		return got(ctx, "a") + " " + got(ctx, "b") + " " + got(ctx, "new"), false
	})
	continued(t, "KVS_064 clearing one after continue-as-new keeps the other", "token=none,kept=alive", "kept=alive", func(ctx octx, n int) (string, bool) {
		if n == 1 {
			put(ctx, "token", "secret")
			put(ctx, "kept", "alive")
			return "", true
		}
		ctx.KV().Clear("token")
		work(ctx)
		return "token=" + got(ctx, "token") + ",kept=" + got(ctx, "kept"), false
	})
	// What an execution began with is read again after a crash, and nothing that it has set itself.
	scenario(t, "killed between", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			v, _, _ := turnstone.GetKV[int](ctx, "n")
			turnstone.SetKV(ctx, "n", v+1)
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			ctx.KV().Clear(fmt.Sprint("left by ", n-1))
			put(ctx, fmt.Sprint("left by ", n), "x")
			if n < 4 {
				return "", turnstone.ContinueAsNew(ctx, n+1)
			}
			return got(ctx, "n"), nil
		})
		w.open(o)
		begin(w, o, "i", 1)
		for n := 1; n <= 4; n++ {
			w.until("the next execution", func() bool { d := w.describe("i"); return d.Execution == uint64(n) && d.Turn > 0 })
			w.has("i", "n", fmt.Sprint(n))
			w.restart()
			w.has("i", "n", fmt.Sprint(n))
			w.raise("i", "go", "")
		}
		completes(w, "i", "4")
		w.stores("i", "left by 4=x n=4")
	})
}

func TestKVAll(t *testing.T) {
	list := func(ctx octx) string {
		var all []string
		for _, e := range ctx.KV().All() {
			all = append(all, e.Key+"="+string(e.Value))
		}
		if len(all) != len(ctx.KV().Keys()) {
			return "keys and values differ"
		}
		return strings.Join(all, " ")
	}
	stored(t, "KVS_050 all values are read at once", "a=1 b=2 c=3", "a=1 b=2 c=3", func(ctx octx) string {
		put(ctx, "b", "2")
		put(ctx, "c", "3")
		put(ctx, "a", "1")
		return list(ctx)
	})
	stored(t, "KVS_051 all values of none are an empty map", "", "", list)
	stored(t, "KVS_052 all values have the overwritten one", "x=new y=keep", "x=new y=keep", func(ctx octx) string {
		put(ctx, "x", "old")
		put(ctx, "y", "keep")
		put(ctx, "x", "new")
		return list(ctx)
	})
	stored(t, "KVS_053 all values lack the cleared one", "a=1 c=3", "a=1 c=3", func(ctx octx) string {
		put(ctx, "a", "1")
		put(ctx, "b", "2")
		put(ctx, "c", "3")
		ctx.KV().Clear("b")
		return list(ctx)
	})
}

func TestKVPrune(t *testing.T) {
	prune := func(ctx octx, cutoff time.Time) string { return fmt.Sprint("removed:", ctx.KV().PruneBefore(cutoff)) }
	far := time.UnixMilli(1 << 50)
	continued(t, "KVS_055 pruning by time removes what is older", "removed:2", "fresh=3", func(ctx octx, n int) (string, bool) {
		if n == 1 {
			put(ctx, "a", "1")
			put(ctx, "b", "2")
			return "", true
		}
		ctx.Sleep(5 * ms) // the clock has a resolution of 1 ms
		cutoff := ctx.Now()
		put(ctx, "fresh", "3")
		return prune(ctx, cutoff), false
	})
	stored(t, "KVS_056 pruning by time zero removes nothing", "removed:0", "k=v", func(ctx octx) string { put(ctx, "k", "v"); return prune(ctx, time.UnixMilli(0)) })
	stored(t, "KVS_057 pruning without values removes nothing", "removed:0", "", func(ctx octx) string { return prune(ctx, far) })
	stored(t, "KVS_058 pruning by the highest time removes this turn's values too", "removed:2", "", func(ctx octx) string { put(ctx, "k", "v"); put(ctx, "l", "w"); return prune(ctx, far) })
	stored(t, "KVS_059 pruning by now removes a value that is not stored yet", "removed:1", "", func(ctx octx) string { put(ctx, "k", "v"); return prune(ctx, ctx.Now().Add(ms)) })
	continued(t, "KVS_060 pruning by a time between executions removes the older values", "removed:1", "second=2", func(ctx octx, n int) (string, bool) {
		switch n {
		case 1:
			put(ctx, "first", "1")
			return "", true
		case 2:
			ctx.Sleep(5 * ms)
			turnstone.SetKV(ctx, "second", 2)
			return "", true
		}
		cutoff := ctx.KV().All()[1].Updated
		return prune(ctx, cutoff), false
	})
}

func TestKVOfOthers(t *testing.T) {
	writer := func(value string) *orch[string, string] {
		return text("Writer", func(ctx octx, _ string) (string, error) {
			put(ctx, "k", value)
			return turnstone.WaitEvent[string](ctx, "go").Await()
		})
	}
	read := func(ctx octx, instance, key string) (string, error) {
		v, err := ctx.GetKVFrom(instance, key).Await()
		if err != nil || v == nil {
			return "none", err
		}
		return string(*v), nil
	}
	// runs begins the writer and waits for its value.
	runs := func(w *world, o *orch[string, string]) {
		begin(w, o, "writer", "")
		w.until("the value", func() bool { _, ok, err := w.c.KV(w.ctx, "writer", "k"); return ok && err == nil })
	}
	reader := func(key string) *orch[string, string] {
		return text("Reader", func(ctx octx, instance string) (string, error) { return read(ctx, instance, key) })
	}
	scenario(t, "KVS_011 another orchestration reads a value of one that runs", func(w *world) {
		o, r := writer("42"), reader("k")
		w.open(o, r)
		runs(w, o)
		begin(w, r, "reader", "writer")
		completes(w, "reader", "42")
		w.raise("writer", "go", "")
		completes(w, "writer", "")
	})
	scenario(t, "KVS_030 a missing key of another instance is missing", func(w *world) {
		o, r := writer("42"), reader("another")
		w.open(o, r)
		runs(w, o)
		begin(w, r, "reader", "writer")
		completes(w, "reader", "none")
	})
	scenario(t, "KVS_031 a key of an unknown instance is missing and no error", func(w *world) {
		r := reader("k")
		w.open(r)
		begin(w, r, "reader", "nobody")
		completes(w, "reader", "none")
	})
	scenario(t, "KVS_032 a typed value of another instance is read", func(w *world) {
		o := writer("[1,2,3]")
		r := turnstone.NewOrchestration("Reader", func(ctx octx, _ string) (int, error) {
			list, err := turnstone.GetKVFrom[[]int](ctx, "writer", "k").Await()
			if err != nil || list == nil {
				return 0, err
			}
			if _, err := turnstone.GetKVFrom[string](ctx, "writer", "k").Await(); err == nil {
				return 0, fmt.Errorf("a list was taken for a text")
			}
			return len(*list), nil
		})
		w.open(o, r)
		runs(w, o)
		begin(w, r, "reader", "")
		completes(w, "reader", 3)
	})
	scenario(t, "KVS_033 a read of another instance replays", func(w *world) {
		o := writer("source_value")
		r := text("Reader", func(ctx octx, instance string) (string, error) {
			v, err := read(ctx, instance, "k")
			if err != nil {
				return "", err
			}
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			work(ctx)
			return v, nil
		})
		w.open(upper, o, r)
		runs(w, o)
		begin(w, r, "reader", "writer")
		w.untilHistory("reader", 1, "ExternalSubscribed")
		w.restart()
		w.raise("reader", "go", "")
		completes(w, "reader", "source_value")
	})
	scenario(t, "KVS_034 a read of another instance sees the update that came between", func(w *world) {
		o := text("Writer", func(ctx octx, _ string) (string, error) {
			put(ctx, "k", "1")
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			put(ctx, "k", "2")
			return "", nil
		})
		r := text("Reader", func(ctx octx, instance string) (string, error) {
			first, err := read(ctx, instance, "k")
			if err != nil {
				return "", err
			}
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			second, err := read(ctx, instance, "k")
			return first + "," + second, err
		})
		w.open(o, r)
		runs(w, o)
		begin(w, r, "reader", "writer")
		w.untilHistory("reader", 1, "ExternalSubscribed")
		w.raise("writer", "go", "")
		completes(w, "writer", "")
		w.raise("reader", "go", "")
		completes(w, "reader", "1,2")
	})
	stored(t, "KVS_042 an instance reads itself as another", "own value", "k=own value", func(ctx octx) string {
		put(ctx, "k", "own value")
		work(ctx)
		v, _ := read(ctx, "i", "k")
		return v
	})
	scenario(t, "KVS_048 ten instances read another at once", func(w *world) {
		o, r := writer("producer_value"), reader("k")
		w.open(o, r)
		runs(w, o)
		for i := range 10 {
			begin(w, r, fmt.Sprint("reader", i), "writer")
		}
		for i := range 10 {
			completes(w, fmt.Sprint("reader", i), "producer_value")
		}
	})
	// A read of another instance needs no runtime with activities.
	scenario(t, "no worker", func(w *world) {
		w.cfg.ActivitySlots = -1
		o, r := writer("42"), reader("k")
		w.open(o, r)
		runs(w, o)
		begin(w, r, "reader", "writer")
		completes(w, "reader", "42")
	})
}

func TestKVConcurrency(t *testing.T) {
	one := func(w *world) { w.cfg.TurnSlots, w.cfg.ActivitySlots = 1, 1 }
	scenario(t, "KVS_044 values work with one slot of each kind", func(w *world) {
		one(w)
		o := text("O", func(ctx octx, _ string) (string, error) {
			put(ctx, "k", "v")
			work(ctx)
			v, err := ctx.GetKVFrom("i", "k").Await()
			return string(*v), err
		})
		w.open(upper, o)
		begin(w, o, "i", "")
		completes(w, "i", "v")
	})
	scenario(t, "KVS_045 values go on through continue-as-new with one slot of each kind", func(w *world) {
		one(w)
		o := num(func(ctx octx, n int) error {
			if n == 0 {
				put(ctx, "count", "1")
				return turnstone.ContinueAsNew(ctx, 1)
			}
			if got(ctx, "count") != "1" {
				return fmt.Errorf("count is %s", got(ctx, "count"))
			}
			return nil
		})
		w.open(o)
		begin(w, o, "i", 0)
		completes(w, "i", "ok")
		w.has("i", "count", "1")
	})
	scenario(t, "KVS_046 ten instances write values at once", func(w *world) {
		o := num(func(ctx octx, n int) error {
			for i := range 5 {
				put(ctx, fmt.Sprint("k", i), fmt.Sprint(n, "/", i))
				work(ctx)
			}
			return nil
		})
		w.open(upper, o)
		for n := range 10 {
			begin(w, o, fmt.Sprint("i", n), n)
		}
		for n := range 10 {
			completes(w, fmt.Sprint("i", n), "ok")
			w.has(fmt.Sprint("i", n), "k3", fmt.Sprint(n, "/3"))
		}
	})
	// A value costs no commit of its own.
	resident(t, "commits", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			for i := range 100 {
				put(ctx, fmt.Sprint("k", i), "v")
			}
			work(ctx)
			ctx.KV().ClearAll()
			return "", nil
		})
		w.open(upper, o)
		begin(w, o, "i", "")
		completes(w, "i", "")
		w.until("both turns are counted", func() bool { return w.node.Metrics().Commits >= 2 })
		if n := w.node.Metrics().Commits; n != 2 {
			t.Errorf("%d commits of turns, want 2", n)
		}
	})
}
