package localport

import (
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Engine is what the port needs of a running node. It calls the functions that it gets from any goroutine; they must not
// block.
type Engine interface {
	// StartInstance asks for a new instance; reply is called once, when the start is durable or refused.
	StartInstance(r api.StartRequest, reply func(api.Started, error))
	// Deliver sends a message to an instance; reply is called once, when it is durable or refused.
	Deliver(id string, m *turnpb.Message, requestKey string, reply func(error))
	// Terminate ends an instance without its code; reply is called once, when the end is durable or refused.
	Terminate(r api.TerminateRequest, reply func(error))
	// Release has an instance that is held tried again; reply is called once, when that is durable or refused.
	Release(id string, reply func(error))
	// Query asks the code of an instance; reply is called once, with what its handler returned: its output or its failure.
	Query(r api.QueryRequest, reply func(output []byte, failure *turnpb.Failure, err error))
	// Runs reports whether a runtime that runs turns is attached and has this orchestration. An empty version means the one
	// that the runtime's policy names.
	Runs(name, version string) bool
	// WatchEnd calls ended once, when an instance of this id reaches a terminal status after this call, with how it
	// ended; within the call if the end is recent. cancel withdraws it. The instance need not exist yet. If sure is true,
	// ended has been called or will be; otherwise a read that begins after this call sees an earlier end.
	//
	// damaged is called with the damage of an instance that is set aside: within the call if the damage is known, and each
	// time that it is found.
	WatchEnd(id string, ended func(persistence.EndEffect), damaged func(error)) (cancel func(), sure bool)
}

// Journal is what the port reads from; it is part of persistence.Journal, whose comments hold.
type Journal interface {
	Info() persistence.StoreInfo
	PartitionOf(id string) persistence.Partition
	View(p persistence.Partition, read func(persistence.Reader) error, done func(error))
	Stopped() <-chan struct{}
	Cause() error
}

var _ Journal = persistence.Journal(nil)

// Options are the settings of the node that a port needs.
type Options struct {
	// Limits are the limits that requests are checked against; zero fields mean their defaults.
	Limits limits.Limits
	// MaxAttempts is that of the node, for the texts of Held and Why. 0: it is not known.
	MaxAttempts uint32
}

// Port carries requests to the engine and the journal of this process.
type Port struct {
	*Reader
	engine Engine
	limits limits.Limits
}

var _ api.Port = (*Port)(nil)

// New makes the port of a running node.
func New(e Engine, j Journal, o Options) *Port {
	return &Port{
		Reader: &Reader{journal: j, runs: e.Runs, maxAttempts: o.MaxAttempts}, engine: e, limits: o.Limits.WithDefaults(),
	}
}

// Start implements api.Port.
func (p *Port) Start(r api.StartRequest, done func(api.Started, error)) {
	l := &p.limits
	err := firstError(
		limits.CheckID("instance id", r.ID, l.IDBytes, "IDBytes"),
		limits.CheckID("orchestration name", r.Name, l.NameBytes, "NameBytes"),
		optionalVersion(r.Version, l.NameBytes, "NameBytes"),
		optionalID("request key", r.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"),
		limits.Check("input bytes", len(r.Input), l.PayloadBytes, "PayloadBytes"),
		notNegative("start delay", r.DelayMs),
		notNegative("execution timeout", r.ExecutionTimeoutMs),
	)
	if err != nil {
		done(api.Started{}, err)
		return
	}
	p.engine.StartInstance(r, func(s api.Started, err error) {
		if err != nil {
			done(api.Started{}, about(r.ID, err))
			return
		}
		done(s, nil)
	})
}

// Raise implements api.Port.
func (p *Port) Raise(r api.RaiseRequest, done func(error)) {
	l := &p.limits
	err := firstError(
		limits.CheckID("instance id", r.ID, l.DerivedIDBytes, "DerivedIDBytes"),
		limits.CheckID("event name", r.Name, l.IDBytes, "IDBytes"),
		optionalID("request key", r.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"),
		limits.Check("event data bytes", len(r.Data), l.PayloadBytes, "PayloadBytes"),
	)
	if err != nil {
		done(err)
		return
	}
	p.deliver(r.ID, &turnpb.Message{Kind: &turnpb.Message_EventRaised{
		EventRaised: &turnpb.EventRaised{Name: r.Name, Data: r.Data},
	}}, r.RequestKey, done)
}

// Enqueue implements api.Port.
func (p *Port) Enqueue(r api.EnqueueRequest, done func(error)) {
	l := &p.limits
	err := firstError(
		limits.CheckID("instance id", r.ID, l.DerivedIDBytes, "DerivedIDBytes"),
		limits.CheckID("queue name", r.Queue, l.IDBytes, "IDBytes"),
		optionalID("request key", r.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"),
		limits.Check("message data bytes", len(r.Data), l.PayloadBytes, "PayloadBytes"),
	)
	if err != nil {
		done(err)
		return
	}
	p.deliver(r.ID, &turnpb.Message{Kind: &turnpb.Message_QueueMessage{
		QueueMessage: &turnpb.QueueMessage{Name: r.Queue, Data: r.Data},
	}}, r.RequestKey, done)
}

// Cancel implements api.Port.
func (p *Port) Cancel(r api.CancelRequest, done func(error)) {
	l := &p.limits
	err := firstError(
		limits.CheckID("instance id", r.ID, l.DerivedIDBytes, "DerivedIDBytes"),
		optionalID("request key", r.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"),
		limits.Check("cancel reason bytes", len(r.Reason), l.ReasonBytes, "ReasonBytes"),
		checkText("cancel reason", r.Reason),
	)
	if err != nil {
		done(err)
		return
	}
	p.deliver(r.ID, &turnpb.Message{Kind: &turnpb.Message_Cancel{
		Cancel: &turnpb.CancelInstance{Reason: r.Reason},
	}}, r.RequestKey, done)
}

func (p *Port) deliver(id string, m *turnpb.Message, requestKey string, done func(error)) {
	p.engine.Deliver(id, m, requestKey, func(err error) { done(about(id, p.limitOf(err))) })
}

// Terminate implements api.Port.
func (p *Port) Terminate(r api.TerminateRequest, done func(error)) {
	l := &p.limits
	err := firstError(
		limits.CheckID("instance id", r.ID, l.DerivedIDBytes, "DerivedIDBytes"),
		optionalID("request key", r.RequestKey, l.RequestKeyBytes, "RequestKeyBytes"),
		limits.Check("terminate reason bytes", len(r.Reason), l.ReasonBytes, "ReasonBytes"),
		checkText("terminate reason", r.Reason),
	)
	if err != nil {
		done(err)
		return
	}
	p.engine.Terminate(r, func(err error) { done(about(r.ID, err)) })
}

// Release implements api.Port.
func (p *Port) Release(r api.ReleaseRequest, done func(error)) {
	if err := firstError(limits.CheckID("instance id", r.ID, p.limits.DerivedIDBytes, "DerivedIDBytes")); err != nil {
		done(err)
		return
	}
	p.engine.Release(r.ID, func(err error) { done(about(r.ID, err)) })
}

// Wait implements api.Port.
func (p *Port) Wait(r api.WaitRequest, done func(api.End, error)) (cancel func()) {
	if err := firstError(limits.CheckID("instance id", r.ID, p.limits.DerivedIDBytes, "DerivedIDBytes")); err != nil {
		done(api.End{}, err)
		return func() {}
	}
	w := &waiter{port: p, request: r, done: done}
	w.start()
	return w.cancel
}

// author has the checks of the author's package.
var author = seam.Take[seam.Author[turnstone.Handler, turnstone.Codec, *turnstone.Failure]]()

// optionalID is limits.CheckID for a text that may be left out.
func optionalID(what, id string, max int, field string) error {
	if id == "" {
		return nil
	}
	return limits.CheckID(what, id, max, field)
}

// notNegative refuses a duration of less than nothing.
func notNegative(what string, ms int64) error {
	if ms < 0 {
		return &limits.IDError{What: what, Problem: "is negative"}
	}
	return nil
}

func optionalVersion(version string, max int, field string) error {
	if version == "" {
		return nil
	}
	if err := limits.CheckID("version", version, max, field); err != nil {
		return err
	}
	return author.CheckVersion(version)
}
