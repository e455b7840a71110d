package persistence

// Command is one change of durable state. The set is closed; every command is in this package.
type Command interface{ command() }

// Proposal is a command on its way into a partition's log.
type Proposal struct {
	// TimeMs is the proposer's wall clock. It decides what is due, what has expired, and stamps; order is the index.
	TimeMs int64
	// Epoch is the epoch under which the proposer acts. Only commands that act under a grant are checked against it.
	Epoch   uint64
	Command Command
	// Done is called exactly once: with a result or refusal when the command is durable, in index order within the
	// partition; or with ErrBusy, ErrNotLeader (at once, perhaps before Propose returns) or ErrUncertain. It must not
	// block.
	Done func(Result)
}

// Result is how a proposal ended. Which fields beside Err are set depends on the command.
type Result struct {
	// Index is the command's place in the log; 0 if it is not in the log.
	Index uint64
	// Err is nil, a *Refusal, or an error that wraps ErrBusy, ErrNotLeader or ErrUncertain.
	Err error

	IID      Incarnation // StartInstance, Enqueue, CommitTurn, ReleaseTurn, Terminate
	Seq      uint64      // Enqueue, CompleteWork, ExpireWork: inbox seq; StartInstance: that of its last message
	Turn     uint64      // CommitTurn, Terminate: the turn that was committed
	Token    Token       // LeaseTurn, LeaseWork
	Attempts uint32      // LeaseTurn, LeaseWork
	Through  uint64      // LeaseTurn: the highest inbox seq that belongs to the lease
	Due      []TimerKey  // LeaseTurn: those of the named due timers that exist
	Repeated bool        // StartInstance, Enqueue, Terminate: the first answer to a repeated request
	Joined   bool        // StartInstance: the instance was there and runs, and has taken the messages
	Released bool        // ReleaseTurn: the instance was held
	Previous uint64      // BeginEpoch: the previous epoch
	Clean    bool        // BeginEpoch: whether the previous epoch ended cleanly
	Live     []bool      // RenewWork: for each token
	Mark     uint64      // Deliver: the receiver's mark afterwards
	Draining bool        // BeginEpoch: instances have ended whose watchers wait for their answers
}

// BeginEpoch opens a new epoch of the partition; grants of older ones die. Refused with Fenced unless Epoch is newer.
type BeginEpoch struct {
	Epoch   uint64
	Node    string
	Process string
}

// EndEpoch marks the current epoch as cleanly ended. Refused with Fenced if the envelope's epoch is not the newest one
// (or is 0). Nothing acts under a grant of an ended epoch: it is no longer current. The epoch of a new store is 0, and
// counts as ended cleanly.
type EndEpoch struct{}

// StartInstance creates an instance with status Pending. An id that exists is refused with AlreadyExists, unless its
// instance has ended and Reuse allows that: then this one and the tree of its children are deleted first; that is refused
// with AlreadyExists if one of them runs, and with Spread if one of them has had a child in another partition. With messages it starts or tells: one that runs takes them (Joined), and
// is refused with Limit if its inbox has no room for all.
//
// A request that was answered is answered as it was (Repeated), and with NotFound if its instance has been deleted since;
// another request with its key is refused with KeyReused.
type StartInstance struct {
	ID      string
	Name    string
	Version string
	Input   []byte
	Reuse   ReusePolicy
	Request Request
	// Messages are put into the new inbox, in order.
	Messages []StartMessage
	// InboxMax and InboxBytesMax bound the inbox of an instance that takes Messages, as in Enqueue.
	InboxMax, InboxBytesMax uint64
	// DelayMs: the first turn waits until TimeMs + DelayMs.
	DelayMs int64
	// ExecutionTimeoutMs bounds the execution, from its first turn on; 0 is no bound. The journal only keeps it.
	ExecutionTimeoutMs int64
}

// ReusePolicy says what a start does with an id that exists.
type ReusePolicy uint8

// The policies.
const (
	RejectDuplicate ReusePolicy = iota
	AllowIfTerminal
)

