package e2e

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/node"
)

// configBounds are values of the fields of a node.Config on both sides of their bounds.
var configBounds = []struct {
	field            string
	refused, allowed []any
}{
	{"Partitions", []any{-1, 257}, []any{0, 1, 256}},
	{"TurnSlots", nil, []any{-1, 0, 1, math.MaxInt}},
	{"ActivitySlots", nil, []any{-1, 0, 1, math.MaxInt}},
	{"Engines", []any{engines("0.0.1"), engines("0.1")}, []any{[]node.EngineRange(nil), engines(node.EngineVersion)}},
	{"Build", []any{long(257), "a\n"}, []any{"", "x", long(256)}},
	{"FailOnNondeterminism", nil, []any{false, true}},
	{"MaxAttempts", nil, []any{uint32(0), uint32(1), uint32(math.MaxUint32)}},
	{"BackoffBase", times(-1, 1, ms-1, time.Minute+1), times(0, ms, ms+1, time.Minute)},
	{"BackoffMax", times(-1, 1, ms-1), times(0, ms, ms+1, longest)},
	{"TurnLease", times(-1, time.Second-1, time.Second), times(0, time.Second+1, longest)},
	{"WorkLease", times(-1, time.Second-1, time.Second), times(0, time.Second+1, longest)},
	{"TurnLeaseBuffer", times(-1, ms-1, 5*time.Second), times(0, ms, 5*time.Second-1)},
	{"WorkLeaseBuffer", times(-1, ms-1, 30*time.Second), times(0, ms, 30*time.Second-1)},
	{"Grace", times(-1, ms-1), times(0, ms, longest)},
	{"WatchdogWarn", times(-1, ms-1, 5*time.Second+1), times(0, ms, 5*time.Second)},
	{"WatchdogAbandon", times(-1, ms-1), times(0, ms, longest)},
	{"Drain", nil, times(-1, 0, 1, longest)},
	{"ResidentBytes", nil, []any{int64(-1), int64(0), int64(1), int64(math.MaxInt64)}},
	{"MemoryBytes", nil, []any{int64(-1), int64(0), int64(1), int64(math.MaxInt64)}},
	{"MemTableBytes", []any{int64(-1), int64(1), int64(1<<20 - 1), int64(1<<30 + 1)}, []any{int64(0), int64(1 << 20), int64(1 << 30)}},
	{"LogAheadBytes", nil, []any{int64(-1), int64(0), int64(1)}},
	{"CacheBytes", []any{int64(-1), int64(1<<20 - 1)}, []any{int64(0), int64(1 << 20), int64(math.MaxInt64)}},
	{"InstancesMax", []any{-1}, []any{0, 1, math.MaxInt}},
	{"Limits", []any{limits.Limits{Inbox: -1}}, []any{limits.Limits{}, limits.Limits{Inbox: 1}}},
}

func engines(to string) []node.EngineRange { return []node.EngineRange{{To: to}} }

func times(all ...time.Duration) (values []any) {
	for _, d := range all {
		values = append(values, d)
	}
	return values
}

// with is a configuration with a value in a field.
func with(dir, field string, value any) node.Config {
	cfg := node.Config{Dir: dir}
	reflect.ValueOf(&cfg).Elem().FieldByName(field).Set(reflect.ValueOf(value))
	return cfg
}

// TestBoundsOfAConfig: what a field takes, and that a node does not touch the directory for what it does not take.
func TestBoundsOfAConfig(t *testing.T) {
	for _, c := range configBounds {
		for _, value := range c.allowed {
			if err := with("d", c.field, value).Validate(); err != nil {
				t.Errorf("%s of %v: %v", c.field, value, err)
			}
		}
		for _, value := range c.refused {
			dir := t.TempDir() + "/store"
			n, err := node.Open(t.Context(), with(dir, c.field, value))
			if n != nil || !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), "Config."+c.field) {
				t.Errorf("%s of %v: %v", c.field, value, err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s of %v has left a directory: %v", c.field, value, err)
			}
		}
	}
}

// TestEveryFieldOfAConfigIsTested: each field has bounds here and is in the guide's table, except those that take a place, a
// thing or a text; those have cases of their own.
func TestEveryFieldOfAConfigIsTested(t *testing.T) {
	tested, documented := []string{"Dir", "Registry", "Codec", "NodeID", "Logger"}, []string{"Dir", "Registry", "Codec", "NodeID", "Logger"}
	for _, c := range configBounds {
		tested = append(tested, c.field)
	}
	for _, row := range table(t, "../../docs/guide.md", "field of `node.Config") {
		for _, name := range strings.Split(row[0], "`, `") {
			name, _, _ = strings.Cut(name, "`")
			documented = append(documented, name)
		}
	}
	var fields []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[node.Config]()) {
		fields = append(fields, f.Name)
	}
	slices.Sort(fields)
	slices.Sort(tested)
	slices.Sort(documented)
	if !slices.Equal(tested, fields) || !slices.Equal(documented, fields) {
		t.Errorf("the fields are\n%v, tested are\n%v, and the guide has\n%v", fields, tested, documented)
	}
}

// renamed is a codec with another name.
type renamed struct {
	turnstone.Codec
	name string
}

func (r renamed) Name() string { return r.name }

// configText is a text of a configuration.
func configText(says string, set func(*node.Config, string)) func(*world, int) {
	return func(w *world, limit int) {
		w.verified = true
		w.open()
		for n := limit - 1; n <= limit+1; n++ {
			cfg := node.Config{Dir: "d"}
			set(&cfg, long(n))
			refusedAbove(w.t, cfg.Validate(), n, limit, says)
		}
	}
}

// refusedAbove checks that only what is above a fixed limit is refused.
func refusedAbove(t *testing.T, err error, n, limit int, says string) {
	t.Helper()
	switch {
	case n <= limit && err != nil:
		t.Errorf("%d of %d: %v", n, limit, err)
	case n > limit && (!errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), fmt.Sprintf("%s is %d, the limit is %d", says, n, limit))):
		t.Errorf("%d of %d: %v, want %s", n, limit, err, says)
	}
}

func runtimeID(w *world, limit int) {
	w.verified = true
	w.open()
	for n := limit - 1; n <= limit+1; n++ {
		detach, err := w.node.Attach(node.Runtime{ID: long(n), Registry: turnstone.NewRegistry()})
		refusedAbove(w.t, err, n, limit, "Runtime.ID: limit exceeded: runtime ID bytes")
		if err == nil {
			detach()
		}
	}
}
