package consumer

import (
	"context"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

// ActivityFunc is an activity as a slot runs it. ctx ends when the activity is cancelled, its lease is lost, or the
// node shuts down. The error may carry an author's kind and details (internal/failure).
type ActivityFunc func(ctx context.Context, info ActivityInfo, heart Heart, input []byte) ([]byte, error)

// Heart takes the heartbeats of one run of an activity. It is safe for concurrent use.
type Heart interface {
	// Beat says that the code is alive. Details, unless they are empty, are what the next attempt reads; they are recorded now
	// and then. The caller does not change them any more. The error says that the activity must stop, or that the details are
	// over their limit.
	Beat(details []byte) error
	// Before are the details that an earlier run or attempt left; nil: none did.
	Before() []byte
}

// ActivityInfo identifies the activity that a call runs.
type ActivityInfo struct {
	Instance      string
	Incarnation   uint64
	Execution     uint64
	Event         uint64
	FirstEvent    uint64 // the schedule event of the call's first attempt; Event for that one itself
	Orchestration string
	Version       string
	Name          string
	Attempt       uint32 // of the call's retry policy, from 1
	Delivery      uint32 // how often this attempt was started, from 1
	Worker        string
	Tag           string // empty: none
	Session       string // empty: none
	// Deadline is when the code must have ended; zero: never. HeartbeatTimeout is how long it may be silent; 0: for ever.
	Deadline         time.Time
	HeartbeatTimeout time.Duration
}

// Handlers is what a consumer can run. Implementations are safe for concurrent use and may grow while attached.
type Handlers interface {
	// Orchestration resolves a handler. An empty version means the registry's policy. The returned version is a full
	// semantic version. ok is false if the name or the version is not registered.
	Orchestration(name, version string) (resolved string, fn replay.Func, ok bool)
	Activity(name string) (fn ActivityFunc, ok bool)
	// Replays reports whether this engine may replay an execution pinned to an engine version ("" is always true).
	Replays(pin string) bool
}

// Consumer is one runtime that is attached to the journal in this process. Several may be attached, with different
// handlers and engine ranges; an instance stays with its consumer while it is resident.
type Consumer struct {
	// ID is unique among the attached consumers of the node.
	ID       string
	Handlers Handlers
	// TurnSlots and ActivitySlots bound how many turns and activities of this consumer run at once. 0 means none.
	TurnSlots     int
	ActivitySlots int
	// EngineVersion pins the executions that begin here.
	EngineVersion string
	// FailOnNondeterminism makes instances that run here fail when their code does not fit their history, instead of
	// being held. The engine's own option does that for all consumers.
	FailOnNondeterminism bool
	// Base is what the contexts of its activities are made from; nil is context.Background.
	Base context.Context
}
