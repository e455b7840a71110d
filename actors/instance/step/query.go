package step

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/persistence"
)

// QueriesMax bounds the queries that wait for an instance.
const QueriesMax = 1000

// queries are those that were asked of the instance and have no answer yet. They are in memory only: a query changes nothing.
type queries struct {
	waiting []*arrival.Arrival // oldest first
	running *turn.Query        // in the phase querying
	// served: a query has run since the last turn, so a turn that could start goes first.
	served bool
}

// asks reports whether a query waits.
func (in *Machine) asks() bool { return in.queries != nil && len(in.queries.waiting) > 0 }

// takeQuery keeps a query until it can be asked.
func (in *Machine) takeQuery(a *arrival.Arrival) {
	if in.queries == nil {
		in.queries = &queries{}
	}
	if len(in.queries.waiting) >= QueriesMax {
		in.answer(a, fmt.Errorf("%w: %d queries wait for instance %q", persistence.ErrBusy, QueriesMax, in.id), false)
		return
	}
	if in.phase == phaseAdmitting { // a suspect, or a held instance that is to be tried, may wait for long
		if why := in.mayNotRun(); why != nil {
			in.answer(a, why, false)
			return
		}
	}
	in.queries.waiting = append(in.queries.waiting, a)
}

// answerQueries answers every query that waits with the same error.
func (in *Machine) answerQueries(err error) {
	if !in.asks() {
		return
	}
	waiting := in.queries.waiting
	in.queries.waiting = nil
	for _, a := range waiting {
		in.answer(a, err, false)
	}
}

// stepQueries takes the next step of the oldest query. It returns false if no query waits, or if a turn goes first. The durable
// state is known, and the instance exists and has not ended.
func (in *Machine) stepQueries() bool {
	if !in.asks() {
		return false
	}
	if err := in.refusesQueries(); err != nil {
		in.answerQueries(err)
		return false
	}
	v := &in.view
	switch left := in.facts.FreshPauseLeft(); {
	case v.Start != nil, in.queries.served && in.pending() && !in.leaving:
		return false // before its first turn, the code has no handlers; later, turns and queries alternate
	case left > 0:
		in.unpark()
		in.pauseFor(left)
	case in.resident != nil && in.consumer.Turns.Closed():
		in.unpark()
		in.reload()
	case in.resident != nil:
		in.startQuery()
	case v.Partial && !in.charged:
		in.askMemory()
	case v.Partial, v.Taken():
		in.leaving = false // or the load would read the head only
		in.reloadCharged()
	default:
		in.startQuery()
	}
	return true
}

// refusesQueries says why no query can be asked now; nil if one can.
func (in *Machine) refusesQueries() error {
	v := &in.view
	switch why := in.mayNotRun(); {
	case why != nil:
		return why
	case in.resident == nil && !in.findForHead():
		return &query.Refusal{Reason: query.NoHandler, Text: in.missing() + ": attach a runtime that has it"}
	case v.Unreadable != nil:
		return &query.Refusal{
			Reason: query.Unreadable,
			Text:   fmt.Sprintf("its history cannot be read: %v; run a build that reads it, or restore a backup", v.Unreadable),
		}
	}
	return nil
}

// mayNotRun says why the code of the instance must not run for a query; nil if it may.
func (in *Machine) mayNotRun() error {
	v := &in.view
	switch {
	case in.facts.Draining():
		return fmt.Errorf("%w: %w: the node is shutting down", persistence.ErrNotLeader, persistence.ErrStopped)
	case v.Held.Reason != "":
		return &query.Refusal{
			Reason: query.Held,
			Text:   v.Held.Reason + "; deploy code that fits, or release the instance, and ask again when it goes on",
		}
	case in.delayed():
		return &query.Refusal{
			Reason: query.Recovering,
			Text: "its first turn waits until " + time.UnixMilli(v.StartsAtMs).UTC().Format(time.RFC3339) + ", as its start says: " +
				"before that its code has no handlers, so ask again then",
		}
	case in.facts.Epoch() == 0, in.facts.Careful(), in.suspect, v.Attempts > 0, in.notYet(), v.Start != nil && in.leaving:
		return &query.Refusal{
			Reason: query.Recovering,
			Text: "the node has just been opened after an unclean end, or the instance's last turn has not ended. Code that may have " +
				"ended the process runs only where that is counted, so ask again in some seconds",
		}
	}
	return nil
}

// reloadCharged reads the whole instance, for a query. Memory that was granted for the read stays with the instance.
func (in *Machine) reloadCharged() {
	if in.charged {
		in.load()
		return
	}
	in.reload()
}

// startQuery has the shell run the oldest query in a slot.
func (in *Machine) startQuery() {
	v, s := &in.view, in.queries
	q := &turn.Query{
		Host: in.host, Consumer: in.consumer, Head: turn.HeadOf(in.id, &v.Head), Name: v.Head.Name, Version: in.version,
		Arrival: s.waiting[0], Machine: in.resident, Fresh: in.resident == nil,
	}
	q.Back.Query = q
	if q.Fresh {
		q.History, q.KV, q.Func = v.History, v.KV, in.fn
	}
	v.History, v.KV = nil, nil
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	s.running, s.served = q, true
	in.unpark()
	in.resident, in.toEvict = nil, false
	in.become(phaseQuerying)
	in.emit(Effect{Kind: EffectQuery, Query: q})
}

// queryDone takes a query back from its slot and answers it. The machine goes on with the next thing to do, unless the query
// may have changed it.
func (in *Machine) queryDone(m *turn.Asked) {
	q, s := m.Query, in.queries
	if s == nil || s.running != q || in.phase != phaseQuerying {
		return
	}
	s.running = nil
	switch {
	case m.Abandoned: // the machine stays with its slot for ever
		in.answer(q.Arrival, m.Refusal, false)
		in.reload()
	case q.NotRun:
		s.waiting = append([]*arrival.Arrival{q.Arrival}, s.waiting...)
		in.resident = q.Machine
		in.reload()
	default:
		q.Arrival.Query.Answer = q.Answer
		in.answer(q.Arrival, q.Answer.Err, false)
		in.resident = q.Machine
		if q.Drops {
			in.reload()
			return
		}
		in.become(phaseReady)
	}
}
