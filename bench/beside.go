package main

import (
	"slices"

	"github.com/turnstone-dev/turnstone/bench/limit"
)

// roundsMax is in how many rounds a workload runs beside its limit. The speed of a machine that others use changes within
// seconds, so the two take turns. What counts is the ratio of the totals; those of the rounds show how far to trust it.
const roundsMax = 10

// besideCommits measures bare commits of the same rows, with as many in flight: orchestrations per second.
func besideCommits(b *bench, dir string) {
	b.limit = func(n int) (float64, error) {
		r, err := limit.Run(dir, n, b.line.InFlight, limit.DefaultRows)
		b.limitSeconds += r.Seconds
		return r.PerSec, err
	}
}

// besideSyncs measures bare syncs, one after the other, while the engine is idle: the median, in milliseconds.
func besideSyncs(b *bench, dir string) {
	b.limit = func(n int) (float64, error) { return limit.BareSync(dir, n) }
}

// rounds runs the workload's n in rounds, and between them what is measured beside it, as often. Without a limit there
// is one round.
func (b *bench) rounds(run func(from, to int) error) error {
	n, rounds := b.line.N, 1
	if b.limit != nil {
		rounds = min(roundsMax, n)
	}
	for i := range rounds {
		from, to := n*i/rounds, n*(i+1)/rounds
		if err := b.besideRound(to - from); err != nil {
			return err
		}
		before := b.line.Seconds
		if err := b.timed(func() error { return run(from, to) }); err != nil {
			return err
		}
		if b.limit != nil {
			perSec := float64(to-from) / (b.line.Seconds - before)
			b.ratios = append(b.ratios, perSec/b.limits[i])
		}
	}
	return nil
}

func (b *bench) besideRound(n int) error {
	if b.limit == nil {
		return nil
	}
	value, err := b.limit(n)
	b.limits = append(b.limits, value)
	return err
}

// compare puts what was measured beside the workload into its line.
func (b *bench) compare() {
	l := &b.line
	switch {
	case b.limit == nil:
	case l.Workload == "w4":
		l.SyncMs = middle(b.limits)
		l.SyncRatio = l.P50Ms / (2 * l.SyncMs)
	default:
		l.LimitPerSec = float64(l.N) / b.limitSeconds
		l.LimitRatio = float64(l.N) / l.Seconds / l.LimitPerSec
		l.LimitRatioMin, l.LimitRatioMax = slices.Min(b.ratios), slices.Max(b.ratios)
	}
}

func middle(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return percentile(v, .50)
}
