package actors

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// How often one build tries an instance that is held before only other code or an operator can have it tried again.
const (
	heldTriesMax    = 10 // its code does not fit its history, or misuses its context
	blockedTriesMax = 3  // its code blocks: each try leaks a goroutine
)

// hold gives back a turn whose code cannot be used, and has the lease row say why: nothing is recorded in the history.
// The first time for a reason and a build it is logged.
func (in *instance) holdTurn(t *turn, reason string, triesMax uint32, attributes ...any) {
	v := &in.view
	in.e.counts.heldTurns.Add(1)
	tries := uint32(1)
	if v.held.Build == in.e.cfg.Build {
		tries = v.held.Tries + 1
	}
	if v.held.Build != in.e.cfg.Build || v.held.Reason != reason {
		in.e.cfg.Logger.Error("an instance is held: its turn is not recorded, and it is tried again with other code",
			append([]any{"instance", in.id, "orchestration", t.name, "version", t.version, "execution", max(t.head.Execution, 1),
				"reason", reason, "build", in.e.cfg.Build}, attributes...)...)
	}
	plan := &abandonPlan{token: t.token, reason: reason}
	if tries < triesMax {
		plan.delayMs = dispatch.BackoffMs(in.e.cfg.BackoffBase.Milliseconds(), in.e.cfg.BackoffMax.Milliseconds(), tries)
	}
	in.strikeWith(t, plan)
}

// holdDiverged holds an instance whose history and code differ.
func (in *instance) holdDiverged(t *turn) {
	in.holdTurn(t, failure.Display(t.decision.Divergence), heldTriesMax)
	in.machine = t.machine
	in.reload()
}

// holdMisused holds an instance whose code has used its context where it must not.
func (in *instance) holdMisused(t *turn, why *replay.MisuseError) {
	in.e.counts.spoiledTurns.Add(1)
	in.holdTurn(t, why.Error(), heldTriesMax, "stack", why.Stack)
	in.machine = t.machine
	in.reload()
}

// holdBlocked holds an instance whose code has not come back. The machine is its slot's for ever.
func (in *instance) holdBlocked(t *turn) {
	in.holdTurn(t, fmt.Sprintf("the code of orchestration %s %s blocks on something that is not a future of its context "+
		"(a channel, a mutex, a sleep, I/O): move that into an activity", t.name, t.version), blockedTriesMax)
}

// diverges says that a turn must not be recorded because the code does not fit the history.
func (t *turn) diverges() bool {
	return t.decision.Divergence != nil && t.doom == nil && !t.in.e.cfg.FailOnNondeterminism && !t.consumer.FailOnNondeterminism
}

// heldNow says that the instance is held and may not be tried now.
func (in *instance) heldNow() bool {
	v := &in.view
	if v.held.Reason == "" || in.fresh || v.leased || v.held.Build != in.e.cfg.Build {
		return false
	}
	return v.notBeforeMs == 0 || in.backsOff()
}

// notYet says that the lease row holds the instance back now.
func (in *instance) notYet() bool {
	if in.view.held.Reason != "" {
		return in.heldNow()
	}
	return in.backsOff()
}

// unhide lets a turn consume what the lease row of a held instance hides, if it may be tried now.
func (in *instance) unhide() {
	v := &in.view
	if v.held.Reason == "" || in.heldNow() {
		return
	}
	for i := range v.inbox.rows {
		v.inbox.rows[i].notBeforeMs = 0
	}
}

// outOfDate says that something was told of an instance that is held, so its row may say something else now.
func (in *instance) outOfDate() bool {
	return in.view.held.Reason != "" && in.news.unread() && in.outstanding == 0
}

// rest of what is held back: why it is left although something is pending.
func (in *instance) noteLeft() {
	switch {
	case in.heldNow():
		in.told.held = true
		in.view.due = nil // the dispatcher keeps them
	case in.backsOff():
		in.told.until = in.view.notBeforeMs
	}
}

// cancelAsked finds the oldest cancel in the inbox.
func (v *view) cancelAsked() *inboxItem {
	for i := range v.inbox.rows {
		if v.inbox.rows[i].message.GetCancel() != nil {
			return &v.inbox.rows[i]
		}
	}
	return nil
}

// cleansUp says that the execution has cleanup to do when it is cancelled, so that this needs its handler.
func (v *view) cleansUp() bool {
	for i := range v.segments {
		for _, e := range v.segments[i].Events {
			if s := e.GetStarted(); s != nil {
				return s.GetCleanup()
			}
		}
	}
	return false
}

