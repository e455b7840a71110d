package instance

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
)

// BusyPause is how long an instance waits before it proposes again what the journal had no room for.
const BusyPause = 5 * time.Millisecond

// commitMsg brings the result of a turn's commit.
type commitMsg struct {
	turn   *turn
	result persistence.Result
}

// proposeCommit completes the command with what is known only now, and proposes it.
func (in *core) proposeCommit(t *turn) {
	c := t.commit
	c.IID = t.head.iid
	c.AcceptedStart, c.AcceptedMessages, c.AcceptedResults = nil, nil, nil
	t.messages, t.results = t.messages[:0], t.results[:0]
	consumed := c.ConsumedInbox[:t.rows]
	for _, a := range t.arrivals {
		switch {
		case a.state == arrivalAccepted && a.start == nil:
			consumed = append(consumed, a.seq)
		case a.state == arrivalAccepted:
		case a.start != nil:
			r := &a.start.req
			c.AcceptedStart = &persistence.StartInstance{
				ID: r.ID, Name: r.Name, Version: r.Version, Input: r.Input, Request: a.start.request,
			}
		case a.deliver != nil:
			c.AcceptedMessages = append(c.AcceptedMessages, persistence.AcceptedMessage{Request: a.deliver.request})
			t.messages = append(t.messages, a)
		default:
			m := a.result
			c.AcceptedResults = append(c.AcceptedResults, persistence.AcceptedResult{
				Execution: m.Key.Execution, Event: m.Key.Event, Token: m.Token, Epoch: m.Epoch, Attempts: m.Attempts,
			})
			t.results = append(t.results, a)
		}
	}
	c.ConsumedInbox = consumed
	c.ConsumesStart = c.Turn == 0 && c.AcceptedStart == nil
	in.become(phaseCommitting)
	in.emit(effect{kind: effectCommit, turn: t})
}

// commitDone takes the result of a commit. Only now may anything that the turn decided be seen.
func (in *core) commitDone(m *commitMsg) {
	t, r := m.turn, m.result
	if in.turn != t {
		return
	}
	switch err := r.Err; {
	case err == nil:
		in.committed(t, r)
	case errors.Is(err, persistence.ErrBusy):
		in.arm(&tickMsg{kind: tickCommit, turn: t}, BusyPause)
	case errors.Is(err, persistence.ErrConflict):
		in.countRefusal(err)
		in.rerun(t)
	case errors.Is(err, persistence.ErrAlreadyExists):
		in.host.Counts.SecondActivations.Add(1)
		in.answer(t.arrivals[0], in.refusal(t.arrivals[0], err), false)
		in.rerun(t)
	case errors.Is(err, persistence.ErrStale):
		in.countRefusal(err)
		in.stale(t, err)
	default:
		in.machine = t.machine
		in.uncertain(t, err)
		in.giveBack(t)
		in.endCarefulOf(t)
		in.expel(err)
	}
}

// committed lets the answers out and moves the view on.
func (in *core) committed(t *turn, r persistence.Result) {
	h := in.host
	h.Counts.Commits.Add(1)
	if len(t.decision.Events) == 0 {
		h.Counts.EmptyTurns.Add(1)
	}
	if t.forcedEnd != nil {
		in.countForcedEnd(t.forcedEnd)
		in.forcedEnd = nil
	}
	in.turn = nil
	in.become(phaseReady)
	in.machine = t.machine
	for _, a := range t.arrivals {
		a.runs = t.consumer != nil
		in.answer(a, nil, false)
	}
	in.endCarefulOf(t)
	in.logHeld(t)
	in.view.committed(t.commit, r)
	in.keepLeft(t)
	t.forget()
	if t.commit.Outcome == persistence.OutcomeRunning {
		return
	}
	// What is left in the buffer goes to the inbox, in order: the journal knows what becomes of it.
	in.acceptAll()
	in.discard(true)
}

// rerun drops the turn's state and runs its messages again.
func (in *core) rerun(t *turn) {
	in.machine = t.machine
	in.giveBack(t)
	in.keepLease(t)
	in.reload()
}

// keepLease hands the lease of a turn that will be run again to its successor.
func (in *core) keepLease(t *turn) {
	in.token, in.watched, in.suspect = t.token, t.watched, t.suspect
}

// stale drops what the turn named and the journal does not have. Senders whose message the journal knows already get
// the first answer: their message is proposed alone. If it is an event or the like, so is all that the turn has taken, in
// its order: the start of the instance comes before what is for it, and no message overtakes an older one of its name.
func (in *core) stale(t *turn, err error) {
	var refusal *persistence.Refusal
	if !errors.As(err, &refusal) {
		panic(fmt.Sprintf("actors: a stale commit without positions: %v", err))
	}
	again := map[*arrival]bool{}
	events := false
	gone := map[persistence.TimerKey]bool{}
	for _, p := range refusal.Stale {
		switch p.Part {
		case persistence.PartStart:
			again[t.arrivals[0]] = true
		case persistence.PartEvent:
			events = true
		case persistence.PartResult:
			again[t.results[p.Index]] = true
		case persistence.PartTimer:
			gone[t.timers[p.Index]] = true
		}
	}
	kept := t.timers[:0]
	for _, key := range t.timers {
		if !gone[key] {
			kept = append(kept, key)
		}
	}
	t.timers = kept
	in.rerun(t)
	for _, a := range t.arrivals {
		if a.state == arrivalUnproposed && (events || again[a]) {
			in.accept(a)
		}
	}
}

// uncertain answers a turn's senders when the journal stopped under it: whether their messages are durable is unknown.
func (in *core) uncertain(t *turn, err error) {
	if !errors.Is(err, persistence.ErrUncertain) {
		return
	}
	in.countRefusal(err)
	for _, a := range t.arrivals {
		in.answer(a, err, false)
	}
}

// expelledPauseMs is when an instance that was left to another activation is told again: that one may be gone as well.
const expelledPauseMs = 1000

// expel leaves the instance to the activation that has it now, or to the next process. What is held was never proposed.
func (in *core) expel(err error) {
	if !errors.Is(err, persistence.ErrUncertain) {
		in.countRefusal(err)
	}
	answer := err
	switch {
	case errors.Is(err, persistence.ErrUncertain), errors.Is(err, persistence.ErrStopped):
	default:
		answer = fmt.Errorf("%w: %w", persistence.ErrNotLeader, err)
	}
	in.unpark()
	in.endCareful()
	in.abandon, in.forcedEnd = nil, nil
	in.answerUnproposed(answer)
	in.told.until = in.facts.NowMs() + expelledPauseMs
	in.retreat()
}

// countRefusal counts what a proposal was refused with.
func (in *core) countRefusal(err error) {
	c := &in.host.Counts
	switch {
	case errors.Is(err, persistence.ErrConflict):
		c.Conflicts.Add(1)
		c.SecondActivations.Add(1)
	case errors.Is(err, persistence.ErrStale):
		c.Stale.Add(1)
	case errors.Is(err, persistence.ErrFenced):
		c.Fenced.Add(1)
	case errors.Is(err, persistence.ErrLeaseLost):
		c.LeasesLost.Add(1)
	case errors.Is(err, persistence.ErrUncertain):
		c.Uncertain.Add(1)
	}
}
