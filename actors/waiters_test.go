package actors

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestWaitersAreToldOnce adds waiters before an end, after it, and long after it, and takes one away again.
func TestWaitersAreToldOnce(t *testing.T) {
	var w waiters
	w.init()
	var told []string
	note := func(who string) func(persistence.EndEffect) {
		return func(end persistence.EndEffect) { told = append(told, who+" "+end.ID+" "+end.Status.String()) }
	}
	w.add("i", note("first"), nil)
	w.add("i", note("second"), nil)
	cancel, at := w.add("i", note("third"), nil)
	if at {
		t.Error("told before the end")
	}
	cancel()
	w.ended(persistence.EndEffect{ID: "i", Status: persistence.StatusFailed})
	if _, at := w.add("i", note("late"), nil); !at {
		t.Error("who comes just too late is not told")
	}
	want := []string{"first i Failed", "second i Failed", "late i Failed"}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", told, want)
	}
	for i := range w.shards {
		if n := len(w.shards[i].byID); n != 0 {
			t.Errorf("%d ids have waiters still", n)
		}
	}
}

// TestRecentEndsAreFew lets many instances end: what is remembered is bounded, the newest are found with how they ended,
// and an end that carries much is not kept.
func TestRecentEndsAreFew(t *testing.T) {
	var w waiters
	w.init()
	const n = 20_000
	end := func(i int) persistence.EndEffect {
		return persistence.EndEffect{ID: fmt.Sprint(i), Execution: uint64(i), Status: persistence.StatusCompleted}
	}
	for i := range n {
		w.ended(end(i))
		if i%3 == 0 {
			w.ended(end(i)) // twice: it must not be forgotten with its first place
		}
		for _, last := range []int{i, max(0, i-20)} {
			got := persistence.EndEffect{}
			if _, told := w.add(fmt.Sprint(last), func(e persistence.EndEffect) { got = e }, nil); !told || got.Execution != uint64(last) {
				t.Fatalf("after %d ends, that of %d is told: %v, as %+v", i+1, last, told, got)
			}
		}
	}
	kept := 0
	for i := range w.shards {
		kept += len(w.shards[i].recent.at)
	}
	if most := len(w.shards) * recentEndsMax; kept > most || kept < most/2 {
		t.Errorf("%d ends are remembered, the most is %d", kept, most)
	}
	large := end(n)
	large.Last = make([]byte, recentEndBytesMax+1)
	w.ended(large)
	if _, told := w.add(large.ID, func(persistence.EndEffect) {}, nil); told {
		t.Error("a large end is remembered")
	}
}

// TestAnEndThatIsNotRememberedIsLeftToARead: between the telling of an end and the commit's answer the instance's actor
// does not know of it. Who comes then must not be promised an end that has been told already.
func TestAnEndThatIsNotRememberedIsLeftToARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		w.open()
		w.attach(basics())
		w.start("a", "wait", "")
		if _, sure := w.e.WatchEnd("a", func(persistence.EndEffect) {}, func(error) {}); !sure {
			t.Fatal("an instance that waits in memory is not known to be open")
		}
		w.e.ended(persistence.EndEffect{ID: "a", Last: make([]byte, recentEndBytesMax+1)})
		if _, sure := w.e.WatchEnd("a", func(persistence.EndEffect) { t.Error("told again") }, func(error) {}); sure {
			t.Error("an end is promised that has been told already")
		}
		w.close()
	})
}
