package step

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
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
func (in *Machine) holdTurn(t *turn.Turn, reason string, triesMax uint32, attributes ...any) {
	v := &in.view
	in.host.Counts.HeldTurns.Add(1)
	tries := uint32(1)
	if v.Held.Build == in.host.Config.Build {
		tries = v.Held.Tries + 1
	}
	if v.Held.Build != in.host.Config.Build || v.Held.Reason != reason {
		in.host.Config.Logger.Error("an instance is held: its turn is not recorded, and it is tried again later and with other code",
			append([]any{logkey.Instance, in.id, logkey.Orchestration, t.Name, logkey.Version, t.Version,
				logkey.Execution, t.Head.Execution, logkey.Reason, reason, logkey.Build, in.host.Config.Build}, attributes...)...)
	}
	plan := &abandonPlan{token: t.Token, reason: reason, attaches: in.attaches}
	if tries < triesMax {
		plan.delayMs = dispatch.BackoffMs(in.host.Config.BackoffBase.Milliseconds(), in.host.Config.BackoffMax.Milliseconds(), tries)
	}
	in.abandonTurn(t, plan)
}

// logHeld says of a turn that is recorded what people want to know: that it failed the instance because its code does not
// fit, or that the instance is not held any more.
func (in *Machine) logHeld(t *turn.Turn) {
	switch {
	case t.Decision.Divergence != nil:
		in.host.Config.Logger.Error("an instance has failed: its code does not fit its history",
			logkey.Instance, in.id, logkey.Orchestration, t.Name, logkey.Version, t.Version,
			logkey.Execution, t.Head.Execution, logkey.Error, failure.Display(t.Decision.Divergence))
	case in.view.Held.Reason != "" && t.ForcedEnd == nil:
		in.logGoesOn()
	}
}

func (in *Machine) logGoesOn() {
	in.host.Config.Logger.Info("an instance that was held goes on",
		logkey.Instance, in.id, logkey.Orchestration, in.view.Head.Name, logkey.Version, in.view.Head.Version, logkey.Build, in.host.Config.Build)
}

// holdDiverged holds an instance whose history and code differ.
func (in *Machine) holdDiverged(t *turn.Turn) {
	in.holdTurn(t, failure.Display(t.Decision.Divergence), HeldTriesMax)
	in.machine = t.Machine
	in.reload()
}

// holdMisused holds an instance whose code has used its context where it must not.
func (in *Machine) holdMisused(t *turn.Turn, why *replay.MisuseError) {
	in.host.Counts.SpoiledTurns.Add(1)
	in.holdTurn(t, why.Error(), HeldTriesMax, logkey.Stack, why.Stack)
	in.machine = t.Machine
	in.reload()
}

// holdBlocked holds an instance whose code has not come back. The machine is its slot's for ever.
func (in *Machine) holdBlocked(t *turn.Turn) {
	in.holdTurn(t, fmt.Sprintf("the code of orchestration %s %s blocks on something that is not a future of its context "+
		"(a channel, a mutex, a sleep, I/O): move that into an activity", t.Name, t.Version), BlockedTriesMax)
}

// heldNow says that the instance is held, and that this build may not try it now.
func (in *Machine) heldNow() bool {
	v := &in.view
	if in.tryAgain || v.Held.Reason == "" || v.Leased || v.Held.Build != in.host.Config.Build {
		return false
	}
	return v.NotBeforeMs == 0 || in.backsOff()
}

// heldTries is how often this build has tried an instance that is held, and 0 if a runtime was attached since: then it is
// the newest that has not tried it. Negative: it is not held.
func (in *Machine) heldTries() int {
	held := &in.view.Held
	switch {
	case held.Reason == "":
		return -1
	case in.tryAgain || held.Build != in.host.Config.Build:
		return 0
	}
	return int(held.Tries)
}

// notYet reports whether the lease row holds the instance back now.
func (in *Machine) notYet() bool {
	if in.view.Held.Reason != "" {
		return in.heldNow()
	}
	return in.backsOff()
}

// unhide lets a turn consume what the lease row of a held instance hides, if it may be tried now.
func (in *Machine) unhide() {
	v := &in.view
	if v.Held.Reason == "" || in.heldNow() {
		return
	}
	for i := range v.Inbox.Rows {
		v.Inbox.Rows[i].NotBeforeMs = 0
	}
}

// outOfDate says that something was told of an instance that is held, so its row may say something else now.
func (in *Machine) outOfDate() bool {
	return in.view.Held.Reason != "" && in.reasons.unread() && in.outstanding() == 0
}

