package sim

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// await draws a wait for the end of another instance. A wait for one that may wait for this one is given up after a while, so
// no circle of them lasts.
func (g *generator) await() *Program {
	var own int
	_, _ = fmt.Sscanf(g.instance, "i%d", &own)
	p := &Program{Op: "await", To: fmt.Sprintf("i%d", g.random.below(max(own, 4)))}
	switch g.random.below(6) {
	case 0:
		p.To = noInstance
	case 1:
		p.To = fmt.Sprintf("%s/%d", g.instance, g.random.between(1, g.children+1))
	}
	if p.To == g.instance {
		p.To = noInstance // its own end would never come
	}
	var other int
	_, err := fmt.Sscanf(p.To, "i%d", &other)
	if p.To == noInstance || err == nil && p.To == fmt.Sprint("i", other) && other < own && !g.taken {
		return p
	}
	return &Program{Op: "race", Kids: []*Program{p, {Op: "timer", N: pick(g.random, 5, 400, 3000, 20000)}}}
}

// watch draws an orchestration of its own whose end is awaited, twice, and a wait that is given up.
func (g *settled) watch() *Program {
	other := g.start("detached")
	await := &Program{Op: "await", To: other.Name}
	if g.random.chance(3) {
		other.Kids[0].Kids = append(other.Kids[0].Kids, &Program{Op: "fail"})
	}
	g.children++
	long := &Program{Op: "detached", Name: fmt.Sprintf("%s/%d", g.instance, g.children), Kids: []*Program{{Op: "timer", N: 40_000}}}
	return &Program{Op: "seq", Kids: []*Program{
		other, await, await, {Op: "await", To: noInstance},
		long, {Op: "race", Kids: []*Program{{Op: "await", To: long.Name}, {Op: "timer", N: 50}}},
	}}
}

// checkAwaited checks that an instance was told of the end that another one really had.
func (w *World) checkAwaited(id string, k *turnpb.AwaitEnded, where string) {
	var end *turnpb.Event
	if rec := w.disk.ledger.of(id); rec != nil {
		executions, err := rec.turns()
		if err != nil {
			w.fail("S3", "%v", err)
			return
		}
		turns := executions[len(executions)-1].turns()
		events := turns[len(turns)-1].Events
		end = events[len(events)-1]
	}
	switch {
	case k.GetCompleted() != nil:
		w.reach("await: completed")
		if end.GetCompleted() == nil || string(end.GetCompleted().GetOutput()) != string(k.GetCompleted().GetOutput()) {
			w.fail("S7", "%s records that %s ended with %q, it ended with %v", where, id, k.GetCompleted().GetOutput(), end)
		}
	case k.GetFailed() != nil:
		w.reach("await: failed")
		if !proto.Equal(end.GetFailed().GetFailure(), k.GetFailed().GetFailure()) {
			w.fail("S7", "%s records that %s failed with %q, it ended with %v", where, id, failure.Display(k.GetFailed().GetFailure()), end)
		}
	default:
		w.reach("await: no such instance")
	}
}
