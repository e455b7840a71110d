package replay_test

import (
	"errors"
	"testing"
	"time"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func msgSent(event uint64, outcome turnpb.SendOutcome) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_SendEnded{SendEnded: &turnpb.SendEnded{Outcome: outcome}}}
}

const (
	delivered = turnpb.SendOutcome_SEND_OUTCOME_DELIVERED
	notFound  = turnpb.SendOutcome_SEND_OUTCOME_NOT_FOUND
	queueKind = turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE
	eventKind = turnpb.ArrivalKind_ARRIVAL_KIND_EVENT
)

func TestSends(t *testing.T) {
	t.Run("the code learns what became of each", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			a, b := c.Raise("x", "go", []byte("1")), c.Enqueue("y", "jobs", []byte("2"))
			_, bad := b.Await()
			var no *replay.SendError
			if !errors.As(bad, &no) || no.Instance != "y" || no.Outcome != notFound {
				return nil, bad
			}
			v, err := a.Await()
			if b, _ := v.([]byte); len(b) > 0 {
				return nil, errors.New("a send gives something")
			}
			return []byte(no.Error()), err
		})
		d := s.turn(msgStart())
		wantKinds(t, d, "S Send Send")
		if len(d.Sends) != 2 || d.Sends[0].Event != 2 || d.Sends[0].Kind != eventKind || d.Sends[0].Instance != "x" || d.Sends[0].Name != "go" ||
			string(d.Sends[0].Data) != "1" || d.Sends[1].Kind != queueKind || len(d.CallSites) != 2 {
			t.Fatalf("sends %+v, sites %v", d.Sends, d.CallSites)
		}
		if n := s.resident.Open().Sends; n != 2 {
			t.Errorf("%d sends are open", n)
		}
		d = s.turn(msgSent(2, delivered))
		wantRunning(t, d)
		wantRejected(t, s.turn(msgSent(2, delivered)), 1)
		wantCompleted(t, s.turn(msgSent(3, notFound)), `send to instance "y": SEND_OUTCOME_NOT_FOUND`)
	})
	t.Run("one that is given up is made, and its answer reaches no one", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			first := c.Raise("x", "a", nil)
			c.Raise("x", "b", nil).Cancel()
			if c.Race(first, c.Timer(time.Second)) != 1 {
				return nil, errors.New("the timer came later")
			}
			return nil, awaited(c.WaitEvent("end", positional))
		})
		if d := s.turn(msgStart()); len(d.Sends) != 2 {
			t.Fatalf("sends %+v", d.Sends)
		}
		d := s.turn(msgTF(4))
		wantKinds(t, d, "TF(4) XS")
		d = s.turn(msgSent(2, notFound), msgSent(3, delivered))
		wantKinds(t, d, "Sent(2) Sent(3)")
		wantCompleted(t, s.turn(msgXE("end", "")), "")
	})
	t.Run("the last turn of the code sends too", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) { c.Raise("x", "bye", nil); return []byte("out"), nil })
		d := s.turn(msgStart())
		wantCompleted(t, d, "out")
		if len(d.Sends) != 1 {
			t.Errorf("sends %+v", d.Sends)
		}
	})
	t.Run("a turn that is cancelled has sent what it recorded", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Raise("x", "a", nil)
			return nil, awaited(c.WaitEvent("end", positional))
		})
		if d := s.turn(msgStart(), msgCancel("stop")); len(d.Sends) != 1 {
			t.Errorf("sends %+v", d.Sends)
		}
	})
	t.Run("the receiver, the name and the kind are matched, and data is an input", func(t *testing.T) {
		for name, change := range map[string]struct {
			send func(c *replay.Context) *replay.Future
			says string
		}{
			"receiver": {func(c *replay.Context) *replay.Future { return c.Raise("z", "go", nil) }, "the instances differ"},
			"name":     {func(c *replay.Context) *replay.Future { return c.Raise("x", "went", nil) }, "the names differ"},
			"kind":     {func(c *replay.Context) *replay.Future { return c.Enqueue("x", "go", nil) }, "one is an event, one a queue message"},
			"class":    {func(c *replay.Context) *replay.Future { return c.Timer(0) }, "the kinds differ"},
			"data":     {func(c *replay.Context) *replay.Future { return c.Raise("x", "go", []byte("new")) }, ""},
		} {
			t.Run(name, func(t *testing.T) {
				old := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
					return nil, awaited(c.Raise("x", "go", []byte("old")))
				})
				old.turn(msgStart())
				m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) { return nil, awaited(change.send(c)) }))
				defer m.Close()
				m.Load(replay.Segments(old.history))
				d := m.Advance(replay.Input{Messages: []*turnpb.Message{msgSent(2, delivered)}})
				if change.says != "" {
					wantNondeterminism(t, d, change.says)
				} else if changed := m.ChangedInputs(); d.Outcome != replay.Completed || len(changed) != 1 {
					t.Errorf("outcome %v, changed %v", d.Outcome, changed)
				}
			})
		}
	})
}
