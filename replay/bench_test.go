package replay_test

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// BenchmarkOneActivity is an orchestration with one activity: two turns.
func BenchmarkOneActivity(b *testing.B) {
	cfg := config(greet)
	start, done := input(msgStart()), input(msgAC(2, "r"))
	b.ReportAllocs()
	for b.Loop() {
		m := replay.New(cfg)
		m.Advance(start)
		if d := m.Advance(done); d.Outcome != replay.Completed {
			b.Fatal("not completed")
		}
		m.Close()
	}
}

const steps = 10_000

func sequential(c *replay.Context, _ []byte) ([]byte, error) {
	for range steps {
		if _, err := activity(c, "Step", "in").Await(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// BenchmarkResidentSteps is 10,000 sequential steps, one turn each, on a machine that stays.
func BenchmarkResidentSteps(b *testing.B) {
	cfg := config(sequential)
	b.ReportAllocs()
	for b.Loop() {
		m := replay.New(cfg)
		d := m.Advance(input(msgStart()))
		for d.Outcome == replay.Running {
			d = m.Advance(input(msgAC(d.Activities[0].Event, "r")))
		}
		if m.Replayed() != 0 {
			b.Fatal("replayed")
		}
		m.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
}

// BenchmarkReplaySteps replays the history of 10,000 sequential steps.
func BenchmarkReplaySteps(b *testing.B) {
	cfg := config(sequential)
	var history []replay.Segment
	m := replay.New(cfg)
	in := input(msgStart())
	d := m.Advance(in)
	for n := 0; n < steps-1; n++ {
		history = append(history, d.Segment(uint64(n+1), in, "test"))
		in = input(msgAC(d.Activities[0].Event, "r"))
		d = m.Advance(in)
	}
	history = append(history, d.Segment(steps, in, "test"))
	last := input(msgAC(d.Activities[0].Event, "r"))
	m.Close()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		m := replay.New(cfg)
		m.Load(replay.Segments(history))
		if d := m.Advance(last); d.Outcome != replay.Completed {
			b.Fatal("not completed")
		}
		n += m.Replayed()
		m.Close()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFanOut is 1,000 activities at once, answered one by one.
func BenchmarkFanOut(b *testing.B) {
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		fs := make([]*replay.Future, 1_000)
		for i := range fs {
			fs[i] = activity(c, "A", fmt.Sprint(i))
		}
		c.All(fs...)
		return nil, nil
	})
	b.ReportAllocs()
	for b.Loop() {
		m := replay.New(cfg)
		d := m.Advance(input(msgStart()))
		for _, a := range d.Activities {
			m.Advance(input(msgAC(a.Event, "r")))
		}
		m.Close()
	}
}
