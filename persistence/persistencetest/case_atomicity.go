package persistencetest

import (
	"errors"
	"strings"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

func atomicityCases() []Case {
	return []Case{
		{"PV_001 a turn that writes event 1 again is refused whole, and its lease stays", func(s *story) {
			s.start("a")
			s.mustFetch().mustAck("A")
			s.send("a", "more", 0)
			f := s.mustFetch()
			p := f.plan()
			p.first = 1
			p.note("again")
			s.refused(f.ack(p), persistence.ErrConflict, "event 1 a second time")
			s.wantHistory("a", 1, "1 Started, 2 A")
			s.noFetch("the lease is still held")
			if err := f.renew(lockMs); err != nil {
				s.Errorf("the lease was lost by the refused turn: %v", err)
			}
		}},
		{"PV_002 one turn's five events, three activities and two messages are all there at once", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			p := f.plan()
			p.schedule("w1")
			p.schedule("w2")
			p.schedule("w3")
			p.timer(s.nowMs)
			p.commit.Sends = append(p.commit.Sends, persistence.Send{
				Kind: persistence.SendAnswer, To: "a", Link: persistence.Link{ID: "a", IID: f.head.IID, Execution: 1},
				Message: eventMessage("raised"),
			})
			f.mustCommit(p)
			s.wantHistory("a", 1, "1 Started, 2 wants w1, 3 wants w2, 4 wants w3, 5 TimerCreated")
			for _, name := range []string{"w1", "w2", "w3"} {
				s.mustFetchWork(name, lockMs)
			}
			s.noWork("three were scheduled")
			if got := s.mustFetch().texts(); got != "raised, timer fired" {
				s.Errorf("next turn has %q", got)
			}
		}},
		{"PV_003 a turn under a token that was never given changes nothing; after the timeout the instance is free", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			p := f.plan()
			p.commit.Token = persistence.NewTurnToken(0, f.head.IID, 999, 999)
			s.refused(f.ack(p), persistence.ErrLeaseLost, "a bogus token")
			s.wantHistory("a", 1, "")
			s.noFetch("the lease is still held")
			s.later(lockMs + 100)
			s.mustFetch()
		}},
		{"PV_004 two turns under the same token at the same time: exactly one is made", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			errs := make([]error, 2)
			plans := []*plan{f.plan(), f.plan()}
			plans[0].note("mine")
			plans[1].note("mine")
			s.Together(2, func(i int) { errs[i] = f.ack(plans[i]) })
			if (errs[0] == nil) == (errs[1] == nil) {
				s.Errorf("two commits under one token: %v and %v", errs[0], errs[1])
			}
			s.wantHistory("a", 1, "1 Started, 2 mine")
		}},
	}
}