// noteWhyLeft says why what is pending is left: what was decided when the instance began to leave.
func (in *Machine) noteWhyLeft() {
	in.tell.held = in.heldNow() || in.leaving && in.tell.held
	if !in.tell.held && in.backsOff() {
		in.tell.until = in.view.NotBeforeMs
	}
}

// leftHeld says that the instance leaves what it was told because it is held. Its time may have come since that was
// decided: then the dispatcher tells it again at once.
func (in *Machine) leftHeld() bool {
	return in.heldNow() || in.leaving && in.tell.held && in.view.Held.Reason != ""
}

// acknowledgeHeld says that the instance is held and leaves what it was told. The dispatcher keeps the timers that have
// come due until it is tried again.
func (in *Machine) acknowledgeHeld() {
	t, v := &in.tell, &in.view
	if !t.any && len(v.Due) == 0 {
		return
	}
	in.acknowledgeWith(dispatch.Acknowledgement{IID: v.Head.IID, Number: t.number, Until: v.NotBeforeMs, Held: true, Timers: v.Due})
	in.acknowledged = max(in.acknowledged, t.number)
	*t, v.Due = openTell{}, nil
}

// fits says that the row holds the instance for nothing: its code has run, and had nothing to record.
func (in *Machine) fits() bool {
	v := &in.view
	return v.Held.Reason != "" && in.ran
}

// release has the row say that the instance is not held.
func (in *Machine) release() {
	in.ran = false
	in.become(phaseAbandoning)
	m := &releasedMsg{}
	in.awaiting = m
	in.emit(Effect{Kind: EffectPropose, Message: m, Command: &persistence.ReleaseTurn{ID: in.id}})
}

// releasedMsg brings the answer to ReleaseTurn.
type releasedMsg struct{ result persistence.Result }

func (m *releasedMsg) Answered(r persistence.Result) { m.result = r }

func (in *Machine) released(m *releasedMsg) {
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
		v.Held = persistence.Held{}
		if in.token == "" {
			v.Attempts, v.NotBeforeMs = 0, 0
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

// cancelsHeld ends an instance that is held and has been cancelled. False: it is not, or needs its code for that.
func (in *Machine) cancelsHeld() bool {
	v := &in.view
	return v.Held.Reason != "" && !v.Leased && in.token == "" && in.facts.Epoch() != 0 && in.cancels()
}

// cancels does the next step of a cancel without code. False: none is asked for, or it needs the code.
func (in *Machine) cancels() bool {
	v := &in.view
	c := v.CancelAsked()
	if c == nil || in.facts.Draining() || v.Unreadable != nil || in.machine != nil {
		return false
	}
	switch {
	case v.Partial && in.charged:
		in.load()
	case v.Partial:
		in.askMemory()
	case v.Head.Turn > 0 && v.Segments == nil:
		in.leaving = false
		in.reload()
	case v.CleansUp():
		return false
	default:
		in.cancelWithoutCode(c)
	}
	return true
}

// cancelWithoutCode ends the instance as cancelled. Of what waits it takes the cancel only: the rest goes with the end.
func (in *Machine) cancelWithoutCode(item *view.Item) {
	own := *item // a turn that is made of the inbox overwrites its rows
	in.endNow(&turn.ForcedEnd{
		Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL, Cancel: &own,
		Why: failure.Cancelled(item.Message.GetCancel().GetReason()),
	})
	in.forcedEnd = nil // after a reload it is decided anew
}

// missing says which handler no consumer of this node has.
func (in *Machine) missing() string {
	v := &in.view
	name, version := v.Head.Name, v.Head.Version
	if v.Start != nil {
		name, version = v.Start.Name, v.Start.Version
	}
	what := "orchestration " + name
	if version != "" {
		what += " " + version
	}
	reason := failure.NotRegistered(what)
	if in.facts.Pinned(name, version) {
		reason = failure.NotReplayable(what, v.Head.Pin)
	}
	if v.CancelAsked() != nil { // it would have been cancelled already
		reason = "cancel waits for its handler: " + reason
	}
	return reason
}

// idleHandler says that a consumer has the handler and no slots for turns: one that runs turns is about to come.
func (in *Machine) idleHandler() bool {
	v := &in.view
	name, version := v.Head.Name, v.Head.Version
	if v.Start != nil {
		name, version = v.Start.Name, v.Start.Version
	}
	return in.facts.Idle(name, version)
}

// Freed says that an instance was held, and that an operator has released it.
type Freed struct{}

// buildOf is the build that an abandon names: it goes with a reason.
func (in *Machine) buildOf(plan *abandonPlan) string {
	if plan.reason == "" {
		return ""
	}
	return in.host.Config.Build
}
