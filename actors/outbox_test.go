package actors

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// family starts so many children under ids of their own, which live in any partition, and counts their answers.
func family(c *replay.Context, input []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(input))
	if err != nil {
		return nil, err
	}
	var children []*replay.Future
	for i := range n {
		children = append(children, c.Child("echo", []byte(strconv.Itoa(i)),
			replay.ChildOptions{ID: fmt.Sprint(c.Instance(), "-child-", i)}))
	}
	c.All(children...)
	sum := 0
	for _, f := range children {
		v, err := f.Await()
		if err != nil {
			return nil, err
		}
		i, _ := strconv.Atoi(string(v.([]byte)))
		sum += i
	}
	return []byte(strconv.Itoa(sum)), nil
}

// sent is how many outbox rows there are, and how many messages have ever been sent between partitions.
func (w *world) sent() (rows, ever int) {
	for _, d := range w.dump() {
		rows += len(d.Outbox)
		for _, m := range d.Sent {
			ever += int(m.Seq)
		}
	}
	return rows, ever
}

// TestMessagesBetweenPartitionsArriveOnce, in batches, and their rows are deleted soon after.
func TestMessagesBetweenPartitionsArriveOnce(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(basics().orchestration("family", family))
		w.start("p", "family", "300")
		synctest.Wait()
		w.completed("p", strconv.Itoa(299*300/2))
		_, ever := w.sent()
		if ever < 300 { // three quarters of the starts, and as many answers
			t.Fatalf("%d messages went between partitions", ever)
		}
		if n := w.journal.count(&persistence.Deliver{}); n >= ever/2 {
			t.Errorf("%d deliveries for %d messages: they are not made in batches", n, ever)
		}
		pass(5 * time.Second)
		if rows, _ := w.sent(); rows != 0 {
			t.Errorf("%d outbox rows are left after all was delivered", rows)
		}
		if n := w.journal.count(&persistence.OutboxAck{}); n > 12+ever/64 {
			t.Errorf("%d acknowledgements for %d messages: they are not lazy", n, ever)
		}
	})
}

// TestABusyReceiverGetsItsMessagesLater.
func TestABusyReceiverGetsItsMessagesLater(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(basics().orchestration("family", family))
		w.take(busyFor[*persistence.Deliver](7))
		w.start("p", "family", "20")
		pass(time.Minute)
		w.completed("p", "190")
		w.take(busyFor[*persistence.OutboxAck](5))
		w.start("q", "family", "20")
		pass(time.Minute)
		w.completed("q", "190")
		if rows, _ := w.sent(); rows != 0 {
			t.Errorf("%d outbox rows are left", rows)
		}
	})
}

// TestACrashBetweenPartitionsLosesAndRepeatsNothing: before a delivery, between delivery and deletion, and after.
func TestACrashBetweenPartitionsLosesAndRepeatsNothing(t *testing.T) {
	for _, at := range []string{"before the delivery", "before the deletion", "in the middle"} {
		t.Run(at, func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				register := func() *registry { return basics().orchestration("family", family) }
				w.attach(register())
				n := 0
				w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
					switch p.Command.(type) {
					case *persistence.Deliver:
						n++
						if at == "before the delivery" || at == "in the middle" && n > 3 {
							p.Done(persistence.Result{Err: persistence.ErrBusy})
							return true
						}
					case *persistence.OutboxAck:
						p.Done(persistence.Result{Err: persistence.ErrBusy})
						return true
					}
					return false
				})
				w.start("p", "family", "50")
				pass(5 * time.Second)
				if rows, _ := w.sent(); rows == 0 {
					t.Fatal("no outbox rows are left to find")
				}
				w.reopen(w.crash)
				w.attach(register())
				pass(time.Minute)
				w.completed("p", strconv.Itoa(49*50/2))
				rows, ever := w.sent()
				if rows != 0 {
					t.Errorf("%d outbox rows are left", rows)
				}
				var marks int
				for _, d := range w.dump() {
					for _, m := range d.Marks {
						marks += int(m.Seq)
					}
				}
				if marks != ever {
					t.Errorf("%d messages were sent, %d delivered", ever, marks)
				}
				for i := range 50 {
					if h := w.head(fmt.Sprint("p-child-", i)); h.Dropped != 0 || h.Execution != 1 {
						t.Errorf("child %d: %+v", i, h)
					}
				}
			})
		})
	}
}

// TestARefusedDeliveryIsNotRepeatedInALoop.
func TestARefusedDeliveryIsNotRepeatedInALoop(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(basics().orchestration("family", family))
		tries := 0
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			if _, is := p.Command.(*persistence.Deliver); !is {
				return false
			}
			tries++
			p.Done(persistence.Result{Index: 1, Err: &persistence.Refusal{Code: persistence.Conflict}})
			return true
		})
		w.start("p", "family", "4")
		pass(10 * time.Second)
		if tries < 3 || tries > 100 {
			t.Errorf("%d tries in 10 s", tries)
		}
		w.take(nil)
		pass(10 * time.Second)
		w.completed("p", "6")
		if errors.Is(w.journal.Cause(), persistence.ErrStopped) {
			t.Error("the journal stopped")
		}
	})
}
