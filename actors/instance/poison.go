package instance

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// unreadableDelayMs is how long an instance with an unreadable history waits before it is tried again.
const unreadableDelayMs = 1000

// poison is the failure of an instance that was attempted too often.
func (in *core) poison(attempts uint32) *forcedEnd {
	v := &in.view
	return &forcedEnd{
		origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON,
		why: failure.PoisonOrchestration(in.id, v.head.Execution, attempts, in.host.Config.MaxAttempts,
			fmt.Sprintf("%d messages wait for turn %d", len(v.inbox.rows)+len(v.due), v.head.Turn+1)),
	}
}

func (in *core) countForcedEnd(d *forcedEnd) {
	if d.cancel != nil {
		in.host.Config.Logger.Info("an instance has been cancelled without its code", logkey.Instance, in.id)
		return
	}
	c := &in.host.Counts
	switch d.origin {
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON:
		c.Poisoned.Add(1)
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT:
		c.Limited.Add(1)
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNREADABLE:
		c.Unreadable.Add(1)
	}
	in.host.Config.Logger.Error("an instance has been ended without its code",
		logkey.Instance, in.id, logkey.Error, failure.Display(d.why))
}

// stepUnreadable gives back an instance whose history cannot be read, and counts the attempt. After the last attempt it
// appends the failure behind the unreadable part, which ends the instance.
func (in *core) stepUnreadable() {
	v := &in.view
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	if v.attempts < in.host.Config.MaxAttempts {
		in.host.Config.Logger.Error("an instance's history cannot be read", logkey.Instance, in.id, logkey.Execution, v.head.Execution,
			logkey.Attempts, v.attempts+1, logkey.Error, v.unreadable)
		in.abandon = &abandonPlan{token: in.token, counts: true, delayMs: unreadableDelayMs}
		in.endCareful()
		in.proposeAbandon()
		return
	}
	in.failUnreadable()
}

// failUnreadable ends the instance with one event. No machine is involved: it could not be given its history.
func (in *core) failUnreadable() {
	v := &in.view
	d := &forcedEnd{
		origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNREADABLE,
		why:    failure.PoisonUnreadable(in.id, v.head.Execution, v.attempts, in.host.Config.MaxAttempts, v.unreadable.Error()),
	}
	t := &turn{host: in.host, head: headOf(in.id, &v.head), name: v.head.Name, version: v.head.Version, forcedEnd: d, token: in.token}
	t.committed.turn = t
	in.endCareful()
	t.endUnread(v, "parent failed: its history cannot be read", in.facts.NowMs(), in.facts.Entropy())
	if t.spoiled != nil {
		in.host.Config.Logger.Error("a failure cannot be encoded", logkey.Instance, in.id, logkey.Error, t.spoiled)
		in.leaving = true
		return
	}
	in.turn = t
	in.proposeCommit(t)
}

// endUnread makes the one event that ends an instance whose history no machine can be given. why is what the children
// that are cancelled are told.
func (t *turn) endUnread(v *view, why string, nowMs int64, entropy [16]byte) {
	d := t.forcedEnd
	next := max(v.head.NextEvent, 1)
	t.input.TimeMs, t.input.Entropy = nowMs, entropy
	t.decision = newDecision()
	*t.decision = replay.Decision{
		Outcome: replay.Failed, Failure: d.why, Origin: d.origin,
		Events: []*turnpb.Event{{Id: next, Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: d.why}}}},
	}
	for _, child := range v.children {
		if turnpb.ChildPolicy(child.Policy) != turnpb.ChildPolicy_CHILD_POLICY_ABANDON {
			t.decision.CancelledChildren = append(t.decision.CancelledChildren, replay.CancelledChild{
				Event: child.Event, Instance: child.ID, Reason: why,
			})
		}
	}
	t.buildCommit()
}
