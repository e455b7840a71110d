package pebble

import (
	"fmt"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// benchStore is a store on the real disk with an epoch begun everywhere.
func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(Options{Dir: b.TempDir() + "/store"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	for p := range s.core.info.Partitions {
		s.Attach(persistence.Partition(p), func(*persistence.Effects) {})
		await(s, persistence.Partition(p), persistence.Proposal{Command: persistence.BeginEpoch{Epoch: 1, Node: "n", Process: "p"}})
	}
	return s
}

// BenchmarkTurns commits what an orchestration of one activity commits: a fused start and a last turn, one after the
// other, with many orchestrations in flight. An op is one commit.
func BenchmarkTurns(b *testing.B) {
	for _, inFlight := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			s := benchStore(b)
			payload := make([]byte, 200)
			b.ReportAllocs()
			b.ResetTimer()
			before := s.Metrics()
			var wg sync.WaitGroup
			wg.Add(inFlight)
			for w := range inFlight {
				n := b.N / 2 / inFlight
				if w < b.N/2%inFlight {
					n++
				}
				go func() {
					defer wg.Done()
					runInstances(b, s, w, n, payload)
				}()
			}
			wg.Wait()
			b.StopTimer()
			after := s.Metrics()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(after.Commands-before.Commands)/float64(max(1, after.Batches-before.Batches)), "commits/batch")
		})
	}
}

func runInstances(b *testing.B, s *Store, worker, n int, payload []byte) {
	results := make(chan persistence.Result, 1)
	done := func(r persistence.Result) { results <- r }
	for i := range n {
		id := fmt.Sprintf("instance-%d-%d", worker, i)
		p := s.PartitionOf(id)
		start := fusedStart(id)
		start.Segment.Parts[0].Events = payload
		s.Propose(p, persistence.Proposal{TimeMs: 1, Epoch: 1, Command: start, Done: done})
		r := <-results
		if r.Err != nil {
			b.Error(r.Err)
			return
		}
		last := lastTurn(id, r.IID, 1)
		last.Segment.Parts[0].Events = payload
		s.Propose(p, persistence.Proposal{TimeMs: 2, Epoch: 1, Command: last, Done: done})
		if r := <-results; r.Err != nil {
			b.Error(r.Err)
			return
		}
	}
}
