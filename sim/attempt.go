package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// activitySpec is the input of an activity.
type activitySpec struct {
	Fails int    `json:"fails,omitempty"`
	Kills bool   `json:"kills,omitempty"`
	Hangs bool   `json:"hangs,omitempty"` // where it would fail, for longer than Ms
	Ms    int    `json:"ms,omitempty"`
	Beats bool   `json:"beats,omitempty"`
	Label string `json:"label,omitempty"`
	// Attempt is which attempt of its call this is; 0 is the only one. First is the schedule event of the first one.
	Attempt uint32 `json:"attempt,omitempty"`
	First   uint64 `json:"first,omitempty"`
}

func (s activitySpec) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("encoding an activity's input: %v", err)) // plain data: it cannot fail
	}
	return b
}

// label is what the input of an activity says of its node.
func label(p *Program) string {
	if p.Tag == 0 {
		return ""
	}
	return fmt.Sprint("node ", p.Tag)
}

// retry tries an activity or a child again while it fails, as a retry policy has it: a durable timer with jitter between
// the attempts, each of which says which one it is. With the flag an attempt that takes too long is given up.
func (r *run) retry(ctx *replay.Context, p *Program) error {
	var o replay.ActivityOptions
	for n := range p.N {
		o.Attempt = uint32(n + 1)
		f := r.attempt(ctx, p.Kids[0], o)
		if p.Flag && ctx.Race(f, ctx.Timer(attemptTakes)) == 1 {
			r.note(fmt.Sprint("attempt given up ", n), nil, nil)
			return nil
		}
		value, err := r.answer(ctx, f)
		r.note(fmt.Sprint("attempt ", n), value, err)
		if err == nil || failure.Aborts(failure.Of(err)) {
			return nil
		}
		if n == 0 {
			o.First = f.Event()
		}
		o.LastHeartbeat = lastHeartbeat(err)
		jitter := time.Duration(ctx.Random() % 10)
		_, _ = ctx.Timer((10<<n + jitter) * time.Millisecond).Await()
	}
	return nil
}

// attemptTakes is how long an attempt may take.
const attemptTakes = 2 * time.Second

// attempt begins one attempt. An activity fails as often as its node says, whichever attempt that is.
func (r *run) attempt(ctx *replay.Context, p *Program, o replay.ActivityOptions) *replay.Future {
	if p.Op == "child" {
		return r.child(ctx, p, o.Attempt)
	}
	o.Timeouts = timeouts(p)
	spec := activitySpec{
		Fails: max(p.N-max(int(o.Attempt), 1)+1, 0), Kills: p.Flag, Hangs: p.Hangs, Ms: p.Ms, Beats: p.Beats, Label: label(p),
		Attempt: o.Attempt, First: o.First,
	}
	if r.inputs == inputsSame || !ctx.Replaying() {
		return ctx.Activity(p.Name, spec.encode(), o)
	}
	spec.Label += " of today"
	f := ctx.Activity(p.Name, spec.encode(), o)
	r.changed(f)
	return f
}

// child begins a child; attempt 0 is the only one.
func (r *run) child(ctx *replay.Context, p *Program, attempt uint32) *replay.Future {
	return ctx.Child(orchestrationName, p.Kids[0].encode(), replay.ChildOptions{
		ID: p.Name, Attempt: attempt, Version: version(p), Policy: turnpb.ChildPolicy(p.N), Life: life(p),
	})
}

// version is the version that a child or a detached orchestration asks for, if it does.
func version(p *Program) string {
	if p.Flag {
		return "1.0.0"
	}
	return ""
}

// checkAttempt: an activity is told which attempt of its call it is, as the code that scheduled it says.
func (w *World) checkAttempt(spec activitySpec, key activityKey, attempt uint32, first uint64) {
	wantFirst := spec.First
	if wantFirst == 0 {
		wantFirst = key.event
	}
	if attempt != max(spec.Attempt, 1) || first != wantFirst {
		w.fail("S6", "activity %v is told that it is attempt %d of the call of event %d, it was scheduled as attempt %d of that of event %d",
			key, attempt, first, max(spec.Attempt, 1), wantFirst)
	}
	if attempt > 1 {
		w.reach("another attempt of a call")
	}
}
