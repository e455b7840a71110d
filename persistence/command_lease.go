package persistence

// LeaseTurn gives an instance to a holder until TimeMs + TTLMs. Refused, in this order: NotFound, Conflict (execution or
// turn differs, or it has ended), LeaseLost (a lease is live). Every lease adds one attempt. It ties the inbox up to
// Result.Through, the highest seq given out so far, to the lease; of Due, those of this instance that exist are
// returned. The delay of an earlier abandon is the dispatcher's business: it is not checked, and it ends.
type LeaseTurn struct {
	IID       Incarnation
	Execution uint64
	Turn      uint64
	Holder    Holder
	TTLMs     int64
	Nonce     uint64
	Due       []TimerKey
}

// RenewTurn extends a turn lease that its holder still has (see the fence of CommitTurn) to TimeMs + TTLMs; LeaseLost
// otherwise.
type RenewTurn struct {
	Token Token
	TTLMs int64
}

// AbandonTurn gives an instance back: with a token, its lease; without, a grant of the envelope's epoch. A delay hides
// the inbox items that the lease held (a grant: all) until TimeMs + DelayMs: NotBeforeMs and Through of the lease row
// say so, the items themselves do not change.
// A reason holds the instance: the lease row says so, with the time and the build, until a turn is committed or the
// instance is released; an abandon without a reason leaves it held.
// Counted abandons keep the attempt (a grant's adds one); uncounted ones take the lease's attempt back, never below 0.
// Refused, in this order: NotFound, Conflict (execution or turn differs, or it has ended), then the fence of CommitTurn.
type AbandonTurn struct {
	IID       Incarnation
	Execution uint64
	Turn      uint64
	Token     Token
	DelayMs   int64
	Counts    bool
	// Reason says why the instance is held, and Build what could not run it; empty: it is not.
	Reason string
	Build  string
}

// ReleaseTurn lets an instance that is held run again at once: what it was held for, the delay and the attempts that
// were counted are forgotten. One that is not held stays as it is. Refused: NotFound; Ended.
type ReleaseTurn struct {
	ID string
}

// LeaseWork gives an activity to a holder until TimeMs + TTLMs. Refused, in this order: NotFound, Conflict (attempts
// differ), LeaseLost (a lease is live). Every lease adds one attempt, and ends Deadlines.ScheduleToStartAtMs: the activity
// has started. The delay of an earlier abandon is the dispatcher's
// business, as in LeaseTurn: it is not checked, and it ends.
type LeaseWork struct {
	Key      WorkKey
	Attempts uint32
	Holder   Holder
	TTLMs    int64
	Nonce    uint64
}

// RenewWork extends the work leases that their holders still have to TimeMs + TTLMs; Result.Live says for each whether it
// was extended. Heartbeats, if it is not empty, has for each token the details of a heartbeat that the row keeps with the
// time; nil is no heartbeat.
type RenewWork struct {
	Tokens     []Token
	TTLMs      int64
	Heartbeats [][]byte
}

// CompleteWork deletes a work row and, if Message is not nil, puts it into the instance's inbox. The fence is that of
// AcceptedResult, with the envelope's epoch. Refused: NotFound (the row is gone: cancelled, or answered), LeaseLost (a
// token was given and the row's lease has another, or its holder has ended; or none was given and a lease is live or
// attempts differ), then Fenced (no token was given and the epoch is not current).
type CompleteWork struct {
	Key      WorkKey
	Token    Token
	Attempts uint32
	Message  []byte
}

// AbandonWork gives an activity back, to be leased again from TimeMs + DelayMs on. Refusals are those of CompleteWork;
// attempts count as in AbandonTurn.
type AbandonWork struct {
	Key      WorkKey
	Token    Token
	Attempts uint32
	DelayMs  int64
	Counts   bool
}

// ExpiryKind says which bound of an activity has passed.
type ExpiryKind uint8

// The bounds that the dispatcher watches.
const (
	ExpiredStartToClose ExpiryKind = iota + 1
	ExpiredScheduleToStart
	ExpiredHeartbeat
	ExpiredScheduleToClose
)

// ExpireWork ends an activity whose time is over: its row goes, and Message goes into the instance's inbox. It overrides a
// lease. Whether the time is over is the dispatcher's business. Refused, in this order: NotFound, Conflict (attempts differ,
// the kind is unknown, or the row has no such bound), Fenced (the envelope's epoch is not current).
type ExpireWork struct {
	Key      WorkKey
	Kind     ExpiryKind
	Attempts uint32
	Message  []byte
}

// Terminate ends an instance without its code. The segment is computed from a position, as a turn's is, but no lease and
// no grant stands in its way: a turn that is under way finds a Conflict. Refused, in this order: a request key that was
// used as in Enqueue; NotFound (no such incarnation); Ended; Conflict (it stands elsewhere: compute the segment again).
// The sends are the answer to its parent and the cancels of its children.
type Terminate struct {
	ID        string
	IID       Incarnation
	Execution uint64
	Turn      uint64
	Segment   SegmentDraft
	Sends     []Send
	Request   Request
	// Name, Version and Pin are recorded if the execution has had no turn.
	Name    string
	Version string
	Pin     string
}
