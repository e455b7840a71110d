package step

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// BusyPause is how long an instance waits before it repeats a proposal that the journal had no room for.
const BusyPause = 5 * time.Millisecond

// proposeCommit completes the commit with what is known only now, and proposes it: the incarnation, and which arrivals have
// become inbox rows since the turn ran.
func (in *Machine) proposeCommit(t *turn.Turn) {
	c := t.Commit
	c.IID = t.Head.IID
	c.AcceptedStart, c.AcceptedMessages, c.AcceptedResults = nil, nil, nil
	t.Messages, t.Results = t.Messages[:0], t.Results[:0]
	consumed := c.ConsumedInbox[:t.Rows]
	for _, a := range t.Arrivals {
		switch {
		case a.State == arrival.Accepted && a.Start == nil:
			consumed = append(consumed, a.Seq)
		case a.State == arrival.Accepted:
		case a.Start != nil:
			r := &a.Start.StartRequest
			c.AcceptedStart = &persistence.StartInstance{
				ID: r.ID, Name: r.Name, Version: r.Version, Input: r.Input, Request: a.Start.Request,
			}
		case a.Deliver != nil:
			c.AcceptedMessages = append(c.AcceptedMessages, persistence.AcceptedMessage{Request: a.Deliver.Request})
			t.Messages = append(t.Messages, a)
		default:
			m := a.Result
			c.AcceptedResults = append(c.AcceptedResults, persistence.AcceptedResult{
				Execution: m.Key.Execution, Event: m.Key.Event, Token: m.Token, Epoch: m.Epoch, Attempts: m.Attempts,
			})
			t.Results = append(t.Results, a)
		}
	}
	c.ConsumedInbox = consumed
	c.ConsumesStart = c.Turn == 0 && c.AcceptedStart == nil
	in.become(phaseCommitting)
	in.emit(Effect{Kind: EffectCommit, Turn: t})
}

// commitDone takes the journal's answer to a commit. Only now may anything that the turn decided become visible outside.
func (in *Machine) commitDone(m *turn.Committed) {
	t, r := m.Turn, m.Result
	if in.turn != t {
		return
	}
	switch err := r.Err; {
	case err == nil:
		in.committed(t, r)
	case errors.Is(err, persistence.ErrBusy):
		in.arm(&TickMsg{Kind: tickCommit, turn: t}, BusyPause)
	case errors.Is(err, persistence.ErrConflict):
		in.countRefusal(err)
		in.rerun(t)
	case errors.Is(err, persistence.ErrAlreadyExists):
		in.host.Counts.SecondActivations.Add(1)
		in.answer(t.Arrivals[0], in.refusal(t.Arrivals[0], err), false)
		in.rerun(t)
	case errors.Is(err, persistence.ErrStale):
		in.countRefusal(err)
		in.stale(t, err)
	default:
		in.resident = t.Machine
		in.uncertain(t, err)
		in.giveBack(t)
		in.endCarefulOf(t)
		in.expel(err)
	}
}

// committed answers the turn's senders and moves the view on.
func (in *Machine) committed(t *turn.Turn, r persistence.Result) {
	h := in.host
	h.Counts.Commits.Add(1)
	if len(t.Decision.Events) == 0 {
		h.Counts.EmptyTurns.Add(1)
	}
	if t.ForcedEnd != nil {
		in.countForcedEnd(t.ForcedEnd)
		in.forcedEnd = nil
	}
	in.turn = nil
	in.become(phaseReady)
	in.resident = t.Machine
	for _, a := range t.Arrivals {
		a.Runs = t.Consumer != nil
		in.answer(a, nil, false)
	}
	in.endCarefulOf(t)
	in.logHeld(t)
	in.view.Committed(t.Commit, r)
	if t.Commit.Outcome == persistence.OutcomeContinued {
		in.view.Begin(t.Machine.KV())
	}
	in.keepLeft(t)
	t.Forget()
	if t.Commit.Outcome == persistence.OutcomeRunning {
		return
	}
	// The execution has ended. The journal takes the buffered messages in order: into the inbox of the next execution, or it
	// answers that the instance has ended.
	in.acceptAll()
	m := in.dropMachine()
	if invariants.Enabled {
		invariants.Check(m == nil || m.Ended(), "an execution has ended, and its machine has not")
	}
}

// rerun gives the turn back and reloads, so that a new turn runs its messages.
func (in *Machine) rerun(t *turn.Turn) {
	in.resident = t.Machine
	in.giveBack(t)
	in.keepLease(t)
	in.reload()
}

// keepLease hands the turn's lease and admission to the next turn.
func (in *Machine) keepLease(t *turn.Turn) {
	in.token, in.watched, in.suspect = t.Token, t.Watched, t.Admitted
}

// stale runs a turn again without the timers and messages that the journal refused as stale. It drops timers that the journal
// does not have. It proposes messages that the journal knows already on their own, so that their senders get the first
// answer. If one of them is an event or the like, it proposes all of the turn's arrivals on their own, in order: the start
// comes before the messages for its instance, and no message overtakes an older one of its name.
func (in *Machine) stale(t *turn.Turn, err error) {
	var refusal *persistence.Refusal
	if !errors.As(err, &refusal) {
		panic(fmt.Sprintf("actors: the journal refused a commit as stale and named no stale part: %v", err))
	}
	again := map[*arrival.Arrival]bool{}
	events := false
	gone := map[persistence.TimerKey]bool{}
	for _, p := range refusal.Stale {
		switch p.Part {
		case persistence.PartStart:
			again[t.Arrivals[0]] = true
		case persistence.PartEvent:
			events = true
		case persistence.PartResult:
			again[t.Results[p.Index]] = true
		case persistence.PartTimer:
			gone[t.Timers[p.Index]] = true
		}
	}
	kept := t.Timers[:0]
	for _, key := range t.Timers {
		if !gone[key] {
			kept = append(kept, key)
		}
	}
	t.Timers = kept
	in.rerun(t)
	for _, a := range t.Arrivals {
		if a.State == arrival.Unproposed && (events || again[a]) {
			in.accept(a)
		}
	}
}

// uncertain answers a turn's senders with ErrUncertain: the journal stopped during the commit, so it is unknown whether their
// messages are durable.
func (in *Machine) uncertain(t *turn.Turn, err error) {
	if !errors.Is(err, persistence.ErrUncertain) {
		return
	}
	in.countRefusal(err)
	for _, a := range t.Arrivals {
		in.answer(a, err, false)
	}
}

// expelledPauseMs is after how long the dispatcher tells an instance again that was left to another activation: that
// activation may be gone as well.
const expelledPauseMs = 1000

// expel leaves the instance to the activation that has it now, or to the next process. It answers the senders of buffered
// messages: those were never proposed, so their senders may try again.
func (in *Machine) expel(err error) {
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
	in.tell.until = in.facts.NowMs() + expelledPauseMs
	in.dropAndLeave()
}

// countRefusal counts the error that the journal refused a proposal with.
func (in *Machine) countRefusal(err error) {
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
