package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// spoiledReader loses rows of one instance.
type spoiledReader struct {
	persistence.Reader
	id   string
	lost string // what is lost
}

func (r spoiledReader) own(iid persistence.Incarnation) bool {
	own, ok, _ := r.Resolve(r.id)
	return ok && own == iid
}

func (r spoiledReader) Parts(iid persistence.Incarnation, execution, from uint64, yield func(persistence.StoredPart) bool) error {
	return r.Reader.Parts(iid, execution, from, func(p persistence.StoredPart) bool {
		if r.own(iid) && (r.lost == "first turn" && p.Turn == 1 || r.lost == "middle turn" && p.Turn == 2 || r.lost == "last turn" && p.Turn == 3) {
			return true
		}
		if r.own(iid) && r.lost == "chain" {
			p.Chain[0]++
		}
		return yield(p)
	})
}

func (r spoiledReader) Inbox(iid persistence.Incarnation, after uint64, most, mostBytes int) (persistence.InboxPage, error) {
	page, err := r.Reader.Inbox(iid, after, most, mostBytes)
	if r.own(iid) && r.lost == "message" && len(page.Items) > 0 {
		page.Items = page.Items[1:]
	}
	return page, err
}

func (r spoiledReader) Children(iid persistence.Incarnation, execution uint64) ([]persistence.ChildItem, error) {
	items, err := r.Reader.Children(iid, execution)
	if r.own(iid) && r.lost == "child" {
		items = nil
	}
	return items, err
}

// TestF20_an_instance_with_a_hole_is_set_aside loses rows of an instance that waits. Nothing is committed on it, what is
// asked of it is answered with the damage, it is logged once, and another instance goes on. When the rows are back, it
// does, too.
func TestF20_an_instance_with_a_hole_is_set_aside(t *testing.T) {
	for _, lost := range []string{"first turn", "middle turn", "last turn", "chain", "message", "child"} {
		t.Run(lost, func(t *testing.T) {
			var log lockedBuffer
			cfg := Config{ResidentBytes: -1, MaxAttempts: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			inOneWorld(t, cfg, func(w *world) { aHole(t, w, lost, &log) })
		})
	}
}

func aHole(t *testing.T, w *world, lost string, log *lockedBuffer) {
	w.attach(basics().orchestration("three", func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Child("wait", nil, replay.ChildOptions{ID: "child"})
		for range 3 {
			if _, err := waiter(c, nil); err != nil {
				return nil, err
			}
		}
		return []byte("done"), nil
	}))
	w.start("a", "three", "")
	w.start("b", "wait", "")
	for range 2 {
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	before := w.head("a")
	if before.Turn != 3 || before.Children != 1 {
		t.Fatalf("it stands at turn %d with %d children", before.Turn, before.Children)
	}
	var open []error
	_, sure := w.e.WatchEnd("a", func(persistence.EndEffect) { open = append(open, nil) }, func(err error) { open = append(open, err) })
	if len(open) > 0 || sure {
		t.Fatalf("before anything is lost a wait is told %v", open)
	}
	w.spoil("a", lost)
	if lost == "message" {
		w.enqueue("a")
		before = w.head("a")
	}
	for range 5 {
		if err := w.raise("a", "go", "y").wait(); !errors.Is(err, persistence.ErrCorrupt) || !strings.Contains(err.Error(), `instance "a": execution 1`) {
			t.Errorf("a message for it: %v", err)
		}
		pass(time.Minute)
	}
	toldOfDamage(t, w, open)
	if err := w.raise("b", "go", "z").wait(); err != nil {
		t.Errorf("another instance: %v", err)
	}
	pass(time.Second)
	if got := w.head("b").Status; got != persistence.StatusCompleted {
		t.Errorf("another instance is %v", got)
	}
	if after := w.head("a"); after != before {
		t.Errorf("something was committed on it:\n%+v\nbefore:\n%+v", after, before)
	}
	if n := strings.Count(log.String(), "an instance is damaged and set aside"); n != 1 {
		t.Errorf("it is logged %d times:\n%s", n, log.String())
	}
	w.spoil("", "")
	if err := w.raise("a", "go", "again").wait(); err != nil {
		t.Errorf("when the rows are back: %v", err)
	}
	pass(time.Second)
	if got := w.head("a").Status; got != persistence.StatusCompleted {
		t.Errorf("when the rows are back it is %v", got)
	}
	if last := open[len(open)-1]; last != nil {
		t.Errorf("the wait that was open is not told of the end: %v", last)
	}
	if err := w.e.instances.DamageOf("a"); err != nil {
		t.Errorf("what has ended is remembered as damaged: %v", err)
	}
}

// toldOfDamage says that who waited was told of the damage, and that who comes now is told at once.
func toldOfDamage(t *testing.T, w *world, open []error) {
	t.Helper()
	var late error
	cancel, sure := w.e.WatchEnd("a", func(persistence.EndEffect) {}, func(err error) { late = err })
	cancel()
	if sure || !errors.Is(late, persistence.ErrCorrupt) {
		t.Errorf("who comes when the damage is known is told %v", late)
	}
	for _, err := range open {
		if !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("who waits is told %v", err)
		}
	}
	if len(open) == 0 {
		t.Error("who waits is not told of the damage")
	}
}

