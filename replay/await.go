package replay

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// AwaitInstance waits for the end of another instance. Its future gives the output or the failure of the last execution, and
// fails with a *SendError if there is no such instance. A wait that code gives up ends.
func (c *Context) AwaitInstance(instance string) *Future {
	m := c.m
	m.enter(c.co)
	m.checkReceiver(instance)
	if instance == m.cfg.Instance {
		panic(fmt.Sprintf("instance %s waits for its own end, which would never come: wait for another instance", brief(instance)))
	}
	return m.emit(c.co, &Future{kind: opAwait, more: &details{instance: instance}})
}

// awaitEnded gives the code what an instance ended with. Whatever the failure is, it is that of the other one: it never ends
// this one.
func (m *Machine) awaitEnded(e *turnpb.Event, ended *turnpb.AwaitEnded) *turnpb.Failure {
	f := m.open.get(e.GetSource())
	if bad := m.complete(e, opAwait, ended.GetCompleted().GetOutput(), nil); bad != nil || f == nil {
		return bad
	}
	switch k := ended.GetEnd().(type) {
	case *turnpb.AwaitEnded_Completed:
	case *turnpb.AwaitEnded_Failed:
		f.err = failure.New(k.Failed.GetFailure())
	default:
		f.err = &SendError{Instance: f.details().instance, Outcome: turnpb.SendOutcome_SEND_OUTCOME_NOT_FOUND}
	}
	return nil
}

// stopAwait lists a wait that is given up. One of this turn was never sent, and one that is answered has ended.
func (m *Machine) stopAwait(f *Future, k mark) {
	if k&markClosed == 0 && !m.isNew(f) {
		m.d.CancelledAwaits = append(m.d.CancelledAwaits, Await{Event: f.event, Instance: f.details().instance})
	}
}
