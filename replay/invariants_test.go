//go:build invariants

package replay

import (
	"testing"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// TestAWrongMachineIsFound breaks what a machine promises between its turns, one at a time.
func TestAWrongMachineIsFound(t *testing.T) {
	code := func(c *Context, _ []byte) ([]byte, error) {
		_, err := c.Go(func(c *Context) (any, error) {
			c.Activity("a", nil, ActivityOptions{})
			c.Dequeue("q")
			return c.WaitEvent("e", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
		}).Await()
		return nil, err
	}
	messages := []*turnpb.Message{
		{Kind: &turnpb.Message_Start{Start: &turnpb.StartOrchestration{Name: "o"}}},
		{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "kept", Data: []byte("1")}}},
		{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "kept", Data: []byte("2")}}},
	}
	for what, spoil := range map[string]func(m *Machine, d *Decision){
		"nothing":                       nil,
		"code that has control":         func(m *Machine, _ *Decision) { m.current = m.newest },
		"a turn that is not over":       func(m *Machine, d *Decision) { m.d = d },
		"a coroutine that may run":      func(m *Machine, _ *Decision) { m.heap.push(m.newest) },
		"a breadcrumb that is left":     func(m *Machine, _ *Decision) { m.crumbs = make([]crumb, 1) },
		"a gap in the events":           func(m *Machine, _ *Decision) { m.nextID++ },
		"an event that does not end it": func(_ *Machine, d *Decision) { d.Events[0].Kind = &turnpb.Event_Completed{} },
		"a mark of no event":            func(m *Machine, _ *Decision) { m.ledger.set(m.nextID+1, markClosed) },
		"what was bound twice":          func(m *Machine, _ *Decision) { m.bound = append(m.bound, m.bound[0]) },
		"an open set that counts wrong": func(m *Machine, _ *Decision) { m.open.gone++ },
		"an open set out of order":      func(m *Machine, _ *Decision) { m.open.all[1].event = 1 },
		"an answered open operation":    func(m *Machine, _ *Decision) { m.open.all[0].f.state = resolved },
		"an action without an event":    func(m *Machine, _ *Decision) { m.queue = append(m.queue, m.bound[0]) },
		"a coroutine that is done":      func(m *Machine, _ *Decision) { m.newest.done = true },
		"a coroutine too many":          func(m *Machine, _ *Decision) { m.live++ },
		"a future too many":             func(m *Machine, _ *Decision) { m.pending++ },
		"a future of another coroutine": func(m *Machine, _ *Decision) { m.newest.first.owner = m.newest.older },
		"a list that goes back":         func(m *Machine, _ *Decision) { m.newest.last.prev.next.seq = 0 },
		"a name that has nothing":       func(m *Machine, _ *Decision) { m.events.get("none") },
		"an arrival that a wait may take": func(m *Machine, _ *Decision) {
			m.queues["q"].kept = m.events["kept"].kept
		},
		"arrivals out of order":          func(m *Machine, _ *Decision) { m.events["kept"].kept[1].order = 0 },
		"an arrival that is not counted": func(m *Machine, _ *Decision) { m.held.messages-- },
	} {
		t.Run(what, func(t *testing.T) {
			m := New(Config{Instance: "i", Execution: 1, Func: code})
			d := m.Advance(Input{TimeMs: 1, Messages: messages}) // which checks what is not spoiled
			defer m.Close()
			if d.Outcome != Running || len(d.Events) != 6 || m.live != 2 {
				t.Fatalf("outcome %d, %d events, %d coroutines", d.Outcome, len(d.Events), m.live)
			}
			defer func() {
				if r := recover(); (r != nil) != (spoil != nil) {
					t.Errorf("the check says %v", r)
				}
				m.take()
				m.newest.done = false // or Close would not get on
			}()
			if spoil != nil {
				spoil(m, &d)
			}
			m.verify(&d)
		})
	}
}
