package replay_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// decoded is an event as it comes out of a store, with a kind under a field number.
func decoded(t *testing.T, id uint64, field protowire.Number, kind proto.Message) *event {
	t.Helper()
	body, err := proto.Marshal(kind)
	if err != nil {
		t.Fatal(err)
	}
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), id)
	b = protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), body)
	e := &event{}
	if err := proto.Unmarshal(b, e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestKindsOfEvents(t *testing.T) {
	t.Run("VER_018 events of a newer kind are refused by an older decoder", func(t *testing.T) {
		d := after(t, one("A", "x"), events(evS(1), decoded(t, 2, 9_000, &turnpb.TimerCreated{FireAtMs: 5})))
		wantNondeterminism(t, d, "event 2 is of a kind that this engine does not know")
	})
	t.Run("SC_003 events of a newer kind are decoded where they are known", func(t *testing.T) {
		hist := events(evS(1), decoded(t, 2, 90, &turnpb.PatchMarked{Id: "p"}),
			decoded(t, 3, 91, &turnpb.SideEffectRecorded{Value: []byte("v")}), evAS(4, "New", ""))
		wantKinds(t, after(t, patched(1), append(hist[:2:2], evAS(3, "New", ""))), "")
		if k := hist[2].GetSideEffectRecorded(); string(k.GetValue()) != "v" {
			t.Errorf("decoded %v", hist[2])
		}
	})
}
