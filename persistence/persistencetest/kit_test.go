package persistencetest

import "testing"

// TestModel runs the kit on the model: what every implementation is compared with must itself be right.
func TestModel(t *testing.T) { Run(t, MemoryHarness(Faults{})) }

// TestRandom plays random commands to the model behind its journal, which cuts batches as it likes, and checks that
// the generator reaches what it must.
func TestRandom(t *testing.T) {
	seeds := 3
	if testing.Short() {
		seeds = 1
	}
	for seed := range uint64(seeds) {
		trace := Generate(seed, 3, 8000, 24)
		CheckCoverage(NewT(t), trace.Coverage)
		Play(NewT(t), MemoryHarness(Faults{}).Open(NewT(t), 3), trace, seed, 4)
		for _, what := range sortedKeys(trace.Coverage) {
			t.Logf("%6d %s", trace.Coverage[what], what)
		}
	}
}

// TestRandomViews plays shorter ones, which are read often.
func TestRandomViews(t *testing.T) {
	seeds := 10
	if testing.Short() {
		seeds = 4
	}
	for seed := range uint64(seeds) {
		Play(NewT(t), MemoryHarness(Faults{}).Open(NewT(t), 2), Generate(seed, 2, 400, 8), seed, 2)
	}
}
