package persistencetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// portCases are what the port's documentation promises beside the conformance list.
func portCases() []Case {
	return []Case{
		{"KIT_001 every proposal takes the next index, refused or not, and is answered in index order", indexOrder},
		{"KIT_002 effects come in index order, each before the answer of its command", effectsFirst},
		{"KIT_003 what was answered or viewed survives a crash at any moment", acknowledgedSurvives},
		{"KIT_004 a repeated request key gets the first answer for 24 hours and writes nothing", requestKeys},
		{"KIT_005 a fused start makes the instance and its first turn at once; a taken id is refused", fusedStart},
		{"KIT_006 a turn with stale parts is refused whole and every one is named", staleParts},
		{"KIT_007 a grant dies with its epoch; a lease outlives it unless its process is local and gone", epochs},
		{"KIT_008 a new epoch learns which was before and whether it ended cleanly", cleanEnds},
		{"KIT_009 an inbox at its limit refuses with both numbers", inboxLimit},
		{"KIT_010 an instance that ended refuses messages, and never changes again", terminal},
		{"KIT_011 ending deletes work, timers, children and inbox; continuing keeps the inbox", leftovers},
		{"KIT_012 an activity's result is taken exactly once, accepted or through the inbox", resultOnce},
		{"KIT_013 an abandon with a delay hides what the lease held and nothing that came later", abandonDelay},
		{"KIT_014 closing and opening changes nothing", reopening},
		{"KIT_015 a closed journal answers every call, and says that it stopped", closing},
		{"KIT_016 a filter never denies an id that exists", mayExist},
		{"KIT_017 a list is by status, newest change first, in pages without gaps", listing},
		{"KIT_018 work scheduled and cancelled in one turn, and what is cancelled later, is gone", cancelled},
		{"KIT_019 a cancelled or fired timer never comes back", timersOnce},
		{"KIT_020 a turn that contradicts itself is a conflict and writes nothing", malformed},
		{"KIT_021 a request key names one request: another one with it is refused and writes nothing", keyNamesOneRequest},
	}
}

func indexOrder(s *story) {
	p := s.store.Journal().PartitionOf("a")
	var done []uint64
	var answers []<-chan persistence.Result
	for i := range 40 {
		var c persistence.Command = &persistence.Enqueue{ID: "missing", Message: []byte{1}}
		if i%2 == 0 {
			c = &persistence.StartInstance{ID: fmt.Sprintf("a::sub::%d", i), Name: "n"}
		}
		ch := make(chan persistence.Result, 1)
		s.store.Journal().Propose(p, persistence.Proposal{TimeMs: s.nowMs, Epoch: s.epochs[p], Command: c,
			Done: func(r persistence.Result) { done = append(done, r.Index); ch <- r }})
		answers = append(answers, ch)
	}
	s.store.Settle()
	for i, ch := range answers {
		if r := <-ch; (r.Err == nil) != (i%2 == 0) {
			s.Errorf("command %d: %v", i, r.Err)
		}
	}
	for i := range done {
		if want := done[0] + uint64(i); done[i] != want {
			s.Fatalf("answer %d is of index %d, want %d: %v", i, done[i], want, done)
		}
	}
}

func effectsFirst(s *story) {
	for i := range 20 {
		id := fmt.Sprintf("i%d", i)
		p := s.store.Journal().PartitionOf(id)
		r := s.must(id, &persistence.StartInstance{ID: id, Name: "n"})
		seen := s.effects[p].seen
		if len(seen) == 0 || seen[len(seen)-1].Index != r.Index || len(seen[len(seen)-1].Starts) != 1 {
			s.Fatalf("the answer of index %d came before its effects: %+v", r.Index, seen)
		}
	}
	for p := range s.effects {
		for i, e := range s.effects[p].seen {
			if i > 0 && e.Index <= s.effects[p].seen[i-1].Index {
				s.Errorf("partition %d: effects of index %d after those of %d", p, e.Index, s.effects[p].seen[i-1].Index)
			}
		}
	}
}

