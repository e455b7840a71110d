package pebble

import (
	"bytes"
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// overlayRig is a batch that is never submitted, over a database that has rows. One goroutine drives the store.
type overlayRig struct {
	*testing.T
	t *txn
}

func newOverlayRig(t *testing.T, stored ...[]byte) *overlayRig {
	r := newRig(t, Options{})
	x := r.s.core.txn
	for i, keys := range [][][]byte{stored, nil} {
		x.begin(r.s.core.db.NewBatch())
		for _, key := range keys {
			x.put(key, []byte("stored"))
		}
		if i == 0 {
			if err := r.s.core.db.Apply(x.batch, nil); err != nil {
				t.Fatal(err)
			}
			if err := x.batch.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() {
		if x.err != nil {
			t.Error(x.err)
		}
		_ = x.batch.Close()
	})
	return &overlayRig{T: t, t: x}
}

// want checks what Apply reads; an empty string is a row that is not there.
func (r *overlayRig) want(key []byte, want string) {
	r.Helper()
	value, ok := r.t.get(key)
	if string(value) != want || ok != (want != "") || r.t.has(key) != ok {
		r.Fatalf("%s reads as %q (%v), want %q", keyString(key), value, ok, want)
	}
}

// wantUnder checks which rows Apply finds with a prefix, and that the first at or after each is itself.
func (r *overlayRig) wantUnder(prefix []byte, want ...[]byte) {
	r.Helper()
	if got := r.t.keysUnder(prefix); !slices.EqualFunc(got, want, bytes.Equal) {
		r.Fatalf("under %x are %q, want %q", prefix, got, want)
	}
	start := prefix
	for _, key := range want {
		got, ok := r.t.firstFrom(prefix, start)
		if !ok || !bytes.Equal(got, key) {
			r.Fatalf("the first from %q is %q, want %q", start, got, key)
		}
		start = append(slices.Clone(got), 0)
	}
	if got, ok := r.t.firstFrom(prefix, start); ok {
		r.Fatalf("after the last row %q comes %q", start, got)
	}
}

// TestOverlayOfStringKeys puts, deletes and reads rows whose keys hold strings within one batch that is not submitted.
func TestOverlayOfStringKeys(t *testing.T) {
	request := func(id, key string) []byte { return appendRequest(nil, 0, id, key) }
	under := func(id string) []byte { return appendString(appendPrefix(nil, 0, famRequest), id) }
	a, b, c, other := request("i", "a"), request("i", "b"), request("i", "c"), request("ii", "a")
	r := newOverlayRig(t, b, other)
	r.wantUnder(under("i"), b)

	r.t.put(a, []byte("1"))
	r.t.put(c, []byte("2"))
	r.want(a, "1")
	r.want(b, "stored")
	r.wantUnder(under("i"), a, b, c)

	r.t.del(a)
	r.t.del(b)
	r.want(a, "")
	r.want(b, "")
	r.wantUnder(under("i"), c)

	r.t.put(b, []byte("3"))
	r.t.put(c, []byte("4"))
	r.want(b, "3")
	r.want(c, "4")
	r.wantUnder(under("i"), b, c)
	r.want(other, "stored")
	r.wantUnder(under("ii"), other)

	for _, key := range [][]byte{
		appendName(nil, 0, "i"),
		appendExpiry(nil, 0, persistence.ExpiryRef{
			ExpiresAtMs: 7, RequestRef: persistence.RequestRef{ID: "i", Key: "a"},
		}),
	} {
		r.want(key, "")
		r.t.put(key, []byte("5"))
		r.want(key, "5")
		r.t.del(key)
		r.want(key, "")
	}
}

// TestOverlayOfFixedKeys does the same with rows whose keys are numbers.
func TestOverlayOfFixedKeys(t *testing.T) {
	inbox := func(iid persistence.Incarnation, seq uint64) []byte { return appendInbox(nil, 0, iid, seq) }
	r := newOverlayRig(t, inbox(1, 2), inbox(2, 1))
	under := appendInstance(nil, 0, famInbox, 1)
	r.t.put(inbox(1, 1), []byte("1"))
	r.t.put(inbox(1, 0x100), []byte("2"))
	r.wantUnder(under, inbox(1, 1), inbox(1, 2), inbox(1, 0x100))
	r.t.del(inbox(1, 1))
	r.t.del(inbox(1, 2))
	r.want(inbox(1, 2), "")
	r.wantUnder(under, inbox(1, 0x100))
	r.t.put(inbox(1, 2), []byte("3"))
	r.want(inbox(1, 2), "3")
	r.wantUnder(under, inbox(1, 2), inbox(1, 0x100))
}
