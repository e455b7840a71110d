package actors

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// queryReply is the answer of a query that may not have come yet.
type queryReply struct {
	reply
	output string
}

// query asks the code of an instance.
func (w *world) query(id, name string) *queryReply {
	a := &queryReply{}
	w.e.Query(arrival.QueryRequest{ID: id, Name: name}, func(r arrival.QueryReply) {
		a.output = string(r.Output)
		a.set(r.Err, false)
	})
	return a
}

// wants waits for the answer of a query.
func (a *queryReply) wants(t *testing.T, want string) {
	t.Helper()
	if err := a.wait(); err != nil || a.output != want {
		t.Errorf("the query gives %q, %v, want %q", a.output, err, want)
	}
}

// refused waits for the refusal of a query, and returns its text.
func (a *queryReply) refused(t *testing.T, reason query.Reason) string {
	t.Helper()
	var r *query.Refusal
	if err := a.wait(); !errors.As(err, &r) || r.Reason != reason {
		t.Fatalf("the query gives %q, %v, want a refusal for the reason %d", a.output, err, reason)
	}
	return r.Text
}

// teller takes events and answers queries with what it has taken. The query block waits for the gate.
func teller(gate chan struct{}) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		var taken []string
		c.HandleQuery("taken", func([]byte) ([]byte, error) { return []byte(strings.Join(taken, ",")), nil })
		c.HandleQuery("block", func([]byte) ([]byte, error) {
			blockHere(gate)
			return []byte("late"), nil
		})
		c.HandleQuery("crash", func([]byte) ([]byte, error) { panic("no") })
		c.HandleQuery("act", func([]byte) ([]byte, error) { return waiter(c, nil) })
		c.HandleQuery("large", func([]byte) ([]byte, error) { return make([]byte, 3<<20), nil })
		for {
			data, err := waiter(c, nil)
			if err != nil || string(data) == "end" {
				return []byte("done"), err
			}
			taken = append(taken, string(data))
		}
	}
}

// TestQuery asks an instance that is in memory and one that is not. No query is recorded, and none costs a commit.
func TestQuery(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("tell", teller(nil)))
		w.start("a", "tell", "")
		w.query("a", "taken").wants(t, "")
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		before := w.journal.all()
		w.query("a", "taken").wants(t, "x")
		for range 3 {
			w.e.EvictOne(0)
			w.query("a", "taken").wants(t, "x")
		}
		if text := w.query("a", "sum").refused(t, query.Unknown); !strings.Contains(text, "taken") {
			t.Errorf("the refusal of an unknown name is %q", text)
		}
		if text := w.query("a", "crash").refused(t, query.Panicked); !strings.Contains(text, "query_test.go:") {
			t.Errorf("the refusal of one that panics is %q", text)
		}
		w.query("a", "act").refused(t, query.NotReading)
		var limit *limits.Error
		if err := w.query("a", "large").wait(); !errors.As(err, &limit) {
			t.Errorf("an answer over the limit: %v", err)
		}
		if after := w.journal.all(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("the queries proposed something: %v, and before %v", after, before)
		}
		if c := w.e.Counters(); c.Queries != 9 || c.AbandonedTurns != 0 {
			t.Errorf("%d queries, %d turns given up", c.Queries, c.AbandonedTurns)
		}
		if err := w.raise("a", "go", "end").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "done")
		if err := w.query("a", "taken").wait(); !errors.Is(err, persistence.ErrEnded) {
			t.Errorf("a query after the end: %v", err)
		}
		if err := w.query("b", "taken").wait(); !errors.Is(err, persistence.ErrNotFound) {
			t.Errorf("a query of nothing: %v", err)
		}
		var id *limits.IDError
		if err := w.query("a", "").wait(); !errors.As(err, &id) {
			t.Errorf("a query without a name: %v", err)
		}
	})
}

// TestQueryOfAMissingHandler is refused, and takes no attempt of the instance.
func TestQueryOfAMissingHandler(t *testing.T) {
	inWorld(t, func(w *world) {
		detach := w.attach(basics().orchestration("tell", teller(nil)))
		w.start("a", "tell", "")
		detach()
		synctest.Wait()
		w.query("a", "taken").refused(t, query.NoHandler)
		w.attachAs("other", basics())
		w.query("a", "taken").refused(t, query.NoHandler)
		if n := w.e.Counters().Unregistered; n != 0 {
			t.Errorf("%d attempts were counted", n)
		}
		w.attachAs("third", basics().orchestration("tell", teller(nil)))
		w.query("a", "taken").wants(t, "")
	})
}

// TestQueryAfterACrash is refused in careful mode, and answered when that is over.
func TestQueryAfterACrash(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("tell", teller(nil)))
		w.start("a", "tell", "")
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.reopen(w.crash)
		w.attach(basics().orchestration("tell", teller(nil)))
		synctest.Wait()
		w.query("a", "taken").refused(t, query.Recovering)
		pass(time.Minute)
		w.query("a", "taken").wants(t, "x")
		w.reopen(w.close)
		w.attach(basics().orchestration("tell", teller(nil)))
		w.query("a", "taken").wants(t, "x")
	})
}

