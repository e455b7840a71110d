package client

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Reader reads a store: of a running node, or one that is open for reading only. It is safe for concurrent use. When ctx is
// done, each method returns its error (turnstone.ErrTimeout at its deadline), which says nothing about the store.
type Reader struct {
	port  api.Reader
	codec turnstone.Codec
}

// NewReader makes a reader that asks through a port, for a codec: it decodes what an author's error carries. A nil codec is
// turnstone.JSON.
func NewReader(p api.Reader, codec turnstone.Codec) *Reader {
	if codec == nil {
		codec = turnstone.JSON
	}
	return &Reader{port: p, codec: codec}
}

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
	// Other turns do not change it.
	Updated time.Time
	// Ended is zero while the instance runs.
	Ended time.Time

	// Held says why the instance is held; nil if it is not.
	Held *Held
	// Cleanup says how far the undo steps are; nil if none run. An instance whose last turn was recorded by a build without
	// it shows none.
	Cleanup *Cleanup
	// Why says in words what the instance waits for: why it is held and what to do, that its undo steps run, which handler is missing, until when
	// it backs off or its start is delayed, or how much is open. It is empty if the instance has ended,
	// except where it was given up as poison because a handler was missing: then it names the handler. The text is for people and may change. It
	// does not name the events for which the instance waits, and not whether open activities run, wait for a slot, or have no
	// handler (the log has that). Without a node it cannot say which handlers are missing.
	Why string

	// OpenActivities, OpenTimers and OpenChildren count open operations; an instance may wait for some of them only. The bound
	// of an execution timeout is one of the timers. Waits for events are not counted. Inbox counts the messages that wait for the instance.
	OpenActivities, OpenTimers, OpenChildren, Inbox int
	// Dropped counts messages that came too late.
	Dropped int
	// HistoryEvents and HistoryBytes are of the current execution.
	HistoryEvents, HistoryBytes int

	// CustomStatus is what the code shows of itself ([turnstone.Context.SetStatus]); nil if it never set one, or has reset it.
	// It stays when the instance has ended. A listing leaves it out. CustomStatusVersion rises by one with each turn that
	// sets or resets it; 0 if none has.
	CustomStatus        *string
	CustomStatusVersion uint64

	// Output and Failure are set by [Client.Describe] for an instance that has ended; a listing leaves them out.
	Output  []byte
	Failure *turnstone.Failure
}

// Status tells where an instance is. An unknown id is no error: its state is NotFound. Between an acknowledged start
// and the first turn the state is Running.
func (r *Reader) Status(ctx context.Context, id string) (Status, error) {
	s, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.Status, error)) { r.port.Status(api.StatusRequest{ID: id}, done) })
	if err != nil {
		return Status{}, err
	}
	failure, err := failureOf(s.Failure, r.codec)
	if err != nil {
		return Status{}, err
	}
	return Status{State: State(s.State), Output: s.Output, Failure: failure}, nil
}

// Describe tells all about an instance but its history, and why it waits. An unknown id: turnstone.ErrInstanceNotFound.
func (r *Reader) Describe(ctx context.Context, id string) (Description, error) {
	d, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.Description, error)) {
		r.port.Describe(api.DescribeRequest{ID: id}, done)
	})
	if err != nil {
		return Description{}, err
	}
	return descriptionOf(&d, r.codec)
}

// descriptionOf decodes a description.
func descriptionOf(d *api.Description, codec turnstone.Codec) (Description, error) {
	failure, err := failureOf(d.Failure, codec)
	if err != nil {
		return Description{}, fmt.Errorf("instance %q: %w", d.ID, err)
	}
	cleanup, err := cleanupOf(d.Cleanup, codec)
	if err != nil {
		return Description{}, fmt.Errorf("instance %q: %w", d.ID, err)
	}
	return Description{
		ID: d.ID, Name: d.Name, Version: d.Version, State: State(d.State),
		Incarnation: d.Incarnation, EngineVersion: d.EngineVersion, Execution: d.Execution, Turn: d.Turn,
		Parent: (*Parent)(d.Parent), Created: moment(d.CreatedMs), Updated: moment(d.UpdatedMs), Ended: moment(d.EndedMs),
		Held: heldOf(d.Held), Cleanup: cleanup, Why: d.Why,
		OpenActivities: d.OpenActivities, OpenTimers: d.OpenTimers, OpenChildren: d.OpenChildren, Inbox: d.Inbox,
		Dropped: d.Dropped, HistoryEvents: d.HistoryEvents, HistoryBytes: d.HistoryBytes,
		CustomStatus: d.CustomStatus, CustomStatusVersion: d.CustomStatusVersion,
		Output: d.Output, Failure: failure,
	}, nil
}

// failureOf decodes a failure as it is recorded; nil is none.
func failureOf(recorded []byte, codec turnstone.Codec) (*turnstone.Failure, error) {
	if recorded == nil {
		return nil, nil
	}
	var f turnpb.Failure
	if err := proto.Unmarshal(recorded, &f); err != nil {
		return nil, fmt.Errorf("%w: decode the failure: %w", turnstone.ErrDamaged, err)
	}
	return author.Failure(&f, codec), nil
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
