package actors

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// meter counts what is read of inboxes.
type meter struct {
	mu                   sync.Mutex
	reads, bytes, widest int
}

type meteredReader struct {
	persistence.Reader
	m *meter
}

func (r meteredReader) Inbox(iid persistence.Incarnation, after uint64, most, maxBytes int) (persistence.InboxPage, error) {
	page, err := r.Reader.Inbox(iid, after, most, maxBytes)
	r.m.count(page)
	return page, err
}

func (r meteredReader) InboxOf(
	iid persistence.Incarnation, topics []persistence.Topic, after uint64, most, maxBytes int,
) (persistence.InboxPage, error) {
	page, err := r.Reader.InboxOf(iid, topics, after, most, maxBytes)
	r.m.count(page)
	return page, err
}

func (m *meter) count(page persistence.InboxPage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := 0
	for _, item := range page.Items {
		size += len(item.Message)
	}
	m.reads++
	m.bytes += size
	m.widest = max(m.widest, size)
}

func (w *world) meter() *meter {
	m := &meter{}
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.journal.spoil = func(r persistence.Reader) persistence.Reader { return meteredReader{r, m} }
	return m
}

// fill puts events into the inbox of an instance that nothing runs.
func (w *world) fill(id string, events, size int) {
	w.t.Helper()
	w.start(id, "take", "")
	data := strings.Repeat("x", size)
	for i := range events {
		if err := w.raise(id, "n", data).wait(); err != nil {
			w.t.Fatal(i, err)
		}
	}
	pass(time.Second)
}

// drain is an orchestration that takes so many events.
func drain(events int, again bool) replay.Func {
	return func(c *replay.Context, input []byte) ([]byte, error) {
		for range events {
			if _, err := c.WaitEvent("n", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await(); err != nil {
				return nil, err
			}
			if again {
				if len(input) == events-1 {
					return []byte(fmt.Sprint(events)), nil
				}
				c.ContinueAsNew(append(input, 'i'), "")
				return nil, nil
			}
		}
		return []byte(fmt.Sprint(events)), nil
	}
}

func TestF07_a_large_inbox_is_read_in_pages_that_turns_consume(t *testing.T) {
	const events, size = 1003, 20 << 10
	inOneWorld(t, Config{}, func(w *world) {
		m := w.meter()
		w.fill("a", events, size)
		if m.bytes > 2*view.InboxPageBytes {
			t.Errorf("%d bytes were read for an instance that cannot run", m.bytes)
		}
		w.attach(basics().orchestration("take", drain(events, false)))
		pass(time.Minute)
		w.completed("a", fmt.Sprint(events))
		if m.widest > view.InboxPageBytes || m.bytes > 2*events*size {
			t.Errorf("a read of %d bytes; %d bytes in all, of %d", m.widest, m.bytes, events*size)
		}
		nothingLost(w)
	})
}

// A round of "take one, continue as new" costs the same whatever waits behind it.
func TestF05_a_round_costs_no_more_when_more_waits(t *testing.T) {
	cost := func(events int) (perRound float64) {
		inOneWorld(t, Config{}, func(w *world) {
			w.fill("a", events, 4<<10)
			m := w.meter()
			w.attach(basics().orchestration("take", drain(events, true)))
			pass(time.Minute)
			w.completed("a", fmt.Sprint(events))
			perRound = float64(m.bytes) / float64(events)
			if turns := w.e.Counters().Commits; turns > uint64(events+events/20+2) {
				t.Errorf("%d turns for %d rounds", turns, events)
			}
		})
		return perRound
	}
	events := fullOrShort(8000, 1000)
	few, many := cost(100), cost(events)
	if many > 1.2*few {
		t.Errorf("%.0f bytes are read for a round of %d, %.0f for one of 100", many, events, few)
	}
}
