package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// ActionKind is what an [Action] asks for.
type ActionKind uint8

// The kinds of actions. Behind each: which fields are set, and how the answer comes back.
const (
	// TellStart: an execution waits for its first turn. ID, IID, Start, Number, Again, Fresh; Seq as in TellNudge if the inbox
	// has rows, too. [Dispatcher.Busy] if the message could not be sent. When the instance answers:
	// [Dispatcher.Acknowledged], [Dispatcher.Waits] or [Dispatcher.Unserved].
	TellStart ActionKind = iota + 1
	// TellNudge: the inbox of an incarnation has rows up to Seq. ID, IID, Seq, Number, Again, Fresh. Answers as for TellStart.
	TellNudge
	// TellRetry: an instance may try again the turns that were held back; it has neither a start nor inbox rows. ID, IID,
	// Number, Again, Fresh. Answers as for TellStart.
	TellRetry
	// TimerDue: send the due timer to its instance. ID, IID, Timer, Again, Fresh. [Dispatcher.Busy] if that fails.
	TimerDue
	// BackOff: no attached consumer has the activity's handler: give Work back with DelayMs, and count the attempt.
	// [Dispatcher.Release] when that is answered.
	BackOff
	// GiveBack: Work has an orphan lease, one of this process that no activity uses any more: give Work back with the
	// lease's token, and count the attempt. [Dispatcher.Release] when that is answered.
	GiveBack
	// Poison: Work was attempted too often: record it as poison, do not run it. [Dispatcher.Release] if the journal refuses
	// that although the row still exists.
	Poison
	// Expire: the time of Work is over while no consumer has it; Expiry says which bound. Record that.
	// [Dispatcher.Release] if the journal refuses that although the row still exists.
	Expire
	// ScanStarts, ScanInbox, ScanLeases: read up to Max rows after After. [Dispatcher.StartsPage] and so on.
	ScanStarts
	ScanInbox
	ScanLeases
	// ScanWork: read up to Max rows after AfterWork. [Dispatcher.WorkPage].
	ScanWork
	// ScanTimers: read up to Max rows after AfterTimer. [Dispatcher.TimersPage].
	ScanTimers
	// ScanRequests: read up to Max requests after AfterExpiry that expire by ByMs. [Dispatcher.RequestsPage].
	ScanRequests
	// ScanStreams: read which streams to other partitions have rows. [Dispatcher.StreamsPage].
	ScanStreams
	// ReadOutbox: read up to Max outbox rows for To after Through. [Dispatcher.OutboxPage].
	ReadOutbox
	// DeliverOutbox: propose Rows, which start at Rows[0].Seq, at the partition To. [Dispatcher.Delivered].
	DeliverOutbox
	// AckOutbox: propose the deletion of the outbox rows for To up to Through. [Dispatcher.Acked].
	AckOutbox
	// SweepRequests: propose the deletion of the expired Requests. No answer.
	SweepRequests
	// ScanDraining: read up to Max instances after After that have ended and have watchers left. [Dispatcher.DrainingPage].
	ScanDraining
	// DrainWatchers: propose that the next watchers of IID are told of its end. [Dispatcher.Drained] or
	// [Dispatcher.DrainFailed].
	DrainWatchers
)

// String names the kind.
func (k ActionKind) String() string {
	names := [...]string{"", "TellStart", "TellNudge", "TellRetry", "TimerDue", "BackOff", "GiveBack", "Poison", "Expire", "ScanStarts",
		"ScanInbox", "ScanLeases", "ScanWork", "ScanTimers", "ScanRequests", "ScanStreams", "ReadOutbox", "DeliverOutbox", "AckOutbox",
		"SweepRequests", "ScanDraining", "DrainWatchers"}
	if int(k) < len(names) {
		return names[k]
	}
	return "ActionKind(?)"
}

// Action is something that the dispatcher wants done. See the kinds for which fields are set.
type Action struct {
	Kind ActionKind
	ID   string
	IID  persistence.Incarnation
	Seq  uint64
	// Number rises with every tell. Unacked is the number of the first tell that the instance has not acknowledged; 0: none.
	// Again: nothing new has come; the tell is repeated because the instance has not acknowledged it.
	Number  uint64
	Unacked uint64
	Again   bool
	// Fresh is the number of a runtime that was attached after the instance was held. The instance tries once again for it,
	// even if the time in its row has not come. Each tell carries it until the instance answers. 0: no runtime was attached.
	Fresh uint64
	Start *persistence.StartEffect
	Timer persistence.TimerKey

	Work    *persistence.WorkItem
	DelayMs int64
	Expiry  persistence.ExpiryKind

	// Max is how many rows to read. A page with fewer is the last one.
	Max         int
	MaxBytes    int // of ReadOutbox: it ends with the row that brings it there
	After       persistence.Incarnation
	AfterWork   persistence.WorkKey
	AfterTimer  persistence.TimerKey
	AfterExpiry persistence.ExpiryRef
	ByMs        int64

	To       persistence.Partition
	Through  uint64
	Rows     []persistence.OutboxItem
	Requests []persistence.RequestRef
}

// Grant is an activity that a consumer is to run.
type Grant struct {
	Item persistence.WorkItem
	// Lease: take a lease before its code runs (careful mode).
	Lease bool
	// Ticket is what the probation admitted the work under; return it with [Probation.Done]. 0: the work is no suspect.
	Ticket uint64
}
