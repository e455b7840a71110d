package actors

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
)

// overtaken is a reader to which another activation has just consumed the first message of an inbox: the head counts one
// less, in a later turn. It says so to reads of an inbox only, which do not resolve the id.
type overtaken struct {
	persistence.Reader
	resolved bool
	reads    *atomic.Int64
}

func (r *overtaken) Resolve(id string) (persistence.Incarnation, bool, error) {
	r.resolved = true
	return r.Reader.Resolve(id)
}

func (r *overtaken) Head(iid persistence.Incarnation) (persistence.Head, bool, error) {
	h, ok, err := r.Reader.Head(iid)
	if !r.resolved && r.reads.Add(1) == 1 {
		h.Turn++
		h.Inbox--
	}
	return h, ok, err
}

// While a page of an inbox is read, another activation has consumed a message that is in memory here. That is no damage:
// the instance is loaded anew.
func TestF20_what_another_activation_has_consumed_is_no_damage(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		log := w.logged()
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", "2")
		for i := range 2 {
			w.raise("a", fmt.Sprint("other", i), "x")
		}
		pass(time.Minute)
		if err := w.raise("a", "go", "1").wait(); err != nil {
			t.Fatal(err)
		}
		var reads atomic.Int64
		w.journal.mu.Lock()
		w.journal.spoil = func(r persistence.Reader) persistence.Reader { return &overtaken{Reader: r, reads: &reads} }
		w.journal.mu.Unlock()
		w.enqueue("a")
		pass(time.Minute)
		if reads.Load() == 0 {
			t.Fatal("no inbox was read by itself")
		}
		if text := log.String(); strings.Contains(text, "damaged") {
			t.Errorf("it is said to be damaged:\n%s", text)
		}
		if err := w.raise("a", "go", "2").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "1 2")
	})
}

// A turn's commit is refused, because another activation has the lease. That one ends without doing what waits: the
// instance is told of it again, and is not forgotten.
func TestF01_what_is_left_to_another_activation_is_told_again(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a", "collect", "1")
		if err := w.raise("a", "go", "1").wait(); err != nil {
			t.Fatal(err)
		}
		refused := false
		w.take(func(_ persistence.Partition, proposal persistence.Proposal) bool {
			if _, is := proposal.Command.(*persistence.CommitTurn); !is || refused {
				return false
			}
			refused = true
			proposal.Done(persistence.Result{Index: 1, Err: &persistence.Refusal{Code: persistence.LeaseLost}})
			return true
		})
		w.attach(basics().orchestration("collect", collect))
		pass(5 * time.Second)
		if !refused {
			t.Fatal("no commit was refused")
		}
		w.completed("a", "1")
		if c := w.e.Counters(); c.Retold != 0 {
			t.Errorf("%d wake-ups were lost", c.Retold)
		}
	})
}
