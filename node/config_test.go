package node_test

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/node"
)

const longest = time.Duration(math.MaxInt64)

// durations are the fields of a Config that are durations, with the shortest that each takes.
var durations = []struct {
	name     string
	shortest time.Duration
	of       func(*node.Config) *time.Duration
}{
	{"BackoffBase", time.Millisecond, func(c *node.Config) *time.Duration { return &c.BackoffBase }},
	{"BackoffMax", time.Millisecond, func(c *node.Config) *time.Duration { return &c.BackoffMax }},
	{"TurnLease", time.Second + 1, func(c *node.Config) *time.Duration { return &c.TurnLease }},
	{"TurnLeaseBuffer", time.Millisecond, func(c *node.Config) *time.Duration { return &c.TurnLeaseBuffer }},
	{"WorkLease", time.Second + 1, func(c *node.Config) *time.Duration { return &c.WorkLease }},
	{"WorkLeaseBuffer", time.Millisecond, func(c *node.Config) *time.Duration { return &c.WorkLeaseBuffer }},
	{"Grace", time.Millisecond, func(c *node.Config) *time.Duration { return &c.Grace }},
	{"WatchdogWarn", time.Millisecond, func(c *node.Config) *time.Duration { return &c.WatchdogWarn }},
	{"WatchdogAbandon", time.Millisecond, func(c *node.Config) *time.Duration { return &c.WatchdogAbandon }},
}

func TestF38_a_duration_that_would_be_taken_for_another_is_refused_by_name(t *testing.T) {
	for _, d := range durations {
		for _, c := range []struct {
			value   time.Duration
			refused bool
		}{{-1, true}, {1, true}, {d.shortest - 1, true}, {0, false}, {d.shortest, false}, {time.Second + 1, false}} {
			cfg := node.Config{Dir: "d"}
			*d.of(&cfg) = c.value
			err := cfg.Validate()
			if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "Config."+d.name+" is "+c.value.String()) {
				t.Errorf("%s of %v: %v", d.name, c.value, err)
			}
		}
	}
	for want, cfg := range map[string]node.Config{
		"Config.WatchdogWarn is 1m0s; it cannot be more than WatchdogAbandon, which is 2s": {Dir: "d", WatchdogWarn: time.Minute, WatchdogAbandon: 2 * time.Second},
		"Config.WatchdogWarn is 6s; it cannot be more than WatchdogAbandon, which is 5s":   {Dir: "d", WatchdogWarn: 6 * time.Second},
		"Config.BackoffBase is 2m0s; it cannot be more than BackoffMax, which is 1m0s":     {Dir: "d", BackoffBase: 2 * time.Minute},
		"Config.TurnLeaseBuffer is 5s; it must be less than TurnLease, which is 5s":        {Dir: "d", TurnLeaseBuffer: 5 * time.Second},
		"Config.WorkLeaseBuffer is 1m0s; it must be less than WorkLease, which is 4s":      {Dir: "d", WorkLease: 4 * time.Second, WorkLeaseBuffer: time.Minute},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A node runs, and stops, with every option at its smallest and at its largest.
func TestF38_a_node_runs_with_every_option_at_its_smallest_and_largest(t *testing.T) {
	smallest := func(c *node.Config) {
		for _, d := range durations {
			*d.of(c) = d.shortest
		}
		c.WatchdogWarn, c.WatchdogAbandon = time.Millisecond, time.Minute // a turn may take a millisecond
		c.Partitions, c.TurnSlots, c.ActivitySlots, c.MaxAttempts, c.Drain, c.InstancesMax = 1, 1, 1, 1, 1, 1
		c.ResidentBytes, c.MemoryBytes = 1, 1
	}
	largest := func(c *node.Config) {
		for _, d := range durations {
			*d.of(c) = longest
		}
		c.TurnLeaseBuffer, c.WorkLeaseBuffer = longest-1, longest-1
		c.TurnSlots, c.ActivitySlots, c.MaxAttempts, c.Drain, c.InstancesMax = math.MaxInt, math.MaxInt, math.MaxUint32, longest, math.MaxInt
		c.ResidentBytes, c.MemoryBytes = math.MaxInt64, math.MaxInt64
		fields := reflect.ValueOf(&c.Limits).Elem()
		for i := range fields.NumField() {
			fields.Field(i).SetInt(math.MaxInt)
		}
		c.Limits.IDBytes, c.Limits.DerivedIDBytes, c.Limits.RequestKeyBytes = limits.KeyBytesMax, limits.KeyBytesMax, limits.KeyBytesMax
	}
	for name, set := range map[string]func(*node.Config){"smallest": smallest, "largest": largest} {
		t.Run(name, func(t *testing.T) {
			ctx := deadline(t)
			cfg := config(t, filepath.Join(t.TempDir(), "store"))
			set(&cfg)
			n := open(t, cfg)
			run, err := client.Start(ctx, n.Client(), "i", twice, 21)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := run.Wait(ctx); err != nil || out != 42 {
				t.Errorf("it gave %d, %v", out, err)
			}
			begun := time.Now()
			if err := n.Shutdown(context.Background()); err != nil || time.Since(begun) > 30*time.Second {
				t.Errorf("shutdown: %v, after %v", err, time.Since(begun))
			}
		})
	}
}
