package e2e

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// order is code that takes items, and answers queries with its variables.
var order = text("Order", func(ctx octx, customer string) (string, error) {
	var items []string
	var next *turnstone.Future[string]
	turnstone.HandleQuery(ctx, "items", func(struct{}) ([]string, error) { return items, nil })
	turnstone.HandleQuery(ctx, "item", func(i int) (string, error) {
		if i >= len(items) {
			return "", &turnstone.Error{Kind: "NoItem", Message: "no such item", Details: len(items)}
		}
		return items[i], nil
	})
	ctx.HandleQuery("raw", func(input []byte) ([]byte, error) { return append(input, customer...), nil })
	turnstone.HandleQuery(ctx, "reads", func(struct{}) (string, error) {
		seen, _, err := turnstone.GetKV[int](ctx, "seen")
		if seen != len(items) || next.Ready() || ctx.Replaying() {
			return "", errors.New("it does not see what the last turn has left")
		}
		return ctx.Instance() + " " + ctx.Name(), err
	})
	turnstone.HandleQuery(ctx, "acts", func(struct{}) (string, error) { return upper.Call(ctx, "x") })
	turnstone.HandleQuery(ctx, "sets", func(struct{}) (int, error) { turnstone.SetKV(ctx, "seen", -1); return 0, nil })
	turnstone.HandleQuery(ctx, "waits", func(struct{}) (string, error) { return next.Await() })
	turnstone.HandleQuery(ctx, "panics", func(struct{}) (string, error) { return items[len(items)], nil })
	for {
		next = turnstone.WaitEvent[string](ctx, "item")
		item, err := next.Await()
		if err != nil || item == "" {
			return customer + ": " + strings.Join(items, " "), err
		}
		items = append(items, item)
		turnstone.SetKV(ctx, "seen", len(items))
	}
})

// items asks an order for its items.
func (w *world) items(id string, want ...string) {
	w.t.Helper()
	got, err := client.Query[[]string](w.ctx, w.c, id, "items", struct{}{})
	if err != nil || !slices.Equal(got, want) {
		w.t.Errorf("%s has %v, %v, want %v", id, got, err, want)
	}
}

// takes raises items, and waits until each is recorded.
func (w *world) takes(id string, items ...string) {
	w.t.Helper()
	for _, item := range items {
		w.raise(id, "item", item)
		w.until(item+" is taken", func() bool {
			got, err := client.Query[[]string](w.ctx, w.c, id, "items", struct{}{})
			return err == nil && slices.Contains(got, item)
		})
	}
}

// askFor asks a query without an input.
func (w *world) askFor(id, name string) error {
	_, err := client.Query[turnstone.Raw](w.ctx, w.c, id, name, struct{}{})
	return err
}

func TestQuery(t *testing.T) {
	scenario(t, "QRY_001 a query reads the variables of the code", func(w *world) {
		w.open(order, upper)
		run := begin(w, order, "i", "Ada")
		w.items("i")
		w.takes("i", "a", "b")
		w.items("i", "a", "b")
		if item, err := client.Query[string](w.ctx, w.c, "i", "item", 1); err != nil || item != "b" {
			w.t.Errorf("item 1 is %q, %v", item, err)
		}
		if raw, err := w.c.Query(w.ctx, "i", "raw", []byte("for ")); err != nil || string(raw) != "for Ada" {
			w.t.Errorf("the untyped query gives %q, %v", raw, err)
		}
		var text string
		if err := run.Query(w.ctx, "reads", struct{}{}, &text); err != nil || text != "i Order" {
			w.t.Errorf("a query that reads gives %q, %v", text, err)
		}
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a b")
	})
	scenario(t, "QRY_002 an error of the handler is the author's own", func(w *world) {
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.takes("i", "a")
		_, err := client.Query[string](w.ctx, w.c, "i", "item", 7)
		var own *turnstone.Error
		var why *turnstone.Failure
		n, ok := turnstone.Details[int](err)
		if !errors.As(err, &own) || own.Kind != "NoItem" || !errors.As(err, &why) || !ok || n != 1 {
			w.t.Errorf("the error is %#v, with details %d, %t", err, n, ok)
		}
		_, err = client.Query[string](w.ctx, w.c, "i", "item", "seven")
		if !errors.As(err, &own) || own.Kind != "Codec" {
			w.t.Errorf("an input of another type: %#v", err)
		}
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a")
	})
	scenario(t, "QRY_003 a query changes nothing and is not recorded", func(w *world) {
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.takes("i", "a")
		before, commits := w.history("i", 0).kinds(), w.node.Metrics().Commits
		var unknown *turnstone.UnknownQueryError
		if err := w.askFor("i", "total"); !errors.As(err, &unknown) || unknown.Query != "total" || len(unknown.Known) != 8 || unknown.Known[0] != "acts" {
			w.t.Errorf("an unknown query: %#v", err)
		}
		for name, want := range map[string]error{
			"acts": turnstone.ErrQueryNotReading, "sets": turnstone.ErrQueryNotReading, "panics": turnstone.ErrQueryPanicked,
		} {
			if err := w.askFor("i", name); !errors.Is(err, want) || !strings.Contains(err.Error(), "query_test.go:") {
				w.t.Errorf("%s: %v, want %v with its line", name, err, want)
			}
			w.items("i", "a")
		}
		if after := w.history("i", 0).kinds(); !slices.Equal(after, before) || w.node.Metrics().Commits != commits {
			w.t.Errorf("the history is %v, and was %v", after, before)
		}
		if seen, _, err := client.GetKV[int](w.ctx, w.c.Reader, "i", "seen"); err != nil || seen != 1 {
			w.t.Errorf("the value is %d, %v", seen, err)
		}
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a")
	})
	scenario(t, "QRY_004 a query after the end, and of nothing", func(w *world) {
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.raise("i", "item", "")
		completes(w, "i", "Ada: ")
		if err := w.askFor("i", "items"); !errors.Is(err, turnstone.ErrInstanceEnded) {
			w.t.Errorf("after the end: %v", err)
		}
		if err := w.askFor("j", "items"); !errors.Is(err, turnstone.ErrInstanceNotFound) {
			w.t.Errorf("of nothing: %v", err)
		}
	})
}

