package step

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// AcceptMsg brings the journal's answer to a message that was proposed on its own.
type AcceptMsg struct {
	Arrival *arrival.Arrival
	Result  persistence.Result
}

// accept proposes a message on its own, outside of a turn. Once accepted, it is in the inbox (a start: in a start row), and a
// later turn consumes it from there.
func (in *Machine) accept(a *arrival.Arrival) {
	a.State = arrival.Accepting
	in.accepting++
	in.host.Counts.Accepted.Add(1)
	epoch := in.facts.Epoch()
	var command persistence.Command
	switch {
	case a.Start != nil:
		r := &a.Start.StartRequest
		command = &persistence.StartInstance{
			ID: r.ID, Name: r.Name, Version: r.Version, Input: r.Input, Request: a.Start.Request,
			DelayMs: r.DelayMs, ExecutionTimeoutMs: r.ExecutionTimeoutMs,
		}
	case a.Deliver != nil:
		most, bytes := in.inboxMost(a.Deliver.Message)
		command = &persistence.Enqueue{
			ID: in.id, Message: a.Deliver.Encoded, Topic: a.Deliver.Topic, Request: a.Deliver.Request,
			InboxMax: most, InboxBytesMax: bytes,
		}
	default:
		m := a.Result
		epoch = m.Epoch
		command = &persistence.CompleteWork{Key: m.Key, Token: m.Token, Attempts: m.Attempts, Message: m.Encoded}
	}
	in.emit(Effect{Kind: EffectAccept, Arrival: a, Command: command, Number: epoch})
}

// cancelsOver is how many cancels find room in a full inbox. Without that room, the messages that fill the inbox would keep
// a client from ending the instance.
const (
	cancelsOver = 16
	cancelBytes = 128 // bytes of one cancel, beside its reason
)

// inboxMost returns the bounds of the inbox, in messages and bytes, under which the journal accepts the message.
func (in *Machine) inboxMost(m *turnpb.Message) (most, bytes uint64) {
	l := &in.host.Config.Limits
	most, bytes = uint64(l.Inbox), uint64(l.InboxBytes)
	if m.GetCancel() != nil {
		most, bytes = most+cancelsOver, bytes+cancelsOver*uint64(l.ReasonBytes+cancelBytes)
	}
	return most, bytes
}

// acceptDone takes the answer to a message that was proposed on its own. It answers the sender and moves the view on, so
// that the instance need not read the new row back.
func (in *Machine) acceptDone(a *arrival.Arrival, r persistence.Result) {
	in.accepting--
	taken := in.turn != nil && in.turn.Has(a)
	switch {
	case r.Err == nil && r.Repeated:
		in.answer(a, nil, true)
		in.refuseTaken(taken && !a.Deferred)
	case r.Err == nil:
		in.acceptedNow(a, r, taken)
	case errors.Is(r.Err, persistence.ErrBusy), errors.Is(r.Err, persistence.ErrNotFound) && in.startsBefore(a):
		a.State, a.Since = arrival.Unproposed, in.facts.Elapsed() // the next tick tries again
		if in.phase == phaseReady || in.phase == phaseUnknown {
			in.pause() // without a pause the next step would propose it again at once, and so on
		}
	default:
		in.countRefusal(r.Err)
		in.answer(a, in.refusal(a, r.Err), false)
		in.refuseTaken(taken && !a.Deferred)
		in.compareRefusal(a, r.Err)
		if a.Start != nil {
			in.abandon, in.forcedEnd = nil, nil // they belong to a turn of an instance that was never created
		}
		if errors.Is(r.Err, persistence.ErrEnded) {
			in.outdated()
		}
	}
	in.buffer.settle()
	if in.phase == phaseSettling {
		in.settle()
	}
}

// startsBefore reports whether the start of the instance came before a message and is not durable yet. That happens when the
// journal's queue had room for the message but not for the start.
func (in *Machine) startsBefore(a *arrival.Arrival) bool {
	if in.turn != nil && in.turn.FusedStart() && in.turn.Arrivals[0].State != arrival.Answered {
		return true
	}
	for _, b := range in.buffer.items {
		if b == a {
			break
		}
		if b.Start != nil && (b.State == arrival.Unproposed || b.State == arrival.Accepting) {
			return true
		}
	}
	return false
}

// acceptedNow moves the view on by a message that the journal has accepted, and answers its sender. taken: the turn in flight
// has the message.
func (in *Machine) acceptedNow(a *arrival.Arrival, r persistence.Result, taken bool) {
	switch {
	case a.Start != nil:
		req := &a.Start.StartRequest
		switch {
		case in.view.Exists:
		case req.DelayMs > 0: // the journal knows when its first turn may run
			in.reasons.add()
		default:
			in.view.Created(&persistence.PendingStart{
				ID: req.ID, IID: r.IID, Execution: 1, Name: req.Name, Version: req.Version, Input: req.Input,
				ExecutionTimeoutMs: req.ExecutionTimeoutMs,
			})
		}
		if in.phase == phaseUnknown {
			in.become(phaseReady)
		}
		if taken {
			in.turn.Head.IID = r.IID
		}
	case in.view.Known:
		row := rowOf(a, r.Seq)
		in.view.Inbox.Learn(row, taken)
		if row.Message.GetCancel() != nil && !taken {
			in.view.Cancel = &row
		}
	default:
		in.view.Inbox.Nudged = max(in.view.Inbox.Nudged, r.Seq)
		in.reasons.add()
	}
	a.Seq = r.Seq
	in.answer(a, nil, false)
	a.State = arrival.Accepted
}

// refuseTaken marks the turn in flight as refused if it has taken the message: the turn assumed that the journal would accept
// it as new.
func (in *Machine) refuseTaken(taken bool) {
	if taken {
		in.turn.Refused = true
	}
}

// outdated makes the next step load, because the view is out of date. In any phase but ready, the answer that the instance
// waits for will show that.
func (in *Machine) outdated() {
	if in.phase == phaseReady && !in.view.Head.Status.Terminal() {
		in.reload()
	}
}

// refusal adds to a refusal what the sender of the message needs to know: the instance, and what was refused.
func (in *Machine) refusal(a *arrival.Arrival, err error) error {
	switch {
	case a.Start != nil && errors.Is(err, persistence.ErrAlreadyExists):
		return fmt.Errorf("start %q: %w", in.id, err)
	case errors.Is(err, persistence.ErrKeyReused), a.Deliver != nil && errors.Is(err, persistence.ErrEnded),
		a.Deliver != nil && errors.Is(err, persistence.ErrNotFound):
		return fmt.Errorf("instance %q: %w", in.id, err)
	case a.Deliver != nil && errors.Is(err, persistence.ErrLimit):
		return fmt.Errorf("the inbox of instance %q is full: %w", in.id, err)
	}
	return err
}

// answerUnproposed answers the sender of each buffered message that has not been proposed.
func (in *Machine) answerUnproposed(err error) {
	for _, a := range in.buffer.items {
		if a.State == arrival.Unproposed {
			in.answer(a, err, false)
		}
	}
	in.buffer.settle()
}
