package persistencetest

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// endCases are about what ends or holds an instance or an activity from outside its code.
func endCases() []Case {
	return []Case{
		{"KIT_022 a held instance is listed and counted, since its first abandon with a reason, until it is released", holding},
		{"KIT_023 a committed turn ends a hold, and so does the end", holdEnds},
		{"KIT_024 an activity whose time is over ends with the message, over a lease unless it waits for its start", expiring},
		{"KIT_025 a terminate needs no code, no lease and no grant; the turn under way finds a conflict", terminating},
		{"KIT_026 a lease of an older process of another node is dead; one of a node that is not known lives", otherNodes},
	}
}

// held lists what is held in an instance's partition.
func (s *story) held(id string) (refs []persistence.HeldRef, count uint64) {
	s.Helper()
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		state, err := r.Partition()
		count = state.Held
		for err == nil {
			var page []persistence.HeldRef
			after := persistence.HeldRef{}
			if len(refs) > 0 {
				after = refs[len(refs)-1]
			}
			if page, err = r.ScanHeld(after, 1); len(page) == 0 {
				break
			}
			refs = append(refs, page...)
		}
		return err
	})
	return refs, count
}

func (s *story) leaseOf(id string) (lease persistence.TurnLease) {
	s.Helper()
	head, _ := s.head(id)
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) (err error) {
		lease, _, err = r.TurnLease(head.IID)
		return err
	})
	return lease
}

func (f *fetched) hold(reason, build string) error {
	return f.s.do(f.head.ID, &persistence.AbandonTurn{
		IID: f.head.IID, Execution: f.head.Execution, Turn: f.head.Turn, Token: f.token, DelayMs: 100,
		Reason: reason, Build: build,
	}).Err
}

func holding(s *story) {
	const a, b = "a", "a::sub::b" // in one partition
	since := s.nowMs
	must(s, running(s, a, "x").hold("nondeterministic", "b1"))
	s.later(50)
	must(s, running(s, b, "x").hold("no handler", "b1"))
	first, second := persistence.HeldRef{SinceMs: since, IID: 1}, persistence.HeldRef{SinceMs: since + 50, IID: 2}
	if refs, n := s.held(a); n != 2 || fmt.Sprint(refs) != fmt.Sprint([]persistence.HeldRef{first, second}) {
		s.Errorf("held are %v, counted %d", refs, n)
	}
	for i, build := range []string{"b1", "b1", "b2"} {
		s.later(100)
		f := s.mustFetch()
		for f.head.ID != a {
			must(s, f.abandon(1, false))
			f = s.mustFetch()
		}
		if i == 1 {
			must(s, f.abandon(100, false)) // no reason: it stays held, and this was no try
			continue
		}
		must(s, f.hold("nondeterministic", build))
	}
	s.reopen()
	want := persistence.Held{Reason: "nondeterministic", Build: "b2", Tries: 1, SinceMs: since}
	if l := s.leaseOf(a); l.Held != want || l.NotBeforeMs != s.nowMs+100 {
		s.Errorf("the lease row is %+v, want %+v", l, want)
	}
	if r := s.must(a, &persistence.ReleaseTurn{ID: a}); !r.Released || r.IID != 1 {
		s.Errorf("release: %+v", r)
	}
	if refs, n := s.held(a); n != 1 || len(refs) != 1 || refs[0] != second {
		s.Errorf("held after the release are %v, counted %d", refs, n)
	}
	if l := s.leaseOf(a); l != (persistence.TurnLease{}) {
		s.Errorf("the release left %+v", l)
	}
	if r := s.must(a, &persistence.ReleaseTurn{ID: a}); r.Released {
		s.Errorf("a second release: %+v", r)
	}
	s.refused(s.do("nobody", &persistence.ReleaseTurn{ID: "nobody"}).Err, persistence.ErrNotFound, "release of nobody")
	if f := s.mustFetch(); f.head.ID != a {
		s.Errorf("fetched %s, want the released one at once", f.head.ID)
	}
}

