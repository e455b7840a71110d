package node

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

const (
	nodeIDBytesMax    = 256
	runtimeIDBytesMax = 256
	buildBytesMax     = 256
	// codecNameBytesMax is the length of the longest name of a codec.
	codecNameBytesMax = 256
	durationMin       = time.Millisecond
	leaseMin          = time.Second // no lease is renewed sooner than that
	// The bounds of the store's memory. Pebble writes a batch of half a memtable or more on its own.
	storeBytesMin    = 1 << 20
	memTableBytesMax = 1 << 30
)

// Validate returns an error that wraps turnstone.ErrInvalidInput and names the first field that breaks a rule, its value
// and the rule.
func (c Config) Validate() error {
	if c.Dir == "" {
		return invalid("Config.Dir is empty; name the directory of the store")
	}
	for _, rules := range [][]rule{c.numberRules(), c.durationRules(), c.orderRules()} {
		for i := range rules {
			if r := &rules[i]; r.broken {
				return invalid("Config.%s is %v; %s", r.field, r.value, r.text)
			}
		}
	}
	if err := c.Limits.Validate(); err != nil {
		return invalid("Config.Limits.%w", err)
	}
	if c.NodeID != "" {
		if err := limits.CheckID("node id", c.NodeID, nodeIDBytesMax, ""); err != nil {
			return invalid("Config.NodeID: %w", err)
		}
	}
	if c.Build != "" {
		if err := limits.CheckID("build", c.Build, buildBytesMax, ""); err != nil {
			return invalid("Config.Build: %w", err)
		}
	}
	if err := limits.CheckID("codec name", c.codec().Name(), codecNameBytesMax, ""); err != nil {
		return invalid("Config.Codec: %w", err)
	}
	if _, err := enginesOf("Config.Engines", c.Engines); err != nil {
		return err
	}
	return c.validateCodec("main", c.Registry)
}

// rule is a condition for the value of a field.
type rule struct {
	field  string
	value  any
	broken bool
	// text says which values are possible, or which are not.
	text string
}

func (c Config) numberRules() []rule {
	table, cache := c.MemTableBytes, c.CacheBytes
	return []rule{
		{"Partitions", c.Partitions, c.Partitions < 0 || c.Partitions > persistence.PartitionsMax, fmt.Sprintf(
			"1 to %d are possible: every partition keeps books about every other one that it talks with", persistence.PartitionsMax)},
		{"MemTableBytes", table, table != 0 && (table < storeBytesMin || table > memTableBytesMax), "1 MiB to 1 GiB are possible"},
		{"CacheBytes", cache, cache != 0 && cache < storeBytesMin, "it must be at least 1 MiB"},
		{"InstancesMax", c.InstancesMax, c.InstancesMax < 0, "it cannot be negative"},
	}
}

// durationRules are the rules for each duration by itself.
func (c Config) durationRules() (all []rule) {
	for _, d := range []struct {
		field string
		value time.Duration
		lease bool
	}{
		{"BackoffBase", c.BackoffBase, false}, {"BackoffMax", c.BackoffMax, false}, {"TurnLease", c.TurnLease, true},
		{"TurnLeaseBuffer", c.TurnLeaseBuffer, false}, {"WorkLease", c.WorkLease, true},
		{"WorkLeaseBuffer", c.WorkLeaseBuffer, false}, {"Grace", c.Grace, false}, {"WatchdogWarn", c.WatchdogWarn, false},
		{"WatchdogAbandon", c.WatchdogAbandon, false},
	} {
		given := d.value != 0
		all = append(all,
			rule{d.field, d.value, d.value < 0, "it cannot be negative"},
			rule{d.field, d.value, given && d.value < durationMin, fmt.Sprintf("it cannot be less than %v, except 0 for its default", durationMin)},
			rule{d.field, d.value, given && d.lease && d.value <= leaseMin,
				fmt.Sprintf("it must be more than %v, or it would end before it is renewed", leaseMin)},
		)
	}
	return all
}

// orderRules compare a field with another one as it is resolved.
func (c Config) orderRules() []rule {
	r := c.resolvedTimes()
	return []rule{
		{"BackoffBase", c.BackoffBase, c.BackoffBase > r.BackoffMax, fmt.Sprintf("it cannot be more than BackoffMax, which is %v", r.BackoffMax)},
		{"WatchdogWarn", c.WatchdogWarn, c.WatchdogWarn > r.WatchdogAbandon,
			fmt.Sprintf("it cannot be more than WatchdogAbandon, which is %v", r.WatchdogAbandon)},
		{"TurnLeaseBuffer", c.TurnLeaseBuffer, c.TurnLeaseBuffer >= r.TurnLease, fmt.Sprintf("it must be less than TurnLease, which is %v", r.TurnLease)},
		{"WorkLeaseBuffer", c.WorkLeaseBuffer, c.WorkLeaseBuffer >= r.WorkLease, fmt.Sprintf("it must be less than WorkLease, which is %v", r.WorkLease)},
	}
}
