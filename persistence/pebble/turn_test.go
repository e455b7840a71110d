package pebble

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// content is a partition's dump without what every command moves.
func (r *rig) content(p persistence.Partition) string {
	d := r.dump(p)
	d.State.Applied = 0
	return d.String()
}

// situation is an instance "i" in partition 0 that stands at execution 1, turn 1, and has one of each row.
type situation struct {
	*rig
	iid persistence.Incarnation
	// fire is its timer's time, seq the seq of its inbox item.
	fire int64
	seq  uint64
}

func newSituation(t *testing.T) *situation {
	t.Helper()
	s := &situation{rig: newRig(t, Options{Partitions: 1}), fire: 5_000}
	s.begin()
	start := fusedStart("i")
	start.Segment = part(1, 4)
	start.Timers = []persistence.TimerRef{{FireAtMs: s.fire, Event: 3}}
	start.Children = []persistence.NewChild{{Event: 4, ID: "child", Policy: 1}}
	start.AcceptedStart.Request.Key = "start-key"
	s.iid = s.ok(0, start).IID
	s.seq = s.ok(0, &persistence.Enqueue{ID: "i", Message: []byte("m"), Request: persistence.Request{Key: "m-key"}}).Seq
	return s
}

// next is a turn that follows the situation.
func (s *situation) next(change ...func(*persistence.CommitTurn)) *persistence.CommitTurn {
	c := &persistence.CommitTurn{
		ID: "i", IID: s.iid, Execution: 1, Turn: 1, Segment: part(5, 2), Outcome: persistence.OutcomeRunning,
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func (s *situation) refused(want *persistence.Refusal, c persistence.Command) {
	s.t.Helper()
	before := s.content(0)
	index := s.dump(0).State.Applied
	effects := len(s.effects)
	res := s.do(0, c)
	var got *persistence.Refusal
	if !errors.As(res.Err, &got) {
		s.t.Fatalf("%T: got %v, want %v", c, res.Err, want)
	}
	if got.Code != want.Code || !slices.Equal(got.Stale, want.Stale) || got.IID != want.IID || got.Size != want.Size {
		s.t.Fatalf("%T: got %+v, want %+v", c, got, want)
	}
	if after := s.content(0); after != before {
		s.t.Fatalf("%T left a trace:\n%s\nbefore:\n%s", c, after, before)
	}
	if res.Index != index+1 {
		s.t.Fatalf("%T took index %d, want %d", c, res.Index, index+1)
	}
	if len(s.effects) != effects {
		s.t.Fatalf("%T had effects: %+v", c, s.effects[effects:])
	}
}

func conflict() *persistence.Refusal { return &persistence.Refusal{Code: persistence.Conflict} }

func TestTurnsThatContradictThemselvesAreConflicts(t *testing.T) {
	s := newSituation(t)
	for name, change := range map[string]func(*persistence.CommitTurn){
		"no outcome":            func(c *persistence.CommitTurn) { c.Outcome = 0 },
		"unknown outcome":       func(c *persistence.CommitTurn) { c.Outcome = 9 },
		"next without continue": func(c *persistence.CommitTurn) { c.Next = &persistence.NextStart{} },
		"continue without next": func(c *persistence.CommitTurn) { c.Outcome = persistence.OutcomeContinued },
		"start with an iid":     func(c *persistence.CommitTurn) { c.AcceptedStart = &persistence.StartInstance{ID: "i"} },
		"neither":               func(c *persistence.CommitTurn) { c.IID = 0 },
		"gap between parts": func(c *persistence.CommitTurn) {
			c.Segment.Parts = append(c.Segment.Parts, persistence.SegmentPart{FirstEvent: 8, Count: 1})
		},
		"empty second part": func(c *persistence.CommitTurn) {
			c.Segment.Parts = append(c.Segment.Parts, persistence.SegmentPart{FirstEvent: 7})
		},
		"work outside":      func(c *persistence.CommitTurn) { c.Work = []persistence.NewWork{{Event: 7}} },
		"timer outside":     func(c *persistence.CommitTurn) { c.Timers = []persistence.TimerRef{{Event: 4}} },
		"child twice":       func(c *persistence.CommitTurn) { c.Children = []persistence.NewChild{{Event: 5}, {Event: 5}} },
		"work falls":        func(c *persistence.CommitTurn) { c.Work = []persistence.NewWork{{Event: 6}, {Event: 5}} },
		"unknown send":      func(c *persistence.CommitTurn) { c.Sends = []persistence.Send{{Kind: 77}} },
		"journal's own":     func(c *persistence.CommitTurn) { c.Sends = []persistence.Send{{Kind: persistence.SendChildExists}} },
		"work, no events":   func(c *persistence.CommitTurn) { c.Segment.Parts = nil; c.Work = []persistence.NewWork{{Event: 5}} },
		"other id":          func(c *persistence.CommitTurn) { c.ID = "j" },
		"unknown iid":       func(c *persistence.CommitTurn) { c.IID = 99 },
		"other execution":   func(c *persistence.CommitTurn) { c.Execution = 2 },
		"older turn":        func(c *persistence.CommitTurn) { c.Turn = 0; c.ConsumesStart = true },
		"newer turn":        func(c *persistence.CommitTurn) { c.Turn = 2 },
		"later events":      func(c *persistence.CommitTurn) { c.Segment = part(6, 1) },
		"consumes no start": func(c *persistence.CommitTurn) { c.ConsumesStart = true },
	} {
		t.Run(name, func(t *testing.T) { s.rig.t = t; s.refused(conflict(), s.next(change)) })
	}
}

func TestFusedStartChecks(t *testing.T) {
	s := newSituation(t)
	fresh := func(id string, change func(*persistence.CommitTurn)) *persistence.CommitTurn {
		c := fusedStart(id)
		change(c)
		return c
	}
	s.refused(&persistence.Refusal{Code: persistence.AlreadyExists, IID: s.iid}, fusedStart("i"))
	s.refused(&persistence.Refusal{Code: persistence.Stale, Stale: []persistence.Position{{Part: persistence.PartStart}}},
		fresh("i", func(c *persistence.CommitTurn) { c.AcceptedStart.Request.Key = "start-key" }))
	s.refused(conflict(), fresh("new", func(c *persistence.CommitTurn) { c.Execution = 2 }))
	s.refused(conflict(), fresh("new", func(c *persistence.CommitTurn) { c.ID = "other" }))
	s.refused(&persistence.Refusal{Code: persistence.LeaseLost}, fresh("new", func(c *persistence.CommitTurn) { c.Token = "t" }))
	s.refused(&persistence.Refusal{Code: persistence.Stale, Stale: []persistence.Position{
		{Part: persistence.PartInbox}, {Part: persistence.PartTimer}, {Part: persistence.PartEvent, Index: 1}, {Part: persistence.PartResult},
	}}, fresh("new", func(c *persistence.CommitTurn) {
		c.ConsumedInbox = []uint64{1}
		c.ConsumedTimers = []persistence.TimerRef{{FireAtMs: 1, Event: 1}}
		c.AcceptedMessages = []persistence.AcceptedMessage{{Request: persistence.Request{Key: "a"}}, {Request: persistence.Request{Key: "a"}}}
		c.AcceptedResults = []persistence.AcceptedResult{{Execution: 1, Event: 2, Epoch: 1}}
	}))
	s.epoch = 0
	s.refused(&persistence.Refusal{Code: persistence.Fenced}, fusedStart("new"))
}

func TestStaleNamesEveryPosition(t *testing.T) {
	s := newSituation(t)
	good := s.next(func(c *persistence.CommitTurn) {
		c.ConsumedInbox = []uint64{s.seq}
		c.ConsumedTimers = []persistence.TimerRef{{FireAtMs: s.fire, Event: 3}}
		c.AcceptedMessages = []persistence.AcceptedMessage{{}, {Request: persistence.Request{Key: "new"}}}
		c.AcceptedResults = []persistence.AcceptedResult{{Execution: 1, Event: 2, Epoch: 1}}
		c.ClosedChildren = []uint64{4}
	})
	bad := *good
	bad.ConsumedInbox = []uint64{s.seq, 7, s.seq}
	bad.ConsumedTimers = []persistence.TimerRef{{FireAtMs: s.fire + 1, Event: 3}, {FireAtMs: s.fire, Event: 3}, {FireAtMs: s.fire, Event: 3}}
	bad.AcceptedMessages = []persistence.AcceptedMessage{{Request: persistence.Request{Key: "m-key"}}, {}, {}, {Request: persistence.Request{Key: "new"}}, {Request: persistence.Request{Key: "new"}}}
	bad.AcceptedResults = []persistence.AcceptedResult{
		{Execution: 1, Event: 2, Epoch: 9}, {Execution: 1, Event: 3, Epoch: 1}, {Execution: 1, Event: 2, Epoch: 1},
	}
	s.refused(&persistence.Refusal{Code: persistence.Stale, Stale: []persistence.Position{
		{Part: persistence.PartInbox, Index: 1}, {Part: persistence.PartInbox, Index: 2},
		{Part: persistence.PartTimer, Index: 0}, {Part: persistence.PartTimer, Index: 2},
		{Part: persistence.PartEvent, Index: 0}, {Part: persistence.PartEvent, Index: 4},
		{Part: persistence.PartResult, Index: 0}, {Part: persistence.PartResult, Index: 1}, {Part: persistence.PartResult, Index: 2},
	}}, &bad)
	s.ok(0, good)
	d := s.dump(0)
	if len(d.Inbox)+len(d.Timers)+len(d.Work)+len(d.Children) != 0 || len(d.Requests) != 3 {
		t.Fatal(d)
	}
	s.refused(conflict(), good)
}

// TestFences is the table of who may commit a turn: under which lease, at which time, from which process and epoch.
func TestFences(t *testing.T) {
	type fence struct {
		name   string
		holder persistence.Holder // "" node: no lease
		at     int64              // time of the commit; the lease ends at 2000
		token  string             // "", "its", "other"
		epoch  uint64
		ended  bool
		want   error
	}
	const none, its, other = "", "its", "other"
	here, remote, dead := persistence.Holder{Node: "n1", Process: "p1"}, persistence.Holder{Node: "n2", Process: "x"}, persistence.Holder{Node: "n1", Process: "p0"}
	for _, f := range []fence{
		{"a grant of the epoch", persistence.Holder{}, 1500, none, 1, false, nil},
		{"a grant of an older epoch", persistence.Holder{}, 1500, none, 0, false, persistence.ErrFenced},
		{"a grant of a newer epoch", persistence.Holder{}, 1500, none, 2, false, persistence.ErrFenced},
		{"a grant of an ended epoch", persistence.Holder{}, 1500, none, 1, true, persistence.ErrFenced},
		{"a token and no lease", persistence.Holder{}, 1500, other, 1, false, persistence.ErrLeaseLost},
		{"the live lease", here, 1999, its, 0, false, nil},
		{"the live lease after its epoch", remote, 1999, its, 0, true, nil},
		{"another's token", here, 1999, other, 1, false, persistence.ErrLeaseLost},
		{"a grant beside a live lease", remote, 1999, none, 1, false, persistence.ErrLeaseLost},
		{"the lease at its expiry", here, 2000, its, 1, false, nil},
		{"a remote lease long after its expiry", remote, 1 << 50, its, 0, false, nil},
		{"another's token after the expiry", here, 2000, other, 1, false, persistence.ErrLeaseLost},
		{"the lease of a dead process after its expiry", dead, 2000, its, 1, false, persistence.ErrLeaseLost},
		{"a grant after the expiry", here, 2000, none, 1, false, nil},
		{"an old grant after the expiry", here, 2000, none, 0, false, persistence.ErrFenced},
		{"the lease of a dead process", dead, 1500, its, 1, false, persistence.ErrLeaseLost},
		{"a grant beside a dead process's lease", dead, 1500, none, 1, false, nil},
	} {
		t.Run(f.name, func(t *testing.T) {
			s := newSituation(t)
			s.now = 1000
			tokens := map[string]persistence.Token{other: persistence.NewTurnToken(0, s.iid, 1, 1)}
			if f.holder.Node != "" {
				tokens[its] = s.ok(0, &persistence.LeaseTurn{
					IID: s.iid, Execution: 1, Turn: 1, Holder: f.holder, TTLMs: 1000, Nonce: 5,
				}).Token
			}
			if f.ended {
				s.ok(0, persistence.EndEpoch{})
			}
			s.now, s.epoch = f.at, f.epoch
			c := s.next(func(c *persistence.CommitTurn) { c.Token = tokens[f.token] })
			if f.want == nil {
				s.ok(0, c)
				if d := s.dump(0); len(d.Leases) != 0 {
					t.Fatal("the commit left the lease")
				}
				return
			}
			var want persistence.Refusal
			for code := persistence.Conflict; code <= persistence.Stale; code++ {
				if (&persistence.Refusal{Code: code}).Is(f.want) {
					want.Code = code
				}
			}
			s.refused(&want, c)
		})
	}
}

// TestWorkFences is the same for work: complete, abandon and accept share the fence.
func TestWorkFences(t *testing.T) {
	s := newSituation(t)
	key := persistence.WorkKey{IID: s.iid, Execution: 1, Event: 2}
	code := func(c persistence.Code) *persistence.Refusal { return &persistence.Refusal{Code: c} }
	s.refused(code(persistence.NotFound), &persistence.CompleteWork{Key: persistence.WorkKey{IID: s.iid, Execution: 1, Event: 9}})
	s.refused(code(persistence.LeaseLost), &persistence.CompleteWork{Key: key, Attempts: 1})
	s.refused(code(persistence.LeaseLost), &persistence.CompleteWork{Key: key, Token: "x"})
	s.epoch = 2
	s.refused(code(persistence.Fenced), &persistence.CompleteWork{Key: key})
	s.refused(code(persistence.Fenced), &persistence.AbandonWork{Key: key})
	s.epoch = 1
	s.refused(code(persistence.Conflict), &persistence.LeaseWork{Key: key, Attempts: 3})
	lease := s.ok(0, &persistence.LeaseWork{Key: key, Holder: persistence.Holder{Node: "n2"}, TTLMs: 100, Nonce: 1})
	if lease.Attempts != 1 {
		t.Fatal(lease.Attempts)
	}
	s.refused(code(persistence.LeaseLost), &persistence.LeaseWork{Key: key, Attempts: 1, Holder: persistence.Holder{Node: "n1", Process: "p1"}})
	s.refused(code(persistence.LeaseLost), &persistence.CompleteWork{Key: key, Attempts: 1})
	renewed := s.ok(0, &persistence.RenewWork{Tokens: []persistence.Token{lease.Token, "junk"}, TTLMs: 500})
	if !slices.Equal(renewed.Live, []bool{true, false}) {
		t.Fatal(renewed.Live)
	}
	s.now += 499
	s.ok(0, &persistence.AbandonWork{Key: key, Token: lease.Token, Attempts: 1, DelayMs: 50, Counts: false})
	// The delay is the dispatcher's business: a lease ends it.
	s.ok(0, &persistence.LeaseWork{Key: key, Attempts: 0, Holder: persistence.Holder{Node: "n1", Process: "gone"}, TTLMs: 1000, Nonce: 2})
	// Its process is dead, so the lease is: a grant that has seen the attempt completes it.
	res := s.ok(0, &persistence.CompleteWork{Key: key, Attempts: 1, Message: []byte("r")})
	if res.Seq != s.seq+1 {
		t.Fatal(res.Seq)
	}
	s.refused(code(persistence.NotFound), &persistence.CompleteWork{Key: key, Attempts: 1})
}

// TestTerminalCommitCleansUp leaves everything open and finds nothing afterwards.
func TestTerminalCommitCleansUp(t *testing.T) {
	for _, outcome := range []persistence.TurnOutcome{persistence.OutcomeCompleted, persistence.OutcomeFailed, persistence.OutcomeContinued} {
		s := newSituation(t)
		for range 100 {
			s.ok(0, &persistence.Enqueue{ID: "i", Message: []byte("m")})
		}
		s.effects = nil
		s.ok(0, s.next(func(c *persistence.CommitTurn) {
			c.Outcome = outcome
			c.Work = []persistence.NewWork{{Event: 5, Name: "late"}}
			c.Timers = []persistence.TimerRef{{FireAtMs: 9, Event: 6}}
			if outcome == persistence.OutcomeContinued {
				c.Next = &persistence.NextStart{Name: "o2", Version: "2.0.0", Start: []byte("carried")}
			}
		}))
		d := s.dump(0)
		h := d.Heads[0]
		if len(d.Work)+len(d.Timers)+len(d.Children)+len(d.Leases) != 0 || h.Work+h.Timers+h.Children != 0 {
			t.Fatal(d)
		}
		e := s.effects[len(s.effects)-1]
		if len(e.Work) != 0 || len(e.Timers) != 0 || len(e.WorkDeleted) != 2 || len(e.TimersDeleted) != 2 {
			t.Fatalf("%+v", e)
		}
		if outcome != persistence.OutcomeContinued {
			if len(d.Inbox) != 0 || h.Inbox != 0 || h.EndedAtMs != s.now || len(e.Ended) != 1 {
				t.Fatal(d)
			}
			continue
		}
		if len(d.Inbox) != 101 || len(d.Starts) != 1 || h.Execution != 2 || h.Turn != 0 || h.NextEvent != 1 ||
			h.Status != persistence.StatusPending || h.Name != "o2" || h.Pin != "" || h.Chain != persistence.SeedChain(h.IID, 2, h.Previous) {
			t.Fatal(d)
		}
		if len(e.Starts) != 1 || e.Starts[0].Execution != 2 {
			t.Fatalf("%+v", e)
		}
	}
}

// TestTurnWithoutEventsIsKept checks that a turn which only rejected messages does not vanish under the next one.
func TestTurnWithoutEventsIsKept(t *testing.T) {
	s := newSituation(t)
	s.ok(0, s.next(func(c *persistence.CommitTurn) {
		c.Segment = persistence.SegmentDraft{Header: []byte("rejected one")}
		c.ConsumedInbox = []uint64{s.seq}
	}))
	s.ok(0, s.next(func(c *persistence.CommitTurn) { c.Turn = 2 }))
	d := s.dump(0)
	var turns []string
	for _, p := range d.Parts {
		turns = append(turns, string(p.Header))
	}
	if len(d.Parts) != 3 || d.Parts[1].Count != 0 || d.Parts[1].Turn != 2 || !strings.Contains(turns[1], "rejected") {
		t.Fatal(d)
	}
	chain := persistence.SeedChain(s.iid, 1, persistence.Chain{})
	for i := range d.Parts {
		if chain = chain.Next(&d.Parts[i].StoredPart); chain != d.Parts[i].Chain {
			t.Fatalf("part %d does not fit the chain", i)
		}
	}
	if d.Heads[0].Chain != chain || d.Heads[0].LastPart != 5 {
		t.Fatal(d)
	}
}

// TestSmallHeadCacheChangesNothing runs many instances through a cache of one head.
func TestSmallHeadCacheChangesNothing(t *testing.T) {
	var dumps []string
	for _, size := range []int{1, 1000} {
		r := newRig(t, Options{Partitions: 1, Tuning: Tuning{HeadCache: size}})
		r.begin()
		var iids []persistence.Incarnation
		ids := []string{"a", "b", "c", "d"}
		for _, id := range ids {
			iids = append(iids, r.ok(0, fusedStart(id)).IID)
		}
		for i, id := range ids {
			r.ok(0, &persistence.Enqueue{ID: id, Message: []byte("m")})
			r.ok(0, lastTurn(id, iids[i], 1))
		}
		dumps = append(dumps, r.content(0))
	}
	if dumps[0] != dumps[1] {
		t.Fatalf("%s\n%s", dumps[0], dumps[1])
	}
}
