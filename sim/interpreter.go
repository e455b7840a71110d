package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// interpreter runs programs as an orchestration. It keeps a digest of everything that the code was given, in the order
// in which it was given it, so that the output shows any difference between two runs.
type interpreter struct {
	kill func(instance string) // ends the process; nil when a history is only replayed
	// took is told of two events that two waits of one name were given, the second of which began when the first was
	// over; nil unless a history is replayed.
	took func(instance, first, second string)
	// given is told of all that waits were given; nil unless a history is replayed.
	given func(instance, data string)
	// compute is what side effects do: it never gives the same twice. nil when a history is only replayed, which has the
	// values.
	compute func() []byte
	// settled: the program ends alike whatever order things come in, and so must what it says of them.
	settled bool
	// older: this is the code of before, which knows no patches.
	older bool
	// reach is told of what happened; nil when a history is only replayed.
	reach func(what string)
	// inputs is which inputs the code gives activities. unfit is told of an instance that goes on where it must not.
	inputs inputs
	unfit  func(instance string)
}

// orchestration is the handler.
func (i *interpreter) orchestration(ctx *replay.Context, input []byte) ([]byte, error) {
	p, err := decodeProgram(input)
	if err != nil {
		return nil, err
	}
	r := &run{interpreter: i, digest: &strings.Builder{}, taken: map[arrivalName][]string{}}
	p = r.tidy(ctx, p)
	if r.inputs == inputsStrict {
		ctx.StrictInputs()
	}
	r.answerQueries(ctx)
	if err := r.do(ctx, p); err != nil {
		return nil, err
	}
	return r.seen(), nil
}

// run is one execution of a program.
type run struct {
	*interpreter
	digest *strings.Builder
	taken  map[arrivalName][]string // what the waits that are over were given, by name
	sent   int                      // letters
	pushed int                      // undo steps
	left   []byte                   // what had been seen when the first undo step ran
	other  map[*replay.Future]bool  // with inputsStrict: those whose input is another than history has
}

var (
	errPlanned = errors.New("the program fails here")
	errStopped = errors.New("the program has asked to continue as new")
)

// note adds to the digest what code was told.
func (r *run) note(what string, value any, err error) {
	switch v := value.(type) {
	case []byte:
		fmt.Fprintf(r.digest, "%s=%s", what, v)
	default:
		fmt.Fprintf(r.digest, "%s=%v", what, v)
	}
	if err != nil {
		fmt.Fprintf(r.digest, " (%v)", err)
	}
	r.digest.WriteByte('\n')
}

// do runs a node to its end. A failed operation is noted and passed over, as code with error handling does; what is
// returned ends the orchestration unless a catch is around it.
func (r *run) do(ctx *replay.Context, p *Program) error {
	switch p.Op {
	case "seq":
		return r.each(ctx, p.Kids)
	case "loop":
		for range p.N {
			if err := r.each(ctx, p.Kids); err != nil {
				return err
			}
		}
		return nil
	case "all", "race", "select":
		return r.several(ctx, p)
	case "go":
		return r.coroutines(ctx, p)
	case "scope":
		return ctx.Scope(func(ctx *replay.Context) error {
			ctx.Timer(time.Hour) // left behind: the scope cancels it
			if p.Flag {
				ctx.WaitEvent(eventName(0), turnpb.WaitMode_WAIT_MODE_BUFFERED)
			}
			return r.each(ctx, p.Kids)
		})
	case "catch":
		if err := r.each(ctx, p.Kids); errors.Is(err, errStopped) {
			return err
		} else {
			r.note("caught", nil, err)
		}
		return nil
	case "retry":
		return r.retry(ctx, p)
	case "cancel", "linger":
		return r.giveUp(ctx, p)
	case "patched":
		return r.patched(ctx, p)
	case "undo":
		r.push(ctx, p)
		return nil
	case "kill":
		if r.kill != nil {
			r.kill(ctx.Instance())
		}
		return nil
	default:
		return r.plain(ctx, p)
	}
}

