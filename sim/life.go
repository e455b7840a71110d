package sim

import (
	"strings"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// life is how long the first turn of what a node starts waits, and how long its executions may take.
func life(p *Program) replay.Life {
	return replay.Life{DelayMs: int64(p.Delay), TimeoutMs: int64(p.Life)}
}

// life draws the times of life of what is started.
func (g *generator) life(p *Program) {
	if g.random.chance(6) {
		p.Delay = pick(g.random, 1, 30, 2000, 15000)
	}
	if g.random.chance(6) {
		p.Life = pick(g.random, 1, 50, 3000, 30000)
	}
}

// lives draws a child that begins late and may take long, and one that takes longer than it may.
func (g *settled) lives() *Program {
	late := g.start("child")
	late.Delay, late.Life = pick(g.random, 50, 3000), anHour
	late.Kids[0].Delay = late.Delay
	slow := &Program{Op: "child", N: 3, Life: pick(g.random, 50, 3000), Kids: []*Program{{Op: "timer", N: anHour}}}
	return &Program{Op: "all", Kids: []*Program{late, slow}}
}

// startTimes says when each instance was started: by the turn that did, or by the client.
func (w *World) startTimes() map[string]int64 {
	times := map[string]int64{}
	note := func(id string, at int64) { // the first start counts
		if was, known := times[id]; !known || at < was {
			times[id] = at
		}
	}
	for _, key := range w.disk.ledger.keys() {
		rec := w.disk.ledger.known[key]
		executions, err := rec.turns()
		if err != nil {
			w.fail("S3", "%v", err)
		}
		for i := range executions {
			for _, t := range executions[i].turns() {
				for _, event := range t.Events {
					note(starts(rec.id, event), t.Header.GetTimeMs())
				}
			}
		}
	}
	for _, s := range w.client.starts {
		if s.asked {
			note(s.id, s.askedAtMs)
		}
	}
	return times
}

// starts is the id of the instance that an event starts; empty for any other event.
func starts(parent string, event *turnpb.Event) string {
	if k := event.GetOrchestrationChained(); k != nil {
		return k.GetInstance()
	}
	k := event.GetSubOrchestrationScheduled()
	if id := k.GetInstance(); !k.GetOwnId() && strings.HasPrefix(id, "sub::") {
		return parent + "::" + id
	}
	return k.GetInstance()
}

// checkLife checks that an execution began no earlier than it may, and that one whose time was over had that time.
func (w *World) checkLife(rec *record, e *execution, startedAt int64) {
	turns := e.turns()
	if len(turns[0].Events) == 0 || turns[0].Events[0].GetStarted() == nil || w.faults.clockSteps {
		return
	}
	s, began := turns[0].Events[0].GetStarted(), turns[0].Header.GetTimeMs()
	p, err := decodeProgram(s.GetInput())
	if err != nil {
		w.fail("S4", "%s: %v", rec.id, err)
		return
	}
	if early := startedAt + int64(p.Delay) - began; p.Delay > 0 && e.number == 1 && w.client.delays(rec.id) {
		w.reach("start with a delay")
		o := turns[0].Header.GetOrigin() // a cancel or a termination ends it at once
		if code := o == turnpb.SegmentOrigin_SEGMENT_ORIGIN_CODE || o == turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNSPECIFIED; early > 0 && code {
			w.fail("L2", "%s began %d ms before its start delay of %d ms was over", rec.id, early, p.Delay)
		}
	}
	last := &turns[len(turns)-1]
	took, bound := last.Header.GetTimeMs()-began, s.GetExecutionTimeoutMs()
	switch f := failed(last.Events); {
	case f.GetApplication().GetKind() == turnpb.ApplicationKind_APPLICATION_KIND_TIMED_OUT:
		w.reach("execution timeout")
		if bound == 0 || took < bound {
			w.fail("L2", "execution %d of %s timed out after %d ms, it had %d ms", e.number, rec.id, took, bound)
		}
	case w.way != nil && bound > 0 && took > bound+lifeLateMs:
		w.fail("L2", "execution %d of %s took %d ms, it had %d ms", e.number, rec.id, took, bound)
	}
}

// lifeLateMs is how late an execution timeout may be in a run in which little goes wrong.
const lifeLateMs = 60_000

// delays reports whether the first turn of an instance waits for sure: if the client has started it before an orchestration
// could, it may not.
func (c *client) delays(id string) bool {
	s := c.byID[id]
	return s == nil || !s.contended
}

// wallMs is what the clock on the wall shows.
func (w *World) wallMs() int64 { return start.Add(w.agenda.now + w.clockOffset).UnixMilli() }