func acknowledgedSurvives(s *story) {
	for round := range 4 {
		acked := make(chan string, 100)
		shown := make(chan persistence.PartitionState, 100)
		for i := range 25 {
			id := fmt.Sprintf("r%d-%d", round, i)
			p := s.store.Journal().PartitionOf(id)
			s.store.Journal().Propose(p, persistence.Proposal{TimeMs: s.nowMs, Command: &persistence.StartInstance{ID: id, Name: "n"},
				Done: func(r persistence.Result) {
					if r.Err == nil {
						acked <- id
					}
				}})
			var state persistence.PartitionState
			s.store.Journal().View(0, func(r persistence.Reader) (err error) { state, err = r.Partition(); return err },
				func(err error) {
					if err == nil {
						shown <- state
					}
				})
			if i == 10 {
				s.store.Settle()
			}
		}
		before, seen := len(acked), len(shown) // what comes while the crash happens may be lost
		if err := s.store.Crash(); err != nil {
			s.Fatalf("opening after a crash: %v", err)
		}
		if s.checkSurvivors(acked, before, shown, seen); round%2 == 0 {
			s.opened()
		} else {
			s.crash()
		}
	}
}

func (s *story) checkSurvivors(acked chan string, before int, shown chan persistence.PartitionState, seen int) {
	s.Helper()
	lost := 0
	for range before {
		if _, ok := s.head(<-acked); !ok {
			lost++
		}
	}
	if lost > 0 {
		s.Errorf("%d acknowledged starts are gone after the crash", lost)
	}
	s.view(0, func(r persistence.Reader) error {
		now, err := r.Partition()
		for range seen {
			if was := <-shown; was.Applied > now.Applied {
				s.Errorf("a view showed index %d; after the crash there is %d", was.Applied, now.Applied)
			}
		}
		return err
	})
}

func requestKeys(s *story) {
	start := &persistence.StartInstance{ID: "a", Name: "n", Request: persistence.Request{Key: "k"}}
	first := s.must("a", start)
	if again := s.must("a", start); again.IID != first.IID || !again.Repeated || first.Repeated {
		s.Errorf("repeated start: %+v, first %+v", again, first)
	}
	s.refused(s.do("a", &persistence.StartInstance{ID: "a", Name: "n"}).Err, persistence.ErrAlreadyExists, "start without key")
	message := &persistence.Enqueue{ID: "a", Message: eventMessage("x"), Request: persistence.Request{Key: "m"}}
	seq := s.must("a", message).Seq
	s.reopen()
	if again := s.must("a", message); again.Seq != seq || !again.Repeated {
		s.Errorf("repeated message: %+v, first seq %d", again, seq)
	}
	if head, _ := s.head("a"); head.Inbox != 1 {
		s.Errorf("%d messages, want 1", head.Inbox)
	}
	sweep := &persistence.Sweep{Requests: []persistence.RequestRef{{ID: "a", Key: "m"}, {ID: "a", Key: "nothing"}}}
	s.must("a", sweep)
	s.later(persistence.RequestTTLMs - 1)
	s.must("a", sweep)
	if again := s.must("a", message); !again.Repeated {
		s.Errorf("a sweep forgot a key before its time")
	}
	s.later(1)
	if again := s.must("a", message); again.Repeated || again.Seq == seq {
		s.Errorf("after 24 hours the key was still known: %+v", again)
	}
	s.later(persistence.RequestTTLMs)
	s.must("a", sweep)
	s.view(s.store.Journal().PartitionOf("a"), func(r persistence.Reader) error {
		_, ok, err := r.Request("a", "m")
		if ok {
			s.Errorf("an expired key was not swept")
		}
		return err
	})
}

func epochs(s *story) {
	s.withWork("a", "w1", "w2")
	pa := s.store.Journal().PartitionOf("a")
	s.send("a", "x", 0)
	far := s.mustFetchWork("w1", 60_000)
	s.holder = persistence.Holder{Node: "here", Process: fmt.Sprintf("process %d", s.epochs[pa])}
	near := s.mustFetchWork("w2", 60_000)
	head, _ := s.head("a")
	s.reopen()
	granted := newPlan(head, s.nowMs)
	granted.note("late")
	old := persistence.Proposal{TimeMs: s.nowMs, Epoch: s.epochs[pa] - 1, Command: granted.build()}
	done := make(chan persistence.Result, 1)
	old.Done = func(r persistence.Result) { done <- r }
	s.store.Journal().Propose(pa, old)
	s.store.Settle()
	s.refused((<-done).Err, persistence.ErrFenced, "a grant of an old epoch")
	s.refused(near.complete("late"), persistence.ErrLeaseLost, "the lease of a local process that is gone")
	must(s, far.complete("in time"))
	s.refused(s.mustOnErr(pa, persistence.BeginEpoch{Epoch: s.epochs[pa]}), persistence.ErrFenced, "an epoch that is not newer")
	granted.commit.ConsumedInbox = []uint64{1}
	must(s, s.do("a", granted.build()).Err)
}

