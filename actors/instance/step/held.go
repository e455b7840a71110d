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

// How many times one build tries a held instance. After that only another build, a newly attached consumer or an operator
// can have it tried again.
const (
	HeldTriesMax    = 10 // for code that does not fit the history or misuses its context
	BlockedTriesMax = 3  // for code that blocks: each try leaks a goroutine
)

// holdDiverged holds an instance whose code does not fit its history.
func (in *Machine) holdDiverged(t *turn.Turn) {
	in.holdTurn(t, failure.Display(t.Decision.Divergence), HeldTriesMax)
	in.resident = t.Machine
	in.reload()
}

// holdMisused holds an instance whose code used its context where that is not allowed.
func (in *Machine) holdMisused(t *turn.Turn, why *replay.MisuseError) {
	in.host.Counts.SpoiledTurns.Add(1)
	in.holdTurn(t, why.Error(), HeldTriesMax, logkey.Stack, why.Stack)
	in.resident = t.Machine
	in.reload()
}

// holdBlocked holds an instance whose code has not returned. The machine stays with its slot for ever: the code may still
// use it.
func (in *Machine) holdBlocked(t *turn.Turn) {
	in.holdTurn(t, fmt.Sprintf("the code of orchestration %s %s blocks on something that is not a future of its context "+
		"(a channel, a mutex, a sleep, I/O): move that into an activity", t.Name, t.Version), BlockedTriesMax)
}

// holdTurn gives back a turn whose code cannot be used. The lease row records the reason; the history records nothing. Each
// reason is logged once per build.
func (in *Machine) holdTurn(t *turn.Turn, reason string, triesMax uint32, attributes ...any) {
	v := &in.view
	in.host.Counts.HeldTurns.Add(1)
	if v.Held.Build != in.host.Config.Build || v.Held.Reason != reason {
		in.host.Config.Logger.Error("an instance is held: its turn is not recorded; it is tried again later, and with other code",
			append([]any{logkey.Instance, in.id, logkey.Orchestration, t.Name, logkey.Version, t.Version,
				logkey.Execution, t.Head.Execution, logkey.Reason, reason, logkey.Build, in.host.Config.Build}, attributes...)...)
	}
	plan := &abandonPlan{token: t.Token, reason: reason, attaches: in.attaches}
	if try := in.heldTry(); try < triesMax {
		plan.delayMs = in.heldDelayMs(try)
	}
	in.abandonTurn(t, plan)
}

// heldTry returns which try of this build the present one is, from 1.
func (in *Machine) heldTry() uint32 {
	if v := &in.view; v.Held.Build == in.host.Config.Build {
		return v.Held.Tries + 1
	}
	return 1
}

// heldDelayMs returns how long a held instance waits for the try behind this one.
func (in *Machine) heldDelayMs(try uint32) int64 {
	return dispatch.BackoffMs(in.host.Config.BackoffBase.Milliseconds(), in.host.Config.BackoffMax.Milliseconds(), try)
}

// logHeld logs what an operator needs to know about a recorded turn: it failed the instance because the code does not fit
// the history, or it shows that a held instance goes on.
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

// warnUndecoded says once that the code of a handler was told that it cannot decode a recorded value.
func (in *Machine) warnUndecoded(t *turn.Turn, u *turnpb.UndecodedValue) {
	what := fmt.Sprintf("%s cannot be decoded as %s", u.GetWhat(), u.GetType())
	if !in.logsNow(what + " in " + t.Name + "@" + t.Version + ": " + u.GetProblem()) {
		return
	}
	if u.GetEvent() != 0 {
		what = fmt.Sprintf("at event %d ", u.GetEvent()) + what
	}
	in.host.Config.Logger.Warn("the code is told that it cannot decode a recorded value", logkey.Instance, in.id,
		logkey.Orchestration, t.Name, logkey.Version, t.Version, logkey.Execution, t.Head.Execution,
		logkey.Reason, what+" at "+u.GetSite()+": "+u.GetProblem())
}

// notYet reports whether the lease row lets no turn start now.
func (in *Machine) notYet() bool {
	switch {
	case in.delayed():
		return true
	case in.view.Held.Reason != "":
		return in.heldNow()
	}
	return in.backsOff()
}

// heldNow reports whether the instance is held and this build may not try it now.
func (in *Machine) heldNow() bool {
	v := &in.view
	if in.tryAgain || v.Held.Reason == "" || v.Leased || v.Held.Build != in.host.Config.Build {
		return false
	}
	return v.NotBeforeMs == 0 || in.backsOff()
}

// heldTries returns how many times this build has tried the held instance, or -1 if the instance is not held. It returns 0
// if a runtime was attached since: Find then begins with the newest runtime, which has not tried the instance yet.
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