// StartMessage is a message that comes with a start.
type StartMessage struct {
	Message []byte
	Topic   Topic
}

// Enqueue puts a message into an instance's inbox. An instance that does not exist: NotFound. One that has ended: Ended,
// and nothing is written. A request key that was used answers as the first did, or is refused with KeyReused.
type Enqueue struct {
	ID      string
	Message []byte
	// Topic is that of the message; 0 for one without a name.
	Topic Topic
	// NotBeforeMs: the message is not visible to LeaseTurn before this time; 0 means at once.
	NotBeforeMs int64
	Request     Request
	// InboxMax refuses with Limit when the inbox already holds as many, InboxBytesMax when it would hold more bytes; 0
	// means no limit.
	InboxMax, InboxBytesMax uint64
}

// CommitTurn makes one turn durable, all or nothing.
//
//	ErrConflict   the turn was computed from an older state: reload and run again. Nothing was written.
//	ErrStale      some consumed or accepted entries are gone: drop them, answer their senders, reload, run again.
//	ErrFenced     no live lease and the envelope's epoch is not current: stop, do not retry.
//	ErrLeaseLost  the token is not that of the live lease, or another holds one: stop, do not retry.
//	ErrAlreadyExists (fused start only) the id is taken, and the start carries no known request key.
//
// The checks come in this order, and the first that fails decides; nothing is written before all have passed:
//
//  1. Form. A command that contradicts itself is refused with Conflict: no outcome; Next without OutcomeContinued or the
//     reverse; parts that do not follow each other or (unless it is the only one) are empty; work, timers or children
//     whose events do not rise or lie outside the segment; a send or a key-value change of an unknown kind; AcceptedStart with an IID, or
//     neither.
//  2. Position. The instance (IID, and ID is its id) exists, has not ended, and stands at Execution and Turn; the first
//     part starts at its next event; ConsumesStart exactly when Turn is 0. Else Conflict. A fused start has ID that of
//     AcceptedStart, Execution 1, Turn 0, and its first part starts at event 1, else Conflict (ConsumesStart is not read:
//     there is no S row); then, if the id is taken and the start's request key is not known, AlreadyExists.
//  3. Fence. With a Token: the row's lease has it, else LeaseLost. A lease that has expired is still its holder's until
//     another takes the row, so that a clock which is set forward voids no work that is done; only the lease of a
//     process of this node that has ended opens nothing. Without a Token: no lease is live, else LeaseLost, and the
//     envelope's epoch is current, else Fenced.
//  4. Stale: all entries that are gone, in the order of the Part constants, then of their lists. An entry that is
//     named twice is stale the second time; so is a request key. The start is stale if its request key is known.
//
// Then: consumed and accepted entries go; the segment is appended (a turn without events as one empty part); work,
// timers and children are added; cancelled and closed ones go; custom status and key-value store change; and the outcome is taken. A
// terminal outcome deletes what work, timers, children and inbox are left; OutcomeContinued all of those but the inbox, and it
// merges the layers of the key-value store. Sends come last, in order, and see the instance in its new state.
type CommitTurn struct {
	ID string
	// IID is 0 when AcceptedStart creates the instance in this very commit (a fused start).
	IID       Incarnation
	Execution uint64
	// Turn is the turn that this one follows: 0 for the first turn of an execution.
	Turn uint64
	// Token is the turn lease's, or empty under a grant of the envelope's epoch.
	Token Token

	ConsumedInbox  []uint64
	ConsumedTimers []TimerRef
	// ConsumesStart: this is an execution's first turn and takes its S row.
	ConsumesStart    bool
	AcceptedStart    *StartInstance
	AcceptedMessages []AcceptedMessage
	AcceptedResults  []AcceptedResult

	Segment SegmentDraft

	Work            []NewWork
	Timers          []TimerRef
	Children        []NewChild
	CancelledWork   []uint64 // schedule events of this execution; a missing row is ignored
	CancelledTimers []TimerRef
	ClosedChildren  []uint64
	Sends           []Send
	// Status is the last change of the custom status in this turn; nil changes nothing.
	Status *StatusChange
	// KV are the changes of the key-value store, in order.
	KV []KVChange
	// Cleanup is how far the undo steps are; only with OutcomeRunning. The journal finds its Part.
	Cleanup Cleanup

	Outcome TurnOutcome
	// Next starts the next execution; only with OutcomeContinued.
	Next *NextStart

	// Name, Version and Pin are recorded in the head by an execution's first turn.
	Name    string
	Version string
	Pin     string
}