func (s *story) mustOnErr(p persistence.Partition, c persistence.Command) error {
	s.Helper()
	r := s.on(p, c)
	if r.Err == nil {
		s.Errorf("%T was not refused", c)
	}
	return r.Err
}

func cleanEnds(s *story) {
	begin := func(epoch uint64) persistence.Result {
		s.epochs[0] = epoch
		return s.mustOn(0, persistence.BeginEpoch{Epoch: epoch, Node: "here", Process: fmt.Sprint(epoch)})
	}
	if r := begin(5); r.Previous != 1 || r.Clean {
		s.Errorf("epoch 5 after 1: %+v", r)
	}
	s.mustOn(0, persistence.EndEpoch{})
	s.refused(s.mustOnErr(0, &persistence.CommitTurn{
		ID: "z", AcceptedStart: &persistence.StartInstance{ID: "z"}, Execution: 1, Outcome: persistence.OutcomeRunning,
	}), persistence.ErrFenced, "a grant of an ended epoch")
	if r := begin(9); r.Previous != 5 || !r.Clean {
		s.Errorf("epoch 9 after a clean 5: %+v", r)
	}
	s.epochs[0] = 5
	s.refused(s.mustOnErr(0, persistence.EndEpoch{}), persistence.ErrFenced, "ending an old epoch")
	s.epochs[0] = 9
	s.view(0, func(r persistence.Reader) error {
		state, err := r.Partition()
		if state.Epoch != 9 || state.Clean || state.Process != "9" {
			s.Errorf("state is %+v", state)
		}
		return err
	})
}

func inboxLimit(s *story) {
	s.start("a")
	for range 3 {
		s.must("a", &persistence.Enqueue{ID: "a", Message: eventMessage("x"), InboxMax: 3})
	}
	err := s.do("a", &persistence.Enqueue{ID: "a", Message: eventMessage("x"), InboxMax: 3, Request: persistence.Request{Key: "k"}}).Err
	var refusal *persistence.Refusal
	if !errors.As(err, &refusal) || refusal.Code != persistence.Limit || refusal.Max != 3 || refusal.Size != 4 {
		s.Errorf("got %v, want the limit 3 and the size 4", err)
	}
	if r := s.must("a", &persistence.Enqueue{ID: "a", Message: eventMessage("x"), Request: persistence.Request{Key: "k"}}); r.Repeated {
		s.Errorf("a refused message was remembered")
	}
}

func terminal(s *story) {
	f := running(s, "a", "x")
	p := f.plan()
	p.complete(persistence.Link{})
	f.mustCommit(p)
	before, _ := s.head("a")
	if before.Status != persistence.StatusCompleted || before.EndedAtMs != s.nowMs {
		s.Errorf("ended as %+v", before)
	}
	for range 2 { // its request key is not remembered either
		s.refused(s.do("a", &persistence.Enqueue{
			ID: "a", Message: eventMessage("late"), Request: persistence.Request{Key: "late"},
		}).Err, persistence.ErrEnded, "a message after the end")
	}
	s.refused(s.do("a", newPlan(before, s.nowMs).build()).Err, persistence.ErrConflict, "a turn after the end")
	s.refused(s.do("a", &persistence.StartInstance{ID: "a", Name: "n"}).Err, persistence.ErrAlreadyExists, "starting it again")
	after, _ := s.head("a")
	if after != before {
		s.Errorf("an ended instance changed from %+v to %+v", before, after)
	}
	s.noFetch("it has ended")
}

