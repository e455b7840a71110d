package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

const ms = time.Millisecond

type (
	orch[I, O any] = turnstone.Orchestration[I, O]
	octx           = *turnstone.Context
	actx           = turnstone.ActivityContext
)

// activity is a text activity that needs no context.
func activity(name string, f func(string) (string, error)) *turnstone.Activity[string, string] {
	return turnstone.NewActivity(name, func(_ actx, s string) (string, error) { return f(s) })
}

// lasting is a text activity that takes a while and gives its input back with a prefix.
func lasting(name string, d time.Duration, prefix string) *turnstone.Activity[string, string] {
	return turnstone.NewActivity(name, func(ctx actx, s string) (string, error) { return prefix + s, slowly(ctx, d) })
}

func text(name string, f func(ctx octx, in string) (string, error)) *orch[string, string] {
	return turnstone.NewOrchestration(name, f)
}

var (
	upper = activity("Upper", func(s string) (string, error) { return strings.ToUpper(s), nil })
	hello = activity("Hello", func(s string) (string, error) { return "Hello, " + s + "!", nil })
	fails = activity("Fails", func(s string) (string, error) { return "", errors.New(s) })
	add   = turnstone.NewActivity("Add", func(_ actx, n [2]int) (int, error) { return n[0] + n[1], nil })
)

func TestSamplesActivities(t *testing.T) {
	scenario(t, "E2E_001 an activity is called twice and greets", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) {
			if fixed, err := hello.Call(ctx, "Turnstone"); err != nil || fixed != "Hello, Turnstone!" {
				return fixed, err
			}
			return hello.Call(ctx, in)
		})
		w.open(hello, o)
		begin(w, o, "i", "World")
		completes(w, "i", "Hello, World!")
	})
	scenario(t, "E2E_002 code branches on an activity's result", func(w *world) {
		flag := activity("Flag", func(string) (string, error) { return "yes", nil })
		o := text("O", func(ctx octx, _ string) (string, error) {
			v, err := flag.Call(ctx, "")
			if v == "yes" {
				return "picked_yes", err
			}
			return "picked_no", err
		})
		w.open(flag, o)
		begin(w, o, "i", "")
		completes(w, "i", "picked_yes")
	})
	scenario(t, "E2E_003 a loop of activities appends to its input", func(w *world) {
		appendX := activity("Append", func(s string) (string, error) { return s + "x", nil })
		o := text("O", func(ctx octx, s string) (_ string, err error) {
			for range 3 {
				if s, err = appendX.Call(ctx, s); err != nil {
					return "", err
				}
			}
			return s, nil
		})
		w.open(appendX, o)
		begin(w, o, "i", "start")
		completes(w, "i", "startxxx")
	})
	scenario(t, "E2E_004 code recovers from a failed activity", func(w *world) {
		recovers := activity("Recover", func(string) (string, error) { return "recovered", nil })
		o := text("O", func(ctx octx, _ string) (string, error) {
			if _, err := fails.Call(ctx, "boom"); err == nil || err.Error() != "boom" {
				return "", fmt.Errorf("unexpected: %w", err)
			}
			return recovers.Call(ctx, "")
		})
		w.open(fails, recovers, o)
		begin(w, o, "i", "")
		completes(w, "i", "recovered")
	})
	scenario(t, "E2E_007 activities that fan out are joined", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			all, err := turnstone.Results(ctx, hello.Start(ctx, "Gabbar"), hello.Start(ctx, "Samba"))
			return strings.Join(all, " "), err
		})
		w.open(hello, o)
		begin(w, o, "i", "")
		completes(w, "i", "Hello, Gabbar! Hello, Samba!")
	})
	scenario(t, "E2E_024 an activity that refuses its input fails the instance with its text", func(w *world) {
		validate := activity("Validate", func(s string) (string, error) {
			if s == "" {
				return "", errors.New("input cannot be empty")
			}
			return "Valid: " + s, nil
		})
		o := text("O", func(ctx octx, s string) (string, error) { return validate.Call(ctx, s) })
		w.open(validate, o)
		begin(w, o, "good", "test")
		begin(w, o, "bad", "")
		completes(w, "good", "Valid: test")
		if f := w.failure("bad"); !strings.Contains(f.Error(), "input cannot be empty") {
			t.Errorf("failure %v", f)
		}
	})
	scenario(t, "E2E_025 a function of two activities hands on the error of either", func(w *world) {
		process := activity("Process", func(s string) (string, error) {
			if s == "error" {
				return "", errors.New("processing failed on purpose")
			}
			return "Processed: " + s, nil
		})
		format := activity("Format", func(s string) (string, error) { return "Final: " + s, nil })
		both := func(ctx octx, s string) (string, error) {
			p, err := process.Call(ctx, s)
			if err != nil {
				return "", fmt.Errorf("Processing failed: %w", err)
			}
			return format.Call(ctx, p)
		}
		o := text("O", both)
		w.open(process, format, o)
		begin(w, o, "ok", "test")
		begin(w, o, "bad", "error")
		completes(w, "ok", "Final: Processed: test")
		if f := w.failure("bad"); !strings.Contains(f.Error(), "Processing failed") {
			t.Errorf("failure %v", f)
		}
	})
	scenario(t, "E2E_026 a failure that is wrapped keeps both texts", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			_, err := fails.Call(ctx, "disk on fire")
			ctx.Logger().Error("step failed", "error", err)
			return "", fmt.Errorf("step 1 did not work: %w", err)
		})
		w.open(fails, o)
		begin(w, o, "i", "")
		if f := w.failure("i"); !strings.Contains(f.Error(), "step 1 did not work") || !strings.Contains(f.Error(), "disk on fire") {
			t.Errorf("failure %v", f)
		}
		w.until("the error is logged", func() bool { return strings.Contains(w.log.String(), "step failed") })
	})
}

