package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// branch runs steps of one activity after each other in a coroutine and joins what they give.
func branch(ctx octx, a *turnstone.Activity[string, string], steps ...string) *turnstone.Future[string] {
	return turnstone.Go(ctx, func(ctx octx) (string, error) {
		var all []string
		for _, s := range steps {
			v, err := a.Call(ctx, s)
			if err != nil {
				return "", err
			}
			all = append(all, v)
		}
		return strings.Join(all, ","), nil
	})
}

// won is the winner of a race and what it gave.
func won(ctx octx, futures ...*turnstone.Future[string]) (string, error) {
	all := make([]turnstone.Awaitable, len(futures))
	for i, f := range futures {
		all[i] = f
	}
	i := turnstone.Race(ctx, all...)
	v, err := futures[i].Await()
	return fmt.Sprintf("%d:%s", i, v), err
}

func TestBranchesJoin(t *testing.T) {
	scenario(t, "E2E_035 three branches of several steps are joined", func(w *world) {
		step := lasting("Step", 5*ms, "did:")
		o := text("O", func(ctx octx, _ string) (string, error) {
			conditional := turnstone.Go(ctx, func(ctx octx) (string, error) {
				check, err := step.Call(ctx, "check")
				if err != nil || check != "did:check" {
					return "skipped", err
				}
				v, err := step.Call(ctx, "yes")
				return "A:" + v, err
			})
			loop := turnstone.Go(ctx, func(ctx octx) (string, error) {
				var all []string
				for i := range 3 {
					v, err := step.Call(ctx, fmt.Sprint(i))
					if err != nil {
						return "", err
					}
					all = append(all, v)
				}
				return "B:" + strings.Join(all, ","), nil
			})
			timer := turnstone.Go(ctx, func(ctx octx) (string, error) {
				ctx.Sleep(10 * ms)
				v, err := step.Call(ctx, "after")
				return "C:" + v, err
			})
			all, err := turnstone.Results(ctx, conditional, loop, timer)
			return strings.Join(all, " "), err
		})
		w.open(step, o)
		begin(w, o, "i", "")
		completes(w, "i", "A:did:yes B:did:0,did:1,did:2 C:did:after")
	})
	scenario(t, "E2E_036 results of branches come in the order of the branches", func(w *world) {
		wait := turnstone.NewActivity("Wait", func(ctx actx, i int) (int, error) {
			return i, slowly(ctx, time.Duration(5-i)*15*ms)
		})
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (string, error) {
			var all []*turnstone.Future[int]
			for i := range 5 {
				all = append(all, turnstone.Go(ctx, func(ctx octx) (int, error) { return wait.Call(ctx, i) }))
			}
			got, err := turnstone.Results(ctx, all...)
			return fmt.Sprint(got), err
		})
		w.open(wait, o)
		begin(w, o, "i", "")
		completes(w, "i", "[0 1 2 3 4]")
	})
	scenario(t, "E2E_037 branches in a row pass their results on", func(w *world) {
		step := lasting("Step", ms, "processed:")
		o := text("O", func(ctx octx, in string) (string, error) {
			first, err := branch(ctx, step, in).Await()
			if err != nil {
				return "", err
			}
			second, err := branch(ctx, step, first).Await()
			return "final:" + second, err
		})
		w.open(step, o)
		begin(w, o, "i", "data")
		completes(w, "i", "final:processed:processed:data")
	})
	scenario(t, "E2E_044 branches that call children of several kinds are joined", func(w *world) {
		var handlers []turnstone.Handler
		var children []*orch[string, string]
		for _, name := range []string{"One", "Two", "Three"} {
			c := text(name, func(ctx octx, s string) (string, error) {
				v, err := upper.Call(ctx, s)
				return name + ":" + v, err
			})
			children, handlers = append(children, c), append(handlers, c)
		}
		o := text("O", func(ctx octx, _ string) (string, error) {
			var all []*turnstone.Future[string]
			for _, c := range children {
				all = append(all, turnstone.Go(ctx, func(ctx octx) (string, error) { return c.Call(ctx, "in") }))
			}
			got, err := turnstone.Results(ctx, all...)
			return strings.Join(got, " "), err
		})
		w.open(append(handlers, upper, o)...)
		begin(w, o, "i", "")
		completes(w, "i", "One:IN Two:IN Three:IN")
	})
	scenario(t, "E2E_046 children and grandchildren run in parallel", func(w *world) {
		grandchild := text("Grandchild", func(ctx octx, s string) (string, error) { return upper.Call(ctx, s) })
		child := text("Child", func(ctx octx, s string) (string, error) {
			all, err := turnstone.Results(ctx, grandchild.Start(ctx, s+"1"), grandchild.Start(ctx, s+"2"))
			return strings.Join(all, "+"), err
		})
		o := text("O", func(ctx octx, _ string) (string, error) {
			all, err := turnstone.Results(ctx, child.Start(ctx, "a"), child.Start(ctx, "b"))
			return strings.Join(all, "|"), err
		})
		w.open(upper, grandchild, child, o)
		begin(w, o, "i", "")
		completes(w, "i", "A1+A2|B1+B2")
	})
}

