package client

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// State is where an instance or an execution is.
type State string

// The states.
const (
	StateNotFound State = "NotFound"
	// StatePending: acknowledged, or continued as new, and the first turn is not recorded yet. Only [Description] shows
	// it; a [Status] says Running.
	StatePending   State = "Pending"
	StateRunning   State = "Running"
	StateCompleted State = "Completed"
	StateFailed    State = "Failed"
	// StateContinuedAsNew is the end of an execution, never of an instance.
	StateContinuedAsNew State = "ContinuedAsNew"
)

// Terminal reports whether an instance in this state has ended.
func (s State) Terminal() bool { return s == StateCompleted || s == StateFailed }

// Status is where an instance is, with its outcome if it has ended.
type Status struct {
	// State is NotFound, Running, Completed or Failed.
	State   State
	Output  []byte
	Failure *turnstone.Failure
}

// Parent names the schedule event that waits for a child.
type Parent struct {
	Instance  string
	Execution uint64
	Event     uint64
}

// Description is what the journal knows of an instance without its history.
type Description struct {
	ID      string
	Name    string
	Version string
	State   State
	// Incarnation is never reused, even if the id is. EngineVersion began the current execution.
	Incarnation   uint64
	EngineVersion string
	// Execution is the current one; Turn its last recorded turn.
	Execution uint64
	Turn      uint64
	// Parent is nil for a root.
	Parent *Parent

	Created time.Time
	// Updated is when State last changed: by the start, the first turn of each execution, a continue-as-new and the end.
	// The other turns do not move it.
	Updated time.Time
	// Ended is zero while the instance runs.
	Ended time.Time

	// Held says why the instance is held; nil if it is not.
	Held *Held
	// Why says in words what the instance waits for: why it is held and what to do, which handler is missing, until when
	// it backs off, or how much is open. Empty if it has ended. The text is for people and may change. It does not know
	// for which events the instance waits, nor whether the activities that are open run, wait for a slot, or have no
	// handler (the log says that). A store that is read without a node does not know which handlers there are.
	Why string

	// OpenActivities, OpenTimers and OpenChildren count what is open; an instance may wait for some of it only, and waits
	// for events are not counted. Inbox is what waits for the instance.
	OpenActivities, OpenTimers, OpenChildren, Inbox int
	// Dropped counts messages that came too late.
	Dropped int
	// HistoryEvents and HistoryBytes are of the current execution.
	HistoryEvents, HistoryBytes int

	// Output and Failure are set by [Client.Describe] for an instance that has ended; a listing leaves them out.
	Output  []byte
	Failure *turnstone.Failure
}

// Turn is one committed turn of a history.
type Turn struct {
	Header *turnpb.SegmentHeader
	Events []*turnpb.Event
}

// Execution is one run of an instance's code.
type Execution struct {
	Number uint64
	State  State
	// Started is the time of its first turn; zero if that is not recorded yet.
	Started time.Time
}

// reads are the questions that need no engine.
type reads struct {
	journal Journal
	codec   turnstone.Codec
	// runs says whether the node has the handler of an orchestration; nil if there is no node.
	runs func(name, version string) bool
	// maxAttempts is that of the node; 0 if it is not known.
	maxAttempts uint32
}

// view asks about one instance. A journal that stops answers with an error while read may still run, so what read made
// is looked at only after it has succeeded.
func view[T any](c *reads, id string, read func(persistence.Reader) (T, error), done func(T, error)) {
	var value T
	c.journal.View(c.journal.PartitionOf(id), func(r persistence.Reader) (err error) {
		value, err = read(r)
		return err
	}, func(err error) {
		if err != nil {
			var zero T
			done(zero, about(id, err))
			return
		}
		done(value, nil)
	})
}

// Status tells where an instance is. An unknown id is no error: its state is NotFound.
func (c *reads) Status(id string, done func(Status, error)) {
	view(c, id, func(r persistence.Reader) (Status, error) {
		head, ok, err := headOf(r, id)
		if err != nil || !ok {
			return Status{State: StateNotFound}, err
		}
		if !head.Status.Terminal() {
			return Status{State: StateRunning}, nil
		}
		end, err := endOf(r, head, c.codec)
		return Status{State: end.State, Output: end.Output, Failure: end.Failure}, err
	}, done)
}

