package persistence

import (
	"errors"
	"fmt"
)

// What a proposal can end as, beside a result. A caller branches on these with errors.Is.
var (
	// ErrConflict: the turn was computed from an older state. Reload and run it again; nothing was written.
	ErrConflict = errors.New("conflict: the state has moved on; reload and run the turn again")
	// ErrFenced: a newer epoch exists. The holder stops and leaves; it must not retry.
	ErrFenced = errors.New("fenced: a newer epoch owns the partition")
	// ErrLeaseLost: the lease was released or another has taken it over. The holder stops.
	ErrLeaseLost = errors.New("lease lost: lock token is not that of a live lease")
	// ErrNotFound: the row that the command names does not exist.
	ErrNotFound = errors.New("not found")
	// ErrAlreadyExists: the instance id is taken.
	ErrAlreadyExists = errors.New("already exists")
	// ErrLimit: a limit that the command carries would be exceeded. Nothing was written.
	ErrLimit = errors.New("limit exceeded")
	// ErrStale: some of what the turn consumes is gone or was already answered; see Refusal.Stale. Drop the named
	// messages, answer their senders, reload and run again.
	ErrStale = errors.New("stale: part of what the turn consumes is gone")

	// ErrEnded: the instance has ended. Nothing was written.
	ErrEnded = errors.New("the instance has ended")
	// ErrKeyReused: the request key was used for another request to this instance. Nothing was written; use a key once.
	ErrKeyReused = errors.New("the request key was used for another request")
	// ErrSpread: the instance has had a child in another partition, so that its tree cannot be replaced in one command.
	ErrSpread = errors.New("the tree of the instance lies in several partitions")

	// ErrBusy: admission is full. The proposal is not in the log; try again later.
	ErrBusy = errors.New("busy: the journal's queue is full, try again later")
	// ErrNotLeader: this journal does not lead the partition. The proposal is not in the log.
	ErrNotLeader = errors.New("not leader: this node does not lead the partition")
	// ErrUncertain: the journal stopped before the command was known to be durable. It may or may not survive; after a
	// restart, reload to find out (or repeat the request with its request key).
	ErrUncertain = errors.New("uncertain: the journal stopped before the outcome was durable")
	// ErrStopped: the journal no longer serves. Nothing was read or written.
	ErrStopped = errors.New("the journal has stopped")
	// ErrCorrupt: stored bytes are damaged. The error names the place; restore from a copy, do not go on.
	ErrCorrupt = errors.New("stored data is damaged")
)

// Code is the kind of a refusal.
type Code uint8

// The refusals.
const (
	Conflict Code = iota + 1
	Fenced
	LeaseLost
	NotFound
	AlreadyExists
	Limit
	Stale
	Ended
	KeyReused
	Spread

	// Codes is above every code.
	Codes
)

var codeErrors = [...]error{
	Conflict: ErrConflict, Fenced: ErrFenced, LeaseLost: ErrLeaseLost, NotFound: ErrNotFound,
	AlreadyExists: ErrAlreadyExists, Limit: ErrLimit, Stale: ErrStale,
	Ended: ErrEnded, KeyReused: ErrKeyReused, Spread: ErrSpread,
}

// Part says which list of a CommitTurn a stale position counts in.
type Part uint8

// The parts of a CommitTurn that can be stale.
const (
	PartInbox  Part = iota + 1 // ConsumedInbox
	PartTimer                  // ConsumedTimers
	PartStart                  // AcceptedStart
	PartEvent                  // AcceptedMessages
	PartResult                 // AcceptedResults
)

// Position names one entry of a CommitTurn.
type Position struct {
	Part  Part
	Index int
}

// Refusal is a command's refusal: a code with numbers. It is a result like any other: it takes an index and is
// delivered only when durable. errors.Is matches it with the sentinel of its code.
type Refusal struct {
	Code Code
	// Stale lists every stale entry of the turn; only with the code Stale.
	Stale []Position
	// Size and Max are set with the code Limit.
	Size, Max uint64
	// IID is the existing incarnation, with the codes AlreadyExists and Ended.
	IID Incarnation
}

// Error says what was refused and what to do.
func (r *Refusal) Error() string {
	switch r.Code {
	case Limit:
		return fmt.Sprintf("%v: %d is more than %d", ErrLimit, r.Size, r.Max)
	case Stale:
		return fmt.Sprintf("%v: %v", ErrStale, r.Stale)
	default:
		return codeErrors[r.Code].Error()
	}
}

// Is matches the sentinel of the refusal's code.
func (r *Refusal) Is(target error) bool { return codeErrors[r.Code] == target }
