package pebble

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

func expiryRef(id, request string, ms int64) persistence.ExpiryRef {
	return persistence.ExpiryRef{ExpiresAtMs: ms, RequestRef: persistence.RequestRef{ID: id, Key: request}}
}

func watcherItem(a, b, c, d uint64) *persistence.WatcherItem {
	return &persistence.WatcherItem{
		Target: persistence.Incarnation(a), Partition: persistence.Partition(b),
		Link: persistence.Link{IID: persistence.Incarnation(c), Execution: d, Event: a},
	}
}

// allKeys are one key of each family from the same ingredients, with what must come back out of it.
func allKeys(p persistence.Partition, id, request string, a, b, c, d uint64, ms int64) [][]byte {
	iid := persistence.Incarnation(a)
	w := persistence.WorkKey{IID: iid, Execution: b, Event: c}
	return [][]byte{
		appendPrefix(nil, p, famPartition),
		appendName(nil, p, id),
		appendInstance(nil, p, famHead, iid),
		appendExecution(nil, p, famStart, iid, b),
		appendSegment(nil, p, iid, b, c, d),
		appendInbox(nil, p, iid, b),
		appendInstance(nil, p, famLease, iid),
		appendEvent(nil, p, famWork, w),
		appendTimer(nil, p, persistence.TimerKey{FireAtMs: ms, IID: iid, Execution: b, Event: c}),
		appendEvent(nil, p, famTimerOf, w),
		appendEvent(nil, p, famChild, w),
		appendRequest(nil, p, id, request),
		appendOutbox(nil, p, persistence.Partition(b), c),
		appendIndex(nil, p, persistence.StatusRunning, ms, iid),
		appendTopic(nil, p, iid, persistence.Topic(b)),
		appendOrdinal(nil, p, iid, persistence.Topic(b), c),
		appendExpiry(nil, p, expiryRef(id, request, ms)),
		appendHeld(nil, p, persistence.HeldRef{SinceMs: ms, IID: iid}),
		appendFamily(nil, p, persistence.FamilyRef{Partition: persistence.Partition(d), Parent: persistence.Incarnation(b), Child: iid}),
		appendWatcher(nil, p, watcherItem(a, b, c, d)),
		appendInstance(nil, p, famDraining, iid),
		appendInstance(nil, p, famStatus, iid),
		appendKV(nil, p, iid, ms > 0, id),
	}
}

// FuzzKeysArePrefixFree checks that no key is a prefix of another one, of the same or of other ingredients, and that
// each names its partition and family.
func FuzzKeysArePrefixFree(f *testing.F) {
	f.Add(uint16(0), "a", "k", uint64(1), uint64(1), uint64(2), uint64(3), int64(5), uint16(0), "ab", "k", uint64(1), uint64(1), uint64(2), uint64(3), int64(-5))
	f.Add(uint16(1), "", "", uint64(0), uint64(0), uint64(0), uint64(0), int64(0), uint16(1), "\x00", "", uint64(256), uint64(0), uint64(0), uint64(0), int64(0))
	f.Fuzz(func(t *testing.T, p1 uint16, id1, k1 string, a1, b1, c1, d1 uint64, ms1 int64,
		p2 uint16, id2, k2 string, a2, b2, c2, d2 uint64, ms2 int64) {
		if len(id1)+len(k1)+len(id2)+len(k2) > 4096 {
			return
		}
		one := allKeys(persistence.Partition(p1), id1, k1, a1, b1, c1, d1, ms1)
		for i, x := range one {
			p, fam, _ := splitKey(x)
			if uint16(p) != p1 || familyNames[fam] == "" {
				t.Fatalf("%x: partition %d family %v", x, p, fam)
			}
			for j, y := range append(one[:len(one):len(one)], allKeys(persistence.Partition(p2), id2, k2, a2, b2, c2, d2, ms2)...) {
				if i != j && !bytes.Equal(x, y) && bytes.HasPrefix(y, x) {
					t.Fatalf("%s is a prefix of %s", keyString(x), keyString(y))
				}
			}
		}
	})
}

