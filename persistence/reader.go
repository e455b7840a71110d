package persistence

// Reader reads one partition's state at one moment. It is valid only inside the function it was given to, on one
// goroutine. What it returns is copied and may be kept. An unreadable row is an error that wraps ErrCorrupt and names
// the row; an absent one is ok == false.
type Reader interface {
	Partition() (PartitionState, error)
	// Resolve finds the current incarnation of an id.
	Resolve(id string) (iid Incarnation, ok bool, err error)
	Head(iid Incarnation) (head Head, ok bool, err error)
	Start(iid Incarnation, execution uint64) (start PendingStart, ok bool, err error)
	// Parts calls yield with the stored parts of an execution in order, from the part that starts at or after
	// fromEvent, until it returns false. The bytes of a part are valid until yield returns.
	Parts(iid Incarnation, execution, fromEvent uint64, yield func(StoredPart) bool) error
	// Inbox returns items of an instance with seq > after, in order: up to max of them, and no more once their messages
	// have maxBytes together (0: no bound); at least one if there is any.
	Inbox(iid Incarnation, after uint64, max, maxBytes int) (InboxPage, error)
	// InboxOf is Inbox for the rows of some topics alone: it looks at no other row, nor at what was consumed.
	InboxOf(iid Incarnation, topics []Topic, after uint64, max, maxBytes int) (InboxPage, error)
	TurnLease(iid Incarnation) (lease TurnLease, ok bool, err error)
	Work(key WorkKey) (item WorkItem, ok bool, err error)
	// CustomStatus returns the custom status of an instance; ok is false if it was never set.
	CustomStatus(iid Incarnation) (status CustomStatus, ok bool, err error)
	// KV returns a key of an instance as others see it: what the current execution has changed hides what is older.
	KV(iid Incarnation, key string) (entry KVEntry, ok bool, err error)
	// KVList returns entries as others see them, by key, behind the given key (nil: from the first on): up to max of them,
	// and no more once keys and values have maxBytes together (0: no bound); at least one if there is any.
	KVList(iid Incarnation, after *string, max, maxBytes int) (KVPage, error)
	// KVBase returns what the current execution began with, by key.
	KVBase(iid Incarnation) ([]KVEntry, error)
	// Children returns the children that an execution waits for, by event.
	Children(iid Incarnation, execution uint64) ([]ChildItem, error)
	// ScanHeld returns up to max instances that are held, the oldest first, after the given one.
	ScanHeld(after HeldRef, max int) ([]HeldRef, error)
	Timers(iid Incarnation, execution uint64, events []TimerRef) ([]TimerKey, error)
	Request(id, key string) (item RequestItem, ok bool, err error)
	// List returns up to max heads with one of the statuses, the most recently updated first, after the cursor.
	List(statuses []Status, after ListCursor, max int) ([]Head, error)

	// The scans serve a dispatcher's start and refill; each returns up to max rows after the given one, in key order.
	// They carry no payloads.
	ScanStarts(after Incarnation, max int) ([]StartEffect, error)
	// ScanInbox returns of each instance with a non-empty inbox the row that is visible first: the lowest NotBeforeMs, and
	// of these the lowest seq. Later ones may be hidden longer: an instance that is told must look at its whole inbox.
	ScanInbox(after Incarnation, max int) ([]InboxEffect, error)
	ScanLeases(after Incarnation, max int) ([]TurnLease, error)
	ScanWork(after WorkKey, max int) ([]WorkItem, error)
	ScanTimers(after TimerKey, max int) ([]TimerItem, error)
	// ScanDraining returns instances that have ended and have watchers left, by incarnation.
	ScanDraining(after Incarnation, max int) ([]Incarnation, error)
	// OutboxStreams returns the streams to other partitions that have rows, by partition. It costs what these streams are,
	// not what the store has partitions.
	OutboxStreams() ([]OutboxStream, error)
	// ScanOutbox returns no more once the messages have maxBytes together (0: no bound), but at least one if there is any.
	ScanOutbox(to Partition, after uint64, max, maxBytes int) ([]OutboxItem, error)
	// ScanExpired returns up to max remembered requests that expire after the given one and by a time, the first to expire
	// first; it looks at no other. It is for a sweeper; the zero ref is the start.
	ScanExpired(after ExpiryRef, byMs int64, max int) ([]ExpiryRef, error)
	// Mark is the highest seq that was delivered from a sending partition.
	Mark(from Partition) (uint64, error)
}

// InboxPage is what was read of an inbox.
type InboxPage struct {
	Items []InboxItem
	// Through is the seq up to which everything that was asked for is in Items: a later read goes on behind it. It is never
	// above what the inbox has given out.
	Through uint64
	// More says that there are rows behind Through which were asked for.
	More bool
}
