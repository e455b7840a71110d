package node

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Config says where a node's store is and what it runs. Only Dir is required; the zero value of every other field means
// its default.
type Config struct {
	// Dir holds the store. A store is created in it if it does not exist or is empty; a volume's lost+found does not
	// count. It may be a mount point, or a symbolic link to a directory, and nothing is written outside it. One process
	// has it open at a time: a store that another one has open is waited for, about 2 s, and then refused. Required.
	//
	// This process must not open files of its store by itself: when it closes one, POSIX gives up its lock.
	Dir string
	// Partitions is how many partitions a new store has, 1 to 256. 0: 8 for a new store, what there is for an
	// existing one. An existing store with another number is refused.
	Partitions int

	// Registry is what the node runs. Nil: nothing; instances can be started and wait for a node that can.
	Registry *turnstone.Registry
	// TurnSlots and ActivitySlots are how many turns and activities run at once. 0 means 2; negative means none.
	TurnSlots     int
	ActivitySlots int

	// NodeID names this node among those of one store. It must stay the same across restarts. Empty: a random one that
	// is kept in the directory.
	NodeID string
	// Logger takes what the node logs, and what the handlers that it runs log: through their contexts, and of their
	// panics. Handlers of a registry that has a logger of its own (turnstone.WithLogger) log there instead. Nil:
	// slog.Default at the time of Open.
	Logger *slog.Logger
	// Limits bound what is accepted and recorded: package limits says what each means, and the guide lists them. Zero
	// fields mean their defaults.
	Limits limits.Limits

	// Build names the code that this process runs. An instance that is held, because this code does not fit its history or
	// misuses its context, is tried again when a node with another Build opens the store. Empty: a hash of the executable.
	Build string
	// FailOnNondeterminism: an instance whose code does not fit its history fails for good. Without it the instance is
	// held: see "When code and history differ" in the guide. turnstone.FailOnNondeterminism is the same for one registry.
	FailOnNondeterminism bool
	// MaxAttempts: a turn or an activity that was begun more often than this without an answer is given up as poison
	// (turnstone.ErrPoisoned). A try that finds no handler counts as one. 0 means 10: with the default backoff a handler may
	// be missing for about 5 minutes. After a crash, what may have ended the process runs alone once three attempts of it are recorded, or
	// all but the last; with 1, everything that was pending then runs one after the other.
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
	// MemoryBytes bounds the memory of everything that instances have in memory together, those between their turns
	// included: these leave when others need what they take, whatever ResidentBytes allows. What does not fit waits; an
	// instance that is alone is read however large it is. 0 means 512 MiB; negative means no bound.
	MemoryBytes int64
	// MemTableBytes is how much is written before it goes into a table: so much memory is taken, and so much log is on
	// disk. A store begins with 256 KiB and doubles that up to this as it is written to; a batch that is being written
	// out may double both. 0 means 32 MiB, or a sixteenth of MemoryBytes if that is less, but not less than 4 MiB. At
	// least 1 MiB, at most 1 GiB. Smaller takes less disk and memory, and more work.
	MemTableBytes int64
	// LogAheadBytes is the most disk that is allocated of a log ahead of what is written. It begins with 256 KiB and
	// doubles. 0 means 4 MiB; negative means none: less disk, slower commits.
	LogAheadBytes int64
	// CacheBytes bounds the cache of what is read from tables; it grows as they are read. 0 means 64 MiB, or an
	// eighth of MemoryBytes if that is less, but not less than 4 MiB. At least 1 MiB.
	CacheBytes int64
	// InstancesMax bounds how many instances are active at once; beyond it requests are answered with
	// turnstone.ErrBusy. 0 means 200,000.
	InstancesMax int
}

const (
	slotsDefault      = 2
	drainDefault      = time.Second
	backoffMaxDefault = time.Minute
	// maxAttemptsDefault is what the engine takes for 0, too.
	maxAttemptsDefault = 10
	// What the store takes by default, and the least of it where MemoryBytes is small.
	cacheBytesDefault    = 64 << 20
	memTableBytesDefault = 32 << 20
	shareLeast           = 4 << 20
	// watchdogAbandonDefault is what the engine takes for 0.
	watchdogAbandonDefault = 5 * time.Second
	leaseMin               = time.Second // no lease is renewed sooner than that
)