func abandonDelay(s *story) {
	f := running(s, "a", "held")
	must(s, f.abandon(500, false))
	s.noFetch("the delay hides what the lease held")
	f = running(s, "b", "held")
	s.send("b", "later", 0)
	must(s, f.abandon(500, true))
	f = s.mustFetch()
	if f.head.ID != "b" || f.attempts != 2 {
		s.Errorf("fetched %s as attempt %d; only b has a message that came later", f.head.ID, f.attempts)
	}
	must(s, f.abandon(0, true))
	s.later(500)
	for range 2 {
		if f = s.mustFetch(); f.head.ID == "a" {
			wantTexts(s, f, "held")
		} else {
			wantTexts(s, f, "held, later")
		}
	}
}

func reopening(s *story) {
	s.withWork("a", "w1", "w2")
	s.mustFetchWork("w1", lockMs)
	s.send("a", "x", 50)
	s.start("b")
	s.mustFetch()
	before := s.dumps()
	if err := s.store.Reopen(); err != nil {
		s.Fatalf("reopening: %v", err)
	}
	if after := s.dumps(); after != before {
		s.Errorf("closing and opening changed the store:\n%s", firstDifference(before, after))
	}
	s.opened()
}

func (s *story) dumps() string {
	s.Helper()
	var b bytes.Buffer
	for p := range s.epochs {
		d, err := s.store.Dump(persistence.Partition(p))
		if err != nil {
			s.Fatalf("dump: %v", err)
		}
		b.WriteString(d.String())
	}
	return b.String()
}

func closing(s *story) {
	s.start("a")
	j := s.store.Journal()
	must(s, j.Close())
	<-j.Stopped()
	if j.Cause() == nil {
		s.Errorf("a closed journal gives no cause")
	}
	calls := 0
	done := make(chan error, 4)
	j.Propose(0, persistence.Proposal{Command: persistence.EndEpoch{}, Done: func(r persistence.Result) { calls++; done <- r.Err }})
	err := <-done
	if !errors.Is(err, persistence.ErrUncertain) && !errors.Is(err, persistence.ErrNotLeader) && !errors.Is(err, persistence.ErrBusy) {
		s.Errorf("a proposal to a closed journal ended as %v", err)
	}
	j.View(0, func(persistence.Reader) error { return nil }, func(err error) { done <- err })
	if err := <-done; !errors.Is(err, persistence.ErrStopped) {
		s.Errorf("a view of a closed journal ended as %v", err)
	}
	if calls != 1 {
		s.Errorf("the proposal was answered %d times", calls)
	}
	if err := s.store.Reopen(); err != nil {
		s.Fatalf("reopening: %v", err)
	}
	s.opened()
	if _, ok := s.head("a"); !ok {
		s.Errorf("the instance is gone")
	}
}

func mayExist(s *story) {
	for i := range 50 {
		s.start(fmt.Sprintf("i%d", i))
	}
	s.reopen()
	for i := range 50 {
		if id := fmt.Sprintf("i%d", i); !s.store.Journal().MayExist(id) {
			s.Errorf("%s exists and is denied", id)
		}
	}
}

func listing(s *story) {
	p := s.store.Journal().PartitionOf("a")
	var want []string
	for i := range 9 {
		id := fmt.Sprintf("a::sub::%d", i)
		s.start(id)
		s.later(int64(i % 2)) // some share a time
		want = append([]string{id}, want...)
	}
	f := s.mustFetch()
	f.mustAck()
	want = slices.DeleteFunc(want, func(id string) bool { return id == f.head.ID })
	var got []string
	var cursor persistence.ListCursor
	for range 10 {
		s.view(p, func(r persistence.Reader) error {
			heads, err := r.List([]persistence.Status{persistence.StatusPending}, cursor, 3)
			for _, h := range heads {
				got = append(got, h.ID)
				cursor = persistence.ListCursor{UpdatedAtMs: h.UpdatedAtMs, IID: h.IID}
			}
			return err
		})
	}
	if !slices.Equal(got, want) {
		s.Errorf("pending are %v, want %v", got, want)
	}
}

func (s *story) dumpOf(id string) *persistence.Dump {
	s.Helper()
	d, err := s.store.Dump(s.store.Journal().PartitionOf(id))
	if err != nil {
		s.Fatalf("dump: %v", err)
	}
	return d
}