func TestSamplesRaces(t *testing.T) {
	scenario(t, "E2E_005 a timer that wins against an activity ends the instance with an error", func(w *world) {
		slow := lasting("Slow", 500*ms, "")
		o := text("O", func(ctx octx, _ string) (string, error) {
			work := slow.Start(ctx, "done")
			if turnstone.Race(ctx, work, ctx.Timer(100*ms)) == 1 {
				return "", errors.New("timeout")
			}
			return work.Await()
		})
		w.open(slow, o)
		begin(w, o, "i", "")
		if f := w.failure("i"); f.Error() != "timeout" || f.Kind != turnstone.KindOrchestrationFailed {
			t.Errorf("failure %+v", f)
		}
	})
	scenario(t, "E2E_006 an event wins against a slow activity", func(w *world) {
		slow := lasting("Slow", 300*ms, "act:")
		o := text("O", func(ctx octx, _ string) (string, error) {
			work, event := slow.Start(ctx, "x"), turnstone.WaitEvent[string](ctx, "Go")
			if turnstone.Race(ctx, work, event) == 1 {
				v, err := event.Await()
				return "event:" + v, err
			}
			return work.Await()
		})
		w.open(slow, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.raise("i", "Go", "ok")
		completes(w, "i", "event:ok")
	})
	scenario(t, "E2E_009 a wait for the result has a limit", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			ctx.Sleep(20 * ms)
			return "done", nil
		})
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "done")
	})
}

