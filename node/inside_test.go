package node

import (
	"reflect"
	"testing"

	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// TestMetricsHaveEveryCounter gives every counter of the engine a number of its own.
func TestMetricsHaveEveryCounter(t *testing.T) {
	var counters actors.Counters
	all := reflect.ValueOf(&counters).Elem()
	for i := range all.NumField() {
		all.Field(i).SetUint(uint64(i + 1))
	}
	m := reflect.ValueOf(metricsOf(counters, pebble.Metrics{Commands: 1, Batches: 2, Syncs: 3, Views: 4, Loads: 5}))
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		if f := m.FieldByName(name); !f.IsValid() || f.Uint() != uint64(i+1) {
			t.Errorf("the metrics have not the counter %s: %v", name, f)
		}
	}
	if got, want := m.NumField(), all.NumField()+4; got != want {
		t.Errorf("%d metrics, want %d", got, want)
	}
	if last := m.Interface().(Metrics); last.Commands != 1 || last.Batches != 2 || last.Syncs != 3 || last.Reads != 9 {
		t.Errorf("of the store there is %+v", last)
	}
}

// TestResolvedLeavesNoDefaultToOthers looks for fields that the engine or the store would have to fill in.
func TestResolvedLeavesNoDefaultToOthers(t *testing.T) {
	left := map[string]bool{ // what depends on the store or the runtime, or has no default
		"Partitions": true, "NodeID": true, "Registry": true, "Codec": true, "TurnSlots": true, "ActivitySlots": true, "FailOnNondeterminism": true, "Engines": true,
	}
	resolved := reflect.ValueOf(Config{Dir: "d"}.resolved())
	for i := range resolved.NumField() {
		if name := resolved.Type().Field(i).Name; resolved.Field(i).IsZero() != left[name] {
			t.Errorf("Config.%s is %v", name, resolved.Field(i))
		}
	}
	for i := range resolved.FieldByName("Limits").NumField() {
		if f := resolved.FieldByName("Limits").Field(i); f.IsZero() {
			t.Errorf("limit %d is 0", i)
		}
	}
	small := Config{Dir: "d", MemoryBytes: 96 << 20, WatchdogAbandon: 5, Drain: -1, ResidentBytes: -1}.resolved()
	if small.MemTableBytes != 6<<20 || small.CacheBytes != 12<<20 || small.WatchdogWarn != 5 || small.Drain != -1 || small.ResidentBytes != -1 {
		t.Errorf("what is given decides: %+v", small)
	}
}
