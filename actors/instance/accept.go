package instance

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// acceptMsg brings the result of a message that was proposed on its own.
type acceptMsg struct {
	arrival *arrival
	result  persistence.Result
}

// accept proposes a held message on its own: the inbox (or an S row) has it then, and its turn consumes it from there.
func (in *core) accept(a *arrival) {
	a.state = arrivalAccepting
	in.accepting++
	in.host.Counts.Accepted.Add(1)
	epoch := in.facts.Epoch()
	var command persistence.Command
	switch {
	case a.start != nil:
		r := &a.start.req
		command = &persistence.StartInstance{
			ID: r.ID, Name: r.Name, Version: r.Version, Input: r.Input, Request: a.start.request,
		}
	case a.deliver != nil:
		most, bytes := in.inboxMost(a.deliver.message)
		command = &persistence.Enqueue{
			ID: in.id, Message: a.deliver.encoded, Topic: a.deliver.topic, Request: a.deliver.request,
			InboxMax: most, InboxBytesMax: bytes,
		}
	default:
		m := a.result
		epoch = m.Epoch
		command = &persistence.CompleteWork{Key: m.Key, Token: m.Token, Attempts: m.Attempts, Message: m.Encoded}
	}
	in.emit(effect{kind: effectAccept, arrival: a, command: command, number: epoch})
}

// cancelsOver is how many cancels find room in an inbox that is full: what fills it must not keep the instance from being
// ended.
const (
	cancelsOver = 16
	cancelBytes = 128 // of one, beside its reason
)

// inboxMost is how many messages, and how many bytes of them, the inbox may hold for a message to be accepted.
func (in *core) inboxMost(m *turnpb.Message) (most, bytes uint64) {
	l := &in.host.Config.Limits
	most, bytes = uint64(l.Inbox), uint64(l.InboxBytes)
	if m.GetCancel() != nil {
		most, bytes = most+cancelsOver, bytes+cancelsOver*uint64(l.ReasonBytes+cancelBytes)
	}
	return most, bytes
}

// acceptDone answers the sender, and moves the view on so that the row need not be read back.
func (in *core) acceptDone(a *arrival, r persistence.Result) {
	in.accepting--
	taken := in.turn != nil && in.turn.has(a)
	switch {
	case r.Err == nil && r.Repeated:
		in.answer(a, nil, true)
		in.refuseTaken(taken && !a.deferred)
	case r.Err == nil:
		in.acceptedNow(a, r, taken)
	case errors.Is(r.Err, persistence.ErrBusy), errors.Is(r.Err, persistence.ErrNotFound) && in.startsBefore(a):
		a.state, a.since = arrivalUnproposed, in.facts.Elapsed() // the next tick tries again
		if in.phase == phaseReady || in.phase == phaseUnknown {
			in.pause() // or the next step would, at once, and again
		}
	default:
		in.countRefusal(r.Err)
		in.answer(a, in.refusal(a, r.Err), false)
		in.refuseTaken(taken && !a.deferred)
		in.compareRefusal(a, r.Err)
		if a.start != nil {
			in.abandon, in.forcedEnd = nil, nil // of a turn whose instance never was
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

// startsBefore says that the start of the instance came before a message and is not durable yet: the journal had room for
// the message and none for the start.
func (in *core) startsBefore(a *arrival) bool {
	if in.turn != nil && in.turn.fusedStart() && in.turn.arrivals[0].state != arrivalAnswered {
		return true
	}
	for _, b := range in.buffer.items {
		if b == a {
			break
		}
		if b.start != nil && (b.state == arrivalUnproposed || b.state == arrivalAccepting) {
			return true
		}
	}
	return false
}

func (in *core) acceptedNow(a *arrival, r persistence.Result, taken bool) {
	switch {
	case a.start != nil:
		if !in.view.exists {
			in.view.created(r.IID, &a.start.req)
		}
		if in.phase == phaseUnknown {
			in.become(phaseReady)
		}
		if taken {
			in.turn.head.iid = r.IID
		}
	case in.view.known:
		row := a.row(r.Seq)
		in.view.inbox.learn(row, taken)
		if row.message.GetCancel() != nil && !taken {
			in.view.cancel = &row
		}
	default:
		in.view.inbox.nudged = max(in.view.inbox.nudged, r.Seq)
		in.news.add()
	}
	a.seq = r.Seq
	in.answer(a, nil, false)
	a.state = arrivalAccepted
}

// refuseTaken remembers that the turn in flight assumed something that is not so.
func (in *core) refuseTaken(taken bool) {
	if taken {
		in.turn.refused = true
	}
}

// outdated makes the next step load, unless something in flight will find out by itself.
func (in *core) outdated() {
	if in.phase == phaseReady && !in.view.head.Status.Terminal() {
		in.reload()
	}
}

// has says whether the turn has taken the arrival.
func (t *turn) has(a *arrival) bool {
	for _, other := range t.arrivals {
		if other == a {
			return true
		}
	}
	return false
}

// refusal words an error for the sender of a message.
func (in *core) refusal(a *arrival, err error) error {
	switch {
	case a.start != nil && errors.Is(err, persistence.ErrAlreadyExists):
		return fmt.Errorf("start %q: %w", in.id, err)
	case errors.Is(err, persistence.ErrKeyReused), a.deliver != nil && errors.Is(err, persistence.ErrEnded),
		a.deliver != nil && errors.Is(err, persistence.ErrNotFound):
		return fmt.Errorf("instance %q: %w", in.id, err)
	case a.deliver != nil && errors.Is(err, persistence.ErrLimit):
		return fmt.Errorf("the inbox of instance %q is full: %w", in.id, err)
	}
	return err
}

// answerUnproposed answers the sender of each buffered message that has not been proposed.
func (in *core) answerUnproposed(err error) {
	for _, a := range in.buffer.items {
		if a.state == arrivalUnproposed {
			in.answer(a, err, false)
		}
	}
	in.buffer.settle()
}