func TestSamplesSystem(t *testing.T) {
	scenario(t, "E2E_008 the time and a unique id come from the context", func(w *world) {
		type answer struct {
			Now  int64
			GUID string
		}
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (answer, error) {
			return answer{ctx.UTCNow().UnixMilli(), ctx.NewGUID()}, nil
		})
		w.open(o)
		begin(w, o, "i", "")
		a := result[answer](w, "i")
		if a.Now <= 0 || len(a.GUID) != 36 || strings.Count(a.GUID, "-") != 4 || strings.Trim(a.GUID, "0123456789abcdef-") != "" {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestSamplesChildren(t *testing.T) {
	scenario(t, "E2E_010 a parent uses its child's result", func(w *world) {
		child := text("Child", func(ctx octx, s string) (string, error) { return upper.Call(ctx, s) })
		parent := text("Parent", func(ctx octx, s string) (string, error) {
			v, err := child.Call(ctx, s)
			return "parent:" + v, err
		})
		w.open(upper, child, parent)
		begin(w, parent, "p", "hi")
		completes(w, "p", "parent:HI")
	})
	scenario(t, "E2E_011 a parent fans out two children and adds their results", func(w *world) {
		child := turnstone.NewOrchestration("Child", func(ctx octx, n [2]int) (int, error) { return add.Call(ctx, n) })
		parent := text("Parent", func(ctx octx, _ string) (string, error) {
			sums, err := turnstone.Results(ctx, child.Start(ctx, [2]int{1, 2}), child.Start(ctx, [2]int{3, 4}))
			return fmt.Sprintf("total=%d", sums[0]+sums[1]), err
		})
		w.open(add, child, parent)
		begin(w, parent, "p", "")
		completes(w, "p", "total=10")
	})
	scenario(t, "E2E_012 a grandchild's result comes back through its parent", func(w *world) {
		suffix := activity("Suffix", func(s string) (string, error) { return s + "x", nil })
		leaf := text("Leaf", func(ctx octx, s string) (string, error) { return suffix.Call(ctx, s) })
		mid := text("Mid", func(ctx octx, s string) (string, error) {
			v, err := leaf.Call(ctx, s)
			return v + "-mid", err
		})
		root := text("Root", func(ctx octx, s string) (string, error) {
			v, err := mid.Call(ctx, s)
			return "root:" + v, err
		})
		w.open(suffix, leaf, mid, root)
		begin(w, root, "r", "a")
		completes(w, "r", "root:ax-mid")
	})
	scenario(t, "E2E_013 detached starts run under exactly their ids", func(w *world) {
		worker := text("Worker", func(ctx octx, s string) (string, error) { return upper.Call(ctx, s) })
		o := text("Coordinator", func(ctx octx, _ string) (string, error) {
			worker.StartDetached(ctx, "W1", "a")
			worker.StartDetached(ctx, "W2", "b")
			return "scheduled", nil
		})
		w.open(upper, worker, o)
		begin(w, o, "c", "")
		completes(w, "c", "scheduled")
		completes(w, "W1", "A")
		completes(w, "W2", "B")
		for _, d := range w.all() {
			if d.ID != "c" && d.ID != "W1" && d.ID != "W2" || d.Parent != nil {
				t.Errorf("unexpected instance %+v", d)
			}
		}
	})
	scenario(t, "E2E_014 a detached start replays beside an activity", func(w *world) {
		echo := activity("Echo", func(s string) (string, error) { return s, nil })
		child := text("Child", func(ctx octx, s string) (string, error) { return echo.Call(ctx, s) })
		o := text("Parent", func(ctx octx, _ string) (string, error) {
			child.StartDetached(ctx, "free", "child-payload")
			return echo.Call(ctx, "hello")
		})
		w.open(echo, child, o)
		begin(w, o, "p", "")
		completes(w, "p", "hello")
		completes(w, "free", "child-payload")
		if n := w.history("p", 0).count("OrchestrationChained"); n != 1 {
			t.Errorf("%d chained events, want 1", n)
		}
	})
	scenario(t, "E2E_023 cancelling a parent cancels its child", func(w *world) {
		child := text("Child", func(ctx octx, _ string) (string, error) {
			return turnstone.WaitEvent[string](ctx, "never").Await()
		})
		o := text("Parent", func(ctx octx, _ string) (string, error) { return child.Call(ctx, "") })
		w.open(child, o)
		begin(w, o, "p", "")
		w.untilHistory("p::sub::2", 1, "ExternalSubscribed")
		w.cancel("p", "user_request")
		w.cancelled("p", "user_request")
		w.cancelled("p::sub::2", "parent canceled")
		if n := w.history("p::sub::2", 0).count("OrchestrationCancelRequested"); n != 1 {
			t.Errorf("%d cancel requests in the child, want 1", n)
		}
	})
}

func TestSamplesContinueAndTypes(t *testing.T) {
	scenario(t, "E2E_015 continue-as-new counts through four executions", func(w *world) {
		o := turnstone.NewOrchestration("Loop", func(ctx octx, n int) (string, error) {
			if n < 3 {
				return "", turnstone.ContinueAsNew(ctx, n+1)
			}
			return fmt.Sprintf("final:%d", n), nil
		})
		w.open(o)
		begin(w, o, "i", 0)
		completes(w, "i", "final:3")
		w.executions("i", 4)
	})
	type pair struct{ A, B int }
	type sum struct{ Sum int }
	addPair := turnstone.NewActivity("AddPair", func(_ actx, p pair) (sum, error) { return sum{p.A + p.B}, nil })
	scenario(t, "E2E_016 typed activities and orchestrations pass structures", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, p pair) (sum, error) { return addPair.Call(ctx, p) })
		w.open(addPair, o)
		begin(w, o, "i", pair{2, 3})
		completes(w, "i", sum{5})
	})
	scenario(t, "E2E_017 a typed event is received", func(w *world) {
		type ack struct{ OK bool }
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (ack, error) {
			return turnstone.WaitEvent[ack](ctx, "Ready").Await()
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.raise("i", "Ready", ack{true})
		completes(w, "i", ack{true})
	})
	race := func(id, in string, n pair, wants ...string) {
		scenario(t, id, func(w *world) {
			o := text("O", func(ctx octx, s string) (string, error) {
				typed, plain := addPair.Start(ctx, n), upper.Start(ctx, s)
				if turnstone.Race(ctx, typed, plain) == 0 {
					v, err := typed.Await()
					return fmt.Sprintf("sum=%d", v.Sum), err
				}
				v, err := plain.Await()
				return "up=" + v, err
			})
			w.open(addPair, upper, o)
			begin(w, o, "i", in)
			if got := result[string](w, "i"); got != wants[0] && got != wants[1] {
				t.Errorf("result %q, want one of %v", got, wants)
			}
		})
	}
	race("E2E_018 a typed activity races one of text", "hello", pair{1, 2}, "sum=3", "up=HELLO")
	race("E2E_019 an orchestration of text races a typed activity", "race", pair{5, 7}, "sum=12", "up=RACE")
}

func TestSamplesVersions(t *testing.T) {
	version := func(name, v string) *orch[string, string] {
		return turnstone.NewOrchestration(name, func(octx, string) (string, error) { return name + "-" + v, nil },
			turnstone.WithVersion(v))
	}
	scenario(t, "E2E_020 a start runs the latest version, or the one that is pinned", func(w *world) {
		v1, v2 := version("V", "1.0.0"), version("V", "2.0.0")
		v := text("V", func(octx, string) (string, error) { return "", nil }) // a handle of any version
		w.open(v1, v2)
		begin(w, v, "latest", "")
		completes(w, "latest", "V-2.0.0")
		w.registry.SetVersionPolicy("V", turnstone.Exact("1.0.0"))
		begin(w, v, "pinned", "")
		completes(w, "pinned", "V-1.0.0")
	})
	scenario(t, "F34 a handle with a version starts it, 0.0.0 too, and a crash does not change it", func(w *world) {
		held := turnstone.NewOrchestration("V", func(ctx octx, _ string) (string, error) {
			return "V-0.0.0", turnstone.WaitEvent[string](ctx, "end").Err()
		}, turnstone.WithVersion("0.0.0"))
		v1, v2 := version("V", "1.0.0"), version("V", "2.0.0")
		w.open(held, v1, v2)
		begin(w, held, "oldest", "")
		begin(w, v1, "old", "")
		completes(w, "old", "V-1.0.0")
		w.untilHistory("oldest", 1, "ExternalSubscribed")
		w.restart()
		w.raise("oldest", "end", "")
		completes(w, "oldest", "V-0.0.0")
	})
	scenario(t, "E2E_021 a child runs the version that is asked for, or the latest", func(w *world) {
		c1, c2 := version("C", "1.0.0"), version("C", "2.0.0")
		c := text("C", func(octx, string) (string, error) { return "", nil }) // a handle of any version
		o := text("P", func(ctx octx, _ string) (string, error) {
			a, err := c.Call(ctx, "", turnstone.WithVersion("1.0.0"))
			if err != nil {
				return "", err
			}
			b, err := c.Call(ctx, "")
			return a + " " + b, err
		})
		w.open(c1, c2, o)
		begin(w, o, "p", "")
		completes(w, "p", "C-1.0.0 C-2.0.0")
	})
	scenario(t, "E2E_022 continue-as-new goes on in the latest version", func(w *world) {
		v1 := text("U", func(ctx octx, s string) (string, error) {
			return "", turnstone.ContinueAsNew(ctx, "v1:"+s)
		})
		v2 := turnstone.NewOrchestration("U", func(_ octx, s string) (string, error) { return "upgraded:" + s, nil },
			turnstone.WithVersion("2.0.0"))
		w.open(v1, v2)
		if _, err := client.Start(w.ctx, w.c, "i", v1, "state", client.WithVersion("1.0.0")); err != nil {
			t.Fatal(err)
		}
		completes(w, "i", "upgraded:v1:state")
		w.executions("i", 2)
		if in := string(w.history("i", 2)[0].GetStarted().GetInput()); in != `"v1:state"` {
			t.Errorf("input of execution 2: %s", in)
		}
		if v := w.history("i", 2)[0].GetStarted().GetVersion(); v != "2.0.0" {
			t.Errorf("execution 2 runs %s", v)
		}
	})
}
