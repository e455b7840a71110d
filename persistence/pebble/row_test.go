package pebble

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// fillRandom fills every field of a row struct, so that a field which a codec forgets is found.
func fillRandom(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillRandom(r, v.Field(i))
			}
		}
	case reflect.String:
		b := make([]byte, 1+r.IntN(20))
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		v.SetString(string(b))
	case reflect.Slice:
		n := 1 + r.IntN(5)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillRandom(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fillRandom(r, v.Index(i))
		}
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillRandom(r, v.Elem())
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(r.UintN(256)))
	case reflect.Uint16:
		v.SetUint(uint64(r.UintN(1 << 16)))
	case reflect.Uint32:
		v.SetUint(uint64(r.Uint32()))
	case reflect.Uint64:
		v.SetUint(r.Uint64() >> r.UintN(64))
	case reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.UintN(64))
	case reflect.Map, reflect.Chan, reflect.Func:
		panic("no such field in rows")
	}
}

// codec is one row's encoder and decoder.
type codec struct {
	name   string
	random func(r *rand.Rand) any
	encode func(e *rowcode.Enc, row any)
	decode func(row any, b []byte) (any, error)
}

func random[R any](fix func(r *rand.Rand, row *R)) func(r *rand.Rand) any {
	return func(r *rand.Rand) any {
		var row R
		fillRandom(r, reflect.ValueOf(&row).Elem())
		if fix != nil {
			fix(r, &row)
		}
		return row
	}
}

func outboxCodec(name string, fix func(r *rand.Rand, m *persistence.OutboxMessage)) codec {
	return codec{name, random(fix),
		func(e *rowcode.Enc, row any) { m := row.(persistence.OutboxMessage); *e = append(*e, m.Encode()...) },
		func(_ any, b []byte) (any, error) { return persistence.DecodeOutboxMessage(b) }}
}