// FuzzKeysReadBack checks that each key can be taken apart again, and that any other bytes are an error, never a panic.
func FuzzKeysReadBack(f *testing.F) {
	f.Add(uint16(3), "id", "key", uint64(1), uint64(2), uint64(3), uint64(4), int64(-1), []byte("xyz"))
	f.Fuzz(func(t *testing.T, p uint16, id, request string, a, b, c, d uint64, ms int64, other []byte) {
		if len(id)+len(request) > 4096 {
			return
		}
		_ = keyString(other)
		for _, k := range allKeys(persistence.Partition(p), id, request, a, b, c, d, ms) {
			if len(k) > 3 && p != 0xffff && keyString(k[:len(k)-1]) != fmt.Sprintf("%x", k[:len(k)-1]) {
				t.Fatalf("a cut key is shown as %s", keyString(k[:len(k)-1]))
			}
			_, fam, r := splitKey(k)
			switch fam {
			case famTimer:
				want := persistence.TimerKey{FireAtMs: ms, IID: persistence.Incarnation(a), Execution: b, Event: c}
				if got := r.timerKey(); got != want || r.done() != nil {
					t.Fatalf("%+v, want %+v", got, want)
				}
			case famRequest:
				if x, y := r.string(), r.string(); x != id || y != request || r.done() != nil {
					t.Fatalf("%q %q", x, y)
				}
			case famIndex:
				if s, m, i := r.status(), r.time(), r.u64(); s != persistence.StatusRunning || m != ms || i != a || r.done() != nil {
					t.Fatalf("%v %d %d", s, m, i)
				}
			case famOrdinal:
				if r.u64() != a || r.topic() != persistence.Topic(b) || r.u64() != c || r.done() != nil {
					t.Fatal("ordinal key")
				}
			case famExpiry:
				if got := r.expiry(); got != expiryRef(id, request, ms) || r.done() != nil {
					t.Fatalf("%+v", got)
				}
			case famKV:
				want := persistence.KVItem{IID: persistence.Incarnation(a), Current: ms > 0, KVEntry: persistence.KVEntry{Key: id}}
				if got := r.kv(); !reflect.DeepEqual(got, want) || r.done() != nil {
					t.Fatalf("%+v", got)
				}
			case famHeld:
				if got := r.held(); got.SinceMs != ms || uint64(got.IID) != a || r.done() != nil {
					t.Fatalf("%+v", got)
				}
			case famFamily:
				if got := r.family(); got.Partition != persistence.Partition(d) || uint64(got.Parent) != b || uint64(got.Child) != a || r.done() != nil {
					t.Fatalf("%+v", got)
				}
			case famWatcher:
				if got := r.watcher(); got != *watcherItem(a, b, c, d) || r.done() != nil {
					t.Fatalf("%+v", got)
				}
			case famSegment:
				if r.u64() != a || r.u64() != b || r.u64() != c || r.u64() != d || r.done() != nil {
					t.Fatal("segment key")
				}
			}
		}
	})
}

func TestTimesKeepTheirOrderInKeys(t *testing.T) {
	var last []byte
	for _, ms := range []int64{-1 << 63, -1000, -1, 0, 1, 1_700_000_000_000, 1<<63 - 1} {
		k := appendTime(nil, ms)
		if bytes.Compare(last, k) >= 0 {
			t.Fatalf("the key of %d is not above the one before", ms)
		}
		last = k
	}
}

func TestAfterIsTheEndOfAPrefix(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff": "b", "a\xff\xff": "b", "\x00": "\x01"} {
		if got := string(after([]byte(prefix))); got != want {
			t.Errorf("after %q: %q, want %q", prefix, got, want)
		}
	}
	if after([]byte("\xff\xff")) != nil {
		t.Error("nothing is after the last prefix")
	}
}

// TestKeysOfAStoreKeepTheirOrder compares the order of K keys with that of the keys that they are of.
func TestKeysOfAStoreKeepTheirOrder(t *testing.T) {
	keys := []string{"", "\x00", "\x00\x00", "\x00a", "\x01", "a", "a\x00", "a\x00\xff", "a\x01", "aa", "b", "\xff"}
	for i := 1; i < len(keys); i++ {
		if a, b := appendKV(nil, 1, 2, false, keys[i-1]), appendKV(nil, 1, 2, false, keys[i]); bytes.Compare(a, b) >= 0 {
			t.Errorf("%q is not before %q: %x, %x", keys[i-1], keys[i], a, b)
		}
	}
}
