package step

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// unreadableDelayMs is how long an instance with an unreadable history waits before it is tried again.
const unreadableDelayMs = 1000

// poison returns the forced end of an instance that was attempted too often.
func (in *Machine) poison(attempts uint32) *turn.ForcedEnd {
	v := &in.view
	return &turn.ForcedEnd{
		Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON,
		Why: failure.PoisonOrchestration(in.id, v.Head.Execution, attempts, in.host.Config.MaxAttempts,
			failure.WithoutHandler(fmt.Sprintf("%d messages wait for turn %d", len(v.Inbox.Rows)+len(v.Due), v.Head.Turn+1), v.Held.Reason)),
	}
}

// countForcedEnd counts and logs an end without code, once its commit is durable.
func (in *Machine) countForcedEnd(d *turn.ForcedEnd) {
	if d.Cancel != nil {
		in.host.Config.Logger.Info("an instance has been cancelled without its code", logkey.Instance, in.id)
		return
	}
	c := &in.host.Counts
	switch d.Origin {
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON:
		c.Poisoned.Add(1)
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT:
		c.Limited.Add(1)
	case turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNREADABLE:
		c.Unreadable.Add(1)
	}
	about := []any{logkey.Instance, in.id, logkey.Error, failure.Display(d.Why)}
	if reason := failure.PoisonReason(d.Why); reason != "" {
		about = append(about, logkey.Reason, reason)
	}
	in.host.Config.Logger.Error("an instance has been ended without its code", about...)
}

// stepUnreadable gives back an instance whose history cannot be read, and counts the attempt. After the last attempt it ends
// the instance: it appends the failure behind the unreadable part.
func (in *Machine) stepUnreadable() {
	v := &in.view
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	if v.Attempts < in.host.Config.MaxAttempts {
		in.host.Config.Logger.Error("an instance's history cannot be read; the attempt is counted", logkey.Instance, in.id, logkey.Execution, v.Head.Execution,
			logkey.Attempts, v.Attempts+1, logkey.Error, v.Unreadable)
		in.abandon = &abandonPlan{token: in.token, counts: true, delayMs: unreadableDelayMs}
		in.endCareful()
		in.proposeAbandon()
		return
	}
	in.failUnreadable()
}

// failUnreadable ends the instance with one event. It uses no replay machine, because none could load the history.
func (in *Machine) failUnreadable() {
	v := &in.view
	d := &turn.ForcedEnd{
		Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNREADABLE,
		Why:    failure.PoisonUnreadable(in.id, v.Head.Execution, v.Attempts, in.host.Config.MaxAttempts, v.Unreadable.Error()),
	}
	t := &turn.Turn{Host: in.host, Head: turn.HeadOf(in.id, &v.Head), Name: v.Head.Name, Version: v.Head.Version, ForcedEnd: d, Token: in.token}
	t.Committed.Turn = t
	in.endCareful()
	t.EndUnread(v, "parent failed: its history cannot be read", in.facts.NowMs(), in.facts.Entropy())
	if t.Spoiled != nil {
		in.host.Config.Logger.Error("the failure of an instance with an unreadable history cannot be encoded; the instance is left",
			logkey.Instance, in.id, logkey.Error, t.Spoiled)
		in.leaving = true
		return
	}
	in.turn = t
	in.proposeCommit(t)
}