func holdEnds(s *story) {
	must(s, running(s, "a", "x").hold("no handler", "b1"))
	s.later(100)
	f := s.mustFetch()
	if l := s.leaseOf("a"); l.Held.Reason == "" || l.Token == "" {
		s.Errorf("a lease of a held instance is %+v", l)
	}
	if l := s.leaseOf("a"); l.Held.Tries != 1 {
		s.Errorf("a try has been counted as %d", l.Held.Tries)
	}
	must(s, s.do("a", &persistence.AbandonTurn{ // an attempt is no try of the code
		IID: f.head.IID, Execution: f.head.Execution, Turn: f.head.Turn, Token: f.token, DelayMs: 100, Counts: true,
		Reason: "no handler", Build: "b1",
	}).Err)
	if l := s.leaseOf("a"); l.Held.Tries != 1 || l.Attempts != 1 {
		s.Errorf("after an attempt without a handler: %+v", l)
	}
	s.later(100)
	f = s.mustFetch()
	f.mustAck("it runs")
	if refs, n := s.held("a"); n != 0 || len(refs) != 0 {
		s.Errorf("after the commit %v are held, counted %d", refs, n)
	}
	s.send("a", "y", 0)
	must(s, s.mustFetch().hold("no handler", "b1"))
	must(s, s.terminate("a"))
	if refs, n := s.held("a"); n != 0 || len(refs) != 0 {
		s.Errorf("after the end %v are held, counted %d", refs, n)
	}
	s.refused(s.do("a", &persistence.ReleaseTurn{ID: "a"}).Err, persistence.ErrEnded, "release after the end")
}

func expiring(s *story) {
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	waits := p.scheduleAs(persistence.NewWork{
		Name: "waits", NotBeforeMs: s.nowMs + 1_000_000, Deadlines: persistence.Deadlines{ScheduleToStartAtMs: s.nowMs + 10},
	})
	for _, w := range []persistence.NewWork{
		{Name: "start", Deadlines: persistence.Deadlines{ScheduleToStartAtMs: s.nowMs + 10}, Heartbeat: []byte("of before")},
		{Name: "close", Attempt: 2, FirstEvent: 1, Deadlines: persistence.Deadlines{StartToCloseMs: 10, ScheduleToCloseAtMs: 99}},
		{Name: "beat", Deadlines: persistence.Deadlines{HeartbeatMs: 10}},
		{Name: "none"},
	} {
		p.scheduleAs(w)
	}
	f.mustCommit(p)
	jobs := map[string]*job{}
	for _, name := range []string{"start", "close", "beat", "none"} {
		jobs[name] = s.mustFetchWork(name, lockMs)
	}
	if w := jobs["close"].item; w.Attempt != 2 || w.FirstEvent != 1 || w.Deadlines.ScheduleToCloseAtMs != 99 {
		s.Errorf("the row is %+v", w)
	}
	expire := func(name string, kind persistence.ExpiryKind, attempts uint32) persistence.Result {
		key := jobs[name].item.Key
		return s.do("a", &persistence.ExpireWork{Key: key, Kind: kind, Attempts: attempts, Message: timeoutMessage(key, kind)})
	}
	s.refused(expire("start", persistence.ExpiredScheduleToStart, 1).Err, persistence.ErrConflict, "it has started")
	if w := jobs["start"].item; string(w.Heartbeat) != "of before" || w.HeartbeatAtMs != 0 {
		s.Errorf("the row of a later attempt is %+v", w)
	}
	s.refused(expire("close", persistence.ExpiredStartToClose, 0).Err, persistence.ErrConflict, "another attempt")
	s.refused(expire("none", persistence.ExpiredStartToClose, 1).Err, persistence.ErrConflict, "no such bound")
	s.refused(expire("beat", 0, 1).Err, persistence.ErrConflict, "no kind")
	must(s, expire("close", persistence.ExpiredStartToClose, 1).Err)
	must(s, expire("beat", persistence.ExpiredHeartbeat, 1).Err)
	s.refused(jobs["close"].complete("late"), persistence.ErrNotFound, "a result after the time")
	key := persistence.WorkKey{IID: jobs["close"].item.Key.IID, Execution: 1, Event: waits}
	jobs["waits"] = &job{item: persistence.WorkItem{Key: key}}
	epochs := append([]uint64(nil), s.epochs...)
	for i := range s.epochs {
		s.epochs[i] = 0
	}
	s.refused(expire("waits", persistence.ExpiredScheduleToStart, 0).Err, persistence.ErrFenced, "an old epoch")
	copy(s.epochs, epochs)
	must(s, expire("waits", persistence.ExpiredScheduleToStart, 0).Err)
	s.refused(expire("waits", persistence.ExpiredScheduleToStart, 0).Err, persistence.ErrNotFound, "a second time")
	f = s.mustFetch()
	wantTexts(s, f, "timeout of 4: TIMEOUT_KIND_START_TO_CLOSE, timeout of 5: TIMEOUT_KIND_HEARTBEAT, "+
		"timeout of 2: TIMEOUT_KIND_SCHEDULE_TO_START")
	f.mustAck()
}

