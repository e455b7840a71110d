package instance

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// How often one build tries an instance that is held before only other code or an operator can have it tried again.
const (
	HeldTriesMax    = 10 // its code does not fit its history, or misuses its context
	BlockedTriesMax = 3  // its code blocks: each try leaks a goroutine
)

// holdTurn gives back a turn whose code cannot be used, and has the lease row say why: nothing is recorded in the history.
// The first time for a reason and a build it is logged.
func (in *core) holdTurn(t *turn, reason string, triesMax uint32, attributes ...any) {
	v := &in.view
	in.host.Counts.HeldTurns.Add(1)
	tries := uint32(1)
	if v.held.Build == in.host.Config.Build {
		tries = v.held.Tries + 1
	}
	if v.held.Build != in.host.Config.Build || v.held.Reason != reason {
		in.host.Config.Logger.Error("an instance is held: its turn is not recorded, and it is tried again later and with other code",
			append([]any{logkey.Instance, in.id, logkey.Orchestration, t.name, logkey.Version, t.version,
				logkey.Execution, t.head.execution, logkey.Reason, reason, logkey.Build, in.host.Config.Build}, attributes...)...)
	}
	plan := &abandonPlan{token: t.token, reason: reason, attaches: in.attaches}
	if tries < triesMax {
		plan.delayMs = dispatch.BackoffMs(in.host.Config.BackoffBase.Milliseconds(), in.host.Config.BackoffMax.Milliseconds(), tries)
	}
	in.strikeWith(t, plan)
}

// logHeld says of a turn that is recorded what people want to know: that it failed the instance because its code does not
// fit, or that the instance is not held any more.
func (in *core) logHeld(t *turn) {
	switch {
	case t.decision.Divergence != nil:
		in.host.Config.Logger.Error("an instance has failed: its code does not fit its history",
			logkey.Instance, in.id, logkey.Orchestration, t.name, logkey.Version, t.version,
			logkey.Execution, t.head.execution, logkey.Error, failure.Display(t.decision.Divergence))
	case in.view.held.Reason != "" && t.forcedEnd == nil:
		in.logGoesOn()
	}
}

func (in *core) logGoesOn() {
	in.host.Config.Logger.Info("an instance that was held goes on",
		logkey.Instance, in.id, logkey.Orchestration, in.view.head.Name, logkey.Version, in.view.head.Version, logkey.Build, in.host.Config.Build)
}

// holdDiverged holds an instance whose history and code differ.
func (in *core) holdDiverged(t *turn) {
	in.holdTurn(t, failure.Display(t.decision.Divergence), HeldTriesMax)
	in.machine = t.machine
	in.reload()
}

// holdMisused holds an instance whose code has used its context where it must not.
func (in *core) holdMisused(t *turn, why *replay.MisuseError) {
	in.host.Counts.SpoiledTurns.Add(1)
	in.holdTurn(t, why.Error(), HeldTriesMax, logkey.Stack, why.Stack)
	in.machine = t.machine
	in.reload()
}

// holdBlocked holds an instance whose code has not come back. The machine is its slot's for ever.
func (in *core) holdBlocked(t *turn) {
	in.holdTurn(t, fmt.Sprintf("the code of orchestration %s %s blocks on something that is not a future of its context "+
		"(a channel, a mutex, a sleep, I/O): move that into an activity", t.name, t.version), BlockedTriesMax)
}

// diverges says that a turn must not be recorded because the code does not fit the history.
func (t *turn) diverges() bool {
	return t.decision != nil && t.decision.Divergence != nil && t.forcedEnd == nil && !t.host.Config.FailOnNondeterminism && !t.consumer.FailOnNondeterminism
}

// heldNow says that the instance is held, and that this build may not try it now.
func (in *core) heldNow() bool {
	v := &in.view
	if in.fresh || v.held.Reason == "" || v.leased || v.held.Build != in.host.Config.Build {
		return false
	}
	return v.notBeforeMs == 0 || in.backsOff()
}

// heldTries is how often this build has tried an instance that is held, and 0 if a runtime was attached since: then it is
// the newest that has not tried it. Negative: it is not held.
func (in *core) heldTries() int {
	held := &in.view.held
	switch {
	case held.Reason == "":
		return -1
	case in.fresh || held.Build != in.host.Config.Build:
		return 0
	}
	return int(held.Tries)
}

// notYet reports whether the lease row holds the instance back now.
func (in *core) notYet() bool {
	if in.view.held.Reason != "" {
		return in.heldNow()
	}
	return in.backsOff()
}

// unhide lets a turn consume what the lease row of a held instance hides, if it may be tried now.
func (in *core) unhide() {
	v := &in.view
	if v.held.Reason == "" || in.heldNow() {
		return
	}
	for i := range v.inbox.rows {
		v.inbox.rows[i].notBeforeMs = 0
	}
}

// outOfDate says that something was told of an instance that is held, so its row may say something else now.
func (in *core) outOfDate() bool {
	return in.view.held.Reason != "" && in.news.unread() && in.outstanding() == 0
}

// noteLeft says why what is pending is left: what was decided when the instance began to leave.
func (in *core) noteLeft() {
	in.told.held = in.heldNow() || in.leaving && in.told.held
	if !in.told.held && in.backsOff() {
		in.told.until = in.view.notBeforeMs
	}
}

// leftHeld says that the instance leaves what it was told because it is held. Its time may have come since that was
// decided: then the dispatcher tells it again at once.
func (in *core) leftHeld() bool {
	return in.heldNow() || in.leaving && in.told.held && in.view.held.Reason != ""
}

