package actors

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The bounds of admitted requests. A request is admitted from the call until its answer. The bound of the bytes is half of
// the memory that instances may have beside it, and at least a few large requests.
const (
	admittedRequestsMax = 100_000
	admittedBytesMost   = 256 << 20 // where memory has no bound
	admittedBytesLeast  = 8 << 20
)

// admission admits requests from outside, bounded in number and in bytes. A request that it refuses has no effect, so the
// caller may try again.
type admission struct {
	counts   *counters
	requests atomic.Int64
	bytes    atomic.Int64
	bytesMax int64
	closed   atomic.Bool
}

func (d *admission) init(counts *counters, memoryBytes int64) {
	d.counts, d.bytesMax = counts, admittedBytesMost
	if memoryBytes > 0 {
		d.bytesMax = max(memoryBytes/2, admittedBytesLeast)
	}
}

// enter admits a request of so many bytes, or returns the refusal.
func (d *admission) enter(size int) error {
	if d.closed.Load() {
		return fmt.Errorf("%w: %w: the node is shutting down", persistence.ErrNotLeader, persistence.ErrStopped)
	}
	requests, bytes := d.requests.Add(1), d.bytes.Add(int64(size))
	if requests > admittedRequestsMax || bytes > d.bytesMax {
		d.leave(size)
		d.counts.refused.Add(1)
		return fmt.Errorf("%w: %d requests with %d bytes wait for an answer on this node; retry in 100 ms",
			persistence.ErrBusy, requests-1, bytes-int64(size))
	}
	return nil
}

func (d *admission) leave(size int) {
	d.requests.Add(-1)
	d.bytes.Add(-int64(size))
	if invariants.Enabled {
		d.verify()
	}
}

// StartInstance starts an instance. reply gets no error once the start is durable. Otherwise the error wraps
// persistence.ErrAlreadyExists (the id is taken, running or ended), ErrKeyReused (the request key was used for another
// request), ErrBusy (nothing was written: retry), ErrNotLeader (nothing was written: another node leads the partition, or
// this one is shutting down), ErrUncertain (repeat it with the same request key), or is a *limits.Error or *limits.IDError
// (never retry).
func (e *Engine) StartInstance(req arrival.StartRequest, reply func(arrival.StartReply)) {
	if err := e.checkStart(&req); err != nil {
		reply(arrival.StartReply{Err: err})
		return
	}
	size := len(req.Input) + len(req.ID)
	if err := e.admission.enter(size); err != nil {
		reply(arrival.StartReply{Err: err})
		return
	}
	answer := func(r arrival.StartReply) {
		e.admission.leave(size)
		reply(r)
	}
	if err := e.tell(req.ID, arrival.NewStart(req, answer)); err != nil {
		e.counts.refused.Add(1)
		answer(arrival.StartReply{Err: err})
	}
}

func (e *Engine) checkStart(req *arrival.StartRequest) error {
	l := &e.cfg.Limits
	if err := limits.CheckID("instance id", req.ID, l.IDBytes, "IDBytes"); err != nil {
		return err
	}
	if err := limits.CheckID("orchestration name", req.Name, l.NameBytes, "NameBytes"); err != nil {
		return err
	}
	if req.Version != "" {
		if err := limits.CheckID("orchestration version", req.Version, l.NameBytes, "NameBytes"); err != nil {
			return err
		}
	}
	if req.RequestKey != "" {
		if err := limits.CheckID("request key", req.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"); err != nil {
			return err
		}
	}
	return limits.Check("input bytes", len(req.Input), l.PayloadBytes, "PayloadBytes")
}

// Deliver sends a message from outside to an instance. reply gets nil once it is durable. Otherwise the error wraps
// persistence.ErrNotFound (no such instance), ErrEnded (it has ended), ErrKeyReused, ErrLimit (its inbox is full), ErrBusy,
// ErrNotLeader or ErrUncertain as for StartInstance, or is a *limits.Error or *limits.IDError.
func (e *Engine) Deliver(d arrival.Delivery, reply func(error)) {
	if err := e.checkDelivery(&d); err != nil {
		reply(err)
		return
	}
	encoded, err := proto.Marshal(d.Message)
	if err != nil {
		reply(fmt.Errorf("deliver to %q: encode the message: %w", d.ID, err))
		return
	}
	size := len(encoded) + len(d.ID)
	if err := e.admission.enter(size); err != nil {
		reply(err)
		return
	}
	answer := func(err error) {
		e.admission.leave(size)
		reply(err)
	}
	msg := arrival.NewDeliver(&d, encoded, answer)
	if err := e.tell(d.ID, msg); err != nil {
		e.counts.refused.Add(1)
		answer(err)
	}
}

// enter admits a request with an instance's id and so many bytes more.
func (e *Engine) enter(id string, bytes int) (size int, err error) {
	if err := limits.CheckID("instance id", id, e.cfg.Limits.DerivedIDBytes, "DerivedIDBytes"); err != nil {
		return 0, err
	}
	size = len(id) + bytes
	return size, e.admission.enter(size)
}

func (e *Engine) checkDelivery(d *arrival.Delivery) error {
	l := &e.cfg.Limits
	if err := limits.CheckID("instance id", d.ID, l.DerivedIDBytes, "DerivedIDBytes"); err != nil {
		return err
	}
	if d.RequestKey != "" {
		if err := limits.CheckID("request key", d.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"); err != nil {
			return err
		}
	}
	switch k := d.Message.GetKind().(type) {
	case *turnpb.Message_EventRaised:
		return checkArrival(l, "event", k.EventRaised.GetName(), k.EventRaised.GetData())
	case *turnpb.Message_QueueMessage:
		return checkArrival(l, "queue", k.QueueMessage.GetName(), k.QueueMessage.GetData())
	case *turnpb.Message_Cancel:
		return limits.Check("cancel reason bytes", len(k.Cancel.GetReason()), l.ReasonBytes, "ReasonBytes")
	default:
		return fmt.Errorf("deliver to %q: a message from outside is an event, a queue message or a cancel, not %T", d.ID, k)
	}
}

func checkArrival(l *limits.Limits, what, name string, data []byte) error {
	if err := limits.CheckID(what+" name", name, l.IDBytes, "IDBytes"); err != nil {
		return err
	}
	return limits.Check(what+" data bytes", len(data), l.PayloadBytes, "PayloadBytes")
}
