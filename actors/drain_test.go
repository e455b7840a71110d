package actors

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// large ends with an output of so many bytes when it is told to.
func large(c *replay.Context, input []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(input))
	if err == nil {
		_, err = c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
	}
	return make([]byte, n), err
}

// watch waits for the end of the instance that its input names, and gives the size of its output.
func watch(c *replay.Context, input []byte) ([]byte, error) {
	v, err := c.AwaitInstance(string(input)).Await()
	b, _ := v.([]byte)
	return strconv.AppendInt(nil, int64(len(b)), 10), err
}

const watchersOfOne = 9

// watched starts an instance that ends with an output of so many bytes, with its watchers, and ends it.
func (w *world) watched(id string, size int) {
	w.t.Helper()
	w.start(id, "large", strconv.Itoa(size))
	for i := range watchersOfOne {
		w.start(fmt.Sprint(id, "-", i), "watch", id)
	}
	pass(time.Second)
	if n := w.head(id).Watchers; n != watchersOfOne {
		w.t.Fatalf("%d wait for %s", n, id)
	}
	w.raise(id, "go", "")
	pass(time.Second)
}

// learned checks that each watcher has learned of the end, once.
func (w *world) learned(id string, size int) {
	w.t.Helper()
	for i := range watchersOfOne {
		watcher := fmt.Sprint(id, "-", i)
		w.completed(watcher, strconv.Itoa(size))
		if n := w.head(watcher).Dropped; n != 0 {
			w.t.Errorf("%s was told %d times too often", watcher, n)
		}
	}
	if n := w.head(id).Watchers; n != 0 {
		w.t.Errorf("%d still wait for %s", n, id)
	}
}

func watchRegistry() *registry {
	return basics().orchestration("large", large).orchestration("watch", watch)
}

// TestWatchersAreToldOfAnEnd: a small one by the commit of the end alone, a large one in batches, which a full queue delays.
func TestWatchersAreToldOfAnEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(watchRegistry())
		w.watched("small", 10)
		w.learned("small", 10)
		if n := w.journal.count(&persistence.DrainWatchers{}); n != 0 {
			t.Errorf("%d commands for the watchers of a small end", n)
		}
		const size = persistence.DrainBytes * 2 / 3
		w.take(busyFor[*persistence.DrainWatchers](2))
		w.watched("big", size)
		pass(time.Minute)
		w.learned("big", size)
		if n := w.journal.count(&persistence.DrainWatchers{}); n != watchersOfOne-1+2 {
			t.Errorf("%d commands for %d watchers", n, watchersOfOne)
		}
	})
}

// TestACrashBetweenBatchesOfWatchersLosesNothing: before any of them, and between two.
func TestACrashBetweenBatchesOfWatchersLosesNothing(t *testing.T) {
	for _, before := range []int{0, 3} {
		t.Run(fmt.Sprint(before, " batches"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				const size = persistence.DrainBytes * 2 / 3
				w.attach(watchRegistry())
				n := 0
				w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
					if _, is := p.Command.(*persistence.DrainWatchers); !is {
						return false
					}
					if n++; n <= before {
						return false
					}
					p.Done(persistence.Result{Err: persistence.ErrBusy})
					return true
				})
				w.watched("big", size)
				if left := w.head("big").Watchers; left != uint64(watchersOfOne-1-before) {
					t.Fatalf("%d are left to be told", left)
				}
				w.reopen(w.crash)
				w.attach(watchRegistry())
				pass(time.Minute)
				w.learned("big", size)
			})
		})
	}
}