// acknowledgeHeld says that the instance is held and leaves what it was told. The dispatcher keeps the timers that have
// come due until it is tried again.
func (in *core) acknowledgeHeld() {
	t, v := &in.told, &in.view
	if !t.any && len(v.due) == 0 {
		return
	}
	in.acknowledgeWith(dispatch.Acknowledgement{IID: v.head.IID, Number: t.number, Until: v.notBeforeMs, Held: true, Timers: v.due})
	in.acknowledged = max(in.acknowledged, t.number)
	*t, v.due = told{}, nil
}

// fits says that the row holds the instance for nothing: its code has run, and had nothing to record.
func (in *core) fits() bool {
	v := &in.view
	return v.held.Reason != "" && in.ran
}

// release has the row say that the instance is not held.
func (in *core) release() {
	in.ran = false
	in.become(phaseAbandoning)
	m := &releasedMsg{}
	in.awaiting = m
	in.emit(effect{kind: effectPropose, message: m, command: &persistence.ReleaseTurn{ID: in.id}})
}

// releasedMsg brings the answer to ReleaseTurn.
type releasedMsg struct{ result persistence.Result }

func (m *releasedMsg) answered(r persistence.Result) { m.result = r }

func (in *core) released(m *releasedMsg) {
	if in.awaiting != m {
		return
	}
	in.awaiting = nil
	in.become(phaseReady)
	switch err := m.result.Err; {
	case err == nil:
		v := &in.view
		if m.result.Released {
			in.logGoesOn()
		}
		v.held = persistence.Held{}
		if in.token == "" {
			v.attempts, v.notBeforeMs = 0, 0
		}
	case errors.Is(err, persistence.ErrBusy):
		in.ran = true
		in.pause()
	case errors.Is(err, persistence.ErrEnded), errors.Is(err, persistence.ErrNotFound):
		in.countRefusal(err)
		in.unpark()
		in.reload()
	default:
		in.expel(err)
	}
}

// cancelAsked finds the oldest cancel in the inbox.
func (v *view) cancelAsked() *inboxItem {
	if v.cancel != nil {
		return v.cancel
	}
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

// findCancel looks for a cancel, which may be anywhere in the inbox.
func findCancel(r persistence.Reader, iid persistence.Incarnation, limit int) (*inboxItem, error) {
	for after, more := uint64(0), true; more; {
		page, err := r.InboxOf(iid, []persistence.Topic{0}, after, limit, InboxPageBytes)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			decoded, err := decodeItem(item)
			if err == nil && decoded.message.GetCancel() != nil { // one that is damaged is found by the turn that wants it
				return &decoded, nil
			}
		}
		after, more = page.Through, page.More
	}
	return nil, nil
}

// cancelsHeld ends an instance that is held and has been cancelled. False: it is not, or needs its code for that.
func (in *core) cancelsHeld() bool {
	v := &in.view
	return v.held.Reason != "" && !v.leased && in.token == "" && in.facts.Epoch() != 0 && in.cancels()
}

// cancels does the next step of a cancel without code. False: none is asked for, or it needs the code.
func (in *core) cancels() bool {
	v := &in.view
	c := v.cancelAsked()
	if c == nil || in.facts.Draining() || v.unreadable != nil || in.machine != nil {
		return false
	}
	switch {
	case v.partial && in.charged:
		in.load()
	case v.partial:
		in.askMemory()
	case v.head.Turn > 0 && v.segments == nil:
		in.leaving = false
		in.reload()
	case v.cleansUp():
		return false
	default:
		in.cancelWithoutCode(c)
	}
	return true
}

// cancelWithoutCode ends the instance as cancelled. Of what waits it takes the cancel only: the rest goes with the end.
func (in *core) cancelWithoutCode(item *inboxItem) {
	own := *item // a turn that is made of the inbox overwrites its rows
	in.endNow(&forcedEnd{
		origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL, cancel: &own,
		why: failure.Cancelled(item.message.GetCancel().GetReason()),
	})
	in.forcedEnd = nil // after a reload it is decided anew
}

// takeOnly has the turn consume one message of the inbox, beside the start.
func (t *turn) takeOnly(item *inboxItem) {
	t.inbox, t.timers = []inboxItem{*item}, nil
}

// missing says which handler no consumer of this node has.
func (in *core) missing() string {
	v := &in.view
	name, version := v.head.Name, v.head.Version
	if v.start != nil {
		name, version = v.start.Name, v.start.Version
	}
	what := "orchestration " + name
	if version != "" {
		what += " " + version
	}
	reason := failure.NotRegistered(what)
	if in.facts.Pinned(name, version) {
		reason = failure.NotReplayable(what, v.head.Pin)
	}
	if v.cancelAsked() != nil { // it would have been cancelled already
		reason = "cancel waits for its handler: " + reason
	}
	return reason
}

// idleHandler says that a consumer has the handler and no slots for turns: one that runs turns is about to come.
func (in *core) idleHandler() bool {
	v := &in.view
	name, version := v.head.Name, v.head.Version
	if v.start != nil {
		name, version = v.start.Name, v.start.Version
	}
	return in.facts.Idle(name, version)
}

// Freed says that an instance was held, and that an operator has released it.
type Freed struct{}

// buildOf is the build that an abandon names: it goes with a reason.
func (h *Shared) buildOf(plan *abandonPlan) string {
	if plan.reason == "" {
		return ""
	}
	return h.Config.Build
}
