package actors

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

// onPartitions runs f with an engine on a new store of so many partitions.
func onPartitions(t *testing.T, partitions int, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(partitions)}
		w.open()
		f(w)
		w.close()
	})
}

// TestF13_ReadsAtOpenGrowWithThePartitions, not with their square; what one pair has left costs the reads of that pair.
func TestF13_ReadsAtOpenGrowWithThePartitions(t *testing.T) {
	const few, many = 4, 128
	reads := map[int]int64{}
	for _, partitions := range []int{few, many} {
		onPartitions(t, partitions, func(w *world) { reads[partitions] = w.journal.reads.Load() })
	}
	if reads[few] == 0 || reads[many]*few != reads[few]*many {
		t.Errorf("%d reads at the open with %d partitions, %d with %d", reads[few], few, reads[many], many)
	}
	onPartitions(t, many, func(w *world) {
		w.attach(basics().orchestration("family", family))
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			_, is := p.Command.(*persistence.Deliver)
			if is {
				p.Done(persistence.Result{Err: persistence.ErrBusy})
			}
			return is
		})
		w.start("p", "family", "1")
		pass(time.Second)
		if rows, _ := w.sent(); rows != 1 {
			t.Fatalf("%d messages are left behind, want 1", rows)
		}
		w.reopen(w.crash)
		if got := w.journal.reads.Load(); got > reads[many]+10 {
			t.Errorf("%d reads at the open of what one message is left in, %d where none is", got, reads[many])
		}
		w.attach(basics().orchestration("family", family))
		pass(time.Minute)
		w.completed("p", "0")
	})
}

// families checks that the children of an instance were each started once, that it has ended, and that all that was sent
// has been delivered once and deleted.
func (w *world) families(id string, children int) {
	w.t.Helper()
	w.completed(id, strconv.Itoa(children*(children-1)/2))
	for i := range children {
		if h := w.head(fmt.Sprint(id, "-child-", i)); h.Dropped != 0 || h.Execution != 1 || !h.Status.Terminal() {
			w.t.Errorf("child %d of %s: %+v", i, id, h)
		}
	}
	rows, ever := w.sent()
	marks := 0
	for _, d := range w.dump() {
		for _, m := range d.Marks {
			marks += int(m.Seq)
		}
	}
	if rows != 0 || marks != ever {
		w.t.Errorf("after %s: %d rows are left, %d messages were sent and %d delivered", id, rows, ever, marks)
	}
}

// TestF13_APairDeliversWheneverItBeginsToTalk: long after the open, again after a rest, after a restart with what was left,
// delivered or not, and with a partition that nothing was sent to before.
func TestF13_APairDeliversWheneverItBeginsToTalk(t *testing.T) {
	onPartitions(t, 16, func(w *world) {
		attach := func() { w.attach(basics().orchestration("family", family)) }
		attach()
		pass(10 * time.Minute)
		for _, id := range []string{"late", "after-a-rest"} {
			w.start(id, "family", "3")
			pass(10 * time.Minute)
			w.families(id, 3)
		}
		for i, held := range []string{"nothing is delivered", "nothing is acknowledged", "some are not delivered", "some are not acknowledged"} {
			w.take(func(to persistence.Partition, p persistence.Proposal) bool {
				c, deletes := p.Command.(*persistence.OutboxAck)
				_, delivers := p.Command.(*persistence.Deliver)
				some := to%2 == 0 || deletes && c.To%2 == 0
				holds := delivers && i%2 == 0 || deletes && i%2 == 1
				if holds && (i < 2 || some) {
					p.Done(persistence.Result{Err: persistence.ErrBusy})
					return true
				}
				return false
			})
			id := fmt.Sprint("crash-", i)
			w.start(id, "family", "40")
			pass(10 * time.Second)
			if rows, _ := w.sent(); rows == 0 {
				t.Fatalf("%s, and no rows are left", held)
			}
			w.reopen(w.crash)
			attach()
			pass(10 * time.Minute)
			w.families(id, 40)
		}
		w.start("later", "family", "60")
		pass(time.Minute)
		w.families("later", 60)
	})
}
