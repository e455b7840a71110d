package replay

import (
	"bytes"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// opKind is what an action asks for. The ledger has those that schedule something, so the last of these is at most 15.
type opKind uint8

const (
	opActivity opKind = iota + 1
	opTimer
	opWait
	opQueue
	opChild
	opSend
	opAwait
	opDetached
	opStatus
	opKVSet
	opKVClear
	opKVClearAll
	opContinue
	opGo
	opPatch
	opSideEffect
	opPush
	opUndone
)

func (k opKind) String() string {
	return [...]string{"nothing", "activity", "timer", "wait", "dequeue", "sub-orchestration", "send",
		"await", "detached orchestration",
		"custom status", "key-value set", "key-value clear", "key-value clear all", "continue-as-new", "coroutine",
		"patch", "side effect", "undo step", "failed undo step"}[k]
}

// class is the plural by which cancellation mismatches are reported.
func (k opKind) class() string {
	return [...]string{"nothing", "activities", "timers", "waits", "queues", "sub-orchestrations"}[min(k, opChild)]
}

type futureState uint8

const (
	pending futureState = iota
	resolved
	cancelled
)

// Future is one thing that code asked for: a durable operation, or a coroutine of Context.Go. It is also the action
// itself until it is bound to an event, so that asking for something is one allocation.
//
// A Future belongs to its machine and may be used only by the code of that machine.
type Future struct {
	m     *Machine
	kind  opKind
	state futureState
	// inline: a system activity that the turn answers itself.
	inline bool
	// deprecated: a patch whose old way the code no longer has.
	deprecated bool
	mode       turnpb.WaitMode

	event uint64 // 0 until bound
	seq   uint64 // creation order in the execution
	// since is the place in that order from which its owner has had it: its own or, if a coroutine left it behind, that
	// coroutine's. Scopes go by it.
	since uint64

	owner      *coroutine // nil: not in a list
	prev, next *Future    // the owner's unresolved futures, in creation order

	waiter *coroutine // the first that waits for it; nil if none does
	more   *details   // nil if it has none: see details and withDetails

	// What was asked for. KV uses name for the key, input for the value and fireAtMs for the time of the change.
	name     string
	input    []byte
	fireAtMs int64
	site     *site

	co *coroutine // opGo: the coroutine, which has what it returned

	value []byte
	err   error
}

// sited reports whether the history names the line of code that asked: for all that is matched with it.
func (f *Future) sited() bool {
	switch f.kind {
	case opContinue, opGo, opPatch, opUndone:
		return false
	default:
		return true
	}
}

// Event is the id of the event that records what was asked for; 0 until it is recorded, and for a coroutine.
func (f *Future) Event() uint64 {
	f.look()
	return f.event
}

// Ready reports whether Await would return at once. A cancelled future is ready.
func (f *Future) Ready() bool {
	f.look()
	return f.state != pending
}

// Await waits until the future is resolved and gives its result: []byte (nil if empty) for a durable operation, what
// the function returned for a coroutine. A failure is a *failure.Error; a cancelled future gives one whose Cancelled
// is true. Await may be called again and by several coroutines.
func (f *Future) Await() (any, error) {
	co := f.look()
	for f.state == pending {
		if co.asks() {
			co.refuseToWait()
		}
		f.wait(co)
		co.waitsFor = f
		co.block()
		co.waitsFor = nil
	}
	return f.outcome()
}

func (f *Future) outcome() (any, error) {
	switch {
	case f.kind == opGo && f.state == resolved:
		return f.co.value, f.err
	case f.err != nil:
		return nil, f.err
	default:
		return f.value, nil
	}
}

// Cancel gives up an unresolved future: its work is told to stop and its result will be ignored. A coroutine's own
// unresolved futures are cancelled first, in creation order, then it is unwound: its deferred functions run, calls of
// the context in them do not return. Cancelling a resolved future, or continue-as-new, does nothing.
func (f *Future) Cancel() {
	co := f.enter()
	f.m.cancel(f, false)
	f.m.exitIfOver(co)
}

// wait registers a coroutine to be made ready when the future is resolved or cancelled.
func (f *Future) wait(co *coroutine) {
	if f.waiter == nil {
		f.waiter = co
		return
	}
	more := f.withDetails()
	more.waiters = append(more.waiters, co)
}

// unwait takes one registration of a coroutine back. Their order does not matter: the scheduler goes by number.
func (f *Future) unwait(co *coroutine) {
	others := f.details().waiters
	n := len(others)
	if f.waiter == co {
		f.waiter = nil
		if n > 0 {
			f.waiter = others[n-1]
			f.more.waiters = others[:n-1]
		}
		return
	}
	for i := n - 1; i >= 0; i-- {
		if others[i] == co {
			others[i] = others[n-1]
			f.more.waiters = others[:n-1]
			return
		}
	}
}

// wake makes the coroutines ready that wait for the future.
func (f *Future) wake() {
	if f.waiter == nil {
		return
	}
	f.m.ready(f.waiter)
	f.waiter = nil
	if f.more == nil {
		return
	}
	for _, co := range f.more.waiters {
		f.m.ready(co)
	}
	f.more.waiters = nil
}

// link appends an unresolved future to its owner's list.
func (f *Future) link(co *coroutine) {
	f.owner, f.since = co, f.seq
	f.prev = co.last
	if co.last == nil {
		co.first = f
	} else {
		co.last.next = f
	}
	co.last = f
	f.count(1)
}

func (f *Future) count(by int) {
	if c := f.m.cleanup; c != nil && f.seq <= c.began {
		return
	}
	f.m.pending += by
	if f.kind == opGo {
		f.m.pendingGo += by
	}
}

// unlink takes a future that is no longer unresolved out of its owner's list.
func (f *Future) unlink() {
	co := f.owner
	if co == nil {
		return
	}
	if f.prev == nil {
		co.first = f.next
	} else {
		f.prev.next = f.next
	}
	if f.next == nil {
		co.last = f.prev
	} else {
		f.next.prev = f.prev
	}
	f.owner, f.prev, f.next = nil, nil, nil
	f.count(-1)
}

// resolve gives a durable operation its result. A failure of the category application becomes an error of the code.
func (f *Future) resolve(value []byte, why *turnpb.Failure) {
	if f.state != pending {
		return
	}
	f.state = resolved
	f.unlink()
	if why != nil {
		f.err = failure.New(why)
	} else if len(value) > 0 {
		// The code gets its own copy: the event that holds the value is encoded after the code has run.
		f.value = bytes.Clone(value)
	}
	f.wake()
}

// explain adds to the error of a failed activity what its event says beside the failure.
func (f *Future) explain(e *turnpb.ActivityFailed) {
	if recorded, ok := f.err.(*failure.Error); ok {
		recorded.Timeout, recorded.LastHeartbeat = e.GetTimeout(), e.LastHeartbeat
	}
}

// drop marks a future as given up and makes the coroutines ready that wait for it. It records nothing and stops no work.
func (f *Future) drop() {
	f.state = cancelled
	f.unlink()
	f.err = errDropped
	f.wake()
}

var errDropped error = failure.New(failure.Cancelled(ReasonDropped))
