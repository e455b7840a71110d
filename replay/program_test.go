package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// A program is a random orchestration: a tree of statements that every run interprets alike. Its results flow into a
// trace that becomes the output, so that any difference in what code saw shows in the event bytes.
type stmt struct {
	op   string
	name string
	n    int
	body []stmt
	also []stmt
	refs []int // futures of this frame, by position
}

var leafOps = []string{
	"start-activity", "start-activity", "start-activity", "start-activity", "start-timer", "start-timer", "start-child", "start-wait", "start-positional", "start-dequeue", "start-child",
	"await", "await", "await", "select", "race", "all", "cancel", "activity", "activity", "guid", "now", "random", "utc",
	"patched", "deprecate", "effect", "effect", "raise", "enqueue", "start-await", "start-await",
	"status", "kvset", "kvget", "kvclear", "kvprune", "detached", "ready", "dequeue",
}

func genBlock(t *rapid.T, depth int, label string) []stmt {
	n := rapid.IntRange(1, 7).Draw(t, label+"len")
	out := make([]stmt, 0, n)
	for i := range n {
		out = append(out, genStmt(t, depth, fmt.Sprintf("%s.%d", label, i)))
	}
	return out
}

func genStmt(t *rapid.T, depth int, label string) stmt {
	s := stmt{
		name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, label+"name"),
		n:    rapid.IntRange(0, 5).Draw(t, label+"n"),
		refs: rapid.SliceOfN(rapid.IntRange(0, 9), 1, 3).Draw(t, label+"refs"),
	}
	kind := rapid.IntRange(0, 199).Draw(t, label+"kind")
	switch {
	case depth > 0 && kind < 26:
		s.op, s.body = "go", genBlock(t, depth-1, label+"g")
	case depth > 0 && kind < 38:
		s.op, s.body = "scope", genBlock(t, depth-1, label+"s")
	case depth > 0 && kind < 50:
		s.op, s.body, s.also = "if", genBlock(t, depth-1, label+"t"), genBlock(t, depth-1, label+"e")
	case depth > 0 && kind < 60:
		s.op, s.body = "loop", genBlock(t, depth-1, label+"l")
	case depth > 0 && kind >= 190:
		s.op, s.body = "compensate", genBlock(t, depth-1, label+"c")
	case kind < 61:
		s.op = "continue-as-new"
	case kind < 63:
		s.op = "fail"
	case kind < 64:
		s.op = "panic"
	case kind < 68:
		s.op = "defer"
	default:
		s.op = rapid.SampledFrom(leafOps).Draw(t, label+"op")
	}
	return s
}

// frame is one coroutine's run of a program. Futures are shared between frames through the run, as closures share
// them.
type frame struct {
	c *replay.Context
	r *run
}

type run struct {
	trace   strings.Builder
	futures []*replay.Future
	steps   int
}

// turnNow is the turn that machines take: the one thing that a side effect of a program reads. So a machine that stays and
// one that was rebuilt compute the same in a turn, and one that computes on replay gets something else.
var turnNow uint64

func effect() []byte { return fmt.Append(nil, "computed in turn ", turnNow) }

// program gives the handler that interprets a block.
func program(block []stmt) replay.Func {
	return func(c *replay.Context, in []byte) ([]byte, error) {
		r := &run{}
		fmt.Fprintf(&r.trace, "in=%s;", in)
		f := frame{c, r}
		if len(block)%3 == 0 {
			c.Cleanup(func(c *replay.Context, why *turnpb.Failure) error {
				f.note("%s", failure.Display(why))
				return frame{c, r}.undo(block)
			}, time.Duration(len(block))*time.Second)
		}
		if err := f.block(block); err != nil {
			return nil, fmt.Errorf("%s%w", r.trace.String(), err)
		}
		if len(block)%2 == 0 {
			c.All(r.futures...)
		}
		return []byte(r.trace.String()), nil
	}
}

func (f frame) block(b []stmt) error {
	for _, s := range b {
		f.r.steps++
		if f.r.steps > 60 {
			return nil
		}
		if err := f.exec(s); err != nil {
			return err
		}
	}
	return nil
}

// undo runs a block as an undo step. What it has seen, and what the code has left in its variables, becomes a status.
func (f frame) undo(b []stmt) error {
	defer f.note("undone")
	f.r.steps = min(f.r.steps, 30)
	err := f.block(b)
	seen := f.r.trace.String()
	f.c.SetStatus(&seen)
	f.show(activity(f.c, "undo", ""))
	return err
}

func (f frame) note(format string, args ...any) { fmt.Fprintf(&f.r.trace, format+";", args...) }

func (f frame) keep(x *replay.Future) { f.r.futures = append(f.r.futures, x) }