func TestQueryLives(t *testing.T) {
	scenario(t, "QRY_005 a query after a kill and after a clean end", func(w *world) {
		w.cfg.Drain = 0
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.takes("i", "a", "b")
		w.restart()
		if err := w.askFor("i", "items"); !errors.Is(err, turnstone.ErrRecovering) {
			w.t.Errorf("after a kill: %v", err)
		}
		w.deploy("2", order, upper)
		w.items("i", "a", "b")
		w.takes("i", "c")
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a b c")
	})
	scenario(t, "QRY_006 a query of an instance that is held", func(w *world) {
		w.cfg.Drain = 0
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.takes("i", "a")
		w.deploy("2", upper, text("Order", func(ctx octx, _ string) (string, error) {
			turnstone.HandleQuery(ctx, "items", func(struct{}) ([]string, error) { return nil, nil })
			return upper.Call(ctx, "x")
		}))
		// The query runs the code first, and finds that it does not fit; the event then has it held.
		if err := w.askFor("i", "items"); !errors.Is(err, turnstone.ErrNondeterminism) {
			w.t.Errorf("of code that does not fit: %v", err)
		}
		w.raise("i", "item", "b")
		reason := w.untilHeld("i").Held.Reason
		if err := w.askFor("i", "items"); !errors.Is(err, turnstone.ErrHeld) || !strings.Contains(err.Error(), reason) {
			w.t.Errorf("while it is held: %v", err)
		}
		w.deploy("3", order, upper)
		w.until("the instance goes on", func() bool { return w.describe("i").Held == nil })
		w.items("i", "a", "b")
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a b")
	})
	scenario(t, "QRY_007 a query without the handler of the instance", func(w *world) {
		w.cfg.Drain = 0
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.takes("i", "a")
		w.deploy("2", upper)
		if err := w.askFor("i", "items"); !errors.Is(err, turnstone.ErrNoHandler) || !strings.Contains(err.Error(), "Order") {
			w.t.Errorf("without the handler: %v", err)
		}
		w.deploy("3", order, upper)
		w.items("i", "a")
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a")
	})
	scenario(t, "QRY_010 a query that waits drops the machine and nothing else", func(w *world) {
		w.reopened = true // what is asked next runs again over the history
		w.open(order, upper)
		begin(w, order, "i", "Ada")
		w.takes("i", "a")
		for range 3 {
			if err := w.askFor("i", "waits"); !errors.Is(err, turnstone.ErrQueryBlocked) || !strings.Contains(err.Error(), "query_test.go:") {
				w.t.Errorf("a query that waits: %v", err)
			}
			w.items("i", "a")
		}
		w.raise("i", "item", "b")
		w.raise("i", "item", "")
		completes(w, "i", "Ada: a b")
	})
	scenario(t, "QRY_008 queries go on through executions", func(w *world) {
		rounds := num(func(ctx octx, n int) error {
			turnstone.HandleQuery(ctx, "round", func(struct{}) (int, error) { return n, nil })
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil || n == 3 {
				return err
			}
			return turnstone.ContinueAsNew(ctx, n+1)
		})
		w.open(rounds)
		begin(w, rounds, "i", 1)
		for n := 1; n <= 3; n++ {
			w.until("the round has begun", func() bool {
				got, err := client.Query[int](w.ctx, w.c, "i", "round", struct{}{})
				return err == nil && got == n
			})
			w.raise("i", "go", "")
		}
		w.end("i")
	})
}

// TestQueriesConcurrently asks many instances from many sides while their turns run.
func TestQueriesConcurrently(t *testing.T) {
	scenario(t, "QRY_009 queries and turns at once", func(w *world) {
		w.open(order, upper)
		ids := []string{"a", "b", "c", "d"}
		n := fullOrShort(40, 10)
		var all sync.WaitGroup
		for _, id := range ids {
			begin(w, order, id, id)
			all.Add(2)
			go func() {
				defer all.Done()
				for range n {
					if err := client.Raise(w.ctx, w.c, id, "item", "x"); err != nil {
						w.t.Errorf("raise to %s: %v", id, err)
					}
				}
			}()
			go func() {
				defer all.Done()
				had := 0
				for had < n {
					got, err := client.Query[[]string](w.ctx, w.c, id, "items", struct{}{})
					if err != nil || len(got) < had {
						w.t.Errorf("%s has %d items after %d, %v", id, len(got), had, err)
						return
					}
					had = len(got)
				}
			}()
		}
		all.Wait()
		for _, id := range ids {
			w.raise(id, "item", "")
			completes(w, id, id+": "+strings.TrimSpace(strings.Repeat("x ", n)))
		}
	})
}
