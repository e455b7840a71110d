package persistence

// StatusChange sets the custom status of an instance; a nil Value resets it.
type StatusChange struct {
	Value *string
}

// CustomStatus is a U row: the status that an instance shows to others. It belongs to the instance, not to an execution.
type CustomStatus struct {
	IID Incarnation
	// Version rises by one with each commit that sets or resets the status.
	Version uint64
	// Value is nil if the last change was a reset.
	Value *string
}

// KVOp is the kind of a [KVChange].
type KVOp uint8

// The kinds of changes of a key-value store.
const (
	KVSet KVOp = iota + 1
	// KVClear removes a key, whether or not it is there.
	KVClear
	KVClearAll
)

// KVChange is one change of an instance's key-value store.
type KVChange struct {
	Op  KVOp
	Key string
	// Value and UpdatedMs are those of a set.
	Value     []byte
	UpdatedMs int64
}

// KVEntry is a key as it is read, with the time of the turn that set it last.
type KVEntry struct {
	Key       string
	Value     []byte
	UpdatedMs int64
}

// KVPage is a part of a listing of entries.
type KVPage struct {
	Entries []KVEntry
	// More says that there are entries behind the last one.
	More bool
}

// KVItem is a K row. The store of an instance has two layers. The base is what the current execution began with: a replay
// starts from it alone. The current layer is what this execution has changed since; for others it hides the base.
// Continue-as-new merges it into the base of the next execution. An end leaves both.
type KVItem struct {
	IID     Incarnation
	Current bool
	KVEntry
	// Cleared: this execution has removed the key, which the base may have. Only in the current layer.
	Cleared bool
}