// TimerRef names a timer of the commit's own instance and execution.
type TimerRef struct {
	FireAtMs int64
	Event    uint64
}

// AcceptedMessage is a message that was never in the inbox: the instance had it in memory, and this commit records it.
// Its bytes are in the segment's events. A request key that was used, for the same request or for another, makes it
// stale: proposed alone it gets its answer.
type AcceptedMessage struct {
	Request Request
}

// AcceptedResult is an activity result that was never in the inbox. The work row must exist; then either its
// lease has this token (see the fence of CommitTurn), or it has no live lease, no token is given, its attempts are equal, and Epoch is current.
type AcceptedResult struct {
	Execution uint64
	Event     uint64
	Token     Token
	Epoch     uint64
	Attempts  uint32
}

// SegmentDraft is what a turn appends to the history: one header and its events, cut into parts by the proposer so
// that a part is at most SegmentPartBytes unless it is one event.
type SegmentDraft struct {
	// Header is an encoded turnpb.SegmentHeader.
	Header []byte
	Parts  []SegmentPart
}

// SegmentPartBytes is where a proposer cuts a segment into parts.
const SegmentPartBytes = 256 << 10

// SegmentPart is a run of events. Events is an encoded turnpb.EventList.
type SegmentPart struct {
	FirstEvent uint64
	Count      uint64
	Events     []byte
}

// NewWork schedules an activity. The stored input is in the ActivityScheduled event.
type NewWork struct {
	Event uint64
	Name  string
	// Input is not stored in the work row: it is handed on in the effect, so that a holder in this process needs no read.
	Input       []byte
	Tag         *string
	Session     *string
	NotBeforeMs int64
	// Attempt, FirstEvent and Deadlines are those of WorkItem.
	Attempt    uint32
	FirstEvent uint64
	Deadlines  Deadlines
	// Heartbeat are the details of the last heartbeat of the attempt before; nil if there was none.
	Heartbeat []byte
}

// NewChild remembers a child that this instance waits for.
type NewChild struct {
	Event  uint64
	ID     string
	Policy uint8 // turnpb.ChildPolicy
}

// SendKind is what a message between instances does at its receiver.
type SendKind uint8

// The kinds of messages between instances.
const (
	// SendStartChild creates an instance with a parent link. If the id exists: the same link again is ignored, any
	// other is answered to the parent with an inbox item of the form ItemChildExists.
	SendStartChild SendKind = iota + 1
	// SendStartDetached creates an instance without a parent; dropped if the id exists.
	SendStartDetached
	// SendAnswer puts Message into the inbox of the parent that Link names; dropped and counted unless the id's
	// incarnation is Link.IID and it runs.
	SendAnswer
	// SendCancel puts Message into the inbox of the child To; dropped and counted unless its parent link is Link and it
	// has not ended.
	SendCancel
	// SendChildExists is made by the journal only, never by a turn: the answer to a child start whose id was taken. It
	// becomes an inbox item of the form ItemChildExists.
	SendChildExists
	// SendMessage puts Message into the inbox of To, if it runs and has room (InboxMax, InboxBytesMax), and answers the
	// sender's event that Link names with a SendOutcome.
	SendMessage
	// SendEnded is made by the journal only: the answer to a SendMessage. It becomes an inbox item of the form ItemSendEnded.
	SendEnded
	// SendAwait has the instance To answer the sender's event that Link names when it has ended, or at once if it has or if
	// there is none.
	SendAwait
	// SendUnawait takes the SendAwait of the same Link back.
	SendUnawait
	// SendAwaited is made by the journal only: the answer to a SendAwait. It becomes an inbox item of the form ItemAwaited.
	SendAwaited
)

