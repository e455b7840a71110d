package node

import (
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
)

// Config says where a node's store is and what it runs. Only Dir is required; the zero value of every other field means
// its default.
type Config struct {
	// Dir holds the store. A store is created in it if it does not exist or is empty; a volume's lost+found does not
	// count. It may be a mount point, or a symbolic link to a directory, and nothing is written outside it. One process
	// has it open at a time: Open waits about 2 s for a store that another process has open, and then refuses it. Required.
	//
	// This process must not open files of its store by other means: when it closes one, POSIX releases the store's lock.
	Dir string
	// Partitions is how many partitions a new store has, 1 to 256. 0: 8 for a new store, what there is for an
	// existing one. An existing store with another number is refused.
	Partitions int

	// Registry has the handlers that the node runs. Nil: none; instances can be started, and wait for a node that has their
	// handlers.
	Registry *turnstone.Registry
	// TurnSlots and ActivitySlots are how many turns and activities run at once. 0 means 2; negative means none.
	TurnSlots     int
	ActivitySlots int
	// Engines are the engine versions whose executions the node's runtime may go on with; each range counts. An execution is
	// pinned to the version of the engine that began it (client.Description.EngineVersion). One that no attached runtime may
	// go on with stays where it is: see "An engine of another version" in the guide. The ranges must have [EngineVersion].
	// Nil: every version up to EngineVersion.
	Engines []EngineRange
	// Codec encodes and decodes the values between the node's client and its handlers. A Registry with another codec is
	// refused. Nil: that of Registry, or turnstone.JSON if there is none.
	Codec turnstone.Codec

	// NodeID names this node among those of one store. It must stay the same across restarts. Empty: a random one that
	// is kept in the directory.
	NodeID string
	// Logger gets the lines of the node and of the handlers that it runs: those of their contexts, and the reports of their
	// panics. Handlers of a registry that has a logger of its own (turnstone.WithLogger) log there instead. Nil: slog.Default
	// at the time of Open.
	Logger *slog.Logger
	// Limits bound what is accepted and recorded: package limits explains each, and the guide lists them. Zero fields mean
	// their defaults.
	Limits limits.Limits

	// Build names the code that this process runs. An instance that is held, because this code does not fit its history or
	// misuses its context, is tried again when a node with another Build opens the store. 256 bytes at most. Empty: a hash of
	// the executable.
	Build string
	// FailOnNondeterminism: an instance whose code does not fit its history fails for good. Without it the instance is
	// held: see "When code and history differ" in the guide. turnstone.FailOnNondeterminism is the same for one registry.
	FailOnNondeterminism bool
	// MaxAttempts bounds the attempts of a turn or an activity. After so many without a result it is given up as poison
	// (turnstone.ErrPoisoned). A try that finds no handler counts, too. 0 means 10: with the default backoff a handler may be
	// missing for about 5 minutes. After a crash, code that may have ended the process runs alone once three of its attempts
	// are recorded, or all but the last; with 1, everything that was pending then runs one after the other.
	MaxAttempts uint32
	// BackoffBase and BackoffMax: how long work whose handler is not registered, and an instance that is held, waits before
	// the next try: base x 2^(attempt-1), capped. 0 means 1 s and 60 s.
	BackoffBase time.Duration
	BackoffMax  time.Duration
	// TurnLease and WorkLease are how long leases of turns and activities last without renewal. 0 means 5 s and 30 s.
	// The buffers are how long before its end a lease of 15 s or more is renewed; a shorter one is renewed half way. 0 means
	// 2 s and 5 s.
	TurnLease       time.Duration
	TurnLeaseBuffer time.Duration
	WorkLease       time.Duration
	WorkLeaseBuffer time.Duration
	// Grace is how long a cancelled activity may go on before its slot is given to another. 0 means 10 s.
	Grace time.Duration
	// WatchdogWarn and WatchdogAbandon: when a turn whose code blocks outside Turnstone is reported with its stack, and
	// when it is given up and run again. 0 means 1 s, or WatchdogAbandon if that is less, and 5 s.
	WatchdogWarn    time.Duration
	WatchdogAbandon time.Duration
	// Drain is how long a shutdown waits for what runs. 0 means 1 s; negative means not at all.
	Drain time.Duration
	// ResidentBytes bounds the memory of instances that stay in memory between their turns. 0 means 128 MiB; negative
	// means that none stays, and each turn replays its history.
	ResidentBytes int64
	// MemoryBytes bounds the memory of all instances in memory together, including those between their turns: these leave
	// when others need the memory, even if ResidentBytes would let them stay. An instance that does not fit waits; if no other
	// uses the memory, an instance of any size is read. 0 means 512 MiB; negative means no bound.
	MemoryBytes int64
	// MemTableBytes is how many written bytes the store keeps in memory, and in the log on disk, before it writes them into a
	// table. A store begins with 256 KiB and doubles that up to this as it is written to; a batch that is being written out
	// may double both. 0 means 32 MiB, or a sixteenth of MemoryBytes if that is less, but not less than 4 MiB. At least 1 MiB,
	// at most 1 GiB. A smaller value takes less disk and memory, and more work.
	MemTableBytes int64
	// LogAheadBytes is how many bytes of a log are at most allocated on disk beyond those that are written. The steps begin
	// with 256 KiB and double. 0 means 4 MiB; negative means none: less disk, slower commits.
	LogAheadBytes int64
	// CacheBytes bounds the cache for reads of tables, which grows with these reads. 0 means 64 MiB, or an eighth of
	// MemoryBytes if that is less, but not less than 4 MiB. At least 1 MiB.
	CacheBytes int64
	// InstancesMax bounds the active instances; beyond it requests are answered with turnstone.ErrBusy. 0 means 200,000.
	InstancesMax int
}
