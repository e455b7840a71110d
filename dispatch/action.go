package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// ActionKind is what an [Action] asks for.
type ActionKind uint8

// The kinds of actions. Behind each: which fields are set, and how the answer comes back.
const (
	// TellStart: an execution waits for its first turn. ID, IID, Start, Number, Again, Fresh; Seq as in TellNudge if the inbox
	// has rows, too. [Dispatcher.Busy] if it could not be told; [Dispatcher.Acknowledged], [Dispatcher.Waits] or [Dispatcher.Unserved] when the instance answers.
	TellStart ActionKind = iota + 1
	// TellNudge: the inbox of an incarnation has rows up to Seq. ID, IID, Seq, Number, Again, Fresh. Answers as for TellStart.
	TellNudge
	// TellRetry: turns of an instance that were held back may be tried again, and it is told nothing else. ID, IID, Number,
	// Again, Fresh. Answers as for TellStart.
	TellRetry
	// TimerDue: tell the instance. ID, IID, Timer, Again, Fresh. [Dispatcher.Busy].
	TimerDue
	// BackOff: no attached consumer has the activity's handler: give Work back with DelayMs, counted.
	// [Dispatcher.Release] when that is answered.
	BackOff
	// GiveBack: Work has a lease of this process, and no activity in it has the work any more: give it back with that token,
	// counted. [Dispatcher.Release] when that is answered.
	GiveBack
	// Poison: Work was attempted too often: record it as poison, do not run it. [Dispatcher.Release] if the recording is
	// refused for another reason than that the row is gone.
	Poison
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
)

// String names the kind.
func (k ActionKind) String() string {
	names := [...]string{"", "TellStart", "TellNudge", "TellRetry", "TimerDue", "BackOff", "GiveBack", "Poison", "ScanStarts",
		"ScanInbox", "ScanLeases", "ScanWork", "ScanTimers", "ScanRequests", "ScanStreams", "ReadOutbox", "DeliverOutbox", "AckOutbox",
		"SweepRequests"}
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
	// Number rises with every tell. Owed is the number of the first that the instance has not acknowledged; 0: none.
	// Again: nothing new has come; the instance is told again because it has not acknowledged what it was told.
	Number uint64
	Owed   uint64
	Again  bool
	// Fresh is the number of a runtime that was attached since: an instance that is held is tried again for it, once, whatever
	// its row says. It is said until the instance answers. 0: none was.
	Fresh uint64
	Start *persistence.StartEffect
	Timer persistence.TimerKey

	Work    *persistence.WorkItem
	DelayMs int64

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
	// Ticket is what the gate admitted the work under, to be given back with [Gate.Done]; 0 if it is not a suspect.
	Ticket uint64
}