// Describe tells all about an instance but its history. An unknown id: turnstone.ErrInstanceNotFound.
func (c *reads) Describe(id string, done func(Description, error)) {
	view(c, id, func(r persistence.Reader) (Description, error) {
		head, err := mustHead(r, id)
		if err != nil {
			return Description{}, err
		}
		lease, err := leaseOf(r, &head)
		if err != nil {
			return Description{}, err
		}
		d := c.describe(&head, &lease)
		if head.Status.Terminal() {
			var end End
			end, err = endOf(r, head, c.codec)
			d.Output, d.Failure = end.Output, end.Failure
		}
		return d, err
	}, done)
}

// History gives the recorded turns of an execution, in order; execution 0 means the current one. An unknown id:
// turnstone.ErrInstanceNotFound. An execution that has no turn yet, or does not exist, has none.
func (c *reads) History(id string, execution uint64, done func([]Turn, error)) {
	view(c, id, func(r persistence.Reader) ([]persistence.StoredPart, error) {
		head, err := mustHead(r, id)
		if err != nil {
			return nil, err
		}
		n := execution
		if n == 0 {
			n = head.Execution
		}
		return partsOf(r, &head, n)
	}, func(parts []persistence.StoredPart, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		turns, err := Decode(parts)
		done(turns, about(id, err))
	})
}

// partsOf reads the stored parts of an execution. One that is not whole is an error, never a shorter history.
func partsOf(r persistence.Reader, head *persistence.Head, n uint64) (parts []persistence.StoredPart, err error) {
	var check persistence.HistoryCheck
	var damage error
	err = r.Parts(head.IID, n, 1, func(p persistence.StoredPart) bool {
		parts = append(parts, p)
		damage = check.Part(&p)
		return damage == nil
	})
	switch {
	case err != nil || damage != nil:
		err = errors.Join(err, damage)
	case n == head.Execution:
		err = check.End(head)
	case n >= head.FirstExecution && n < head.Execution && len(parts) == 0:
		err = errMissing
	}
	if err != nil {
		return nil, fmt.Errorf("execution %d: %w", n, err)
	}
	return parts, nil
}

var errMissing = fmt.Errorf("%w: it has no turn, and another execution follows it", persistence.ErrCorrupt)

