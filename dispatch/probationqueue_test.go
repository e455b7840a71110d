package dispatch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// admitted advances a queue and checks who may start.
func admitted(t *testing.T, g *ProbationQueue, now int64, want ...uint64) {
	t.Helper()
	if got := g.Advance(now); !slices.Equal(got, want) {
		t.Fatalf("at %d ms admitted %v, want %v", now, got, want)
	}
}

func TestLightSuspectsRunTogether(t *testing.T) {
	g := NewProbationQueue(10)
	g.Ask(1, 0)
	g.Ask(2, 2)
	admitted(t, g, 0, 1, 2)
	g.Ask(3, heavyAttempts-1)
	admitted(t, g, 10, 3)
}

func TestAHeavySuspectRunsAlone(t *testing.T) {
	g := NewProbationQueue(10)
	g.Ask(1, 0)
	admitted(t, g, 0, 1)
	g.Ask(2, heavyAttempts)
	g.Ask(3, 0) // asked later, so it does not overtake
	admitted(t, g, 10)
	g.Done(1)
	admitted(t, g, 20, 2)
	if g.FreshAt() != 20+HeavyPauseMs {
		t.Errorf("others start from %d on, want %d", g.FreshAt(), 20+HeavyPauseMs)
	}
	admitted(t, g, 20+AloneMs-1)
	g.Done(2)
	admitted(t, g, 20+AloneMs-1, 3)
}

func TestAHeavySuspectKeepsOthersWaitingForFiveSeconds(t *testing.T) {
	g := NewProbationQueue(10)
	g.Ask(1, 9)
	admitted(t, g, 100, 1)
	g.Ask(2, 9)
	g.Ask(3, 0)
	if g.Wake() != 100+AloneMs {
		t.Fatalf("wakes at %d, want %d", g.Wake(), 100+AloneMs)
	}
	admitted(t, g, 100+AloneMs, 2)
	admitted(t, g, 100+2*AloneMs, 3)
	if g.Wake() != Never {
		t.Errorf("wakes at %d with nobody waiting", g.Wake())
	}
}

func TestOneThatGoesAwayIsNotWaitedFor(t *testing.T) {
	g := NewProbationQueue(10)
	g.Ask(1, 0)
	admitted(t, g, 0, 1)
	g.Ask(2, 9)
	g.Ask(3, 0)
	admitted(t, g, 1)
	g.Done(2)
	admitted(t, g, 2, 3)
}

// TestProbationQueueRules: in every order of events a heavy suspect starts only when all others that run have run for five seconds,
// no light one starts within five seconds of a heavy one, suspects start in their order, and each of them starts.
func TestProbationQueueRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewProbationQueue(10)
		now, next := int64(0), uint64(1)
		heavy := map[uint64]bool{}
		started := map[uint64]int64{} // those that run
		var line []uint64
		check := func() {
			for _, ticket := range g.Advance(now) {
				if ticket != line[0] {
					t.Fatalf("%d starts before %d", ticket, line[0])
				}
				line = line[1:]
				for other, since := range started {
					if now-since < AloneMs && (heavy[ticket] || heavy[other]) {
						t.Fatalf("%d starts %d ms after %d", ticket, now-since, other)
					}
				}
				started[ticket] = now
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				attempts := rapid.Uint32Range(0, 5).Draw(t, "attempts")
				heavy[next] = attempts >= heavyAttempts
				g.Ask(next, attempts)
				line = append(line, next)
				next++
			case 2:
				now += rapid.Int64Range(0, 3000).Draw(t, "ms")
			default:
				if len(started) > 0 {
					running := make([]uint64, 0, len(started))
					for ticket := range started {
						running = append(running, ticket)
					}
					slices.Sort(running)
					ticket := rapid.SampledFrom(running).Draw(t, "ended")
					g.Done(ticket)
					delete(started, ticket)
				}
			}
			check()
		}
		for len(line) > 0 {
			wake := g.Wake()
			if wake == Never || wake <= now {
				t.Fatalf("%d wait, and the queue wakes at %d (now %d)", len(line), wake, now)
			}
			now = wake
			check()
		}
	})
}

// TestF39_ASuspectHasAnAttemptLeftWhenItRunsAlone, so that it does not pay for what stands beside it.
func TestF39_ASuspectHasAnAttemptLeftWhenItRunsAlone(t *testing.T) {
	for _, c := range []struct{ most, alone uint32 }{{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 3}, {10, 3}, {^uint32(0), 3}} {
		if got := HeavyFrom(c.most); got != c.alone {
			t.Errorf("of %d attempts, alone from %d on, want %d", c.most, got, c.alone)
		}
		g := NewProbationQueue(c.most)
		g.Ask(1, c.alone)
		g.Ask(2, c.alone)
		admitted(t, g, 0, 1)
		if c.alone == 0 {
			continue
		}
		g = NewProbationQueue(c.most)
		g.Ask(1, c.alone-1)
		g.Ask(2, c.alone-1)
		admitted(t, g, 0, 1, 2)
	}
}
