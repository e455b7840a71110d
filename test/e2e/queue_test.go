package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

func (w *world) enqueue(id, queue string, value any) {
	w.t.Helper()
	if err := client.Enqueue(w.ctx, w.c, id, queue, value); err != nil {
		w.t.Fatalf("enqueue to %s of %s: %v", queue, id, err)
	}
}

// next takes a message of a queue.
func next(ctx octx, queue string) string {
	v, err := turnstone.Dequeue[string](ctx, queue).Await()
	if err != nil {
		return "error: " + err.Error()
	}
	return v
}

func TestQueues(t *testing.T) {
	gets := text("O", func(ctx octx, _ string) (string, error) { return "got:" + next(ctx, "q"), nil })
	scenario(t, "QEV_001 a queue gives a message to a wait", func(w *world) {
		w.open(gets)
		begin(w, gets, "i", "")
		w.untilHistory("i", 1, "QueueSubscribed")
		w.restart()
		w.enqueue("i", "q", "hello")
		completes(w, "i", "got:hello")
	})
	scenario(t, "QEV_002 a queue keeps a message that precedes its wait", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			return "got:" + next(ctx, "q"), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		w.enqueue("i", "q", "early_bird")
		w.restart()
		w.raise("i", "go", "")
		completes(w, "i", "got:early_bird")
	})
	scenario(t, "QEV_003 a queue gives messages in order", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { return next(ctx, "q") + "," + next(ctx, "q"), nil })
		w.open(o)
		begin(w, o, "i", "")
		w.enqueue("i", "q", "first")
		w.enqueue("i", "q", "second")
		completes(w, "i", "first,second")
	})
	scenario(t, "QEV_005 a message that a wait gave up goes to the next, and a late one is refused", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			if turnstone.Race(ctx, turnstone.Dequeue[string](ctx, "q"), ctx.Timer(50*ms)) != 1 {
				return "too early", nil
			}
			return next(ctx, "q"), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 2, "QueueSubscribed")
		w.enqueue("i", "q", "survived")
		completes(w, "i", "survived")
		if err := w.c.Enqueue(w.ctx, "i", "q", nil); !errors.Is(err, turnstone.ErrInstanceEnded) {
			t.Errorf("a message for one that has ended: %v", err)
		}
		h := w.history("i", 0)
		if h.count("QueueEventDelivered") != 1 || h.count("QueueSubscribed") != 2 || h.count("QueueSubscriptionCancelled") != 1 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "QEV_006 a positional event and a message of one name go to their own waits", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			event, message := turnstone.WaitEvent[string](ctx, "same", turnstone.Positional), turnstone.Dequeue[string](ctx, "same")
			both, err := turnstone.Results(ctx, event, message)
			return strings.Join(both, ","), err
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "QueueSubscribed")
		w.enqueue("i", "same", "message")
		w.raise("i", "same", "event")
		completes(w, "i", "event,message")
	})
	scenario(t, "QEV_007 a wait for a message that loses is cancelled", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			return fmt.Sprint(turnstone.Race(ctx, turnstone.Dequeue[string](ctx, "q"), ctx.Timer(50*ms))), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "1")
		if e := w.history("i", 0).first(t, "QueueSubscriptionCancelled"); e.GetQueueSubscriptionCancelled().GetReason() != "dropped_future" {
			t.Errorf("it is cancelled as %v", e)
		}
	})
	scenario(t, "QEV_008 a wait for a message that is open at the end is cancelled", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			turnstone.Dequeue[string](ctx, "q")
			work(ctx)
			return "ok", nil
		})
		w.open(upper, o)
		begin(w, o, "i", "")
		completes(w, "i", "ok")
		h := w.history("i", 0)
		if h.count("QueueSubscribed") != 1 || h.count("QueueSubscriptionCancelled") != 1 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "QEV_009 a message passes waits that were cancelled", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			turnstone.Dequeue[string](ctx, "q").Cancel()
			turnstone.Race(ctx, turnstone.Dequeue[string](ctx, "q"), ctx.Timer(5*ms))
			return next(ctx, "q"), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 3, "QueueSubscribed")
		w.enqueue("i", "q", "for the third")
		completes(w, "i", "for the third")
		if h := w.history("i", 0); h.count("QueueSubscriptionCancelled") != 2 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "QEV_016 a message for an instance that does not exist is not kept", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			return fmt.Sprint(turnstone.Race(ctx, turnstone.Dequeue[string](ctx, "q"), ctx.Timer(50*ms))), nil
		})
		w.open(o)
		if err := w.c.Enqueue(w.ctx, "i", "q", nil); !errors.Is(err, turnstone.ErrInstanceNotFound) {
			t.Errorf("a message for nobody: %v", err)
		}
		begin(w, o, "i", "")
		completes(w, "i", "1")
	})
}

