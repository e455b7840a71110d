package pebble

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// consumedInbox is an instance that has consumed so many messages of one name, perhaps with one of another name that was
// deferred in front of them, and that has one more message.
func consumedInbox(t *testing.T, consumed int, deferred bool) (*rig, persistence.Incarnation) {
	r := newRig(t, Options{Partitions: 1})
	r.begin()
	name := persistence.TopicOf(1, "consumed")
	iid := r.ok(0, fusedStart("i")).IID
	if deferred {
		r.ok(0, &persistence.Enqueue{ID: "i", Message: []byte("d"), Topic: persistence.TopicOf(1, "deferred")})
	}
	const step = 10_000
	turn, event := uint64(1), uint64(3)
	for n := 0; n < consumed; n += step {
		c := &persistence.StartInstance{ID: "i", Name: "o"}
		for range step {
			c.Messages = append(c.Messages, persistence.StartMessage{Message: []byte("m"), Topic: name})
		}
		last := r.ok(0, c).Seq
		take := &persistence.CommitTurn{
			ID: "i", IID: iid, Execution: 1, Turn: turn, Outcome: persistence.OutcomeRunning, Segment: part(event, 1),
		}
		for seq := last - step + 1; seq <= last; seq++ {
			take.ConsumedInbox = append(take.ConsumedInbox, seq)
		}
		r.ok(0, take)
		turn++
		event++
	}
	r.ok(0, &persistence.Enqueue{ID: "i", Message: []byte("the last"), Topic: name})
	return r, iid
}

// TestF11_a_load_after_many_consumed_messages_takes_few_steps: nothing that was consumed is walked over again, neither
// when the whole inbox is read, nor behind a deferred message when a name is asked for.
func TestF11_a_load_after_many_consumed_messages_takes_few_steps(t *testing.T) {
	consumed := 200_000
	if testing.Short() || underRace {
		consumed = 20_000
	}
	topics := []persistence.Topic{0, persistence.TopicOf(1, "consumed"), persistence.TopicOf(1, "never")}
	for _, deferred := range []bool{false, true} {
		t.Run(fmt.Sprintf("deferred_%t", deferred), func(t *testing.T) {
			r, iid := consumedInbox(t, consumed, deferred)
			before := r.s.Metrics()
			var page persistence.InboxPage
			r.s.Load(0, func(rd persistence.Reader) (err error) {
				if deferred {
					page, err = rd.InboxOf(iid, topics, 0, 1000, 1<<20)
				} else {
					page, err = rd.Inbox(iid, 0, 1000, 1<<20)
				}
				return err
			}, func(err error) { must(t, err) })
			r.run()
			if len(page.Items) != 1 || string(page.Items[0].Message) != "the last" || page.More {
				t.Fatalf("%+v", page)
			}
			after := r.s.Metrics()
			if steps := after.InternalSteps - before.InternalSteps; steps > 10 {
				t.Errorf("%d steps of iterators to read one message", steps)
			}
		})
	}
}

// TestF12_a_sweep_reads_what_is_due_alone: beside many requests that are still remembered.
func TestF12_a_sweep_reads_what_is_due_alone(t *testing.T) {
	r := newRig(t, Options{Partitions: 1})
	r.begin()
	const live, due = 5000, 100
	start := func(i int, ttl int64) {
		r.s.Propose(0, persistence.Proposal{TimeMs: 1000, Done: r.mustSucceed, Command: &persistence.StartInstance{
			ID: fmt.Sprint("i", i), Name: "o", Request: persistence.Request{Key: "k", TTLMs: ttl},
		}})
	}
	for i := range live + due {
		if ttl := int64(0); i%((live+due)/due) == 0 && i < due*((live+due)/due) {
			start(i, ttl+50)
		} else {
			start(i, ttl)
		}
	}
	r.run()
	before := r.s.Metrics()
	var found []persistence.ExpiryRef
	r.s.Load(0, func(rd persistence.Reader) (err error) {
		found, err = rd.ScanExpired(persistence.ExpiryRef{}, 1050, 1000)
		return err
	}, func(err error) { must(t, err) })
	r.run()
	after := r.s.Metrics()
	if len(found) != due || after.IterSteps-before.IterSteps > due+1 {
		t.Fatalf("%d are due, found in %d steps", len(found), after.IterSteps-before.IterSteps)
	}
}