// TestQueryThatBlocks is given up after five seconds with its machine. It is no attempt, and the instance goes on.
func TestQueryThatBlocks(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("tell", teller(gate)))
		w.start("a", "tell", "")
		blocks, behind := w.query("a", "block"), w.query("a", "taken")
		pass(time.Second)
		if err := w.raise("a", "go", "x").wait(); err != errNoAnswer {
			t.Errorf("an event beside a query that runs: %v", err)
		}
		pass(10 * time.Second)
		if text := blocks.refused(t, query.Blocked); !strings.Contains(text, "watchdog_test.go:") || !strings.Contains(text, `"block"`) {
			t.Errorf("the refusal is %q", text)
		}
		if err := behind.wait(); err != nil {
			t.Errorf("the query behind it: %v", err)
		}
		w.query("a", "taken").wants(t, "x")
		if c := w.e.Counters(); c.AbandonedQueries != 1 || c.LeakedCoroutines != 1 || c.AbandonedTurns != 0 || c.HeldTurns != 0 {
			t.Errorf("%d queries given up, %d coroutines leaked, %d turns given up, %d held", c.AbandonedQueries, c.LeakedCoroutines, c.AbandonedTurns, c.HeldTurns)
		}
		if w.head("a").Leased {
			t.Error("the instance has a lease row")
		}
		close(gate)
		synctest.Wait()
		if blocks.times != 1 {
			t.Errorf("the query was answered %d times", blocks.times)
		}
	})
}

// TestQueryOfAHeldInstance is refused with the reason, also while the instance waits for its next try.
func TestQueryOfAHeldInstance(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("tell", func(c *replay.Context, _ []byte) ([]byte, error) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.Now()
			}()
			<-done
			return nil, nil
		}))
		w.start("a", "tell", "")
		if text := w.query("a", "taken").refused(t, query.Held); !strings.Contains(text, "query_test.go:") {
			t.Errorf("the refusal is %q", text)
		}
		tries := w.e.Counters().HeldTurns
		for range 5 {
			w.query("a", "taken").refused(t, query.Held)
		}
		if n := w.e.Counters().HeldTurns; n != tries {
			t.Errorf("the queries led to %d tries", n-tries)
		}
	})
}

// TestQueriesBesideTurns asks from many sides while events come: each answer is a state that some turn has left, none goes
// back, and neither side starves the other.
func TestQueriesBesideTurns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("tell", teller(nil)))
		w.start("a", "tell", "")
		const askers, each, events = 8, 25, 50
		var all sync.WaitGroup
		for range askers {
			all.Add(1)
			go func() {
				defer all.Done()
				last := ""
				for range each {
					got := make(chan arrival.QueryReply, 1)
					w.e.Query(arrival.QueryRequest{ID: "a", Name: "taken"}, func(r arrival.QueryReply) { got <- r })
					r := <-got
					if r.Err != nil || !strings.HasPrefix(string(r.Output), last) {
						t.Errorf("after %q it gives %q, %v", last, r.Output, r.Err)
					}
					last = string(r.Output)
				}
			}()
		}
		for i := range events {
			done := make(chan error, 1)
			w.e.Deliver(goEvent("a", fmt.Sprint(i)), func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
		all.Wait()
		synctest.Wait()
		var want []string
		for i := range events {
			want = append(want, fmt.Sprint(i))
		}
		w.query("a", "taken").wants(t, strings.Join(want, ","))
		if c := w.e.Counters(); c.Queries != askers*each+1 {
			t.Errorf("%d queries ran", c.Queries)
		}
	})
}

// TestTooManyQueries of one instance are refused, and those that wait are answered.
func TestTooManyQueries(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("tell", teller(gate)))
		w.start("a", "tell", "")
		blocks := w.query("a", "block")
		synctest.Wait()
		waiting := make([]*queryReply, step.QueriesMax)
		for i := range waiting {
			waiting[i] = w.query("a", "taken")
		}
		if err := w.query("a", "taken").wait(); !errors.Is(err, persistence.ErrBusy) {
			t.Errorf("one more: %v", err)
		}
		close(gate)
		blocks.wants(t, "late")
		for _, a := range waiting {
			a.wants(t, "")
		}
	})
}

// TestQueryWhenTheEngineStops is answered once, with an error that says that nothing was done.
func TestQueryWhenTheEngineStops(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("tell", teller(gate)))
		w.start("a", "tell", "")
		blocks, behind := w.query("a", "block"), w.query("a", "taken")
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(gate) })
		w.reopen(w.close)
		blocks.wants(t, "late")
		if err := behind.wait(); !errors.Is(err, persistence.ErrStopped) && err != nil {
			t.Errorf("the query behind it: %v", err)
		}
		if err := w.query("a", "taken").wait(); err == nil {
			t.Error("without a consumer it is answered")
		}
	})
}

// goEvent is the delivery of the event go.
func goEvent(id, data string) arrival.Delivery {
	return arrival.Delivery{ID: id, Message: &turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "go", Data: []byte(data)}}}}
}