func TestQueuesBesideOthers(t *testing.T) {
	scenario(t, "QEV_010 events, messages and activities are interleaved over four turns", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			lost := turnstone.WaitEvent[string](ctx, "signal", turnstone.Positional)
			if turnstone.Race(ctx, lost, ctx.Timer(5*ms)) != 1 {
				return "too early", nil
			}
			out := next(ctx, "q")
			v, err := upper.Call(ctx, out)
			if err != nil {
				return "", err
			}
			signal, err := turnstone.WaitEvent[string](ctx, "signal", turnstone.Positional).Await()
			return out + "," + v + "," + signal + "," + next(ctx, "q"), err
		})
		w.open(upper, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "QueueSubscribed")
		w.enqueue("i", "q", "one")
		w.untilHistory("i", 2, "ExternalSubscribed")
		w.restart()
		w.enqueue("i", "q", "two")
		w.raise("i", "signal", "now")
		completes(w, "i", "one,ONE,now,two")
		h := w.history("i", 0)
		if h.count("ExternalSubscribedCancelled") != 1 || h.count("QueueSubscriptionCancelled") != 0 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "QEV_011 events and messages are raced and joined", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			event, message := turnstone.WaitEvent[string](ctx, "sig", turnstone.Positional), turnstone.Dequeue[string](ctx, "pers")
			if turnstone.Race(ctx, event, message) != 1 {
				return "the event won", nil
			}
			first, err := message.Await()
			if err != nil {
				return "", err
			}
			both, err := turnstone.Results(ctx, turnstone.WaitEvent[string](ctx, "sig", turnstone.Positional), turnstone.Dequeue[string](ctx, "pers"))
			if err != nil {
				return "", err
			}
			return "select_pers:" + first + ",join_pos:" + both[0] + ",join_pers:" + both[1], nil
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "QueueSubscribed")
		w.enqueue("i", "pers", "fast")
		w.untilHistory("i", 2, "QueueSubscribed")
		w.raise("i", "sig", "left")
		w.enqueue("i", "pers", "right")
		completes(w, "i", "select_pers:fast,join_pos:left,join_pers:right")
	})
	type message struct {
		ID  int
		Msg string
	}
	scenario(t, "QEV_012 a typed event is raised and received", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			m, err := turnstone.WaitEvent[message](ctx, "e").Await()
			return fmt.Sprintf("id=%d,msg=%s", m.ID, m.Msg), err
		})
		w.open(o)
		run := begin(w, o, "i", "")
		if err := run.Raise(w.ctx, "e", message{42, "hello"}); err != nil {
			t.Fatal(err)
		}
		completes(w, "i", "id=42,msg=hello")
	})
	scenario(t, "QEV_013 a typed message is sent and received", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			m, err := turnstone.Dequeue[message](ctx, "q").Await()
			return fmt.Sprintf("%s:%d", m.Msg, m.ID), err
		})
		w.open(o)
		run := begin(w, o, "i", "")
		if err := run.Enqueue(w.ctx, "q", message{99, "increment"}); err != nil {
			t.Fatal(err)
		}
		completes(w, "i", "increment:99")
	})
	scenario(t, "QEV_014 three queues keep their own order", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			var out []string
			for _, q := range []string{"c", "a", "b"} {
				out = append(out, next(ctx, q), next(ctx, q))
			}
			return strings.Join(out, ","), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		for n := range 2 {
			for _, q := range []string{"a", "b", "c"} {
				w.enqueue("i", q, fmt.Sprint(q, n+1))
			}
		}
		completes(w, "i", "c1,c2,a1,a2,b1,b2")
	})
	scenario(t, "QEV_015 messages that come early and late are taken on two queues", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			cmd := next(ctx, "cmd") + "," + next(ctx, "cmd")
			return "cmd:" + cmd + "|stat:" + next(ctx, "stat") + "," + next(ctx, "stat"), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		w.enqueue("i", "cmd", "c1")
		w.enqueue("i", "stat", "s1")
		w.raise("i", "go", "")
		w.untilHistory("i", 2, "QueueSubscribed")
		w.restart()
		w.enqueue("i", "stat", "s2")
		w.enqueue("i", "cmd", "c2")
		completes(w, "i", "cmd:c1,c2|stat:s1,s2")
	})
}

