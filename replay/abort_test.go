package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// aborting are failures that end who waits for them, whatever the code would do.
func aborting() map[string]*turnpb.Failure {
	return map[string]*turnpb.Failure{
		"poison":         failure.PoisonOrchestration("inst::sub::2", 1, 11, 10, ""),
		"nondeterminism": failure.Nondeterminism("TimerCreated", "schedule mismatch at event 3"),
		"infrastructure": failure.Infrastructure("disk", "full", false),
	}
}

// TestF43_what_was_given_up_reaches_no_one: a failure that would end the execution comes after the code has given up
// what failed, in the same batch of messages and in one of its own. Both do the same.
func TestF43_what_was_given_up_reaches_no_one(t *testing.T) {
	type start = func(*replay.Context) *replay.Future
	starts := map[string]start{
		"child":    func(c *replay.Context) *replay.Future { return child(c, "C", "") },
		"activity": func(c *replay.Context) *replay.Future { return activity(c, "A", "") },
	}
	giveUps := map[string]func(*replay.Context, start){
		"race":   func(c *replay.Context, s start) { f := s(c); c.Race(f, c.Timer(time.Second)) },
		"cancel": func(c *replay.Context, s start) { f := s(c); c.Timer(time.Second).Await(); f.Cancel() },
		"scope": func(c *replay.Context, s start) {
			_ = c.Scope(func(c *replay.Context) error { s(c); c.Timer(time.Second).Await(); return nil })
		},
		"coroutine": func(c *replay.Context, s start) {
			g := c.Go(func(c *replay.Context) (any, error) { return s(c).Await() })
			c.Select(c.Go(func(c *replay.Context) (any, error) { s := c.Timer(time.Second); return s.Await() }), g)
			g.Cancel()
		},
	}
	for how, giveUp := range giveUps {
		for what, s := range starts {
			for category, why := range aborting() {
				t.Run(how+" "+what+" "+category, func(t *testing.T) {
					code := func(c *replay.Context, _ []byte) ([]byte, error) {
						giveUp(c, s)
						c.WaitEvent("go", buffered).Await()
						return []byte("out"), nil
					}
					fails := msgSF
					if what == "activity" {
						fails = msgAF
					}
					for _, batches := range [][][]*turnpb.Message{
						{{msgTF(3), fails(2, why)}, {msgXE("go", "")}},
						{{msgTF(3)}, {fails(2, why)}, {msgXE("go", "")}},
						{{msgTF(3), fails(2, why), msgXE("go", "")}},
					} {
						told := tell(t, code)
						told.turn(msgStart())
						for i, batch := range batches {
							d := told.turn(batch...)
							if i+1 == len(batches) {
								wantCompleted(t, d, "out")
							} else {
								wantRunning(t, d)
							}
						}
					}
				})
			}
		}
	}
}

// TestF43_what_is_still_waited_for_ends_the_execution_where_it_comes: in the order of the messages.
func TestF43_what_is_still_waited_for_ends_the_execution_where_it_comes(t *testing.T) {
	why := failure.PoisonOrchestration("inst::sub::2", 1, 11, 10, "")
	racing := func(c *replay.Context, _ []byte) ([]byte, error) {
		f := child(c, "C", "")
		c.Race(f, c.Timer(time.Second))
		return []byte("out"), nil
	}
	t.Run("the child first", func(t *testing.T) {
		s := tell(t, racing)
		s.turn(msgStart())
		d := s.turn(msgSF(2, why), msgTF(3))
		wantFailed(t, d, "poison", "inst::sub::2")
		wantKinds(t, d, "SF(2) TF(3)")
	})
	t.Run("nobody waits, and it was not given up", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			child(c, "C", "")
			c.Timer(time.Second).Await()
			activity(c, "A", "").Await()
			return nil, nil
		})
		s.turn(msgStart())
		d := s.turn(msgTF(3), msgSF(2, why))
		wantFailed(t, d, "poison", "inst::sub::2")
		// What the code asked for before it was ended is asked for no more.
		wantKinds(t, d, "TF(3) SF(2)")
	})
	for name, m := range map[string]*turnpb.Message{"cancel": msgCancel("stop"), "panic": msgXE("go", "panic"),
		"error": msgXE("go", "error"), "continue-as-new": msgXE("go", "continue")} {
		t.Run("after the execution has ended by "+name, func(t *testing.T) {
			for _, batches := range [][][]*turnpb.Message{{{m, msgSF(2, why)}}, {{m}}} {
				s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
					child(c, "C", "")
					switch s, _ := text(c.WaitEvent("go", buffered)); s {
					case "panic":
						panic("oops")
					case "continue":
						_, err := c.ContinueAsNew(nil, "").Await()
						return nil, err
					default:
						return nil, errors.New("bad")
					}
				})
				s.turn(msgStart())
				d := s.turn(batches[0]...)
				switch name {
				case "cancel":
					wantCancelled(t, d, "stop")
				case "panic":
					wantFailed(t, d, "application", "oops")
				case "error":
					wantFailed(t, d, "application", "bad")
				default:
					if d.Outcome != replay.ContinuedAsNew {
						t.Errorf("outcome %d, failure %v", d.Outcome, d.Failure)
					}
				}
			}
		})
	}
}

