package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// journey is an orchestration with a bit of everything, whose history the tests below damage.
func journey(c *replay.Context, in []byte) ([]byte, error) {
	id := c.NewGUID()
	a := activity(c, "Charge", id)
	if c.Race(a, c.Timer(time.Minute)) == 1 {
		return nil, errors.New("timed out")
	}
	paid, err := text(a)
	if err != nil {
		return nil, err
	}
	c.KVSet("paid", []byte(paid))
	packed := c.Go(func(c *replay.Context) (any, error) { return text(child(c, "Pack", paid)) })
	shipped, _ := text(c.Dequeue("shipments"))
	box, err := packed.Await()
	return []byte(string(in) + paid + shipped + box.(string)), err
}

// journeyHistory is what a run of it leaves.
func journeyHistory(t *testing.T) []replay.Segment {
	t.Helper()
	s := tell(t, journey)
	s.turn(msgStart())
	s.turn(msgAC(4, "paid"), msgAC(4, "again"), inExecution(msgAC(9, "stranger"), 7), msgQ("shipments", "shipped"))
	d := s.turn(msgSC(10, "box"), msgXE("unused", "x"))
	wantCompleted(t, d, "inputpaidshippedbox")
	return s.history
}

func TestVerify(t *testing.T) {
	if err := replay.Verify(config(journey), journeyHistory(t)); err != nil {
		t.Fatal(err)
	}
	damages := map[string]struct {
		damage func(h []replay.Segment) []replay.Segment
		says   string
	}{
		"a result": {func(h []replay.Segment) []replay.Segment {
			h[1].Events[0].GetActivityCompleted().Result = []byte("x")
			return h
		}, "segment 2"},
		"an input": {func(h []replay.Segment) []replay.Segment {
			h[0].Events[3].GetActivityScheduled().Input = []byte("x")
			return h
		}, "segment 1"},
		"the entropy":       {func(h []replay.Segment) []replay.Segment { h[0].Header.Entropy[3] = 99; return h }, "segment 1 (turn 1): event 3"},
		"the time":          {func(h []replay.Segment) []replay.Segment { h[0].Header.TimeMs++; return h }, "event 3"},
		"a missing event":   {func(h []replay.Segment) []replay.Segment { h[0].Events = h[0].Events[:4]; return h }, "was made, and is not in the segment"},
		"a missing segment": {func(h []replay.Segment) []replay.Segment { return append(h[:1], h[2:]...) }, "has id"},
		"a surplus event":   {func(h []replay.Segment) []replay.Segment { h[0].Events = append(h[0].Events, evTC(6)); return h }, "was not made again"},
		"an order":          {func(h []replay.Segment) []replay.Segment { e := h[0].Events; e[3], e[4] = e[4], e[3]; return h }, "expected"},
		"the terminal event": {func(h []replay.Segment) []replay.Segment {
			e := h[2].Events
			e[len(e)-1].GetCompleted().Output = nil
			return h
		}, "OrchestrationCompleted"},
		"a rejected message":  {func(h []replay.Segment) []replay.Segment { h[1].Header.Rejected = h[1].Header.Rejected[:1]; return h }, ""},
		"the converted count": {func(h []replay.Segment) []replay.Segment { h[1].Header.Converted--; return h }, "segment 2"},
		"an impossible count": {func(h []replay.Segment) []replay.Segment { h[1].Header.Converted = 99; return h }, "converted events"},
		"an empty segment": {func(h []replay.Segment) []replay.Segment {
			return append(h, replay.Segment{Header: &turnpb.SegmentHeader{}})
		}, "neither events nor"},
	}
	for name, c := range damages {
		t.Run(name, func(t *testing.T) {
			err := replay.Verify(config(journey), c.damage(journeyHistory(t)))
			if c.says == "" {
				if err != nil {
					t.Error(err) // a rejected message leaves no other trace, so its absence cannot be seen
				}
				return
			}
			if err == nil || !errors.Is(err, replay.ErrVerify) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
	t.Run("other code", func(t *testing.T) {
		if err := replay.Verify(config(greet), journeyHistory(t)); err == nil {
			t.Error("other code made the same history")
		}
	})
	t.Run("a segment whose origin is not code is checked for form only, and ends the history", func(t *testing.T) {
		h := journeyHistory(t)[:2]
		m := replay.New(config(greet))
		defer m.Close()
		m.Load(replay.Segments(h))
		in := input()
		d := m.End(in, failure.PoisonOrchestration("inst", 1, 11, 10, ""), turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON)
		h = append(h, d.Segment(3, in, "test"))
		if err := replay.Verify(config(journey), h); err != nil {
			t.Error(err)
		}
		h = append(h, h[0])
		if err := replay.Verify(config(journey), h); err == nil || !strings.Contains(err.Error(), "follow") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCallSites(t *testing.T) {
	m, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
		for range 2 {
			c.Activity("A", nil, replay.ActivityOptions{}).Await()
		}
		return nil, nil
	})
	if len(d.CallSites) != 1 || !strings.Contains(d.CallSites[0].GetText(), "TestCallSites") || !strings.Contains(d.CallSites[0].GetText(), "verify_test.go:") {
		t.Fatalf("call sites: %v", d.CallSites)
	}
	first := d.CallSites[0]
	d = m.Advance(input(msgAC(2, "r")))
	if len(d.CallSites) != 1 || d.CallSites[0].GetText() != "" || d.CallSites[0].GetHash() != first.GetHash() || d.CallSites[0].GetEvent() != 4 {
		t.Errorf("call sites: %v, first %v", d.CallSites, first)
	}
}

func TestSystemActivities(t *testing.T) {
	guids := map[string]bool{}
	s := tell(t, code(func(c *replay.Context) string {
		out := c.NewGUID() + " " + c.NewGUID()
		at := c.UTCNow()
		byHand, _ := text(activity(c, replay.SystemNewGUID, ""))
		c.Timer(time.Second).Await()
		return out + " " + byHand + time.UnixMilli(at).UTC().Format(" 15:04:05 ") + c.Now().Format("15:04:05")
	}))
	d := s.turn(msgStart())
	wantKinds(t, d, "S AS AC(2) AS AC(4) AS AC(6) AS AC(8) TC")
	if len(d.Activities) != 0 {
		t.Errorf("a worker would be asked: %+v", d.Activities)
	}
	d = s.turn(msgTF(10))
	for _, g := range strings.Fields(string(d.Output))[:3] {
		if len(g) != 36 || g[14] != '7' || guids[g] {
			t.Errorf("guid %q", g)
		}
		guids[g] = true
	}
	if !strings.HasSuffix(string(d.Output), " 00:00:01 00:00:02") {
		t.Errorf("output %q", d.Output)
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	m := replay.New(config(code(func(c *replay.Context) string {
		a := c.Now()
		c.Timer(time.Second).Await()
		return c.Now().Sub(a).String()
	})))
	defer m.Close()
	first := input(msgStart())
	m.Advance(first)
	second := input(msgTF(2))
	second.TimeMs = first.TimeMs - 500
	wantCompleted(t, m.Advance(second), "0s")
}
