package sim

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// compareKV compares the stored values of an instance with what its history makes of them.
func (w *World) compareKV(d *persistence.Dump, iid persistence.Incarnation, kv map[string]replay.KVEntry) {
	stored := map[string]persistence.KVItem{}
	cleared := slices.ContainsFunc(d.Heads, func(h persistence.Head) bool { return h.IID == iid && h.KVCleared })
	for _, item := range d.KV { // the base comes first
		switch {
		case item.IID != iid || cleared && !item.Current:
		case item.Cleared:
			delete(stored, item.Key)
		default:
			stored[item.Key] = item
			w.reach("value stored")
		}
	}
	if len(stored) != len(kv) {
		w.fail("S4", "incarnation %d has the values %v, its history gives %v", iid, stored, kv)
	}
	for key, want := range kv {
		if got := stored[key]; string(got.Value) != string(want.Value) || got.UpdatedMs != want.UpdatedMs {
			w.fail("S4", "incarnation %d has %q of %d for the key %q, its history gives %q of %d",
				iid, got.Value, got.UpdatedMs, key, want.Value, want.UpdatedMs)
		}
	}
}

// compareStatus compares the stored custom status of an instance with the last one in its history.
func (w *World) compareStatus(d *persistence.Dump, iid persistence.Incarnation, executions []execution) {
	var want, got *string
	for i := range executions {
		for _, t := range executions[i].turns() {
			for _, event := range t.Events {
				if k := event.GetCustomStatusUpdated(); k != nil {
					want = k.Status
				}
			}
		}
	}
	for _, s := range d.Statuses {
		if s.IID == iid {
			got = s.Value
			w.reach("status stored")
		}
	}
	if (want == nil) != (got == nil) || want != nil && *want != *got {
		w.fail("S4", "incarnation %d has the status %v, its history gives %v", iid, shown(got), shown(want))
	}
}

// shown is a status for people.
func shown(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}