// TestF44_a_cancel_reaches_a_child_that_is_waited_for: and the parent ends when the child has, once.
func TestF44_a_cancel_reaches_a_child_that_is_waited_for(t *testing.T) {
	handlers := map[string]replay.Func{
		"the parent waits for it": func(c *replay.Context, _ []byte) ([]byte, error) {
			return text2(policyChild(c, "wait", policyWait))
		},
		"the parent has returned": func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "wait", policyWait)
			return []byte("out"), nil
		},
	}
	for name, fn := range handlers {
		t.Run(name, func(t *testing.T) {
			s := tell(t, fn)
			s.turn(msgStart())
			d := s.turn(msgCancel("stop"))
			wantRunning(t, d)
			wantKinds(t, d, "Cancel")
			if len(d.CancelledChildren) != 1 || d.CancelledChildren[0].Instance != "inst::sub::2" ||
				d.CancelledChildren[0].Reason != "parent canceled" || d.CancelledChildren[0].Unsent {
				t.Errorf("children: %+v", d.CancelledChildren)
			}
			d = s.turn(msgXE("late", ""), msgCancel("again"))
			wantRunning(t, d)
			if len(d.CancelledChildren) != 0 {
				t.Errorf("told again: %+v", d.CancelledChildren)
			}
			d = s.turn(msgSF(2, failure.Cancelled("parent canceled")))
			wantCancelled(t, d, "stop")
			wantKinds(t, d, "SF(2)")
			if len(d.CancelledChildren) != 0 {
				t.Errorf("told again: %+v", d.CancelledChildren)
			}
		})
	}
}

// TestF45_the_result_stands_whatever_a_waited_for_child_does.
func TestF45_the_result_stands_whatever_a_waited_for_child_does(t *testing.T) {
	for name, why := range aborting() {
		t.Run(name, func(t *testing.T) {
			s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
				policyChild(c, "wait", policyWait)
				return []byte("out"), nil
			})
			wantRunning(t, s.turn(msgStart()))
			d := s.turn(msgSF(2, why))
			wantCompleted(t, d, "out")
			wantKinds(t, d, "SF(2)")
		})
	}
}

// TestF45_a_message_that_answers_nothing_does_not_change_a_decided_end: it is rejected, while a child holds the end.
func TestF45_a_message_that_answers_nothing_does_not_change_a_decided_end(t *testing.T) {
	s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
		policyChild(c, "wait", policyWait)
		return []byte("out"), nil
	})
	wantRunning(t, s.turn(msgStart()))
	d := s.turn(msgTF(99), msgAC(2, "of another kind"))
	wantRunning(t, d)
	wantRejected(t, d, 2)
	wantCompleted(t, s.turn(msgSC(2, "")), "out")
}

// TestF47_the_failure_of_a_child_names_child_and_instance.
func TestF47_the_failure_of_a_child_names_child_and_instance(t *testing.T) {
	run := func(id string, why *turnpb.Failure) replay.Decision {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			return text2(c.Child("Pack", nil, replay.ChildOptions{ID: id}))
		})
		s.turn(msgStart())
		return s.turn(msgSF(2, why))
	}
	all := aborting()
	d := run("", all["nondeterminism"])
	wantNondeterminism(t, d, `nondeterministic: sub-orchestration "Pack", instance "inst::sub::2": schedule mismatch at event 3`)
	d = run("other", all["infrastructure"])
	wantFailed(t, d, "infrastructure", `infrastructure:disk: sub-orchestration "Pack", instance "other": full`)
	d = run("other", failure.Nondeterminism("TimerCreated", ""))
	wantNondeterminism(t, d, `sub-orchestration "Pack", instance "other": nondeterministic in TimerCreated`)
	d = run("", all["poison"]) // it names the instance itself
	wantFailed(t, d, "poison", "poison: orchestration inst::sub::2 exceeded 11 attempts (max 10)")
}

// text2 is text as a handler's result.
func text2(f *replay.Future) ([]byte, error) {
	s, err := text(f)
	return []byte(s), err
}