// Messages that no wait has taken go along into the next execution, in order, and none is lost, however many there are.
func TestQueuesAcrossExecutions(t *testing.T) {
	const n = 150 // more than an execution holds
	scenario(t, "carried", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, taken int) (string, error) {
			for range 20 {
				if got := next(ctx, "q"); got != fmt.Sprint(taken) {
					return fmt.Sprintf("message %d is %s", taken, got), nil
				}
				if taken++; taken == n {
					return "all", nil
				}
			}
			return "", turnstone.ContinueAsNew(ctx, taken)
		})
		w.open(o)
		begin(w, o, "i", 0)
		for i := range n {
			w.enqueue("i", "q", fmt.Sprint(i))
			if i == n/2 {
				w.restart()
			}
		}
		completes(w, "i", "all")
		w.executions("i", (n+19)/20)
	})
	// A request key makes a repeated message one.
	scenario(t, "request key", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { return next(ctx, "q") + "," + next(ctx, "q"), nil })
		w.open(o)
		begin(w, o, "i", "")
		w.reopened = true // a turn with a message that was recorded before is refused, and run again
		for range 3 {
			if err := client.Enqueue(w.ctx, w.c, "i", "q", "once", client.WithRequestKey("k")); err != nil {
				t.Fatal(err)
			}
		}
		w.enqueue("i", "q", "then")
		completes(w, "i", "once,then")
	})
	// A message costs the commit of the turn that takes it, and no other.
	resident(t, "commits", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { return next(ctx, "q"), nil })
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "QueueSubscribed")
		w.enqueue("i", "q", "x")
		completes(w, "i", "x")
		if n := w.node.Metrics().Commits; n != 2 {
			t.Errorf("%d commits of turns, want 2", n)
		}
	})
	scenario(t, "limits", func(w *world) {
		w.cfg.Limits.IDBytes, w.cfg.Limits.PayloadBytes = 20, 1000
		w.open(waiting)
		begin(w, waiting, "i", "")
		for n, good := range map[int]bool{19: true, 20: true, 21: false, 0: false} {
			if err := w.c.Enqueue(w.ctx, "i", strings.Repeat("q", n), nil); (err == nil) != good {
				t.Errorf("a queue name of %d bytes: %v", n, err)
			}
		}
		for n, good := range map[int]bool{999: true, 1000: true, 1001: false} {
			var limit *turnstone.LimitError
			if err := w.c.Enqueue(w.ctx, "i", "q", fill(n)); (err == nil) != good || err != nil && !errors.As(err, &limit) {
				t.Errorf("a message of %d bytes: %v", n, err)
			}
		}
		w.verified = true
	})
}
