package persistence

// Effects are what a command did to the rows that a partition's dispatcher watches. They are released in index order,
// only when durable, before the command's Done is called; the dispatcher has no other source.
type Effects struct {
	Index uint64
	// Inbox are new inbox rows.
	Inbox []InboxEffect
	// Starts are new S rows: instances (or executions) that wait for their first turn.
	Starts []StartEffect
	// Work are new or changed work rows; a changed one replaces what was known of it. What a command both scheduled and
	// deleted is not in Work, but is in WorkDeleted, which may thus name rows that were never announced; timers likewise.
	Work        []WorkItem
	WorkDeleted []WorkKey
	// Timers are new timer rows.
	Timers        []TimerItem
	TimersDeleted []TimerKey
	// Leases are turn leases that were taken, renewed or given back without a commit.
	Leases []LeaseEffect
	// Unheld are instances that were held until the commit of a turn.
	Unheld []Incarnation
	// Outbox are new outbox rows.
	Outbox []OutboxEffect
	// Ended are instances that reached a terminal status.
	Ended []EndEffect
	// Draining are instances that have ended and have watchers left: DrainWatchers answers the next ones.
	Draining []Incarnation
}

// Empty reports whether there is nothing for a dispatcher to do.
func (e *Effects) Empty() bool {
	return len(e.Inbox) == 0 && len(e.Starts) == 0 && len(e.Work) == 0 && len(e.WorkDeleted) == 0 && len(e.Timers) == 0 &&
		len(e.TimersDeleted) == 0 && len(e.Leases) == 0 && len(e.Unheld) == 0 && len(e.Outbox) == 0 && len(e.Ended) == 0 &&
		len(e.Draining) == 0
}

// InboxEffect is one new inbox row.
type InboxEffect struct {
	ID          string
	IID         Incarnation
	Seq         uint64
	NotBeforeMs int64
}

// StartEffect is an execution that waits for its first turn. Version is empty if the registry's policy decides.
type StartEffect struct {
	ID        string
	IID       Incarnation
	Execution uint64
	Name      string
	Version   string
	// NotBeforeMs is when the first turn may run; 0 is at once.
	NotBeforeMs int64
}

// LeaseEffect is a turn lease taken or renewed (Token set) or given back.
type LeaseEffect struct {
	ID          string
	IID         Incarnation
	Token       Token
	Attempts    uint32
	ExpiresAtMs int64
	// NotBeforeMs hides the instance's inbox up to Through, and its start, until then; 0 hides nothing.
	NotBeforeMs int64
	Through     uint64
	Held        Held
	// GivenBack: AbandonTurn did it.
	GivenBack bool
}

// OutboxEffect is one new outbox row.
type OutboxEffect struct {
	To  Partition
	Seq uint64
}

// EndEffect is an instance that reached a terminal status.
type EndEffect struct {
	ID        string
	IID       Incarnation
	Status    Status
	Execution uint64
	// Last is the last part of its history as the commit brought it (an encoded turnpb.EventList): its last event says
	// how the instance ended, so that a waiter for the end need not read it.
	Last []byte
}