// Validate names the first field that is wrong, in an error that wraps turnstone.ErrInvalidInput.
func (c Config) Validate() error {
	if c.Dir == "" {
		return invalid("Config.Dir is empty; name the directory of the store")
	}
	if c.Partitions < 0 || c.Partitions > persistence.PartitionsMax {
		return invalid("Config.Partitions is %d; 1 to %d are possible: every partition keeps books about every other one that it talks with",
			c.Partitions, persistence.PartitionsMax)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"BackoffBase", c.BackoffBase}, {"BackoffMax", c.BackoffMax}, {"TurnLease", c.TurnLease},
		{"TurnLeaseBuffer", c.TurnLeaseBuffer}, {"WorkLease", c.WorkLease}, {"WorkLeaseBuffer", c.WorkLeaseBuffer},
		{"Grace", c.Grace}, {"WatchdogWarn", c.WatchdogWarn}, {"WatchdogAbandon", c.WatchdogAbandon},
	} {
		if d.value < 0 {
			return invalid("Config.%s is %v; it cannot be negative", d.name, d.value)
		}
		if d.value > 0 && d.value < time.Millisecond {
			return invalid("Config.%s is %v; it cannot be less than 1ms, except 0 for its default", d.name, d.value)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"TurnLease", c.TurnLease}, {"WorkLease", c.WorkLease}} {
		if d.value > 0 && d.value <= leaseMin {
			return invalid("Config.%s is %v; it must be more than %v, or it would end before it is renewed", d.name, d.value, leaseMin)
		}
	}
	if most := cmp.Or(c.BackoffMax, backoffMaxDefault); c.BackoffBase > most {
		return invalid("Config.BackoffBase is %v, more than BackoffMax, which is %v", c.BackoffBase, most)
	}
	if most := cmp.Or(c.WatchdogAbandon, watchdogAbandonDefault); c.WatchdogWarn > most {
		return invalid("Config.WatchdogWarn is %v, more than WatchdogAbandon, which is %v", c.WatchdogWarn, most)
	}
	if err := c.validateSizes(); err != nil {
		return err
	}
	if c.InstancesMax < 0 {
		return invalid("Config.InstancesMax is %d; it cannot be negative", c.InstancesMax)
	}
	if err := c.Limits.Validate(); err != nil {
		return invalid("Config.Limits: %w", err)
	}
	if c.NodeID != "" {
		if err := limits.CheckID("node id", c.NodeID, nodeIDBytesMax); err != nil {
			return invalid("Config.NodeID: %w", err)
		}
	}
	return c.validateBuffers()
}

// The bounds of what the store may take. A batch of half a memtable or more is written out by itself.
const (
	storeBytesMin    = 1 << 20
	memTableBytesMax = 1 << 30
)

func (c Config) validateSizes() error {
	if n := c.MemTableBytes; n != 0 && (n < storeBytesMin || n > memTableBytesMax) {
		return invalid("Config.MemTableBytes is %d; 1 MiB to 1 GiB are possible", n)
	}
	if n := c.CacheBytes; n != 0 && n < storeBytesMin {
		return invalid("Config.CacheBytes is %d; it must be at least 1 MiB", n)
	}
	return nil
}

// invalid is a refusal of what the caller gave: a field of a Config or Runtime, or an argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("node: %w: %w", turnstone.ErrInvalidInput, fmt.Errorf(format, args...))
}

const nodeIDBytesMax = 256

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.MaxAttempts = cmp.Or(c.MaxAttempts, maxAttemptsDefault)
	switch {
	case c.Drain == 0:
		c.Drain = drainDefault
	case c.Drain < 0:
		c.Drain = 0
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = c.shareOfMemory(8, cacheBytesDefault)
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = c.shareOfMemory(16, memTableBytesDefault)
	}
	c.Limits = c.Limits.WithDefaults()
	return c
}

// shareOfMemory is what the store takes beside MemoryBytes unless it is told: a program with little memory wants both
// small.
func (c Config) shareOfMemory(part, usual int64) int64 {
	if c.MemoryBytes <= 0 {
		return usual
	}
	return min(usual, max(c.MemoryBytes/part, shareLeast))
}

func slots(n int) int {
	switch {
	case n == 0:
		return slotsDefault
	case n < 0:
		return 0
	default:
		return n
	}
}

// validateBuffers refuses a buffer that leaves nothing of its lease.
func (c Config) validateBuffers() error {
	for _, d := range []struct {
		name          string
		buffer, lease time.Duration
	}{
		{"TurnLease", c.TurnLeaseBuffer, cmp.Or(c.TurnLease, turnLeaseDefault)},
		{"WorkLease", c.WorkLeaseBuffer, cmp.Or(c.WorkLease, workLeaseDefault)},
	} {
		if d.buffer >= d.lease {
			return invalid("Config.%sBuffer is %v; it must be less than %s, which is %v", d.name, d.buffer, d.name, d.lease)
		}
	}
	return nil
}

// What the engine takes for a lease of 0.
const (
	turnLeaseDefault = 5 * time.Second
	workLeaseDefault = 30 * time.Second
)
