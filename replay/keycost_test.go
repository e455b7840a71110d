package replay_test

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// besideKeys is a machine whose instance has keys, half of them from the execution before, and takes one message in each
// turn. What it returns takes a turn.
func besideKeys(tb testing.TB, keys int) (turn func()) {
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		for i := range keys / 2 {
			c.KVSet(fmt.Sprint("own-", i), []byte("value"))
		}
		for {
			if _, err := c.Dequeue("q").Await(); err != nil {
				return nil, err
			}
		}
	})
	cfg.KV = map[string]replay.KVEntry{}
	for i := range keys - keys/2 {
		cfg.KV[fmt.Sprint("base-", i)] = replay.KVEntry{Value: []byte("value"), UpdatedMs: 1}
	}
	m := replay.New(cfg)
	tb.Cleanup(m.Close)
	m.Advance(input(msgStart()))
	in := input(msgQ("q", "data"))
	return func() {
		if d := m.Advance(in); d.Outcome != replay.Running || len(d.KV) > 0 {
			tb.Fatalf("outcome %d, changes %v", d.Outcome, d.KV)
		}
	}
}

const manyKeys = 100

// TestKeysCostATurnNothing: a turn that touches no key allocates as much beside a hundred keys as beside none.
func TestKeysCostATurnNothing(t *testing.T) {
	without := testing.AllocsPerRun(1_000, besideKeys(t, 0))
	if with := testing.AllocsPerRun(1_000, besideKeys(t, manyKeys)); with != without {
		t.Errorf("a turn beside %d keys allocates %v times, beside none %v times", manyKeys, with, without)
	}
}

// BenchmarkTurnBesideKeys is a turn that takes a message of a queue, beside keys that it does not touch.
func BenchmarkTurnBesideKeys(b *testing.B) {
	for _, keys := range []int{0, manyKeys} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			turn := besideKeys(b, keys)
			b.ReportAllocs()
			for b.Loop() {
				turn()
			}
		})
	}
}