// unhide makes the inbox rows of a held instance visible to its next turn, if the instance may be tried now.
func (in *Machine) unhide() {
	v := &in.view
	if v.Held.Reason == "" || in.heldNow() {
		return
	}
	for i := range v.Inbox.Rows {
		v.Inbox.Rows[i].NotBeforeMs = 0
	}
}

// outOfDate reports whether the dispatcher has told an instance of something since the last read that is held, so that its
// lease row may have changed, or whose start is delayed, so that a cancel may have come.
func (in *Machine) outOfDate() bool {
	return (in.view.Held.Reason != "" || in.delayed()) && in.reasons.unread() && in.outstanding() == 0
}

// noteWhyLeft records why the instance leaves pending messages. Once the instance has begun to leave, that decision stays.
func (in *Machine) noteWhyLeft() {
	in.tell.held = in.heldNow() || in.leaving && in.tell.held
	switch {
	case in.tell.held:
	case in.backsOff():
		in.tell.until = in.view.NotBeforeMs
	case in.delayed():
		in.tell.until = in.view.StartsAtMs
	}
}

// leftHeld reports whether the instance leaves pending messages because it is held. The time of its next try may have come
// since it decided to leave: then the dispatcher tells it again at once.
func (in *Machine) leftHeld() bool {
	return in.heldNow() || in.leaving && in.tell.held && in.view.Held.Reason != ""
}

// acknowledgeHeld tells the dispatcher that the instance is held and leaves what it was told. The dispatcher keeps the due
// timers until it has the instance tried again.
func (in *Machine) acknowledgeHeld() {
	t, v := &in.tell, &in.view
	if !t.any && len(v.Due) == 0 {
		return
	}
	in.acknowledgeWith(dispatch.Acknowledgement{IID: v.Head.IID, Number: t.number, Until: v.NotBeforeMs, Held: true, Timers: v.Due})
	in.acknowledged = max(in.acknowledged, t.number)
	*t, v.Due = openTell{}, nil
}

// fits reports whether the lease row of a held instance is out of date: the code has run without an error and had nothing
// to record, so no commit clears the row.
func (in *Machine) fits() bool {
	v := &in.view
	return v.Held.Reason != "" && in.ran
}

// release proposes that the lease row no longer holds the instance.
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

// cancelsHeld takes the next step of cancelling without its code an instance that is held or whose start is delayed. It
// returns false if the instance is neither, has no cancel, or needs its code for the cancel.
func (in *Machine) cancelsHeld() bool {
	v := &in.view
	return (v.Held.Reason != "" || in.delayed()) && !v.Leased && in.token == "" && in.facts.Epoch() != 0 && in.cancels()
}

// cancels takes the next step of a cancel without the instance's code. It returns false if no cancel waits, or if the cancel
// needs the code because the execution has cleanup to do.
func (in *Machine) cancels() bool {
	v := &in.view
	c := v.CancelAsked()
	if c == nil || in.facts.Draining() || v.Unreadable != nil || in.resident != nil {
		return false
	}
	switch {
	case v.Partial && in.charged:
		in.load()
	case v.Partial:
		in.askMemory()
	case v.Head.Turn > 0 && v.History == nil:
		in.leaving = false
		in.reload()
	case v.CleansUp():
		return false
	default:
		in.cancelWithoutCode(c)
	}
	return true
}

// cancelWithoutCode ends the instance as cancelled. Its last turn consumes only the cancel: the end of the instance drops
// all other messages.
func (in *Machine) cancelWithoutCode(item *view.Item) {
	own := *item // a copy, because making the turn overwrites the rows of the inbox
	in.endNow(&turn.ForcedEnd{
		Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL, Cancel: &own,
		Why: failure.Cancelled(item.Message.GetCancel().GetReason()),
	})
	in.forcedEnd = nil // if endNow reloads, the cancel is found and decided again
}

// missing returns the failure text that names the handler that no consumer of this node has.
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
	if v.CancelAsked() != nil { // the cancel needs the handler for cleanup: without cleanup it would be done already
		reason = "cancel waits for its handler: " + reason
	}
	return reason
}

// idleHandler reports whether a consumer without turn slots has the handler. Then a consumer that runs turns is about to
// attach.
func (in *Machine) idleHandler() bool {
	v := &in.view
	name, version := v.Head.Name, v.Head.Version
	if v.Start != nil {
		name, version = v.Start.Name, v.Start.Version
	}
	return in.facts.Idle(name, version)
}

// Freed says that an operator has released a held instance.
type Freed struct{}

// buildOf returns the build that an abandon names. An abandon names its build only together with a reason.
func (in *Machine) buildOf(plan *abandonPlan) string {
	if plan.reason == "" {
		return ""
	}
	return in.host.Config.Build
}
