package persistence

import "fmt"

// Status of an instance, or of one execution.
type Status uint8

// The statuses.
const (
	// StatusPending: acknowledged, or continued as new, and the first turn has not been committed. Not terminal.
	StatusPending Status = iota + 1
	StatusRunning
	StatusCompleted
	StatusFailed
	// StatusContinuedAsNew is the end of an execution, never of an instance.
	StatusContinuedAsNew
)

// Terminal reports whether an instance with this status has ended.
func (s Status) Terminal() bool { return s == StatusCompleted || s == StatusFailed }

// String names the status.
func (s Status) String() string {
	names := [...]string{"", "Pending", "Running", "Completed", "Failed", "ContinuedAsNew"}
	if int(s) < len(names) && s > 0 {
		return names[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Chain is SHA-256 cut to 128 bits over an execution's stored bytes, part by part.
type Chain [16]byte

// Head is the state of an instance: one row, replaced by every commit.
type Head struct {
	ID      string
	IID     Incarnation
	Name    string
	Version string
	Pin     string
	Status  Status

	Execution uint64
	// Turn is the last committed turn of the current execution; 0 before its first.
	Turn uint64
	// NextEvent is the id that the next event of the current execution takes; 1 before its first turn.
	NextEvent uint64
	Chain     Chain
	// LastPart is the first event of the last stored part of the current execution; 0 before its first turn.
	// A turn without events is stored as one part with Count 0 that starts at NextEvent.
	LastPart uint64
	Parent   Link
	// Previous is the last chain of the execution before the current one; it is part of the current one's seed.
	Previous Chain
	// FirstExecution is the first whose history is kept, and FirstChain the last chain of the one before it: history is
	// complete from there on, and what is missing before was pruned.
	FirstExecution uint64
	FirstChain     Chain
	// Family says that a child of this instance was started in its own partition, which lists it by its parent, and Spread
	// that one was in another.
	Family, Spread bool

	CreatedAtMs int64
	// UpdatedAtMs is when Status was last set by a command that changed it (a continue-as-new too); lists are ordered
	// by it. It does not move with every turn, so that a turn does not have to move its index entry.
	UpdatedAtMs int64
	// LastTurnAtMs is when the last turn was committed; 0 before the first.
	LastTurnAtMs int64
	EndedAtMs    int64

	// Counters; each equals the number of rows it counts.
	Inbox    uint64
	Work     uint64
	Timers   uint64
	Children uint64
	// Topics counts the inbox rows that are listed by topic.
	Topics uint64
	// InboxBytes is what the messages in the inbox have together.
	InboxBytes uint64
	// FirstSeq is the seq of the oldest row in the inbox, and NextSeq that of the next one to come, from 1; both are equal
	// if the inbox is empty.
	FirstSeq uint64
	NextSeq  uint64
	// HistoryEvents and HistoryBytes are of the current execution; bytes are those of headers and events.
	HistoryEvents uint64
	HistoryBytes  uint64
	// Dropped counts messages that came too late: at a terminal instance, or with a link that is not this one's.
	Dropped uint64
	// Leased says that there is a turn lease row, so that a reader of the head looks for one only if there is.
	Leased bool
	// StatusVersion is the version of the custom status; 0 if it was never set, and there is no row of it then.
	StatusVersion uint64
	// KVBase and KVCurrent count the rows of the layers of the key-value store, and KVBaseBytes the bytes of the keys and
	// values of the base. KVCleared: the current execution has removed all of the base.
	KVBase, KVBaseBytes, KVCurrent uint64
	KVCleared                      bool
	// Watchers counts the instances that wait for the end of this one.
	Watchers uint64
	// Cleanup is what the last turn said of it: the zero value unless undo steps run.
	Cleanup Cleanup
}

// Cleanup is how far an execution is whose end is decided and whose undo steps run.
type Cleanup struct {
	// Event is that of the history which fixes the end; it is in the part that begins with the event Part, or in a later one.
	Event, Part uint64
	SinceMs     int64
	// DeadlineMs bounds all undo steps together; 0 is no bound.
	DeadlineMs int64
	// Left counts the undo steps that have not ended.
	Left uint64
}

// PendingStart is an S row: what starts an execution until its first turn.
type PendingStart struct {
	ID        string
	IID       Incarnation
	Execution uint64
	Name      string
	Version   string
	// Input of a first execution; Start (an encoded turnpb.Message) of a later one.
	Input  []byte
	Start  []byte
	Parent Link
	// NotBeforeMs is when the first turn may run; 0 is at once.
	NotBeforeMs int64
	// ExecutionTimeoutMs bounds the execution, from its first turn on; 0 is no bound.
	ExecutionTimeoutMs int64
}

// StoredPart is one stored row of history.
type StoredPart struct {
	Execution  uint64
	Turn       uint64
	FirstEvent uint64
	Count      uint64
	// Header is the turn's; it is stored with the first part of a turn only, and nil for the others.
	Header []byte
	Events []byte
	Chain  Chain
	// Previous is the last chain of the execution before; with the first part of an execution only.
	Previous Chain
}

// ItemForm says what an inbox item holds.
type ItemForm uint8

// The forms of inbox items.
const (
	// ItemMessage holds an encoded turnpb.Message.
	ItemMessage ItemForm = iota + 1
	// ItemChildExists says that the child of (Execution, Event) could not be started because its id is taken.
	ItemChildExists
	// ItemSendEnded says what became of the send of (Execution, Event).
	ItemSendEnded
	// ItemAwaited says how the instance ended that (Execution, Event) waits for: Message is the last part of its history, an
	// encoded turnpb.EventList. With the outcome SendNotFound there is no such instance.
	ItemAwaited
)

// InboxItem is one message that waits for a turn.
type InboxItem struct {
	Seq         uint64
	NotBeforeMs int64
	Form        ItemForm
	Message     []byte
	// Topic is what the message is about, and Ordinal its number among the rows of the topic (see TopicRow); 0 if it is
	// not listed. Rows with a topic are always listed. Those without are listed when they come behind a listed one: what
	// is not listed lies in front of everything that is.
	Topic     Topic
	Ordinal   uint64
	Execution uint64
	Event     uint64
	ChildID   string
	Outcome   SendOutcome
}

// WorkItem is a scheduled activity. ID is its instance's.
type WorkItem struct {
	ID   string
	Key  WorkKey
	Name string
	// Input is set only in the effect of the commit that scheduled the activity (NewWork.Input); a scan leaves it nil.
	Input []byte
	// Orchestration and Version are those of the instance's head, set like Input: in the effect of the commit that
	// scheduled the activity, and nowhere else.
	Orchestration string
	Version       string

	Order       uint64 // see WorkOrder; older is smaller
	Tag         *string
	Session     *string
	Attempts    uint32
	NotBeforeMs int64
	// Part is the first event of the stored part that holds the ActivityScheduled event.
	Part uint64
	// Attempt is which attempt of the call's retry policy this is, and FirstEvent the schedule event of the first one, as in
	// turnpb.ActivityScheduled: 0 for the first. FromExecution is the execution that scheduled it; 0 is that of the key.
	Attempt       uint32
	FirstEvent    uint64
	FromExecution uint64
	Deadlines     Deadlines
	// Heartbeat are the details of the last heartbeat, and HeartbeatAtMs its time; 0 if this attempt gave none: then the details
	// are those of the attempt before.
	Heartbeat     []byte
	HeartbeatAtMs int64
	// Token, Holder and ExpiresAtMs are those of its lease; Token is empty if there is none.
	Token       Token
	Holder      Holder
	ExpiresAtMs int64
}

// Deadlines bound an activity; 0 is no bound.
type Deadlines struct {
	// StartToCloseMs bounds one attempt, from the moment when its code begins.
	StartToCloseMs int64
	// ScheduleToStartAtMs is until when it may wait for a worker.
	ScheduleToStartAtMs int64
	// ScheduleToCloseAtMs is until when all attempts of the call must have ended.
	ScheduleToCloseAtMs int64
	// HeartbeatMs bounds the time between two heartbeats.
	HeartbeatMs int64
}

// WorkOrder is the order of the work that the command with this index scheduled at this position.
func WorkOrder(index uint64, position int) uint64 { return index<<20 | uint64(position) }

// TimerItem is a durable timer. ID is its instance's.
type TimerItem struct {
	ID  string
	Key TimerKey
}

// TurnLease is an L row: attempts, backoff and lease of an instance's turns, and why it is held; absent in the good case.
// A row that says nothing (no attempts, no backoff, no lease, not held) is not kept.
type TurnLease struct {
	ID          string
	IID         Incarnation
	Attempts    uint32
	NotBeforeMs int64
	Token       Token
	Holder      Holder
	ExpiresAtMs int64
	// Through is the highest inbox seq that the lease holds, or that the backoff of NotBeforeMs hides.
	Through uint64
	Held    Held
}

// Held says why an instance does not run; the zero Held is of one that is not held.
type Held struct {
	Reason string
	// Build is what could not run it, and Tries how often that build has tried its code. That a handler was missing is no
	// try: the row counts it as an attempt.
	Build string
	Tries uint32
	// SinceMs is when it was first held.
	SinceMs int64
}

// HeldRef is the listing entry of an instance that is held: by the time since when, then by incarnation.
type HeldRef struct {
	SinceMs int64
	IID     Incarnation
}

// FamilyRef names a child by its parent: an entry in the child's partition, from its creation to its deletion.
type FamilyRef struct {
	// Partition is the parent's.
	Partition Partition
	Parent    Incarnation
	Child     Incarnation
}

// WatcherItem is an instance that waits for the end of another one, in the partition of the one that it waits for.
type WatcherItem struct {
	// Target is the incarnation that is waited for.
	Target Incarnation
	// Partition and Link are those of the instance that waits.
	Partition Partition
	Link      Link
}

// ChildItem is a child that an execution waits for.
type ChildItem struct {
	Execution uint64
	Event     uint64
	ID        string
	Policy    uint8
}

// OutboxItem is one message for another partition; Message is opaque and goes into Deliver as it is.
type OutboxItem struct {
	To      Partition
	Seq     uint64
	Message []byte
}

// OutboxStream is what one partition has for another one: its outbox rows are those with seq > Acked, up to Next.
type OutboxStream struct {
	To Partition
	// Acked is the highest seq that was acknowledged and deleted, and Next the last one given; Acked < Next.
	Acked uint64
	Next  uint64
}

// PartitionState is a partition's own row.
type PartitionState struct {
	Applied        uint64
	Epoch          uint64
	Node           string
	Process        string
	Clean          bool
	MachineVersion uint32
	NextIID        Incarnation
	Pending        uint64
	Running        uint64
	Completed      uint64
	Failed         uint64
	// Held counts the instances that are held.
	Held uint64
	// Draining counts the instances that have ended and have watchers left.
	Draining uint64
	// Others are the newest processes of the nodes that had the partition before, the last one last; a lease of an older
	// process of such a node is dead. At most NodesMax are kept: the leases of the rest end by their expiry.
	Others []NodeProcess
}

// NodesMax is how many other nodes a partition remembers.
const NodesMax = 64

// NodeProcess is a process of a node.
type NodeProcess struct {
	Node    string
	Process string
}

// ListCursor continues a listing after an entry; the zero value starts at the newest.
type ListCursor struct {
	UpdatedAtMs int64
	IID         Incarnation
}
