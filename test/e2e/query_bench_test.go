package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// BenchmarkQueryOfAResident asks an instance that is in memory, one query at a time, and reports the median and the 99th
// percentile of the answers' times.
func BenchmarkQueryOfAResident(b *testing.B) {
	registry := turnstone.NewRegistry()
	if err := registry.Register(order, upper); err != nil {
		b.Fatal(err)
	}
	n, err := node.Open(b.Context(), node.Config{Dir: b.TempDir() + "/store", Registry: registry})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = n.Shutdown(b.Context()) }()
	c := n.Client()
	if _, err := client.Start(b.Context(), c, "i", order, "Ada"); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := client.Query[[]string](b.Context(), c, "i", "items", struct{}{}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.ReportMetric(micros(took[len(took)/2]), "p50-us")
	b.ReportMetric(micros(took[len(took)*99/100]), "p99-us")
}
