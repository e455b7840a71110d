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

// terminateTriesMax is how often a termination is computed again because a turn was committed meanwhile.
const terminateTriesMax = 100

// Terminate reads an instance, computes its last turn and proposes it. reply is called once.
func Terminate(host *Host, t Termination, reply func(error)) {
	x := &termination{host: host, p: host.Journal.PartitionOf(t.ID), Termination: t}
	x.reply = func(err error) {
		host.Memory.Back(x.taken)
		reply(err)
	}
	x.load()
}

// termination is one on its way.
type termination struct {
	Termination
	host  *Host
	p     persistence.Partition
	reply func(error)
	tries int
	taken int64 // of the memory, by the read
}

// load reads what there is to end.
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
			x.propose(&persistence.CommitTurn{IID: m.View.Head.IID}) // the journal knows whether it repeats a request
		case m.View.Partial:
			x.waitForMemory(m.View.Size)
		default:
			x.compute(&m.View)
		}
	})
}

// waitForMemory reads when there is room for what is to be read. It has nothing meanwhile.
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

// compute makes the last turn, where user code runs: a history may be long.
func (x *termination) compute(v *view.View) {
	t := &turn.Turn{
		Host: &x.host.Shared, Head: turn.HeadOf(x.ID, &v.Head), Name: v.Head.Name, Version: v.Head.Version,
		Fresh: true, Segments: v.Segments,
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
		x.host.Counts.Terminated.Add(1)
		x.host.Config.Logger.Info("an instance has been terminated", logkey.Instance, x.ID, logkey.Reason, x.Reason)
		x.host.Engine.TellActive(x.ID, &step.Moved{})
	}
	x.reply(r.Err)
}
