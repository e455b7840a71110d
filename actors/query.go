package actors

import (
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/limits"
)

// Query asks the code of an instance, between two of its turns. It writes nothing. reply gets the answer of the handler, or an
// error: a *query.Refusal, one that wraps persistence.ErrNotFound (no such instance), ErrEnded (it has ended), ErrBusy,
// ErrNotLeader, ErrCorrupt or ErrUncertain (ask again) as for Deliver, or a *limits.Error or *limits.IDError.
func (e *Engine) Query(r arrival.QueryRequest, reply func(arrival.QueryReply)) {
	l := &e.cfg.Limits
	err := limits.CheckID("query name", r.Name, l.IDBytes, "IDBytes")
	if err == nil {
		err = limits.Check("query input bytes", len(r.Input), l.PayloadBytes, "PayloadBytes")
	}
	size := 0
	if err == nil {
		size, err = e.enter(r.ID, len(r.Name)+len(r.Input))
	}
	if err != nil {
		reply(arrival.QueryReply{Err: err})
		return
	}
	answer := func(a arrival.QueryReply) {
		e.admission.leave(size)
		reply(a)
	}
	if err := e.tell(r.ID, arrival.NewQuery(r, answer)); err != nil {
		e.counts.refused.Add(1)
		answer(arrival.QueryReply{Err: err})
	}
}