// cancelsNow says that the instance is held and a cancel has come, which needs no code.
func (in *instance) cancelsNow() bool {
	v := &in.view
	return in.heldNow() && !in.e.draining.Load() && in.part.epochNow() != 0 && in.token == "" && v.unreadable == nil &&
		in.machine == nil && v.cancelAsked() != nil && (v.head.Turn == 0 || v.segments != nil && !v.cleansUp())
}

// cancelWithoutCode ends the instance as cancelled. Of what waits it takes the cancel only: the rest goes with the end.
func (in *instance) cancelWithoutCode(item *inboxItem) {
	own := *item // a turn that is made of the inbox overwrites its rows
	in.doNow(&doom{
		origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL, cancel: &own,
		why: failure.Cancelled(item.message.GetCancel().GetReason()),
	})
	in.doomed = nil // after a reload it is decided anew
}

// takeOnly has the turn consume one message of the inbox, beside the start.
func (t *turn) takeOnly(item *inboxItem) {
	t.inbox, t.timers = []inboxItem{*item}, nil
}

// missing says which handler no consumer of this node has.
func (in *instance) missing() string {
	v := &in.view
	name, version := v.head.Name, v.head.Version
	if v.start != nil {
		name, version = v.start.Name, v.start.Version
	}
	what := "orchestration " + name
	if version != "" {
		what += " " + version
	}
	reason := what + " is not registered"
	if in.part.pinned(name, version) {
		reason = fmt.Sprintf("%s was begun by engine version %s, which no attached runtime can replay", what, v.head.Pin)
	}
	if v.cancelAsked() != nil { // it would have been cancelled already
		reason = "cancel waits for its handler: " + reason
	}
	return reason
}

// idleHandler says that a consumer has the handler and no slots for turns: one that runs turns is about to come.
func (in *instance) idleHandler() bool {
	v := &in.view
	name, version := v.head.Name, v.head.Version
	if v.start != nil {
		name, version = v.start.Name, v.start.Version
	}
	for _, c := range *in.part.list.consumers.Load() {
		if _, _, ok := c.Handlers.Orchestration(name, version); ok && c.TurnSlots <= 0 {
			return true
		}
	}
	return false
}

// pinned says that a consumer has the handler, and only the pin of the execution keeps it from running.
func (p *partition) pinned(name, version string) bool {
	for _, c := range *p.list.consumers.Load() {
		if _, _, ok := c.Handlers.Orchestration(name, version); ok && c.TurnSlots > 0 && !c.closed.Load() {
			return true
		}
	}
	return false
}

// Release lets an instance that is held run again at once. reply gets an error that wraps persistence.ErrNotFound,
// ErrEnded, ErrBusy, ErrNotLeader or ErrUncertain. One that is not held stays as it is.
func (e *Engine) Release(id string, reply func(error)) {
	size, err := e.enter(id, 0)
	if err != nil {
		reply(err)
		return
	}
	e.propose(e.journal.PartitionOf(id), &persistence.ReleaseTurn{ID: id}, func(r persistence.Result) {
		e.door.leave(size)
		reply(notProposed(r.Err))
	})
}

// notProposed says of a journal that has stopped before a proposal that nothing was written.
func notProposed(err error) error {
	if errors.Is(err, persistence.ErrStopped) && !errors.Is(err, persistence.ErrUncertain) {
		return fmt.Errorf("%w: %w", persistence.ErrNotLeader, err)
	}
	return err
}

// buildOf is the build that an abandon names: it goes with a reason.
func (e *engine) buildOf(plan *abandonPlan) string {
	if plan.reason == "" {
		return ""
	}
	return e.cfg.Build
}

// nowHeld moves the view on after an abandon with a reason.
func (in *instance) nowHeld(m *abandonMsg) {
	if m.plan.reason == "" {
		return
	}
	h := &in.view.held
	tries := uint32(1)
	if h.Reason != "" && h.Build == in.e.cfg.Build {
		tries = h.Tries + 1
	}
	if h.Reason == "" {
		h.SinceMs = in.e.now().UnixMilli()
	}
	h.Reason, h.Build, h.Tries = m.plan.reason, in.e.cfg.Build, tries
	in.fresh, in.view.leased = false, false
}

// heldCount is how many instances are held in the partitions that are served here.
func (e *engine) heldCount() (n uint64) {
	for _, p := range e.parts {
		n += uint64(p.held.Load())
	}
	return n
}