func codecs() []codec {
	return []codec{
		{"head", random(func(r *rand.Rand, h *persistence.Head) {
			h.Status, h.Leased = persistence.Status(1+r.IntN(4)), true
			h.StatusVersion, h.Watchers, h.Cleanup.Event = h.StatusVersion|1, h.Watchers|1, h.Cleanup.Event|1
		}),
			func(e *rowcode.Enc, row any) {
				encodeHead(e, &headRow{Head: row.(persistence.Head), held: true})
			},
			func(row any, b []byte) (any, error) {
				h, err := decodeHead(row.(persistence.Head).IID, b)
				if err != nil {
					return nil, err
				}
				if !h.held {
					return nil, errNoLease
				}
				return h.Head, nil
			}},
		{"start", random[persistence.PendingStart](nil),
			func(e *rowcode.Enc, row any) { s := row.(persistence.PendingStart); encodeStart(e, &s) },
			func(row any, b []byte) (any, error) {
				s := row.(persistence.PendingStart)
				return decodeStart(s.IID, s.Execution, b)
			}},
		{"part", random[persistence.StoredPart](nil),
			func(e *rowcode.Enc, row any) { p := row.(persistence.StoredPart); encodePart(e, &p) },
			func(row any, b []byte) (any, error) {
				p := row.(persistence.StoredPart)
				return decodePart(p.Execution, p.FirstEvent, p.Turn, b)
			}},
		{"inbox", random[persistence.InboxItem](nil),
			func(e *rowcode.Enc, row any) { i := row.(persistence.InboxItem); encodeInbox(e, &i) },
			func(row any, b []byte) (any, error) { return decodeInbox(row.(persistence.InboxItem).Seq, b) }},
		{"lease", random[persistence.TurnLease](nil),
			func(e *rowcode.Enc, row any) { l := row.(persistence.TurnLease); encodeLease(e, &l) },
			func(row any, b []byte) (any, error) { return decodeLease(row.(persistence.TurnLease).IID, b) }},
		{"work", random(func(_ *rand.Rand, w *persistence.WorkItem) { w.Input, w.Orchestration, w.Version = nil, "", "" }),
			func(e *rowcode.Enc, row any) { w := row.(persistence.WorkItem); encodeWork(e, &w) },
			func(row any, b []byte) (any, error) { return decodeWork(row.(persistence.WorkItem).Key, b) }},
		{"child", random[persistence.ChildItem](nil),
			func(e *rowcode.Enc, row any) { c := row.(persistence.ChildItem); encodeChild(e, &c) },
			func(row any, b []byte) (any, error) {
				c := row.(persistence.ChildItem)
				return decodeChild(persistence.WorkKey{Execution: c.Execution, Event: c.Event}, b)
			}},
		{"request", random[persistence.RequestItem](nil),
			func(e *rowcode.Enc, row any) { q := row.(persistence.RequestItem); encodeRequest(e, &q) },
			func(row any, b []byte) (any, error) {
				q := row.(persistence.RequestItem)
				return decodeRequest(q.ID, q.Key, b)
			}},
		{"topic", random[persistence.TopicRow](nil),
			func(e *rowcode.Enc, row any) { t := row.(persistence.TopicRow); encodeTopic(e, &t) },
			func(row any, b []byte) (any, error) { return decodeTopic(row.(persistence.TopicRow).Topic, b) }},
		{"ordinal", random[uint64](nil), func(e *rowcode.Enc, row any) { encodeOrdinal(e, row.(uint64)) },
			func(_ any, b []byte) (any, error) { return decodeOrdinal(b) }},
		{"name", random[persistence.Incarnation](nil), func(e *rowcode.Enc, row any) { encodeIID(e, row.(persistence.Incarnation)) },
			func(_ any, b []byte) (any, error) { return decodeIID(b) }},
		{"timer", random[string](nil), func(e *rowcode.Enc, row any) { encodeOwner(e, row.(string)) },
			func(_ any, b []byte) (any, error) { return decodeOwner(b) }},
		{"timer of instance", random[int64](nil), func(e *rowcode.Enc, row any) { encodeTime(e, row.(int64)) },
			func(_ any, b []byte) (any, error) { return decodeTime(b) }},
		{"mark", random[struct{}](nil), func(e *rowcode.Enc, _ any) { encodeMark(e) },
			func(row any, b []byte) (any, error) { return row, decodeMark(b) }},
		{"watcher", random[persistence.WatcherItem](nil),
			func(e *rowcode.Enc, row any) { w := row.(persistence.WatcherItem); encodeWatcher(e, &w) },
			func(row any, b []byte) (any, error) {
				w := row.(persistence.WatcherItem)
				w.Link.ID = ""
				return decodeWatcher(w, b)
			}},
		{"custom status", random[persistence.CustomStatus](nil),
			func(e *rowcode.Enc, row any) { s := row.(persistence.CustomStatus); encodeStatus(e, &s) },
			func(row any, b []byte) (any, error) { return decodeStatus(row.(persistence.CustomStatus).IID, b) }},
		{"key-value", random[persistence.KVItem](nil),
			func(e *rowcode.Enc, row any) { k := row.(persistence.KVItem); encodeKV(e, &k) },
			func(row any, b []byte) (any, error) {
				k := row.(persistence.KVItem)
				return decodeKV(persistence.KVItem{IID: k.IID, Current: k.Current, KVEntry: persistence.KVEntry{Key: k.Key}}, b)
			}},
		outboxCodec("outbox message", func(r *rand.Rand, m *persistence.OutboxMessage) {
			m.Kind, m.Topic, m.InboxMax, m.InboxBytesMax, m.Outcome = persistence.SendKind(1+r.IntN(5)), 0, 0, 0, 0
		}),
		outboxCodec("outbox send", func(_ *rand.Rand, m *persistence.OutboxMessage) {
			m.Kind, m.Outcome, m.NotBeforeMs, m.ExecutionTimeoutMs = persistence.SendMessage, 0, 0, 0
		}),
		outboxCodec("outbox send ended", func(_ *rand.Rand, m *persistence.OutboxMessage) {
			m.Kind, m.Topic, m.InboxMax, m.InboxBytesMax, m.NotBeforeMs, m.ExecutionTimeoutMs = persistence.SendEnded, 0, 0, 0, 0, 0
		}),
		outboxCodec("outbox await ended", func(_ *rand.Rand, m *persistence.OutboxMessage) {
			m.Kind, m.Topic, m.InboxMax, m.InboxBytesMax, m.NotBeforeMs, m.ExecutionTimeoutMs = persistence.SendAwaited, 0, 0, 0, 0, 0
		}),
		{"outbox", random[persistence.OutboxItem](nil),
			func(e *rowcode.Enc, row any) { encodeOutbox(e, row.(persistence.OutboxItem).Message) },
			func(row any, b []byte) (any, error) {
				o := row.(persistence.OutboxItem)
				return decodeOutbox(o.To, o.Seq, b)
			}},
		{"partition", random[persistence.PartitionState](nil),
			func(e *rowcode.Enc, row any) {
				encodePartition(e, &partitionRow{PartitionState: row.(persistence.PartitionState), peers: []peer{{1, 1, 2, 3}}})
			},
			func(row any, b []byte) (any, error) {
				p, err := decodePartition(2, b)
				if err != nil {
					return nil, err
				}
				return p.PartitionState, nil
			}},
	}
}