// plain runs the nodes that hold no others.
func (r *run) plain(ctx *replay.Context, p *Program) error {
	switch p.Op {
	case "guid":
		r.note("guid", ctx.NewGUID(), nil)
	case "now":
		r.note("now", ctx.UTCNow()-ctx.Now().UnixMilli(), nil)
	case "effect":
		value := ctx.SideEffect(r.effect)
		if !r.settled {
			r.note("effect", value, nil)
		}
	case "deprecate":
		if !r.older {
			ctx.DeprecatePatch(p.Name)
		}
	case "random":
		r.note("random", ctx.Random(), nil)
	case "detached":
		ctx.Detached(orchestrationName, p.Name, p.Kids[0].encode(), replay.DetachedOptions{Version: version(p), Life: life(p)})
	case "fail":
		return errPlanned
	case "panic":
		panic("the program panics here")
	case "again":
		if p.Flag { // something is left open, and events may be buffered
			ctx.Timer(time.Hour)
			ctx.Activity(activityCommon, activitySpec{Label: "left open"}.encode(), replay.ActivityOptions{})
		}
		ctx.ContinueAsNew(p.Kids[0].encode(), "")
		return errStopped
	case "wait", "dequeue":
		r.wait(ctx, p)
	case "status", "set", "clear", "keys", "prune":
		r.state(ctx, p)
	default:
		value, err := r.begin(ctx, p).Await()
		r.note(p.Op, value, err)
	}
	return nil
}

// patched goes the old way or the new one. Code that knows the patch goes on with what older code began.
func (r *run) patched(ctx *replay.Context, p *Program) error {
	way := 0
	if !r.older && ctx.Patched(p.Name) {
		way = 1
	}
	r.note("patched", way, nil)
	switch {
	case r.reach == nil:
	case way == 1:
		r.reach("new way of a patch")
	case !r.older:
		r.reach("old way of a patch in code that knows it")
	}
	return r.do(ctx, p.Kids[way])
}

// effect is what a side effect computes; where only history is replayed, what no history has.
func (r *run) effect() []byte {
	if r.compute == nil {
		return []byte("computed again")
	}
	return r.compute()
}

// state changes what the instance shows to others, and looks at it.
func (r *run) state(ctx *replay.Context, p *Program) {
	switch p.Op {
	case "status":
		text := fmt.Sprintf("%d of %d", p.N, ctx.Execution())
		if ctx.SetStatus(&text); p.Flag {
			ctx.SetStatus(nil)
		}
	case "set":
		value := fmt.Appendf(nil, "%d after %d", p.N, r.digest.Len())
		if r.settled {
			value = fmt.Append(nil, p.N)
		}
		ctx.KVSet(p.Name, value)
	case "clear":
		if ctx.KVClear(p.Name); p.Flag {
			ctx.KVClearAll()
		}
	case "prune":
		r.note("pruned", ctx.KVPruneBefore(ctx.Now().UnixMilli()-int64(p.N)), nil)
	}
	if r.settled {
		return // what others have set by now is a matter of time
	}
	if s := ctx.Status(); s != nil {
		r.note("status", *s, nil)
	}
	for _, e := range ctx.KVAll() {
		r.note(fmt.Sprintf("key %q of %d", e.Key, e.UpdatedMs), e.Value, nil)
	}
}

// wait waits for an event, or for a message of a queue. A positional wait leaves what has come before it, so it says nothing of the order.
func (r *run) wait(ctx *replay.Context, p *Program) {
	name := arrivalName{queue: p.Op == "dequeue", name: p.Name}
	before := r.taken[name] // as it is now: code beside this may add to it
	value, err := r.await(ctx, p, r.begin(ctx, p))
	r.note(p.Op, value, err)
	data, ok := value.([]byte)
	if r.took == nil || p.Flag || err != nil || !ok {
		return
	}
	for _, first := range before {
		r.took(ctx.Instance(), first, string(data))
	}
	r.taken[name] = append(r.taken[name], string(data))
}

