package replay_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// fuzzed is an orchestration that uses every kind of operation, so that arbitrary histories meet all matching rules.
func fuzzed(c *replay.Context, _ []byte) ([]byte, error) {
	a := activity(c, "A", "x")
	x := c.WaitEvent("E", buffered)
	g := c.Go(func(c *replay.Context) (any, error) {
		c.KVSet("k", []byte("v"))
		return c.Dequeue("q").Await()
	})
	switch c.Race(a, c.Timer(time.Second), x, g) {
	case 0:
		policyChild(c, "C", policyWait)
		c.NewGUID()
	case 1:
		c.Detached("D", "d", nil, replay.DetachedOptions{})
		child(c, "C", "").Await()
	case 2:
		c.SetStatus(nil)
		c.ContinueAsNew(nil, "")
	}
	c.Timer(time.Second).Await()
	return []byte("done"), nil
}

// FuzzAdvance gives arbitrary histories and messages: whatever they are, there is a decision, and at most one terminal
// event, at its end.
func FuzzAdvance(f *testing.F) {
	seed := func(history []*event, messages ...*turnpb.Message) {
		h, err := proto.Marshal(&turnpb.EventList{Events: history})
		if err != nil {
			f.Fatal(err)
		}
		var m []byte
		for _, msg := range messages {
			raw, err := proto.Marshal(msg)
			if err != nil {
				f.Fatal(err)
			}
			m = append(append(m, byte(len(raw))), raw...)
		}
		f.Add(h, m, uint8(1))
	}
	seed(nil, msgStart())
	seed(events(evS(1), evAS(2, "A", "x"), evXS(3, "E"), evTC(4), evKVSet(5, "k", "v"), evTF(6, 4)), msgAC(2, "r"), msgXE("E", "x"))
	seed(events(evS(1), evSS(2, "C", "sub::2", ""), evSCancel(3, 2, replay.ReasonDropped), evCompleted(4, "x")), msgSC(2, "r"))
	seed(events(evS(1), evAC(1<<63, 1<<62, "r"), evAS(1<<62, "A", "")), msgCancel("x"))
	f.Fuzz(func(t *testing.T, rawHistory, rawMessages []byte, cut uint8) {
		var list turnpb.EventList
		if proto.Unmarshal(rawHistory, &list) != nil {
			return
		}
		var messages []*turnpb.Message
		for len(rawMessages) > 0 && len(messages) < 32 {
			n := min(int(rawMessages[0]), len(rawMessages)-1)
			msg := &turnpb.Message{}
			if proto.Unmarshal(rawMessages[1:1+n], msg) == nil {
				messages = append(messages, msg)
			}
			rawMessages = rawMessages[1+n:]
		}
		m := replay.New(config(fuzzed))
		defer m.Close()
		at := min(int(cut), len(list.Events))
		header := &turnpb.SegmentHeader{TimeMs: 5, Converted: uint32(cut)}
		m.Load(replay.Segments{{Header: header, Events: list.Events[:at]}, {Events: list.Events[at:]}})
		for range 2 {
			d := m.Advance(input(messages...))
			if d.Spoiled != nil {
				t.Fatal(d.Spoiled)
			}
			for i, e := range d.Events {
				if replay.Terminal(e) != (i+1 == len(d.Events) && d.Outcome != replay.Running) {
					t.Fatalf("event %d of %d is %s, outcome %d", i+1, len(d.Events), replay.KindName(e), d.Outcome)
				}
			}
		}
		_ = replay.Verify(config(fuzzed), []replay.Segment{{Header: header, Events: list.Events}})
	})
}