// TestRowsRoundTrip checks that each row comes back as it was, that the same row gives the same bytes, and that bytes
// which are cut, lengthened or of another version are an error.
func TestRowsRoundTrip(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 300 {
				want := c.random(r)
				var e, again rowcode.Enc
				c.encode(&e, want)
				c.encode(&again, want)
				if string(e) != string(again) {
					t.Fatal("the same row gives different bytes")
				}
				got, err := c.decode(want, e)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("err %v\ngot  %+v\nwant %+v", err, got, want)
				}
				if _, err := c.decode(want, append(e[:len(e):len(e)], 0)); err == nil {
					t.Fatal("a byte too many is not noticed")
				}
				if _, err := c.decode(want, e[:len(e)-1]); err == nil {
					t.Fatal("a cut row is not noticed")
				}
				other := append(rowcode.Enc(nil), e...)
				other[0]++
				if _, err := c.decode(want, other); err == nil {
					t.Fatal("another format version is not noticed")
				}
			}
		})
	}
}

// TestF13_APartitionRowHoldsThePartitionsThatItTalksWith, in their order and no others; another order is damage.
func TestF13_APartitionRowHoldsThePartitionsThatItTalksWith(t *testing.T) {
	row := newPartitionRow()
	for _, of := range []persistence.Partition{200, 3, 200, 7} {
		row.peer(of).next++
	}
	var e rowcode.Enc
	encodePartition(&e, row)
	got, err := decodePartition(256, e)
	if want := []peer{{of: 3, next: 1}, {of: 7, next: 1}, {of: 200, next: 2}}; err != nil || !reflect.DeepEqual(got.peers, want) {
		t.Fatalf("%v %+v", err, got)
	}
	if p := got.known(8); p != (peer{of: 8}) || len(got.peers) != 3 {
		t.Fatalf("of a partition that nothing was exchanged with %+v is known; peers %+v", p, got.peers)
	}
	if _, err := decodePartition(200, e); err == nil || !strings.Contains(err.Error(), "partition 200 of 200") {
		t.Fatal(err)
	}
	slices.Reverse(row.peers)
	e = e[:0]
	encodePartition(&e, row)
	if _, err := decodePartition(256, e); err == nil || !strings.Contains(err.Error(), "partition 7 behind those of 200") {
		t.Fatal(err)
	}
}

// FuzzRowsNeverPanic decodes arbitrary bytes as every row.
func FuzzRowsNeverPanic(f *testing.F) {
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x7f})
	zero := rand.New(rand.NewPCG(0, 0))
	for _, c := range codecs() {
		var e rowcode.Enc
		c.encode(&e, c.random(zero))
		f.Add([]byte(e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := rand.New(rand.NewPCG(0, 0))
		for _, c := range codecs() {
			_, _ = c.decode(c.random(r), b)
		}
		_, _ = decodeStore(b)
		_, _ = decodeWitness(b)
	})
}

func TestWitnessRoundTrip(t *testing.T) {
	w := &witness{store: "id", durable: []uint64{1, 0, 1 << 40}, logs: []witnessLog{{"000004.log", 9}, {"000005.log", 1}}}
	b := w.encode()
	got, err := decodeWitness(b)
	if err != nil || !reflect.DeepEqual(got, w) {
		t.Fatalf("%v %+v", err, got)
	}
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 1
		if _, err := decodeWitness(bad); err == nil {
			t.Fatalf("a flipped bit in byte %d is not noticed", i)
		}
		if _, err := decodeWitness(b[:i]); err == nil {
			t.Fatalf("a cut at %d is not noticed", i)
		}
	}
}

func TestStoreRowRoundTrip(t *testing.T) {
	for _, codec := range []string{"", "json"} {
		s := &storeRow{format: Format, id: "abc", partitions: 5, slots: persistence.DefaultSlotTable(5), codec: codec}
		var e rowcode.Enc
		encodeStore(&e, s)
		got, err := decodeStore(e)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("%v %+v", err, got)
		}
		if format, err := storeFormat(e); err != nil || format != Format {
			t.Fatal(format, err)
		}
	}
}