func (f frame) pick(refs []int) []*replay.Future {
	if len(f.r.futures) == 0 {
		return nil
	}
	var out []*replay.Future
	for _, i := range refs {
		out = append(out, f.r.futures[i%len(f.r.futures)])
	}
	return out
}

func (f frame) show(x *replay.Future) {
	v, err := x.Await()
	switch b := v.(type) {
	case []byte:
		f.note("%s/%v", b, err)
	default:
		f.note("%v/%v", v, err)
	}
}

func (f frame) exec(s stmt) error {
	c := f.c
	switch s.op {
	case "go":
		f.keep(c.Go(func(c *replay.Context) (any, error) {
			g := frame{c, f.r}
			g.note("go")
			if err := g.block(s.body); err != nil {
				return "failed", err
			}
			return "ok", nil
		}))
	case "scope":
		if err := c.Scope(func(c *replay.Context) error { return frame{c, f.r}.block(s.body) }); err != nil {
			f.note("scope %v", err)
		}
	case "if":
		if f.r.trace.Len()%2 == 0 {
			return f.block(s.body)
		}
		return f.block(s.also)
	case "loop":
		for range s.n {
			if err := f.block(s.body); err != nil {
				return err
			}
		}
	case "defer":
		defer func() { f.r.steps++; f.note("deferred"); c.Timer(time.Second) }()
		f.show(activity(c, "deferred", s.name))
	case "compensate":
		c.Compensate(func(c *replay.Context) error { return frame{c, f.r}.undo(s.body) })
	case "fail":
		return errors.New("failed")
	case "panic":
		panic("panicked after " + f.r.trace.String())
	case "continue-as-new":
		c.ContinueAsNew([]byte(f.r.trace.String()), "")
	default:
		f.leaf(s)
	}
	return nil
}

func (f frame) leaf(s stmt) {
	c := f.c
	switch s.op {
	case "activity":
		f.show(activity(c, "act-"+s.name, fmt.Sprint(s.n)))
	case "start-activity":
		o := replay.ActivityOptions{}
		if s.n == 1 {
			o.Tag = &s.name
		}
		f.keep(c.Activity("act-"+s.name, []byte(fmt.Sprint(s.n)), o))
	case "start-timer":
		f.keep(c.Timer(time.Duration(s.n) * time.Second))
	case "start-wait":
		f.keep(c.WaitEvent("event-"+s.name, buffered))
	case "start-positional":
		f.keep(c.WaitEvent("event-"+s.name, positional))
	case "start-dequeue":
		f.keep(c.Dequeue("queue-" + s.name))
	case "dequeue":
		f.show(c.Dequeue("queue-" + s.name))
	case "start-child":
		f.keep(c.Child("child-"+s.name, []byte(fmt.Sprint(s.n)), replay.ChildOptions{Policy: turnpb.ChildPolicy(s.n % 4), ID: map[int]string{5: "sub::given"}[s.n]}))
	case "raise":
		f.keep(c.Raise("other-"+s.name, "event-"+s.name, []byte(fmt.Sprint(s.n))))
	case "enqueue":
		f.keep(c.Enqueue("other-"+s.name, "queue-"+s.name, []byte(fmt.Sprint(s.n))))
	case "start-await":
		f.keep(c.AwaitInstance("other-" + s.name))
	case "guid":
		f.note("%s", c.NewGUID())
	case "utc":
		f.note("%d", c.UTCNow())
	case "now":
		f.note("%d", c.Now().UnixMilli())
	case "random":
		f.note("%d", c.Random())
	case "detached":
		c.Detached("det-"+s.name, fmt.Sprint("d-", s.n), nil, replay.DetachedOptions{})
	default:
		f.state(s)
	}
}

func (f frame) state(s stmt) {
	c := f.c
	fs := f.pick(s.refs)
	switch s.op {
	case "status":
		c.SetStatus(&s.name)
	case "kvset":
		c.KVSet(s.name, []byte(fmt.Sprint(s.n, f.r.trace.Len())))
	case "kvget":
		v, ok := c.KVGet(s.name)
		f.note("%s %v %d", v, ok, c.KVLen())
	case "kvclear":
		c.KVClear(s.name)
	case "kvprune":
		f.note("pruned %d", c.KVPruneBefore(c.Now().UnixMilli()))
	case "patched":
		f.note("patched %v", c.Patched(s.name))
	case "deprecate":
		c.DeprecatePatch(s.name)
	case "effect":
		f.note("%s", c.SideEffect(effect))
	case "ready":
		for _, x := range fs {
			f.note("%v", x.Ready())
		}
	case "cancel":
		if len(fs) > 0 {
			fs[0].Cancel()
		}
	case "await":
		if len(fs) > 0 {
			f.show(fs[0])
		}
	case "select":
		f.note("select %d", c.Select(fs...))
	case "race":
		f.note("race %d", c.Race(fs...))
	case "all":
		c.All(fs...)
	}
}