func TestBranchesRace(t *testing.T) {
	scenario(t, "E2E_038 a fast branch of two steps wins against a slow one", func(w *world) {
		fast, slow := lasting("Fast", 10*ms, "f"), lasting("Slow", 200*ms, "s")
		o := text("O", func(ctx octx, _ string) (string, error) {
			return won(ctx, branch(ctx, fast, "1", "2"), branch(ctx, slow, "1", "2"))
		})
		w.open(fast, slow, o)
		begin(w, o, "i", "")
		completes(w, "i", "0:f1,f2")
	})
	scenario(t, "E2E_039 a single activity wins against a branch of two", func(w *world) {
		one, two := lasting("One", 5*ms, "one"), lasting("Two", 100*ms, "two")
		o := text("O", func(ctx octx, _ string) (string, error) {
			return won(ctx, one.Start(ctx, ""), branch(ctx, two, "", ""))
		})
		w.open(one, two, o)
		begin(w, o, "i", "")
		completes(w, "i", "0:one")
	})
	scenario(t, "E2E_040 the branch with the shortest timer wins", func(w *world) {
		work := activity("Work", func(s string) (string, error) { return "work:" + s, nil })
		o := text("O", func(ctx octx, _ string) (string, error) {
			after := func(d time.Duration, name string) *turnstone.Future[string] {
				return turnstone.Go(ctx, func(ctx octx) (string, error) {
					ctx.Sleep(d)
					v, err := work.Call(ctx, name)
					return name + ":" + v, err
				})
			}
			return won(ctx, after(10*ms, "A"), after(time.Second, "B"), after(500*ms, "C"))
		})
		w.open(work, o)
		begin(w, o, "i", "")
		completes(w, "i", "0:A:work:A")
	})
	scenario(t, "E2E_041 a branch that joins three wins against a timer", func(w *world) {
		step := lasting("Step", ms, "step")
		o := text("O", func(ctx octx, _ string) (string, error) {
			join := turnstone.Go(ctx, func(ctx octx) (string, error) {
				all, err := turnstone.Results(ctx, step.Start(ctx, "1"), step.Start(ctx, "2"), step.Start(ctx, "3"))
				return strings.Join(all, ","), err
			})
			if turnstone.Race(ctx, join, ctx.Timer(20*time.Second)) == 1 {
				return "timeout", nil
			}
			v, err := join.Await()
			return "0:" + v, err
		})
		w.open(step, o)
		begin(w, o, "i", "")
		completes(w, "i", "0:step1,step2,step3")
	})
	scenario(t, "E2E_042 a branch with a fast child wins and its child runs once", func(w *world) {
		slow := lasting("Slow", 500*ms, "")
		child := text("Child", func(ctx octx, s string) (string, error) { return upper.Call(ctx, s) })
		o := text("O", func(ctx octx, _ string) (string, error) {
			quick := turnstone.Go(ctx, func(ctx octx) (string, error) { return child.Call(ctx, "sub") })
			return won(ctx, quick, branch(ctx, slow, "1", "2"))
		})
		w.open(upper, slow, child, o)
		begin(w, o, "i", "")
		completes(w, "i", "0:SUB")
		if d, err := w.c.Describe(w.ctx, "i::sub::2"); err != nil || d.State != client.StateCompleted || d.Execution != 1 {
			t.Errorf("the child: %+v, %v", d, err)
		}
	})
}