// spoil loses rows of an instance from now on.
func (w *world) spoil(id, lost string) {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.journal.spoil = func(r persistence.Reader) persistence.Reader { return spoiledReader{r, id, lost} }
}

// enqueue puts a message that nothing waits for into an inbox.
func (w *world) enqueue(id string) {
	w.t.Helper()
	message, err := proto.Marshal(&turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "other"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	w.journal.Propose(w.journal.PartitionOf(id), persistence.Proposal{
		Epoch: 1, Command: &persistence.Enqueue{ID: id, Message: message}, Done: func(r persistence.Result) { done <- r.Err },
	})
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

// lostRow is a reader to which a row of each inbox is missing.
type lostRow struct {
	persistence.Reader
	seq uint64
}

func (r lostRow) Inbox(iid persistence.Incarnation, after uint64, limit, maxBytes int) (persistence.InboxPage, error) {
	page, err := r.Reader.Inbox(iid, after, limit+1, maxBytes)
	page.Items = slices.DeleteFunc(page.Items, func(i persistence.InboxItem) bool { return i.Seq == r.seq })
	if len(page.Items) > limit {
		page.Items, page.More = page.Items[:limit], true
		page.Through = page.Items[limit-1].Seq
	}
	return page, err
}

// InboxOf finds a row by what lists it, so it names one that is missing.
func (r lostRow) InboxOf(iid persistence.Incarnation, topics []persistence.Topic, after uint64, limit, maxBytes int) (persistence.InboxPage, error) {
	page, err := r.Reader.InboxOf(iid, topics, after, limit, maxBytes)
	if slices.ContainsFunc(page.Items, func(i persistence.InboxItem) bool { return i.Seq == r.seq }) {
		return page, persistence.ErrCorrupt
	}
	return page, err
}

// A row is missing in an inbox of a page, of less, or of more: in the first page or in a later one. Nothing is committed on
// the instance from the page on in which it is.
func TestF20_a_lost_row_of_an_inbox_is_damage_whatever_its_pages(t *testing.T) {
	const page = 3
	for rows := uint64(1); rows <= 10; rows++ {
		for lost := uint64(1); lost <= rows; lost++ {
			inOneWorld(t, Config{ResidentBytes: -1, InboxPage: page}, func(w *world) {
				w.start("a", "collect", fmt.Sprint(rows))
				for i := range rows {
					if err := w.raise("a", "go", fmt.Sprint(i)).wait(); err != nil {
						t.Fatal(err)
					}
				}
				pass(time.Second)
				w.journal.mu.Lock()
				w.journal.spoil = func(r persistence.Reader) persistence.Reader { return lostRow{r, lost} }
				w.journal.mu.Unlock()
				w.attach(basics().orchestration("collect", collect))
				pass(time.Minute)
				h := w.head("a")
				if taken := rows - h.Inbox; taken >= lost || h.Status.Terminal() {
					t.Errorf("row %d of %d is lost: %d rows are consumed, and it is %v", lost, rows, taken, h.Status)
				}
				w.journal.mu.Lock()
				w.journal.spoil = nil
				w.journal.mu.Unlock()
			})
		}
	}
}
