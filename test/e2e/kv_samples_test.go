package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

func TestSamplesValues(t *testing.T) {
	scenario(t, "E2E_032 a server answers events through values", func(w *world) {
		type request struct{ Key, Text string }
		server := text("Server", func(ctx octx, _ string) (string, error) {
			put(ctx, "status", "ready")
			for range 3 {
				r, err := turnstone.WaitEvent[request](ctx, "request").Await()
				if err != nil {
					return "", err
				}
				reversed := []rune(r.Text)
				slices.Reverse(reversed)
				put(ctx, r.Key, string(reversed))
			}
			put(ctx, "status", "shutdown")
			return "served", nil
		})
		w.open(server)
		begin(w, server, "server", "")
		value := func(key, want string) func() bool {
			return func() bool { v, ok, err := w.c.KV(w.ctx, "server", key); return ok && err == nil && string(v) == want }
		}
		w.until("it is ready", value("status", "ready"))
		for i, word := range []string{"abc", "hello", "xyz"} {
			key := fmt.Sprint("response-", i)
			w.raise("server", "request", request{key, word})
			w.until("the answer", value(key, []string{"cba", "olleh", "zyx"}[i]))
			w.restart()
		}
		completes(w, "server", "served")
		w.stores("server", "response-0=cba response-1=olleh response-2=zyx status=shutdown")
	})
	scenario(t, "E2E_033 one orchestration polls the values of another", func(w *world) {
		producer := text("Producer", func(ctx octx, _ string) (string, error) {
			for i := range 7 {
				turnstone.SetKV(ctx, "sum", (i+1)*7)
				ctx.Sleep(2 * ms)
			}
			put(ctx, "state", "done")
			return turnstone.WaitEvent[string](ctx, "ack").Await()
		})
		consumer := text("Consumer", func(ctx octx, from string) (string, error) {
			for {
				state, err := ctx.GetKVFrom(from, "state").Await()
				if err != nil {
					return "", err
				}
				if state != nil && string(*state) == "done" {
					break
				}
				ctx.Sleep(2 * ms)
			}
			sum, err := turnstone.GetKVFrom[int](ctx, from, "sum").Await()
			if err != nil {
				return "", err
			}
			return fmt.Sprint("consumed:", *sum), nil
		})
		w.open(producer, consumer)
		begin(w, producer, "producer", "")
		begin(w, consumer, "consumer", "producer")
		completes(w, "consumer", "consumed:49")
		w.raise("producer", "ack", "acknowledged")
		completes(w, "producer", "acknowledged")
	})
	scenario(t, "E2E_034 a counter is kept in values", func(w *world) {
		process := activity("Process", func(s string) (string, error) { return "processed:" + s, nil })
		o := turnstone.NewOrchestration("O", func(ctx octx, words []string) (int, error) {
			for _, word := range words {
				n, _, err := turnstone.GetKV[int](ctx, "count")
				if err != nil {
					return 0, err
				}
				last, err := process.Call(ctx, word)
				if err != nil {
					return 0, err
				}
				put(ctx, "last", last)
				turnstone.SetKV(ctx, "count", n+1)
			}
			n, _, err := turnstone.GetKV[int](ctx, "count")
			return n, err
		})
		w.open(process, o)
		begin(w, o, "i", []string{"alpha", "beta", "gamma"})
		completes(w, "i", 3)
		w.stores("i", "count=3 last=processed:gamma")
	})
}
