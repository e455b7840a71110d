package actors

import (
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/limits"
)

// Terminate ends an instance as failed, with the reason, and runs no code: its children are cancelled, its parent is
// answered, and a turn that runs finds that the instance has ended. reply gets nil once that is durable. Otherwise the
// error wraps persistence.ErrNotFound, ErrEnded, ErrKeyReused, ErrBusy (nothing was written: retry), ErrNotLeader or
// ErrUncertain, or is a *limits.Error or *limits.IDError.
func (e *Engine) Terminate(t instance.Termination, reply func(error)) {
	l := &e.cfg.Limits
	err := limits.Check("terminate reason bytes", len(t.Reason), l.ReasonBytes, "ReasonBytes")
	if err == nil && t.RequestKey != "" {
		err = limits.CheckID("request key", t.RequestKey, l.RequestKeyBytes, "RequestKeyBytes")
	}
	if err != nil {
		reply(err)
		return
	}
	e.terminating.Add(1) // before admission: a stop waits for all terminations that were admitted
	size, err := e.enter(t.ID, len(t.Reason))
	if err != nil {
		reply(err)
		e.terminated()
		return
	}
	instance.Terminate(e.instances, t, func(err error) {
		e.admission.leave(size)
		reply(notProposed(err))
		e.terminated()
	})
}

// terminated is called after a termination has been answered.
func (e *Engine) terminated() {
	e.terminating.Add(-1)
	e.instanceLeft()
}
