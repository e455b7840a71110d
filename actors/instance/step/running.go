package step

import (
	"errors"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// startTurn makes a turn and has the shell run it: in a slot, or on a goroutine without a slot if the turn runs no code. d is
// how the turn ends the instance, or nil.
func (in *Machine) startTurn(d *turn.ForcedEnd) {
	v := &in.view
	t := in.newTurn(in.facts.NowMs())
	if d != nil && d.Cancel != nil {
		t.TakeOnly(d.Cancel)
	}
	if stop := in.forcedEnd; stop != nil && d == nil {
		t.Input.Stop = stop.Why
	}
	if t.Empty() && d == nil && t.Input.Stop == nil {
		in.acceptAll() // the buffered messages must queue behind older ones of their names in the inbox
		return
	}
	if err := t.Fill(); err != nil {
		v.Unreadable = err
		in.giveBack(t)
		in.become(phaseUnknown)
		in.reasons.add()
		return
	}
	t.ForcedEnd, t.Token, t.Watched, t.Admitted = d, in.token, in.watched, in.suspect
	if d == nil {
		in.forcedEnd = nil
	}
	in.token, in.watched, in.suspect = "", false, false
	t.Machine, t.Fresh = in.resident, in.resident == nil
	if t.Fresh {
		t.History, t.KV, t.Func = v.History, v.KV, in.fn
	}
	v.History, v.KV = nil, nil
	in.toEvict, in.tryAgain, in.ran = false, false, false
	in.resident, in.turn = nil, t
	if in.queries != nil {
		in.queries.served = false
	}
	in.become(phaseRunning)
	if d != nil {
		t.Consumer = nil
	}
	in.emit(Effect{Kind: EffectRun, Turn: t})
}

// newTurn makes a turn of the messages that wait: the start, the visible inbox rows by seq, the due timers, then the
// buffered messages, all up to a bound. A turn under a lease takes no buffered messages. The rest waits for the next turn.
func (in *Machine) newTurn(nowMs int64) *turn.Turn {
	v := &in.view
	t := &turn.Turn{Host: in.host, Consumer: in.consumer, Head: turn.HeadOf(in.id, &v.Head), Name: v.Head.Name, Version: in.version}
	t.Back.Turn, t.Committed.Turn = t, t
	// Half of a turn is left for what its code asks for, or messages alone would end the instance by the limit of a turn.
	room, bytes := in.host.Config.InboxPage, min(view.BufferBytes, max(1, in.host.Config.Limits.TurnBytes/2))
	take := func(size int) bool {
		if room == 0 || bytes <= 0 {
			return false
		}
		room, bytes = room-1, bytes-size
		return true
	}
	most := -1 // how many messages with a name the turn may take; negative: no bound
	if v.Start != nil {
		t.TakesStart, t.Name = true, v.Start.Name
		take(len(v.Start.Input) + len(v.Start.Start))
		if t.Opening, t.Unopened = turn.StartMessage(v.Start, t.Version); v.Start.Start != nil {
			most = min(1, max(0, 1-len(t.Opening.GetStart().GetCarried())))
		}
	}
	t.Inbox = v.Inbox.TakeUrgent(nowMs, take)
	for len(v.Due) > 0 && take(16) {
		t.Timers = append(t.Timers, v.Due[0])
		v.Due = v.Due[1:]
	}
	before := len(t.Inbox)
	t.Inbox = v.Inbox.TakeByAge(nowMs, most, in.host.Config.Limits.Carried, take, t.Inbox)
	if most > 0 {
		most -= len(t.Inbox) - before
	}
	if in.token == "" {
		in.takeArrivals(t, take, most)
		if invariants.Enabled {
			invariants.Check(len(t.Arrivals) == 0 || in.accepting == 0, "a turn takes %d buffered messages ahead of %d that are being accepted", len(t.Arrivals), in.accepting)
		}
	}
	t.Passes = len(in.buffer.items) > 0
	t.Input.Behind = v.Inbox.Unread() || len(v.Inbox.Rows) > 0 || len(in.buffer.items) > 0
	t.Asks = !v.Inbox.Known && v.Inbox.Unread()
	return t
}

// turnDone takes a turn back from its slot and decides whether its decision may be committed.
func (in *Machine) turnDone(m *turn.Back) {
	t := m.Turn
	if in.turn != t || in.phase != phaseRunning {
		return
	}
	switch {
	case m.Abandoned:
		in.host.Config.Logger.Error("a turn is given up: its code has not returned in time", logkey.Instance, in.id,
			logkey.Orchestration, t.Name, logkey.Version, t.Version)
		in.holdBlocked(t)
	case t.NotRun:
		in.tryAgain = in.tryAgain || in.view.Held.Reason != "" // no code ran, so this does not count as a try
		in.resident = t.Machine
		in.giveBack(t)
		in.keepLease(t)
		in.giveUpLease()
		in.reload()
	case t.Spoiled != nil:
		in.spoiled(t, t.Spoiled)
	case t.Diverges():
		in.holdDiverged(t)
	case t.OverLimit != nil:
		in.resident = t.Machine
		in.giveBack(t)
		in.keepLease(t)
		// Undo steps have had their chance if this turn was the one that began them, or the next of them.
		in.forcedEnd = &turn.ForcedEnd{Why: t.OverLimit, Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT, Undoes: t.Input.Stop == nil}
		in.reload()
	default:
		in.become(phaseSettling)
		t.MarkDeferred()
		in.settle()
	}
}

// spoiled gives back a turn whose decision must not be committed, because the code misused its context or the turn failed
// outside the code.
func (in *Machine) spoiled(t *turn.Turn, why error) {
	var misuse *replay.MisuseError
	if errors.As(why, &misuse) {
		in.holdMisused(t, misuse)
		return
	}
	in.host.Counts.SpoiledTurns.Add(1)
	in.host.Config.Logger.Error("a turn failed outside the code of its orchestration and runs again", logkey.Instance, in.id, logkey.Orchestration, t.Name,
		logkey.Version, t.Version, logkey.Error, why)
	in.giveBackCounted(t)
	in.resident = t.Machine
	in.reload()
}

// settle proposes the commit of a turn that has run, once none of the turn's own messages is being accepted.
func (in *Machine) settle() {
	t := in.turn
	for _, a := range t.Arrivals {
		if a.State == arrival.Accepting {
			return
		}
	}
	if in.acceptDeferred(t) {
		return
	}
	if t.Refused {
		in.resident = t.Machine
		in.giveBack(t)
		in.reload()
		return
	}
	// A goroutine that the author's code started may have used the context after the turn ended.
	if err := t.Machine.Spoiled(); err != nil {
		in.spoiled(t, err)
		return
	}
	if stack := t.Decision.PanicStack; stack != "" {
		in.host.Config.Logger.Error("an orchestration panicked", logkey.Instance, in.id, logkey.Orchestration, t.Name, logkey.Version, t.Version,
			logkey.Error, failure.Display(t.Decision.Panic), logkey.Stack, stack)
	}
	in.logCleanup(t)
	for _, text := range t.Decision.Orphans {
		in.host.Config.Logger.Error("a completion is rejected: the history never asked for it", logkey.Instance, in.id,
			logkey.Orchestration, t.Name, logkey.Version, t.Version, logkey.Reason, text)
	}
	for _, c := range t.Machine.ChangedInputs() {
		in.warnChanged(t, &c)
	}
	for _, u := range t.Decision.Undecoded {
		in.warnUndecoded(t, u)
	}
	t.Detach()
	if t.Idle() {
		in.idled(t)
		return
	}
	in.proposeCommit(t)
}

// changedLoggedEvery is how long a value that does not fit a handler is not logged again, whichever instance has it.
const changedLoggedEvery = 24 * time.Hour

// logsNow reports whether a line about a handler is to be logged now.
func (in *Machine) logsNow(key string) bool {
	return in.host.Unknown.IsNew(in.facts.Elapsed().Milliseconds(), key, changedLoggedEvery.Milliseconds())
}

// warnChanged says once that the code of a handler gives another input than history has.
func (in *Machine) warnChanged(t *turn.Turn, c *replay.ChangedInput) {
	key := "input of " + c.What + " in " + t.Name + "@" + t.Version
	if in.logsNow(key) {
		in.host.Config.Logger.Warn("the code gives another input than the history has; the recorded one stands", logkey.Instance, in.id,
			logkey.Orchestration, t.Name, logkey.Version, t.Version, logkey.Reason, c.Text)
	}
}

// giveBackCounted gives back a turn whose code misbehaved, and counts it as an attempt.
func (in *Machine) giveBackCounted(t *turn.Turn) {
	in.abandonTurn(t, &abandonPlan{token: t.Token, counts: true})
}

// abandonTurn gives back a turn, and plans the abandon that gives back its instance.
func (in *Machine) abandonTurn(t *turn.Turn, plan *abandonPlan) {
	in.giveBack(t)
	in.abandon = plan
	in.endCarefulOf(t)
	in.view.Known = false
	in.become(phaseUnknown)
	in.reasons.add()
}

// giveBack takes a turn apart that will not be committed. Its buffered messages and timers wait again; its inbox rows come
// back with the next load.
func (in *Machine) giveBack(t *turn.Turn) {
	in.turn = nil
	in.buffer.putBack(t.Arrivals)
	if len(t.Timers) > 0 {
		in.view.Due = append(t.Timers, slices.DeleteFunc(in.view.Due, func(key persistence.TimerKey) bool {
			return slices.Contains(t.Timers, key) // the dispatcher told it again while the turn ran
		})...)
	}
}
