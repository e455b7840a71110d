package localport

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The states of an instance that a persistence.Status does not have, or that are shown as another one.
const (
	stateNotFound       = "NotFound"
	stateContinuedAsNew = "ContinuedAsNew"
)

// Reader answers the requests that need no engine.
type Reader struct {
	journal Journal
	// runs reports whether the node has the handler of an orchestration; nil if there is no node.
	runs func(name, version string) bool
	// maxAttempts is that of the node; 0 if it is not known.
	maxAttempts uint32
}

var _ api.Reader = (*Reader)(nil)

// NewReader makes the reading part of a port, for a journal without an engine.
func NewReader(j Journal) *Reader { return &Reader{journal: j} }

// Stopped implements api.Reader.
func (r *Reader) Stopped() <-chan struct{} { return r.journal.Stopped() }

// Cause implements api.Reader.
func (r *Reader) Cause() error { return r.journal.Cause() }

// view reads the rows of one instance. It uses the result of read only if the view has succeeded.
func view[T any](r *Reader, id string, read func(persistence.Reader) (T, error), done func(T, error)) {
	var value T
	r.journal.View(r.journal.PartitionOf(id), func(r persistence.Reader) (err error) {
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

// Status implements api.Reader.
func (r *Reader) Status(q api.StatusRequest, done func(api.Status, error)) {
	view(r, q.ID, func(r persistence.Reader) (api.Status, error) {
		head, ok, err := headOf(r, q.ID)
		if err != nil || !ok {
			return api.Status{State: stateNotFound}, err
		}
		if !head.Status.Terminal() {
			return api.Status{State: persistence.StatusRunning.String()}, nil
		}
		end, err := endOf(r, head)
		return api.Status{State: end.State, Output: end.Output, Failure: end.Failure}, err
	}, done)
}

// Describe implements api.Reader.
func (r *Reader) Describe(q api.DescribeRequest, done func(api.Description, error)) {
	view(r, q.ID, func(stored persistence.Reader) (api.Description, error) {
		head, err := mustHead(stored, q.ID)
		if err != nil {
			return api.Description{}, err
		}
		lease, err := leaseOf(stored, &head)
		if err != nil {
			return api.Description{}, err
		}
		d := r.describe(&head, &lease)
		if err := whyDelayed(&d, stored, &head); err != nil {
			return api.Description{}, err
		}
		if err := readCleanup(&d, stored, &head); err != nil {
			return api.Description{}, err
		}
		if head.StatusVersion > 0 {
			status, ok, err := stored.CustomStatus(head.IID)
			if err == nil && !ok {
				err = fmt.Errorf("%w: the custom status of incarnation %d is missing", persistence.ErrCorrupt, head.IID)
			}
			if err != nil {
				return api.Description{}, err
			}
			d.CustomStatus = status.Value
		}
		if head.Status.Terminal() {
			var end api.End
			end, err = endOf(stored, head)
			d.Output, d.Failure, d.Why = end.Output, end.Failure, whyGivenUp(end.Failure)
		}
		return d, err
	}, done)
}

func (r *Reader) describe(h *persistence.Head, lease *persistence.TurnLease) api.Description {
	d := api.Description{
		ID: h.ID, Name: h.Name, Version: h.Version, State: h.Status.String(),
		Incarnation: uint64(h.IID), EngineVersion: h.Pin, Execution: h.Execution, Turn: h.Turn,
		CreatedMs: h.CreatedAtMs, UpdatedMs: h.UpdatedAtMs, EndedMs: h.EndedAtMs,
		OpenActivities: int(h.Work), OpenTimers: int(h.Timers), OpenChildren: int(h.Children), Inbox: int(h.Inbox),
		Dropped: int(h.Dropped), HistoryEvents: int(h.HistoryEvents), HistoryBytes: int(h.HistoryBytes),
		CustomStatusVersion: h.StatusVersion,
	}
	if !h.Parent.IsZero() {
		d.Parent = &api.Parent{Instance: h.Parent.ID, Execution: h.Parent.Execution, Event: h.Parent.Event}
	}
	d.Held, d.Cleanup = r.heldOf(lease), cleanupOf(h)
	d.Why = r.why(&d, h.Status, lease)
	return d
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
func endOf(r persistence.Reader, head persistence.Head) (api.End, error) {
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
		return api.End{}, err
	}
	return endFrom(last, head.Status, head.Execution)
}

// lastEvent is the last of an encoded turnpb.EventList; nil if there is none.
func lastEvent(encoded []byte) (*turnpb.Event, error) {
	last, err := history.Last(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	return last, nil
}

// endFrom makes the end from the terminal event.
func endFrom(last *turnpb.Event, status persistence.Status, execution uint64) (api.End, error) {
	end := api.End{State: status.String(), Execution: execution}
	switch k := last.GetKind().(type) {
	case *turnpb.Event_Completed:
		end.Output = k.Completed.GetOutput()
	case *turnpb.Event_Failed:
		failure, err := proto.Marshal(k.Failed.GetFailure())
		if err != nil {
			return end, fmt.Errorf("encode the failure: %w", err)
		}
		end.Failure = append([]byte{}, failure...) // not nil: it has failed
	default:
		return end, fmt.Errorf("%w: the status is %v, but the history of execution %d does not end so",
			persistence.ErrCorrupt, status, execution)
	}
	return end, nil
}