// The child that loses is cancelled: it never completes.
func TestBranchesLosingChildren(t *testing.T) {
	slowChild := text("SlowChild", func(ctx octx, _ string) (string, error) {
		ctx.Sleep(time.Minute)
		return "slow", nil
	})
	scenario(t, "E2E_043 a branch with a slow child loses and its child never completes", func(w *world) {
		quick := lasting("Quick", 5*ms, "quick")
		o := text("O", func(ctx octx, _ string) (string, error) {
			loser := turnstone.Go(ctx, func(ctx octx) (string, error) {
				return slowChild.Call(ctx, "", turnstone.WithChildID("loser"))
			})
			return won(ctx, loser, branch(ctx, quick, ""))
		})
		w.open(quick, slowChild, o)
		begin(w, o, "i", "")
		completes(w, "i", "1:quick")
		w.cancelled("loser", "parent dropped sub-orchestration future")
	})
	scenario(t, "E2E_045 a fast child wins against a slow child and a timeout", func(w *world) {
		fastChild := text("FastChild", func(ctx octx, s string) (string, error) { return upper.Call(ctx, s) })
		o := text("O", func(ctx octx, _ string) (string, error) {
			fast := turnstone.Go(ctx, func(ctx octx) (string, error) { return fastChild.Call(ctx, "fast") })
			slow := turnstone.Go(ctx, func(ctx octx) (string, error) {
				return slowChild.Call(ctx, "", turnstone.WithChildID("slow"))
			})
			late := turnstone.Map(ctx.Timer(2*time.Second), func(struct{}) (string, error) { return "timeout", nil })
			return won(ctx, fast, slow, late)
		})
		w.open(upper, fastChild, slowChild, o)
		begin(w, o, "i", "")
		completes(w, "i", "0:FAST")
		w.cancelled("slow", "parent dropped sub-orchestration future")
	})
}

func TestFutures(t *testing.T) {
	scenario(t, "E2E_048 of two events that came while it was down the first one wins", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			a, b := turnstone.WaitEvent[string](ctx, "A"), turnstone.WaitEvent[string](ctx, "B")
			switch turnstone.Race(ctx, a, ctx.Timer(20*time.Second), b) {
			case 0:
				v, err := a.Await()
				return "A:" + v, err
			case 1:
				return "timer", nil
			default:
				v, err := b.Await()
				return "B:" + v, err
			}
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 2, "ExternalSubscribed")
		// Nothing runs turns until both events are durable: B came first and wins.
		w.crash()
		w.cfg.TurnSlots = -1
		w.start()
		w.raise("i", "B", "vb")
		w.raise("i", "A", "va")
		w.cfg.TurnSlots = 8
		w.restart()
		completes(w, "i", "B:vb")
	})
	scenario(t, "E2E_049 results of all come in the order of scheduling", func(w *world) {
		a, b := lasting("A", 100*ms, "A"), lasting("B", 10*ms, "B")
		o := text("O", func(ctx octx, _ string) (string, error) {
			all, err := turnstone.Results(ctx, a.Start(ctx, ""), b.Start(ctx, ""))
			return strings.Join(all, ","), err
		})
		w.open(a, b, o)
		begin(w, o, "i", "")
		completes(w, "i", "A,B")
	})
	scenario(t, "E2E_051 an activity wins against a timer and another follows", func(w *world) {
		quick := lasting("Quick", ms, "")
		o := text("O", func(ctx octx, _ string) (string, error) {
			first := quick.Start(ctx, "x")
			if turnstone.Race(ctx, first, ctx.Timer(10*time.Second)) != 0 {
				return "timer", nil
			}
			return quick.Call(ctx, "done")
		})
		w.open(quick, o)
		begin(w, o, "i", "")
		completes(w, "i", "done")
	})
	scenario(t, "E2E_052 an activity that is awaited late has run meanwhile, once", func(w *world) {
		runs := newTally()
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) { runs.add("A"); return "a" + s, slowly(ctx, 5*ms) })
		b := turnstone.NewActivity("B", func(ctx actx, s string) (string, error) { runs.add("B"); return "b" + s, slowly(ctx, 200*ms) })
		o := text("O", func(ctx octx, _ string) (string, error) {
			first := a.Start(ctx, "1")
			second, err := b.Call(ctx, "2")
			if err != nil {
				return "", err
			}
			v, err := first.Await()
			return v + second, err
		})
		w.open(a, b, o)
		begin(w, o, "i", "")
		completes(w, "i", "a1b2")
		if runs.of("A") != 1 || runs.of("B") != 1 {
			t.Errorf("A ran %d times, B %d times", runs.of("A"), runs.of("B"))
		}
		ids := map[string]uint64{}
		for _, e := range w.history("i", 0) {
			if s := e.GetActivityScheduled(); s != nil {
				ids[s.GetName()] = e.GetId()
			}
		}
		if ids["A"] >= ids["B"] {
			t.Errorf("schedule ids %v", ids)
		}
	})
}
