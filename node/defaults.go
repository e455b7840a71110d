package node

import (
	"cmp"
	"log/slog"
	"time"
)

// The defaults of what the store takes are less where MemoryBytes is small, but not less than shareLeast.
const (
	slotsDefault         = 2
	maxAttemptsDefault   = 10
	drainDefault         = time.Second
	watchdogWarnDefault  = time.Second
	instancesMaxDefault  = 200_000
	residentBytesDefault = 128 << 20
	memoryBytesDefault   = 512 << 20
	memTableBytesDefault = 32 << 20
	logAheadBytesDefault = 4 << 20
	cacheBytesDefault    = 64 << 20
	shareLeast           = 4 << 20
)

// resolved returns the configuration with the default of every field that is 0. All defaults of a node are here: the engine
// and the store get no field that is 0 and for which they have a default. The partitions and the node's id stay, because
// they depend on the store, and so do the slots, which [Node.Attach] resolves for every runtime.
func (c Config) resolved() Config {
	c = c.resolvedTimes()
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Build == "" {
		c.Build = executableBuild()
	}
	c.MaxAttempts = cmp.Or(c.MaxAttempts, maxAttemptsDefault)
	c.InstancesMax = cmp.Or(c.InstancesMax, instancesMaxDefault)
	c.ResidentBytes = cmp.Or(c.ResidentBytes, residentBytesDefault)
	c.MemTableBytes = cmp.Or(c.MemTableBytes, c.shareOfMemory(16, memTableBytesDefault))
	c.CacheBytes = cmp.Or(c.CacheBytes, c.shareOfMemory(8, cacheBytesDefault))
	c.MemoryBytes = cmp.Or(c.MemoryBytes, memoryBytesDefault)
	c.LogAheadBytes = cmp.Or(c.LogAheadBytes, logAheadBytesDefault)
	c.Limits = c.Limits.WithDefaults()
	return c
}

// resolvedTimes resolves the fields that rules compare with others.
func (c Config) resolvedTimes() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.BackoffBase, time.Second}, {&c.BackoffMax, time.Minute},
		{&c.TurnLease, 5 * time.Second}, {&c.TurnLeaseBuffer, 2 * time.Second},
		{&c.WorkLease, 30 * time.Second}, {&c.WorkLeaseBuffer, 5 * time.Second},
		{&c.Grace, 10 * time.Second}, {&c.Drain, drainDefault}, {&c.WatchdogAbandon, 5 * time.Second},
	} {
		*d.field = cmp.Or(*d.field, d.value)
	}
	c.WatchdogWarn = cmp.Or(c.WatchdogWarn, min(watchdogWarnDefault, c.WatchdogAbandon))
	return c
}

// shareOfMemory returns the default of a part of the store's memory, which is beside MemoryBytes: where MemoryBytes is small,
// it is small, too.
func (c Config) shareOfMemory(part, usual int64) int64 {
	if c.MemoryBytes <= 0 {
		return usual
	}
	return min(usual, max(c.MemoryBytes/part, shareLeast))
}

// slots resolves a number of slots: 0 is the default, and a negative number is none.
func slots(n int) int {
	if n == 0 {
		return slotsDefault
	}
	return max(n, 0)
}
