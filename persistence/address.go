package persistence

import (
	"cmp"
	"fmt"
)

// Partition numbers one log and one state of a store, from 0.
type Partition uint16

// Incarnation (iid) is the number that an instance takes when it is created. It is unique within its partition and
// never reused, so what belonged to a deleted instance never reaches its successor. 0 means none.
type Incarnation uint64

// Link names a schedule event of an instance: the one that waits for a child, or that an answer is for.
// The zero Link means none.
type Link struct {
	ID        string
	IID       Incarnation
	Execution uint64
	Event     uint64
}

// IsZero reports whether the link names nothing.
func (l Link) IsZero() bool { return l == Link{} }

// WorkKey names one scheduled activity within a partition.
type WorkKey struct {
	IID       Incarnation
	Execution uint64
	Event     uint64
}

// String formats the key as iid/execution/event.
func (k WorkKey) String() string { return fmt.Sprintf("%d/%d/%d", k.IID, k.Execution, k.Event) }

// Compare orders keys as they are stored: by incarnation, execution, event.
func (k WorkKey) Compare(o WorkKey) int {
	return cmp.Or(cmp.Compare(k.IID, o.IID), cmp.Compare(k.Execution, o.Execution), cmp.Compare(k.Event, o.Event))
}

// TimerKey names one durable timer within a partition. Timers are ordered by FireAtMs.
type TimerKey struct {
	FireAtMs  int64
	IID       Incarnation
	Execution uint64
	Event     uint64
}

// Compare orders keys as they are stored: by fire time, incarnation, execution, event.
func (k TimerKey) Compare(o TimerKey) int {
	return cmp.Or(cmp.Compare(k.FireAtMs, o.FireAtMs), cmp.Compare(k.IID, o.IID),
		cmp.Compare(k.Execution, o.Execution), cmp.Compare(k.Event, o.Event))
}

// Holder names who holds a lease: a consumer of a process of a node. A lease whose process is local to the store's
// node and is not the partition's current one is dead at once.
type Holder struct {
	Node     string
	Process  string
	Consumer string
}
