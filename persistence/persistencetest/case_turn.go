package persistencetest

import (
	"errors"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// fused proposes a fused start as a grant of this partition's epoch would.
func (s *story) fused(id, key string) persistence.Result {
	p := newFusedPlan(persistence.StartInstance{ID: id, Name: "n", Version: "1.0.0", Request: persistence.Request{Key: key}}, s.nowMs)
	p.schedule("w")
	return s.do(id, p.build())
}

func fusedStart(s *story) {
	r := s.fused("a", "k")
	must(s, r.Err)
	head, _ := s.head("a")
	if r.IID != head.IID || r.Turn != 1 || head.Status != persistence.StatusRunning || head.Turn != 1 {
		s.Errorf("result %+v, head %+v", r, head)
	}
	s.wantHistory("a", 1, "1 Started, 2 wants w")
	err := s.fused("a", "").Err
	s.refused(err, persistence.ErrAlreadyExists, "a second fused start")
	var refusal *persistence.Refusal
	if errors.As(err, &refusal); refusal == nil || refusal.IID != r.IID {
		s.Errorf("the refusal does not name the incarnation %d: %+v", r.IID, refusal)
	}
	err = s.fused("a", "k").Err
	s.refused(err, persistence.ErrStale, "a fused start with a known key")
	if again := s.must("a", &persistence.StartInstance{ID: "a", Name: "n", Request: persistence.Request{Key: "k"}}); again.IID != r.IID || !again.Repeated {
		s.Errorf("the key of a fused start answers %+v", again)
	}
}

func staleParts(s *story) {
	s.withWork("a", "w1", "w2")
	s.must("a", &persistence.Enqueue{ID: "a", Message: eventMessage("x"), Request: persistence.Request{Key: "known"}})
	f := s.mustFetch()
	p := newPlan(f.head, s.nowMs)
	p.commit.Token = f.token
	p.commit.ConsumedInbox = []uint64{f.items[0].Seq, 77, f.items[0].Seq}
	p.commit.ConsumedTimers = []persistence.TimerRef{{FireAtMs: 5, Event: 2}}
	p.commit.AcceptedMessages = []persistence.AcceptedMessage{{Request: persistence.Request{Key: "known"}}, {Request: persistence.Request{Key: "new"}}, {Request: persistence.Request{Key: "new"}}, {}}
	epoch := s.epochs[s.store.Journal().PartitionOf("a")]
	p.commit.AcceptedResults = []persistence.AcceptedResult{
		{Execution: 1, Event: 2, Epoch: epoch}, {Execution: 1, Event: 3, Epoch: epoch, Attempts: 4}, {Execution: 1, Event: 99},
	}
	p.note("must not be there")
	err := f.ack(p)
	var refusal *persistence.Refusal
	if !errors.As(err, &refusal) || refusal.Code != persistence.Stale {
		s.Fatalf("got %v, want Stale", err)
	}
	want := []persistence.Position{
		{Part: persistence.PartInbox, Index: 1}, {Part: persistence.PartInbox, Index: 2}, {Part: persistence.PartTimer, Index: 0},
		{Part: persistence.PartEvent, Index: 0}, {Part: persistence.PartEvent, Index: 2},
		{Part: persistence.PartResult, Index: 1}, {Part: persistence.PartResult, Index: 2},
	}
	if !slices.Equal(refusal.Stale, want) {
		s.Errorf("stale are %v, want %v", refusal.Stale, want)
	}
	if head, _ := s.head("a"); head.Inbox != 1 || head.Work != 2 || head.Turn != 1 {
		s.Errorf("a refused turn left its trace: %+v", head)
	}
	f.mustAck("now")
}

func leftovers(s *story) {
	for _, id := range []string{"ends", "continues"} {
		s.start(id)
		f := s.mustFetch()
		p := f.plan()
		p.schedule("w")
		p.timer(s.nowMs + 10)
		p.child(id+"::sub::4", "child", "1.0.0")
		f.mustCommit(p)
		s.mustFetch().mustAck() // the child's first turn
		j := s.mustFetchWork("w", lockMs)
		s.send(id, "first", 0)
		f = s.mustFetch()
		s.send(id, "kept?", 0)
		p = f.plan()
		if id == "ends" {
			p.fail(persistence.Link{})
		} else {
			p.continueAsNew(id, "")
		}
		f.mustCommit(p)
		s.refused(j.complete("late"), persistence.ErrNotFound, "an answer to deleted work")
		s.later(20)
		head, _ := s.head(id)
		if head.Work != 0 || head.Timers != 0 || head.Children != 0 {
			s.Errorf("%s: left over: %+v", id, head)
		}
		if id == "ends" {
			s.noFetch("it has ended")
		} else if f = s.mustFetch(); f.texts() != "kept?" || f.start == nil {
			s.Errorf("the next execution finds %q", f.texts())
		}
	}
}

func resultOnce(s *story) {
	s.withWork("a", "w1", "w2")
	head, _ := s.head("a")
	pa := s.store.Journal().PartitionOf("a")
	accepted := persistence.AcceptedResult{Execution: 1, Event: 2, Epoch: s.epochs[pa]}
	p := newPlan(head, s.nowMs)
	p.acceptResult(accepted)
	must(s, s.do("a", p.build()).Err)
	head, _ = s.head("a")
	p = newPlan(head, s.nowMs)
	p.acceptResult(accepted)
	s.refused(s.do("a", p.build()).Err, persistence.ErrStale, "the same result accepted again")
	s.refused(s.do("a", &persistence.CompleteWork{Key: persistence.WorkKey{IID: head.IID, Execution: 1, Event: 2},
		Message: []byte("x")}).Err, persistence.ErrNotFound, "the same result through the inbox")
	j := s.mustFetchWork("w2", lockMs)
	p = newPlan(head, s.nowMs)
	p.acceptResult(persistence.AcceptedResult{Execution: 1, Event: 3, Epoch: s.epochs[pa]})
	s.refused(s.do("a", p.build()).Err, persistence.ErrStale, "a granted result of leased work")
	j.mustComplete("ok")
	f := s.mustFetch()
	f.mustAck()
	s.refused(f.ack(f.plan()), persistence.ErrConflict, "the same turn again")
}

func cancelled(s *story) {
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.schedule("keep")
	gone := p.schedule("gone")
	p.cancelWork(gone)
	f.mustCommit(p)
	kept := s.mustFetchWork("keep", lockMs)
	s.noWork("the other was cancelled in its own turn")
	s.send("a", "x", 0)
	f = s.mustFetch()
	p = f.plan()
	p.cancelWork(kept.item.Key.Event)
	p.commit.CancelledWork = append(p.commit.CancelledWork, 4711)
	f.mustCommit(p)
	if kept.renew(lockMs) {
		s.Errorf("the lease of a cancelled activity was renewed: its holder would never learn")
	}
	s.refused(kept.complete("late"), persistence.ErrNotFound, "the result of a cancelled activity")
}

func timersOnce(s *story) {
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	fires, dropped := p.timer(s.nowMs+10), p.timer(s.nowMs+20)
	f.mustCommit(p)
	s.later(10)
	f = s.mustFetch()
	wantTexts(s, f, "timer fired")
	p = f.plan()
	p.commit.CancelledTimers = []persistence.TimerRef{dropped, fires}
	f.mustCommit(p)
	s.later(100)
	s.noFetch("one has fired and one was cancelled")
	head, _ := s.head("a")
	p = newPlan(head, s.nowMs)
	p.takeTimer(fires)
	s.refused(s.do("a", p.build()).Err, persistence.ErrStale, "a timer that has fired")
}

func malformed(s *story) {
	s.withWork("a", "w")
	head, _ := s.head("a")
	before := s.dumpOf("a")
	for name, spoil := range map[string]func(p *plan, c *persistence.CommitTurn){
		"no outcome":            func(_ *plan, c *persistence.CommitTurn) { c.Outcome = 0 },
		"next without continue": func(_ *plan, c *persistence.CommitTurn) { c.Next = &persistence.NextStart{} },
		"continue without next": func(_ *plan, c *persistence.CommitTurn) { c.Outcome = persistence.OutcomeContinued },
		"a gap between parts":   func(_ *plan, c *persistence.CommitTurn) { c.Segment.Parts[1].FirstEvent++ },
		"a gap before the turn": func(_ *plan, c *persistence.CommitTurn) { c.Segment.Parts = c.Segment.Parts[1:] },
		"work beyond its segment": func(_ *plan, c *persistence.CommitTurn) {
			c.Work = []persistence.NewWork{{Event: head.NextEvent + 10}}
		},
		"work before its segment": func(_ *plan, c *persistence.CommitTurn) { c.Work = []persistence.NewWork{{Event: 1}} },
		"an unknown send":         func(_ *plan, c *persistence.CommitTurn) { c.Sends = []persistence.Send{{Kind: 99, To: "a"}} },
		"a start once more":       func(_ *plan, c *persistence.CommitTurn) { c.ConsumesStart = true },
		"a start with an incarnation": func(_ *plan, c *persistence.CommitTurn) {
			c.AcceptedStart = &persistence.StartInstance{ID: "a"}
		},
		"another's id":      func(_ *plan, c *persistence.CommitTurn) { c.ID = "b" },
		"another execution": func(_ *plan, c *persistence.CommitTurn) { c.Execution++ },
		"another turn":      func(_ *plan, c *persistence.CommitTurn) { c.Turn-- },
		"no incarnation":    func(_ *plan, c *persistence.CommitTurn) { c.IID = 4711 },
	} {
		p := newPlan(head, s.nowMs)
		p.perPart = 1
		p.note("one")
		p.note("two")
		c := p.build()
		spoil(p, c)
		s.refused(s.do("a", c).Err, persistence.ErrConflict, name)
	}
	after := s.dumpOf("a")
	after.State.Applied = before.State.Applied
	if before.String() != after.String() {
		s.Errorf("refused turns left a trace:\n%s", firstDifference(before.String(), after.String()))
	}
}
