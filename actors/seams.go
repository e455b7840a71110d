package actors

import (
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Config is what an engine is built from. The journal is required; every other zero value means its default.
type Config struct {
	Journal persistence.Journal
	// Node names this node; it must be stable across restarts. Process names this run of it and must not be reused.
	Node    string
	Process string

	Clock    clock.Clock
	IDs      ids.Source
	Executor mailbox.Executor
	// Turns and Activities run user code. Nil: goroutines.
	Turns      consumer.Runner
	Activities consumer.Runner
	Logger     *slog.Logger
	Limits     limits.Limits

	// Build names the code of this process: an instance that is held is tried again under another one.
	Build string
	// FailOnNondeterminism: an instance whose code does not fit its history fails, instead of being held.
	FailOnNondeterminism bool
	// MaxAttempts: after so many attempts, work is recorded as poison instead of being run again. Default 10.
	MaxAttempts uint32
	// BackoffBase and BackoffMax: how long work whose handler is not registered waits, base x 2^(attempt-1), capped.
	// Defaults 1 s and 60 s.
	BackoffBase time.Duration
	BackoffMax  time.Duration
	// TurnLease and WorkLease are how long leases last. Defaults 5 s and 30 s; renewal buffers 2 s and 5 s.
	TurnLease       time.Duration
	TurnLeaseBuffer time.Duration
	WorkLease       time.Duration
	WorkLeaseBuffer time.Duration
	// Grace is how long a cancelled activity may go on before its slot is given back. Default 10 s.
	Grace time.Duration
	// Drain is how long a stop waits for activities that were told to stop. Default 1 s; negative: not at all.
	Drain time.Duration
	// WatchdogWarn and WatchdogAbandon are when a turn that blocks outside Turnstone is reported, and when it is given up.
	// Defaults 1 s, or WatchdogAbandon if that is less, and 5 s.
	WatchdogWarn    time.Duration
	WatchdogAbandon time.Duration
	// CarefulFor is how long careful mode lasts after an epoch that did not end cleanly. Default 30 s.
	CarefulFor time.Duration
	// LeaseAfter is how long an activity runs under a grant before it is leased in the background. Default 1 s.
	LeaseAfter time.Duration
	// ResidentBytes bounds the memory of resident instances (an estimate). Default 128 MiB; negative: nothing stays
	// resident between turns.
	ResidentBytes int64
	// MemoryBytes bounds the memory of all active instances together (an estimate): histories, inboxes and starts that are
	// read or wait for their turn, and machines. Resident machines are included; they leave when other instances need memory.
	// An instance waits until its part is free; if no other uses the budget, it gets its part in any case. Default 512 MiB;
	// negative: no bound.
	MemoryBytes int64
	// InstancesMax bounds the active instances; beyond it new work is answered with ErrBusy. Default 200,000.
	InstancesMax int
	// LoseTell, if set, is called before each tell; the tell is dropped if it returns true. It is for simulators, which prove
	// that lost tells are repeated.
	LoseTell func() bool
	// InboxPage is how many inbox rows an instance reads at once, and the most that one turn consumes. Default 1,000.
	InboxPage int
}