// Executions lists the executions of an instance, ascending. An unknown id: turnstone.ErrInstanceNotFound.
func (c *reads) Executions(id string, done func([]Execution, error)) {
	view(c, id, func(r persistence.Reader) ([]Execution, error) {
		head, err := mustHead(r, id)
		if err != nil {
			return nil, err
		}
		var all []Execution
		for n := uint64(1); n <= head.Execution; n++ {
			e, err := executionOf(r, head, n)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
		return all, nil
	}, done)
}

func executionOf(r persistence.Reader, head persistence.Head, n uint64) (Execution, error) {
	e := Execution{Number: n, State: StateContinuedAsNew}
	if n == head.Execution {
		e.State = State(head.Status.String())
	}
	var header []byte
	err := r.Parts(head.IID, n, 1, func(p persistence.StoredPart) bool {
		header = p.Header
		return false
	})
	if err == nil && header == nil && n >= head.FirstExecution && n < head.Execution {
		err = fmt.Errorf("execution %d: %w", n, errMissing)
	}
	if err != nil || header == nil {
		return e, err
	}
	var h turnpb.SegmentHeader
	if err := proto.Unmarshal(header, &h); err != nil {
		return e, fmt.Errorf("%w: segment header of execution %d: %w", persistence.ErrCorrupt, n, err)
	}
	e.Started = time.UnixMilli(h.GetTimeMs()).UTC()
	return e, nil
}

// Decode reads the stored parts of one execution.
func Decode(parts []persistence.StoredPart) ([]Turn, error) {
	var turns []Turn
	for _, p := range parts {
		if p.Header != nil {
			h := &turnpb.SegmentHeader{}
			if err := proto.Unmarshal(p.Header, h); err != nil {
				return nil, fmt.Errorf("%w: header at event %d: %w", persistence.ErrCorrupt, p.FirstEvent, err)
			}
			turns = append(turns, Turn{Header: h})
		}
		if len(turns) == 0 {
			return nil, fmt.Errorf("%w: the history begins without a segment header", persistence.ErrCorrupt)
		}
		events, err := decodeEvents(p)
		if err != nil {
			return nil, err
		}
		last := &turns[len(turns)-1]
		last.Events = append(last.Events, events...)
	}
	return turns, nil
}

func decodeEvents(p persistence.StoredPart) ([]*turnpb.Event, error) {
	var list turnpb.EventList
	if err := proto.Unmarshal(p.Events, &list); err != nil {
		return nil, fmt.Errorf("%w: events at %d: %w", persistence.ErrCorrupt, p.FirstEvent, err)
	}
	return list.GetEvents(), nil
}

func headOf(r persistence.Reader, id string) (head persistence.Head, ok bool, err error) {
	iid, ok, err := r.Resolve(id)
	if err != nil || !ok {
		return persistence.Head{}, false, err
	}
	return r.Head(iid)
}

func mustHead(r persistence.Reader, id string) (persistence.Head, error) {
	head, ok, err := headOf(r, id)
	if err == nil && !ok {
		err = persistence.ErrNotFound
	}
	return head, err
}

// endOf reads the terminal event of an instance that has ended: the last event of its last part.
func endOf(r persistence.Reader, head persistence.Head, codec turnstone.Codec) (End, error) {
	var last *turnpb.Event
	var bad error
	err := r.Parts(head.IID, head.Execution, head.LastPart, func(p persistence.StoredPart) bool {
		last, bad = lastEvent(p.Events)
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return End{}, err
	}
	return endFrom(last, head.Status, head.Execution, codec)
}

// lastEvent is the last of an encoded turnpb.EventList; nil if there is none.
func lastEvent(encoded []byte) (*turnpb.Event, error) {
	var list turnpb.EventList
	if err := proto.Unmarshal(encoded, &list); err != nil {
		return nil, fmt.Errorf("%w: the last events of the history: %w", persistence.ErrCorrupt, err)
	}
	if n := len(list.GetEvents()); n > 0 {
		return list.GetEvents()[n-1], nil
	}
	return nil, nil
}

// endFrom tells an end from the terminal event.
func endFrom(last *turnpb.Event, status persistence.Status, execution uint64, codec turnstone.Codec) (End, error) {
	end := End{State: State(status.String()), Execution: execution}
	switch k := last.GetKind().(type) {
	case *turnpb.Event_Completed:
		end.Output = k.Completed.GetOutput()
	case *turnpb.Event_Failed:
		end.Failure = author.Failure(k.Failed.GetFailure(), codec)
	default:
		return end, fmt.Errorf("%w: the status is %v, but the history of execution %d does not end so",
			persistence.ErrCorrupt, status, execution)
	}
	return end, nil
}

func (c *reads) describe(h *persistence.Head, lease *persistence.TurnLease) Description {
	d := Description{
		ID: h.ID, Name: h.Name, Version: h.Version, State: State(h.Status.String()),
		Incarnation: uint64(h.IID), EngineVersion: h.Pin, Execution: h.Execution, Turn: h.Turn,
		Created: moment(h.CreatedAtMs), Updated: moment(h.UpdatedAtMs), Ended: moment(h.EndedAtMs),
		OpenActivities: int(h.Work), OpenTimers: int(h.Timers), OpenChildren: int(h.Children), Inbox: int(h.Inbox),
		Dropped: int(h.Dropped), HistoryEvents: int(h.HistoryEvents), HistoryBytes: int(h.HistoryBytes),
	}
	if !h.Parent.IsZero() {
		d.Parent = &Parent{Instance: h.Parent.ID, Execution: h.Parent.Execution, Event: h.Parent.Event}
	}
	d.Held = c.heldOf(lease)
	d.Why = c.why(&d, lease)
	return d
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
