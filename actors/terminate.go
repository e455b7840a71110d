package actors

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Termination ends an instance without its code.
type Termination struct {
	ID         string
	Reason     string
	RequestKey string
}

// terminateTriesMax is how often a termination is computed again because a turn was committed meanwhile.
const terminateTriesMax = 100

// movedMsg says that the instance was ended without its actor.
type movedMsg struct{}

// Terminate ends an instance as failed, with the reason, and runs no code: its children are cancelled, its parent is
// answered, and a turn that runs finds that the instance has ended. reply gets nil once that is durable. Otherwise the
// error wraps persistence.ErrNotFound, ErrEnded, ErrKeyReused, ErrBusy (nothing was written: retry), ErrNotLeader or
// ErrUncertain, or is a *limits.Error or *limits.IDError.
func (e *Engine) Terminate(t Termination, reply func(error)) {
	l := &e.cfg.Limits
	err := limits.Check("terminate reason bytes", len(t.Reason), l.ReasonBytes)
	if err == nil && t.RequestKey != "" {
		err = limits.CheckID("request key", t.RequestKey, l.RequestKeyBytes)
	}
	if err != nil {
		reply(err)
		return
	}
	e.terminating.Add(1) // before the door: a stop waits for those that it has let in
	size, err := e.enter(t.ID, len(t.Reason))
	if err != nil {
		reply(err)
		e.terminated()
		return
	}
	x := &termination{e: e, p: e.journal.PartitionOf(t.ID), Termination: t}
	x.reply = func(err error) {
		e.memory.back(x.taken)
		e.door.leave(size)
		reply(notProposed(err))
		e.terminated()
	}
	x.load()
}

// terminated is called after a termination has been answered.
func (e *Engine) terminated() {
	e.terminating.Add(-1)
	e.left()
}

// termination is one on its way.
type termination struct {
	Termination
	e     *engine
	p     persistence.Partition
	reply func(error)
	tries int
	taken int64 // of the memory, by the read
}

// load reads what there is to end.
func (x *termination) load() {
	m := &loadMsg{inbox: inboxRead{limit: x.e.cfg.InboxPage}, e: x.e, whole: true, granted: x.taken}
	x.e.journal.Load(x.p, func(r persistence.Reader) error { return m.read(r, x.ID) }, func(err error) {
		x.taken += m.taken
		switch {
		case err != nil:
			x.reply(fmt.Errorf("terminate %q: %w", x.ID, err))
		case !m.view.exists:
			x.reply(persistence.ErrNotFound)
		case m.view.head.Status.Terminal():
			x.propose(&persistence.CommitTurn{IID: m.view.head.IID}) // the journal knows whether it repeats a request
		case m.view.partial:
			x.waitForMemory(m.view.size)
		default:
			x.compute(&m.view)
		}
	})
}

// waitForMemory reads when there is room for what is to be read. It has nothing meanwhile.
func (x *termination) waitForMemory(bytes int64) {
	x.e.counts.memoryWaits.Add(1)
	x.e.memory.back(x.taken)
	x.taken = 0
	x.e.memory.ask(bytes, func() {
		x.taken = bytes
		x.load()
	})
	x.e.residents.relieve()
}

// compute makes the last turn, where user code runs: a history may be long.
func (x *termination) compute(v *view) {
	t := &turn{
		in: &instance{e: x.e, id: x.ID, p: x.p}, head: headOf(x.ID, &v.head), name: v.head.Name, version: v.head.Version,
		fresh: true, segments: v.segments,
		doom: &doom{why: failure.Terminated(x.Reason), origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE},
	}
	if v.start != nil {
		t.name, t.version, t.takesStart = v.start.Name, v.start.Version, true
		t.opening, t.unopened = startMessage(v.start, t.version)
		if err := t.fill(); err != nil {
			v.unreadable = err
		}
	}
	x.e.turnsRun.Run(func() {
		if v.unreadable != nil {
			t.endUnread(v, "parent canceled")
			return
		}
		t.Execute()
	}, func() {
		if t.spoiled != nil {
			x.reply(fmt.Errorf("terminate %q: %w", x.ID, t.spoiled))
			return
		}
		t.commit.IID = v.head.IID
		x.propose(t.commit)
	})
}

func (x *termination) propose(c *persistence.CommitTurn) {
	x.e.propose(x.p, &persistence.Terminate{
		ID: x.ID, IID: c.IID, Execution: c.Execution, Turn: c.Turn, Segment: c.Segment, Sends: c.Sends,
		Name: c.Name, Version: c.Version, Pin: c.Pin, Request: x.request(),
	}, x.proposed)
}

func (x *termination) request() persistence.Request {
	if x.RequestKey == "" {
		return persistence.Request{}
	}
	return persistence.Request{
		Key: x.RequestKey, Kind: persistence.RequestTerminate,
		Digest: persistence.DigestRequest(persistence.RequestTerminate, "", "", []byte(x.Reason)),
	}
}

func (x *termination) proposed(r persistence.Result) {
	switch {
	case errors.Is(r.Err, persistence.ErrConflict) && x.tries < terminateTriesMax:
		x.tries++
		x.load()
		return
	case errors.Is(r.Err, persistence.ErrConflict):
		x.reply(fmt.Errorf("%w: terminate %q: a turn was committed between each read and each end", persistence.ErrBusy, x.ID))
		return
	case r.Err == nil && !r.Repeated:
		x.e.counts.terminated.Add(1)
		x.e.cfg.Logger.Info("an instance has been terminated", logkey.Instance, x.ID, logkey.Reason, x.Reason)
		x.e.act.tellActive(x.ID, &movedMsg{})
	}
	x.reply(r.Err)
}