// await waits for a node that has begun, and says what a wait was given. It is asked once for each node that begins.
func (r *run) await(ctx *replay.Context, p *Program, f *replay.Future) (any, error) {
	value, err := r.answer(ctx, f)
	if data, ok := value.([]byte); ok && r.given != nil && err == nil && (p.Op == "wait" || p.Op == "dequeue") {
		r.given(ctx.Instance(), string(data))
	}
	return value, err
}

func (r *run) each(ctx *replay.Context, kids []*Program) error {
	for _, kid := range kids {
		if err := r.do(ctx, kid); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a node and gives its future: a durable operation, or a coroutine that runs the node.
func (r *run) begin(ctx *replay.Context, p *Program) *replay.Future {
	switch p.Op {
	case "activity":
		return r.attempt(ctx, p, replay.ActivityOptions{})
	case "timer":
		return ctx.Timer(time.Duration(p.N) * time.Millisecond)
	case "wait":
		mode := turnpb.WaitMode_WAIT_MODE_BUFFERED
		if p.Flag {
			mode = turnpb.WaitMode_WAIT_MODE_POSITIONAL
		}
		return ctx.WaitEvent(p.Name, mode)
	case "dequeue":
		return ctx.Dequeue(p.Name)
	case "read":
		instance, key, _ := strings.Cut(p.Name, "/")
		return ctx.KVFrom(instance, key)
	case "await":
		return ctx.AwaitInstance(p.To)
	case "raise", "enqueue":
		return r.send(ctx, p)
	case "child":
		return r.child(ctx, p, 0)
	default:
		return ctx.Go(func(ctx *replay.Context) (any, error) { return nil, r.do(ctx, p) })
	}
}

func (r *run) several(ctx *replay.Context, p *Program) error {
	futures := make([]*replay.Future, len(p.Kids))
	for i, kid := range p.Kids {
		futures[i] = r.begin(ctx, kid)
	}
	switch p.Op {
	case "all":
		ctx.All(futures...)
		for i, f := range futures {
			value, err := r.await(ctx, p.Kids[i], f)
			r.note(fmt.Sprint("all ", i), value, err)
			if errors.Is(err, errStopped) {
				return err
			}
		}
	case "race":
		won := ctx.Race(futures...)
		value, err := r.await(ctx, p.Kids[won], futures[won])
		r.note(fmt.Sprint("race won by ", won), value, err)
	case "select":
		first := ctx.Select(futures...)
		value, err := r.await(ctx, p.Kids[first], futures[first])
		r.note(fmt.Sprint("selected ", first), value, err)
		for i, f := range futures {
			if i != first && p.Flag {
				value, err := r.await(ctx, p.Kids[i], f)
				r.note(fmt.Sprint("then ", i), value, err)
			}
		}
	}
	return nil
}

// coroutines runs each node in a coroutine of its own; with the flag the code does not wait for the last one.
func (r *run) coroutines(ctx *replay.Context, p *Program) error {
	var futures []*replay.Future
	for _, kid := range p.Kids {
		futures = append(futures, ctx.Go(func(ctx *replay.Context) (any, error) {
			r.note("coroutine begins", nil, nil)
			return kid.Op, r.do(ctx, kid)
		}))
	}
	if p.Flag {
		futures = futures[:len(futures)-1]
	}
	for _, f := range futures {
		value, err := f.Await()
		r.note("coroutine", value, err)
		if errors.Is(err, errStopped) {
			return err
		}
	}
	return nil
}

// giveUp starts a node and cancels it: at once, or when a timer has fired. The result of work that is cancelled comes
// too late.
func (r *run) giveUp(ctx *replay.Context, p *Program) error {
	f := r.begin(ctx, p.Kids[0])
	if p.Op == "linger" {
		if ctx.Select(f, ctx.Timer(time.Duration(p.N)*time.Millisecond)) == 0 {
			value, err := r.await(ctx, p.Kids[0], f)
			r.note("in time", value, err)
			return nil
		}
	} else if p.Flag {
		_, _ = ctx.Timer(time.Millisecond).Await()
	}
	f.Cancel()
	value, err := r.await(ctx, p.Kids[0], f)
	r.note("given up", value, err)
	return nil
}
