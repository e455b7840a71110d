package instance

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Termination ends an instance without its code.
type Termination struct {
	ID         string
	Reason     string
	RequestKey string
}

// terminateTriesMax is how many times a termination is computed again because a turn was committed between its read and its
// commit.
const terminateTriesMax = 100

// Terminate reads an instance, computes its last turn and proposes it. It does all this beside the instance's actor, which may
// be active. reply is called once.
func Terminate(host *Host, t Termination, reply func(error)) {
	x := &termination{host: host, p: host.Journal.PartitionOf(t.ID), Termination: t}
	x.reply = func(err error) {
		host.Memory.Back(x.taken)
		reply(err)
	}
	x.load()
}

// termination is a termination that has not been answered yet.
type termination struct {
	Termination
	host  *Host
	p     persistence.Partition
	reply func(error)
	tries int
	taken int64 // bytes of the memory budget that the read took
}

// load reads the instance.
func (x *termination) load() {
	m := &view.Load{Inbox: view.InboxRead{Limit: x.host.Config.InboxPage}, Source: &x.host.source, Whole: true, Granted: x.taken}
	x.host.Journal.Load(x.p, func(r persistence.Reader) error { return m.Read(r, x.ID) }, func(err error) {
		x.taken += m.Taken
		switch {
		case err != nil:
			x.reply(fmt.Errorf("terminate %q: %w", x.ID, err))
		case !m.View.Exists:
			x.reply(persistence.ErrNotFound)
		case m.View.Head.Status.Terminal():
			x.propose(&persistence.CommitTurn{IID: m.View.Head.IID}) // the journal knows whether this repeats an earlier request
		case m.View.Partial:
			x.waitForMemory(m.View.Size)
		default:
			x.compute(&m.View)
		}
	})
}

// waitForMemory repeats the read when the memory budget has room for it. While the termination waits, it holds no memory that
// others may wait for.
func (x *termination) waitForMemory(bytes int64) {
	x.host.Counts.MemoryWaits.Add(1)
	x.host.Memory.Back(x.taken)
	x.taken = 0
	x.host.Memory.Ask(bytes, func() {
		x.taken = bytes
		x.load()
	})
	x.host.Engine.Relieve()
}

// compute makes the last turn on a goroutine for user code, because the replay of a long history takes long.
func (x *termination) compute(v *view.View) {
	t := &turn.Turn{
		Host: &x.host.Shared, Head: turn.HeadOf(x.ID, &v.Head), Name: v.Head.Name, Version: v.Head.Version,
		Fresh: true, History: v.History,
		ForcedEnd: &turn.ForcedEnd{Why: failure.Terminated(x.Reason), Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE},
	}
	if v.Start != nil {
		t.Name, t.Version, t.TakesStart = v.Start.Name, v.Start.Version, true
		t.Opening, t.Unopened = turn.StartMessage(v.Start, t.Version)
		if err := t.Fill(); err != nil {
			v.Unreadable = err
		}
	}
	x.host.Run.Run(func() {
		if v.Unreadable != nil {
			t.EndUnread(v, "parent canceled", clock.WallMs(x.host.Config.Clock), x.host.Config.IDs.Entropy())
			return
		}
		t.Execute()
	}, func() {
		if t.Spoiled != nil {
			x.reply(fmt.Errorf("terminate %q: %w", x.ID, t.Spoiled))
			return
		}
		t.Commit.IID = v.Head.IID
		x.propose(t.Commit)
	})
}

// propose proposes the end of the instance, fenced by the turn that c follows.
func (x *termination) propose(c *persistence.CommitTurn) {
	x.host.propose(x.p, &persistence.Terminate{
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

// proposed takes the journal's answer. If a turn was committed meanwhile, the termination begins again.
func (x *termination) proposed(r persistence.Result) {
	switch {
	case errors.Is(r.Err, persistence.ErrConflict) && x.tries < terminateTriesMax:
		x.tries++
		x.load()
		return
	case errors.Is(r.Err, persistence.ErrConflict):
		x.reply(fmt.Errorf("%w: terminate %q: a turn was committed during each of %d tries; try again later",
			persistence.ErrBusy, x.ID, terminateTriesMax+1))
		return
	case r.Err == nil && !r.Repeated:
		x.host.Counts.Terminated.Add(1)
		x.host.Config.Logger.Info("an instance has been terminated", logkey.Instance, x.ID, logkey.Reason, x.Reason)
		x.host.Engine.TellActive(x.ID, &step.Moved{})
	}
	x.reply(r.Err)
}
