package api

// StatusRequest asks where an instance is.
type StatusRequest struct {
	ID string
}

// Status is where an instance is, with its outcome if it has ended.
type Status struct {
	// State is NotFound, Running, Completed or Failed. Between an acknowledged start and the first turn it is Running.
	State string
	// Output and Failure are as those of an [End].
	Output  []byte
	Failure []byte
}

// DescribeRequest asks for all about an instance but its history.
type DescribeRequest struct {
	ID string
}

// Description is what the journal knows of an instance without its history.
type Description struct {
	ID      string
	Name    string
	Version string
	// State is Pending, Running, Completed or Failed.
	State string
	// Incarnation is never reused, even if the id is. EngineVersion began the current execution.
	Incarnation   uint64
	EngineVersion string
	// Execution is the current one; Turn its last recorded turn.
	Execution uint64
	Turn      uint64
	// Parent is nil for a root.
	Parent *Parent

	CreatedMs int64
	// UpdatedMs is when State last changed.
	UpdatedMs int64
	EndedMs   int64

	// Held says why the instance is held; nil if it is not.
	Held *Held
	// Cleanup says how far the undo steps are; nil if none run.
	Cleanup *Cleanup
	// Why says in words what the instance waits for. Empty if it has ended, except by poison for want of a handler.
	Why string

	// What is open, and what waits for the instance.
	OpenActivities, OpenTimers, OpenChildren, Inbox int
	// Dropped counts messages that came too late.
	Dropped int
	// HistoryEvents and HistoryBytes are of the current execution.
	HistoryEvents, HistoryBytes int

	// CustomStatus is what the code shows; nil if it was never set, or was reset. A listing leaves it out.
	// CustomStatusVersion rises with each turn that sets or resets it; 0 if none has.
	CustomStatus        *string
	CustomStatusVersion uint64

	// Output and Failure are as those of an [End]; a listing leaves them out.
	Output  []byte
	Failure []byte
}

// Parent names the schedule event that waits for a child.
type Parent struct {
	Instance  string
	Execution uint64
	Event     uint64
}

// Held says why an instance is held.
type Held struct {
	Reason string
	// End says in words how and when the instance ends if its handler stays missing. Empty if the handler is not missing.
	End string
	// SinceMs is since when it has been held without a break.
	SinceMs int64
	// Attempts is how often the code of Build has tried it, or how often its handler was missing if that is more.
	Attempts int
	Build    string
	// NextMs is when it is tried again by itself.
	NextMs int64
}

// Cleanup says how far the undo steps of an instance are.
type Cleanup struct {
	// Failure is how the instance ends, as that of an [End]; a listing leaves it out.
	Failure []byte
	SinceMs int64
	// DeadlineMs is when the steps are given up; 0 is never.
	DeadlineMs int64
	// StepsLeft counts the steps that have not ended.
	StepsLeft int
}

// KVRequest asks for a value of an instance's key-value store, as its last recorded turn left it.
type KVRequest struct {
	ID  string
	Key string
}

// KVValue is the answer. An instance or a key that does not exist is no error: Found is false then.
type KVValue struct {
	Found bool
	Value []byte
	// UpdatedMs is the time of the turn that set it last.
	UpdatedMs int64
}

// KVListRequest asks for a page of an instance's key-value store.
type KVListRequest struct {
	ID string
	// Cursor is the Next of the page before; empty starts at the first key.
	Cursor string
}

// KVPage is a part of a key-value store, by key. An instance that does not exist has an empty one.
type KVPage struct {
	Entries []KVEntry
	// Next continues the listing; empty at its end. Pages are read one after the other: a turn may come between them.
	Next string
}

// KVEntry is a value with its key.
type KVEntry struct {
	Key       string
	Value     []byte
	UpdatedMs int64
}

// ListRequest asks for a page of instances.
type ListRequest struct {
	// States: only instances in one of them. Empty: all.
	States []string
	// Held: only instances that are held, those first that have been held longest. It excludes States.
	Held bool
	// Cursor is the Next of the page before, of the same listing; empty starts at its first instance.
	Cursor string
	// Max is how many instances a page has at most. 0 means 100; more than 1,000 is 1,000.
	Max int
}

// ListPage is a part of a listing.
type ListPage struct {
	Instances []Description
	// Next continues the listing; empty at its end.
	Next string
}

// CountRequest asks how many instances there are.
type CountRequest struct{}

// Counts are how many instances there are, by state. Those that are held are Pending or Running, too.
type Counts struct {
	Pending, Running, Completed, Failed int
	Held                                int
}
