package client

import (
	"bytes"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Engine is what a client needs of a running node. The functions that it is given are called from any goroutine and
// must not block.
type Engine interface {
	// StartInstance asks for a new instance; reply is called once, when the start is durable or refused.
	StartInstance(r StartRequest, reply func(Started, error))
	// Deliver brings a message to an instance; reply is called once, when it is durable or refused.
	Deliver(id string, m *turnpb.Message, requestKey string, reply func(error))
	// Terminate ends an instance without its code; reply is called once, when the end is durable or refused.
	Terminate(t TerminateRequest, reply func(error))
	// Release has an instance that is held tried again; reply is called once, when that is durable or refused.
	Release(id string, reply func(error))
	// Runs says whether a runtime that runs turns is attached and has this orchestration. An empty version means the one
	// that the runtime's policy names.
	Runs(name, version string) bool
	// WatchEnd calls ended once, when an instance of this id reaches a terminal status after this call, with how it
	// ended; within the call if it has ended a moment ago. cancel withdraws it. The instance need not exist yet. sure:
	// ended has been called or will be; otherwise a read that begins after this call tells whether it had ended before.
	//
	// damaged is called with what is damaged of the instance as long as it is set aside: within the call if that is known,
	// and whenever it is found.
	WatchEnd(id string, ended func(persistence.EndEffect), damaged func(error)) (cancel func(), sure bool)
}

// Journal is what a client reads from; it is part of persistence.Journal, whose comments hold.
type Journal interface {
	Info() persistence.StoreInfo
	PartitionOf(id string) persistence.Partition
	View(p persistence.Partition, read func(persistence.Reader) error, done func(error))
	Stopped() <-chan struct{}
	Cause() error
}

// StartRequest starts an instance.
type StartRequest struct {
	ID   string
	Name string
	// Version is a semantic version. An empty text is no version: the registry's policy decides.
	Version string
	Input   []byte
	// RequestKey makes the request repeatable for 24 hours: the second one with the same id and key is answered as the
	// first was. Empty: none.
	RequestKey string
}

// Started is the answer to a start that was accepted.
type Started struct {
	// Repeated: a request with this id and request key was accepted before. Nothing was written for this one.
	Repeated bool
	// NoHandler: no runtime that is attached to the node has this orchestration, or not in this version. The start is
	// durable. While runtimes are attached that lack it, the instance is tried with backoff; after Config.MaxAttempts
	// tries, about 5 minutes with the defaults, it fails for good as turnstone.ErrPoisoned. Look for a mistyped name, or
	// for a registration that is missing.
	NoHandler bool
}

// Options change how a client reads and checks.
type Options struct {
	// Codec encodes and decodes typed values. Nil is turnstone.JSON. It must be that of the instances.
	Codec turnstone.Codec
	// Limits are the limits that requests are checked against; zero fields mean their defaults.
	Limits limits.Limits
	// MaxAttempts is that of the node, for what a [Held] and a Why say. 0: it is not known.
	MaxAttempts uint32
}

// Core is a client whose answers come by callback: each done is called exactly once, from any goroutine, perhaps
// before the call returns, and must not block. When the node stops, what is asked may stay without an answer: whoever
// waits for one also watches [Journal.Stopped], after which a request that writes may or may not have been carried out.
type Core struct {
	reads
	engine Engine
	limits limits.Limits
}

// NewCore makes a client of a running node.
func NewCore(e Engine, j Journal, o Options) *Core {
	if o.Codec == nil {
		o.Codec = turnstone.JSON
	}
	return &Core{reads: reads{journal: j, codec: o.Codec, runs: e.Runs, maxAttempts: o.MaxAttempts}, engine: e, limits: o.Limits.WithDefaults()}
}

// Start asks for a new instance. err wraps turnstone.ErrAlreadyExists, ErrBusy, ErrUncertain or ErrInvalidInput, or is a
// turnstone.LimitError.
func (c *Core) Start(r StartRequest, done func(Started, error)) {
	r.Input = bytes.Clone(r.Input)
	c.start(r, done)
}

// start is Start with an input that nobody else has.
func (c *Core) start(r StartRequest, done func(Started, error)) {
	if err := c.checkStart(r); err != nil {
		done(Started{}, err)
		return
	}
	c.engine.StartInstance(r, func(s Started, err error) { done(s, about(r.ID, err)) })
}

func (c *Core) checkStart(r StartRequest) error {
	l := c.limits
	return firstError(
		limits.CheckID("instance id", r.ID, l.IDBytes),
		limits.CheckID("orchestration name", r.Name, l.NameBytes),
		optionalVersion(r.Version, l.NameBytes),
		optionalID("request key", r.RequestKey, l.RequestKeyBytes),
		limits.Check("input bytes", len(r.Input), l.PayloadBytes),
	)
}

// Raise raises an event to an instance. One that has ended: turnstone.ErrInstanceEnded. requestKey may be empty.
func (c *Core) Raise(id, name string, data []byte, requestKey string, done func(error)) {
	c.raise(id, name, bytes.Clone(data), requestKey, done)
}

// raise is Raise with data that nobody else has.
func (c *Core) raise(id, name string, data []byte, requestKey string, done func(error)) {
	l := c.limits
	err := firstError(
		limits.CheckID("instance id", id, l.DerivedIDBytes),
		limits.CheckID("event name", name, l.IDBytes),
		optionalID("request key", requestKey, l.RequestKeyBytes),
		limits.Check("event data bytes", len(data), l.PayloadBytes),
	)
	if err != nil {
		done(err)
		return
	}
	c.deliver(id, &turnpb.Message{Kind: &turnpb.Message_EventRaised{
		EventRaised: &turnpb.EventRaised{Name: name, Data: data},
	}}, requestKey, done)
}

// Cancel cancels an instance. One that has ended: turnstone.ErrInstanceEnded. The reason may be empty.
func (c *Core) Cancel(id, reason, requestKey string, done func(error)) {
	l := c.limits
	err := firstError(
		limits.CheckID("instance id", id, l.DerivedIDBytes),
		optionalID("request key", requestKey, l.RequestKeyBytes),
		limits.Check("cancel reason bytes", len(reason), l.ReasonBytes),
		checkText("cancel reason", reason),
	)
	if err != nil {
		done(err)
		return
	}
	c.deliver(id, &turnpb.Message{Kind: &turnpb.Message_Cancel{
		Cancel: &turnpb.CancelInstance{Reason: reason},
	}}, requestKey, done)
}

func (c *Core) deliver(id string, m *turnpb.Message, requestKey string, done func(error)) {
	c.engine.Deliver(id, m, requestKey, func(err error) { done(about(id, c.limitOf(err))) })
}

// Wait calls done when the instance has ended, with how it ended. err wraps turnstone.ErrInstanceNotFound if there is no
// such instance, unless WaitForStart is given, and turnstone.ErrDamaged if it is set aside. cancel gives up; done may still be called if the end came first.
func (c *Core) Wait(id string, done func(End, error), options ...WaitOption) (cancel func()) {
	if err := limits.CheckID("instance id", id, c.limits.DerivedIDBytes); err != nil {
		done(End{}, clientError(err))
		return func() {}
	}
	w := &waiter{core: c, id: id, done: done}
	for _, option := range options {
		option(w)
	}
	w.start()
	return w.cancel
}
