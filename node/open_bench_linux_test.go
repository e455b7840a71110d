//go:build linux && !race

package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/turnstone-dev/turnstone/node"
)

// BenchmarkOpen opens new, empty stores (F13). What is resident is measured well in a process of its own:
//
//	go test ./node -run "^$" -bench "BenchmarkOpen/256$" -benchtime 1x
func BenchmarkOpen(b *testing.B) {
	for _, partitions := range []int{8, 64, 256} {
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				b.StopTimer()
				cfg := node.Config{
					Dir: filepath.Join(b.TempDir(), "store"), Partitions: partitions, Logger: slog.New(slog.DiscardHandler),
				}
				b.StartTimer()
				n, err := node.Open(context.Background(), cfg)
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(processMemory(b, "VmRSS"), "MiB-resident")
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB-live")
				b.ReportMetric(float64(n.Metrics().Reads), "reads")
				if err := n.Shutdown(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
