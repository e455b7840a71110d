package replay

import (
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Func is an orchestration as the machine runs it. It must be deterministic: it may block only on futures of its
// context. A returned error fails the orchestration.
type Func func(ctx *Context, input []byte) ([]byte, error)

// Config says what a machine runs and where. All of it is fixed for the life of an execution.
type Config struct {
	// Instance is the id of the instance; Execution counts from 1.
	Instance  string
	Execution uint64
	// Name and Version are the resolved handler's. Version is a full semantic version, for example 1.0.0.
	Name    string
	Version string
	// Func is the handler.
	Func Func
	// RejectOrphans: a completion that answers what history never asked for, or asked for as another kind, is rejected and
	// listed in Decision.Orphans. Otherwise it fails the turn.
	RejectOrphans bool
	// Unlocked says that no goroutine which uses the machine is locked to its thread. A lock that code takes with
	// runtime.LockOSThread then ends where the code waits or returns; otherwise it ends the process there.
	Unlocked bool
	// Unwind runs the function it is given on a goroutine that is not the caller's and waits for it to return or to
	// exit. The machine uses it to end a parked coroutine. Nil: a goroutine started and awaited by the machine's
	// default, for tests.
	Unwind func(func())
	// Limits bound what a turn may do. The zero value has the documented defaults.
	Limits Limits
	// KV is the key-value store as the previous execution left it. The machine does not change the map.
	KV map[string]KVEntry
	// Stray, if set, is told of a misuse of the context after Close, when no Decision can say it any more. It is called
	// on the goroutine that did it, at most once.
	Stray func(*MisuseError)
}

// Segment is one committed turn as it is replayed.
type Segment struct {
	Header *turnpb.SegmentHeader
	Events []*turnpb.Event
}

// Input is everything a turn may depend on.
type Input struct {
	// TimeMs is the turn's wall clock in milliseconds since the Unix epoch. Within an execution [Context.Now] never
	// goes back, even if TimeMs does.
	TimeMs int64
	// Entropy is the turn's only randomness.
	Entropy [16]byte
	// Messages are taken in order; Decision.Deferred says which were left. At most one is a start, and only when history
	// is empty. The events and queue messages of one name must be the oldest that wait for the instance, in the order in
	// which they came: see "Messages that are left" in the documentation of this package.
	Messages []*turnpb.Message
	// Stop, if set, is a limit of the host that the turn before it went over, which was dropped: the code is stopped where it
	// is, before the messages are taken, and the undo steps run. Only for an execution that has some. While they run, it ends
	// the one that runs.
	Stop *turnpb.Failure
	// Behind says that other events or queue messages wait for the instance and are not in Messages. Decision.Wanted is
	// made for them.
	Behind bool
}

// Outcome says how a turn left the execution.
type Outcome uint8

// The outcomes of a turn.
const (
	// Running: the code waits for something. The zero value.
	Running Outcome = iota
	// Completed: the code returned. Decision.Output is its result.
	Completed
	// Failed: Decision.Failure says why; a cancelled execution fails with kind CANCELLED.
	Failed
	// ContinuedAsNew: Decision.Next starts the next execution.
	ContinuedAsNew
)

// Decision is what one turn decided. Nothing of it may take effect before it is committed.
//
// Events are in their final order: converted messages, schedules and metadata as emitted, cancellation breadcrumbs
// by source id, the terminal event last.
type Decision struct {
	Events []*turnpb.Event
	// Converted is how many events at the front were made from messages (the started event included).
	Converted int
	// Rejected lists consumed messages that left no event.
	Rejected []*turnpb.RejectedMessage
	// Deferred are the positions in Input.Messages of events and queue messages that the turn did not consume, rising.
	// They stay where they are; every other message is consumed.
	Deferred []int
	// Wanted are the names that open waits ask for and nothing that is held can give, by the age of their oldest wait. It
	// is made only if a message was deferred or Input.Behind is set, and the execution has not ended. If a message of
	// one of these names is left, the instance has another turn at once.
	Wanted []ArrivalName
	// CallSites has one entry for each schedule event in Events.
	CallSites []*turnpb.CallSite
	// PanicStack is where the code panicked in this turn, innermost call first, a line each; its size is bounded. It is
	// outside what Verify compares: other builds have other lines.
	PanicStack string
	// Undecoded are the values that code was told it cannot decode: see Context.Decoded.
	Undecoded []*turnpb.UndecodedValue
	// Panic is what the code, or an undo step, panicked with in this turn; nil if it has not.
	Panic *turnpb.Failure
	// CleansUp is set in the turn that fixes how the execution ends and lets its undo steps run: it is that end.
	CleansUp *turnpb.Failure
	// FailedSteps are why undo steps failed in this turn.
	FailedSteps []*turnpb.Failure
	// Origin is CODE, or LIMIT if a configured limit ended the execution.
	Origin turnpb.SegmentOrigin

	Activities []Activity
	Timers     []Timer
	Children   []Child
	Detached   []Detached
	Sends      []Send
	Awaits     []Await

	// CancelledActivities are schedule event ids whose work must be deleted: cancelled by code, or open at the end.
	// One that this same turn scheduled is listed here and not in Activities: there is nothing to delete then.
	CancelledActivities []uint64
	// CancelledTimers are timers that must be deleted: cancelled by code, or open at the end.
	CancelledTimers []Timer
	// CancelledAwaits are those of earlier turns that are given up: cancelled by code, or open at the end.
	CancelledAwaits []Await
	// CancelledChildren must be sent a cancel: cancelled by code, or open at the end under the policy cancel.
	CancelledChildren []CancelledChild
	// ClosedChildren are schedule event ids of children whose answer this turn took.
	ClosedChildren []uint64

	// Status is set if the turn changed the custom status; its Value is nil if it was cleared.
	Status *StatusChange
	// KV are the turn's changes of the key-value store, in order.
	KV []KVChange

	// Orphans say in words which completions were rejected because history never asked for them; see Config.RejectOrphans.
	Orphans []string

	Outcome Outcome
	Output  []byte
	Failure *turnpb.Failure
	Next    *turnpb.StartOrchestration

	// Divergence is set if the code does not fit the history, or a history does not hold together: the failure says what
	// differs and where. The turn ends the execution with it; a host may drop the turn and the machine instead, and try
	// again with other code. A failure that comes from a child is no divergence.
	Divergence *turnpb.Failure
	// Progress reports whether any message or history event made code progress possible.
	Progress bool
	// Spoiled is set, to a *MisuseError, when the code used its context outside the coroutine that the context belongs
	// to: what it would have decided without that is unknown. A spoiled turn must never be committed; drop the machine.
	// See also Machine.Spoiled.
	Spoiled error
}

// Activity is work that a turn scheduled.
type Activity struct {
	Event   uint64
	Name    string
	Input   []byte
	Session *string
	Tag     *string
	// Attempt is which attempt of its call this is, and First the schedule event of the first one; both are 0 for that one
	// itself.
	Attempt uint32
	First   uint64
	// Timeouts and LastHeartbeat are those of ActivityOptions.
	Timeouts      *turnpb.ActivityTimeouts
	LastHeartbeat []byte
}

// Timer is a durable timer.
type Timer struct {
	Event    uint64
	FireAtMs int64
}

// Child is a sub-orchestration that a turn starts. Instance is its full id.
type Child struct {
	Event    uint64
	Instance string
	Name     string
	Version  string
	Input    []byte
	Policy   turnpb.ChildPolicy
	Life     Life
}

// Detached is an orchestration that a turn starts and does not wait for.
type Detached struct {
	Event    uint64
	Instance string
	Name     string
	Version  string
	Input    []byte
	Life     Life
}

// Send is an event or a queue message for another instance.
type Send struct {
	Event    uint64
	Instance string
	Kind     turnpb.ArrivalKind
	Name     string
	Data     []byte
}

// Await waits for the end of another instance.
type Await struct {
	Event    uint64
	Instance string
}

// CancelledChild is a child that must be told to stop.
type CancelledChild struct {
	Event    uint64
	Instance string
	Reason   string
	// Unsent: this same turn scheduled it, so it is not in Children and no instance has to be told.
	Unsent bool
}

// StatusChange is the last change of the custom status in a turn.
type StatusChange struct {
	Value *string
}

// KVChange is one change of the key-value store: a set, a clear of one key, or a clear of all.
type KVChange struct {
	Op    KVOp
	Key   string
	Value []byte
	// UpdatedMs is the time of a set.
	UpdatedMs int64
}

// KVOp is the kind of a KVChange.
type KVOp uint8

// The kinds of a KVChange.
const (
	KVSet KVOp = iota + 1
	KVClear
	KVClearAll
)