func errorCases() []Case {
	return []Case{
		{"PV_005 the refusal of a token that was never given speaks of the lock token", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			f.token = "never given"
			err := f.ack(f.plan())
			s.refused(err, persistence.ErrLeaseLost, "a token never given")
			if err == nil || !strings.Contains(err.Error(), "lock token") {
				s.Errorf("the error does not say what is wrong: %v", err)
			}
		}},
		{"PV_006 a turn with event 1 of another kind is refused; history keeps the started event alone", func(s *story) {
			s.start("a")
			s.mustFetch().mustAck()
			s.send("a", "x", 0)
			f := s.mustFetch()
			p := newPlan(f.head, s.nowMs)
			p.commit.Token = f.token
			p.first, p.next = 1, 1
			p.add(&turnpb.Event{Kind: &turnpb.Event_Completed{Completed: &turnpb.OrchestrationCompleted{}}})
			s.refused(f.ack(p), persistence.ErrConflict, "event 1 again")
			s.wantHistory("a", 1, "1 Started")
		}},
		{"PV_007 the history of an instance that does not exist is empty, and no error", func(s *story) {
			s.wantHistory("nobody", 0, "")
			s.view(0, func(r persistence.Reader) error {
				_, found, err := r.Head(12345)
				if found {
					s.Errorf("an instance that was never created has a head")
				}
				inbox, err2 := r.Inbox(12345, 0, 10, 0)
				if len(inbox.Items) != 0 || inbox.More {
					s.Errorf("it has an inbox: %v", inbox)
				}
				return errors.Join(err, err2)
			})
		}},
		{"PV_008 fetching from an empty store finds nothing, and bytes that are no message pass through untouched", func(s *story) {
			s.noFetch("empty store")
			s.noWork("empty store")
			s.start("a")
			garbage := []byte{0xff, 0xff, 0x00, 0x01}
			s.must("a", &persistence.Enqueue{ID: "a", Message: garbage})
			s.view(s.store.Journal().PartitionOf("a"), func(r persistence.Reader) error {
				iid, _, _ := r.Resolve("a")
				page, err := r.Inbox(iid, 0, 10, 0)
				if items := page.Items; len(items) != 1 || string(items[0].Message) != string(garbage) {
					s.Errorf("inbox is %v, want the bytes as they were given", page)
				}
				return err
			})
		}},
		{"PV_009 a turn after its lease has expired is taken unless another holds the instance", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			s.later(lockMs + 100)
			fresh := s.mustFetch()
			s.refused(f.ack(f.plan()), persistence.ErrLeaseLost, "a lease that another has taken over")
			s.wantHistory("a", 1, "")
			s.later(lockMs + 100)
			fresh.mustAck()
		}},
	}
}

func creationCases() []Case {
	return []Case{
		{"PV_010 a start is fetched with its name, execution 1 and no history; the turn's version is then the instance's", func(s *story) {
			s.start("a")
			f := s.mustFetch()
			if f.start == nil || f.start.Name != "a" || f.head.Execution != 1 || f.head.HistoryEvents != 0 {
				s.Fatalf("fetched start %+v of %+v", f.start, f.head)
			}
			p := f.plan()
			p.commit.Version = "2.0.0"
			f.mustCommit(p)
			s.send("a", "x", 0)
			if f = s.mustFetch(); f.head.Version != "2.0.0" || f.head.HistoryEvents != 1 {
				s.Errorf("version %s, %d events; want 2.0.0 and 1", f.head.Version, f.head.HistoryEvents)
			}
		}},
		// An acknowledged start is an instance, with status Pending.
		{"PV_011 a start alone makes a pending instance; its first turn makes it run", func(s *story) {
			s.start("a")
			if head, ok := s.head("a"); !ok || head.Status != persistence.StatusPending || head.Turn != 0 {
				s.Errorf("after the start: %+v, want Pending", head)
			}
			s.mustFetch().mustAck()
			if head, _ := s.head("a"); head.Status != persistence.StatusRunning || head.Turn != 1 {
				s.Errorf("after the first turn: %+v, want Running", head)
			}
		}},
		{"PV_012 a start without a version takes the first turn's", func(s *story) {
			s.must("a", &persistence.StartInstance{ID: "a", Name: "n"})
			f := s.mustFetch()
			p := f.plan()
			p.commit.Version = "3.0.0"
			f.mustCommit(p)
			s.send("a", "x", 0)
			if f = s.mustFetch(); f.head.Version != "3.0.0" {
				s.Errorf("version is %q, want 3.0.0", f.head.Version)
			}
		}},
		{"PV_013 a child that a parent's turn starts is pending until its own first turn, which brings its version", func(s *story) {
			s.start("parent")
			f := s.mustFetch()
			p := f.plan()
			p.child("parent::sub::2", "Child", "")
			f.mustCommit(p)
			head, ok := s.head("parent::sub::2")
			if !ok || head.Status != persistence.StatusPending || head.Version != "" || head.Parent.ID != "parent" {
				s.Fatalf("the child before its turn: %+v", head)
			}
			f = s.mustFetch()
			p = f.plan()
			p.commit.Version = "1.5.0"
			f.mustCommit(p)
			if head, _ = s.head("parent::sub::2"); head.Version != "1.5.0" || head.Status != persistence.StatusRunning {
				s.Errorf("the child after its turn: %+v", head)
			}
		}},
	}
}