// OfTurn reports whether a turn may send a message of the kind.
func (k SendKind) OfTurn() bool {
	return k >= SendStartChild && k <= SendCancel || k == SendMessage || k == SendAwait || k == SendUnawait
}

// SendOutcome is what became of a SendMessage.
type SendOutcome uint8

// The outcomes. Their numbers are those of turnpb.SendOutcome.
const (
	SendDelivered SendOutcome = iota + 1
	// SendNotFound: no instance has the id. SendTooLate: the instance has ended. SendBusy: its inbox has no room.
	SendNotFound
	SendTooLate
	SendBusy
)

// Send is a message from the committing instance to another. Messages between instances are never refused: a SendMessage that
// has no receiver is answered.
type Send struct {
	Kind SendKind
	// To is the receiver's instance id.
	To string
	// Link: for starts, cancels, messages and awaits, the sender's schedule event (Apply fills in the incarnation and the sender's id);
	// for answers, the receiver's.
	Link    Link
	Name    string
	Version string
	Input   []byte
	Message []byte
	// DelayMs and ExecutionTimeoutMs of a start are as in StartInstance.
	DelayMs, ExecutionTimeoutMs int64
	// Topic, InboxMax and InboxBytesMax of a SendMessage are as in Enqueue.
	Topic                   Topic
	InboxMax, InboxBytesMax uint64
}

// TurnOutcome is how a turn left the execution.
type TurnOutcome uint8

// The outcomes.
const (
	OutcomeRunning TurnOutcome = iota + 1
	OutcomeCompleted
	OutcomeFailed
	OutcomeContinued
)

// NextStart is what starts the next execution after continue-as-new.
type NextStart struct {
	Name    string
	Version string
	// Start is an encoded turnpb.Message with a start: input, parent, carried messages, status.
	Start []byte
}

// Deliver applies messages from another partition's outbox: those above the receiver's mark for that sender, in order.
// Refused with Conflict: FirstSeq leaves a gap above the mark, From
// is not another partition of the store, or a message is malformed.
type Deliver struct {
	From     Partition
	FirstSeq uint64
	// Messages are outbox rows as they were stored.
	Messages [][]byte
}

// OutboxAck deletes outbox rows for a receiver up to and including Through, or the last one if that is lower.
type OutboxAck struct {
	To      Partition
	Through uint64
}

// DrainWatchers answers the next watchers of an instance that has ended: as many as [DrainCount] says. The end itself answers
// the first ones; an effect names the instance as long as some are left. Without watchers it does nothing.
type DrainWatchers struct {
	IID Incarnation
}

// DrainBytes is about how many bytes the answers to the watchers of an instance have together that one command gives.
const DrainBytes = 1 << 20

// DrainCount is how many watchers one command answers with a message of so many bytes.
func DrainCount(size int) int { return max(1, DrainBytes/(size+drainRowBytes)) }

// drainRowBytes is about what an answer has beside its message.
const drainRowBytes = 128

// Sweep deletes the named request rows that have expired; each is checked again.
type Sweep struct {
	Requests []RequestRef
}

func (BeginEpoch) command()     {}
func (EndEpoch) command()       {}
func (*StartInstance) command() {}
func (*Enqueue) command()       {}
func (*CommitTurn) command()    {}
func (*LeaseTurn) command()     {}
func (*RenewTurn) command()     {}
func (*AbandonTurn) command()   {}
func (*LeaseWork) command()     {}
func (*RenewWork) command()     {}
func (*CompleteWork) command()  {}
func (*AbandonWork) command()   {}
func (*Deliver) command()       {}
func (*OutboxAck) command()     {}
func (*DrainWatchers) command() {}
func (*Sweep) command()         {}
func (*ReleaseTurn) command()   {}
func (*ExpireWork) command()    {}
func (*Terminate) command()     {}