// terminate ends an instance as it stands.
func (s *story) terminate(id string) error {
	head, _ := s.head(id)
	return s.do(id, s.terminateOf(head)).Err
}

func (s *story) terminateOf(head persistence.Head) *persistence.Terminate {
	p := newPlan(head, s.nowMs)
	p.fail(head.Parent)
	t := p.build()
	return &persistence.Terminate{
		ID: t.ID, IID: t.IID, Execution: t.Execution, Turn: t.Turn, Segment: t.Segment, Sends: t.Sends,
		Request: persistence.Request{Key: "end", Kind: persistence.RequestTerminate},
	}
}

func terminating(s *story) {
	s.start("p")
	f := s.mustFetch()
	plan := f.plan()
	plan.child("p::sub::c", "n", "")
	f.mustCommit(plan)
	f = s.mustFetch()
	plan = f.plan()
	plan.schedule("w")
	plan.timer(s.nowMs + 1000)
	f.mustCommit(plan)
	s.send("p::sub::c", "x", 0)
	open := s.mustFetch() // a turn is under way, under a lease
	before, _ := s.head("p::sub::c")
	moved := before
	moved.Turn++
	s.refused(s.do("p", s.terminateOf(moved)).Err, persistence.ErrConflict, "computed from another turn")
	moved = before
	moved.IID += 100
	s.refused(s.do("p", s.terminateOf(moved)).Err, persistence.ErrNotFound, "another incarnation")
	c := s.terminateOf(before)
	if r := s.must("p", c); r.IID != before.IID || r.Turn != before.Turn+1 {
		s.Errorf("terminate: %+v", r)
	}
	if r := s.must("p", c); !r.Repeated {
		s.Errorf("the same terminate again: %+v", r)
	}
	c.Request = persistence.Request{}
	s.refused(s.do("p", c).Err, persistence.ErrEnded, "a second terminate")
	s.refused(open.ack(open.plan()), persistence.ErrConflict, "the turn that was under way")
	after, _ := s.head("p::sub::c")
	if after.Status != persistence.StatusFailed || after.Work+after.Timers+after.Inbox != 0 || after.EndedAtMs != s.nowMs {
		s.Errorf("it ended as %+v", after)
	}
	s.noWork("it has ended")
	f = s.mustFetch()
	wantTexts(s, f, "child of 2: from p::sub::c")
	f.mustAck()
}

func otherNodes(s *story) {
	p := s.store.Journal().PartitionOf("a")
	begin := func(node, process string) {
		s.epochs[p]++
		s.mustOn(p, persistence.BeginEpoch{Epoch: s.epochs[p], Node: node, Process: process})
	}
	begin("n1", "old")
	s.start("a")
	head, _ := s.head("a")
	lease := func(node, process string) error {
		return s.do("a", &persistence.LeaseTurn{
			IID: head.IID, Execution: 1, Holder: persistence.Holder{Node: node, Process: process}, TTLMs: lockMs,
			Nonce: s.nonce.Add(1),
		}).Err
	}
	must(s, lease("n1", "old"))
	begin("n2", "x")
	s.refused(lease("n2", "x"), persistence.ErrLeaseLost, "n1's process has not been followed by another")
	begin("n1", "new")
	begin("n2", "x")
	must(s, lease("n3", "unknown"))
	if err := lease("n2", "x"); !errors.Is(err, persistence.ErrLeaseLost) {
		s.Errorf("a lease of a node that is not known: %v", err)
	}
	for i := range persistence.NodesMax + 3 {
		begin(fmt.Sprint("m", i), "x")
	}
	s.view(p, func(r persistence.Reader) error {
		state, err := r.Partition()
		if n := len(state.Others); n != persistence.NodesMax || state.Others[n-1].Node != fmt.Sprint("m", n+1) {
			s.Errorf("%d nodes are remembered: %v", n, state.Others)
		}
		return err
	})
}
