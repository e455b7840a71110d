package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
)

// executionLimit is a limit of what a turn, a history or a failure has in all. What it has beside the value that is given
// is in the text of a refusal.
type executionLimit struct {
	row string
	// what is the name of the limit in the failure.
	what string
	// limits has the limit, and no other one that the case meets.
	limits limits.Limits
	// give gives a value of n bytes, or so many.
	give func(ctx octx, n int) error
}

// filled asks for an activity with an input of n bytes, and waits.
func filled(ctx octx, n int) error {
	ctx.StartActivity("Waits", fill(n))
	ctx.Sleep(0)
	return nil
}

var executionLimits = []executionLimit{
	{"turn", "turn bytes", limits.Limits{TurnBytes: 4000}, filled},
	{"history bytes", "history bytes", limits.Limits{HistoryBytes: 4000}, filled},
	{"history entries", "history events", limits.Limits{HistoryEvents: 50}, func(ctx octx, n int) error {
		for range n {
			ctx.WaitEvent("never")
		}
		ctx.Sleep(0)
		return nil
	}},
	{"failure", "orchestration failure", limits.Limits{PayloadBytes: 4000}, func(_ octx, n int) error { return errors.New(long(n)) }},
	{"activity failure", "activity failure bytes", limits.Limits{PayloadBytes: 4000}, func(ctx octx, n int) error {
		_, err := ctx.CallActivity("Failing", fmt.Append(nil, n), turnstone.WithRetry(turnstone.NewRetryPolicy(1)))
		if e := (*turnstone.Error)(nil); errors.As(err, &e) && e.Kind == turnstone.KindError {
			return errors.New(e.Message[:3])
		}
		return err
	}},
}

// TestLimitsOfAnExecutionInAll runs code below, at and above each limit.
func TestLimitsOfAnExecutionInAll(t *testing.T) {
	for _, c := range executionLimits {
		scenario(t, c.row, func(w *world) { c.try(w) })
	}
}

func (c *executionLimit) try(w *world) {
	field := fieldOf(w.t, c.row)
	limit := of(c.limits, field)
	w.cfg.Limits, w.reopened = c.limits, true // what a limit ends leaves memory
	o := num(c.give)
	w.open(o, turnstone.NewActivity("Waits", func(actx, turnstone.Raw) (turnstone.Raw, error) { return nil, nil }),
		turnstone.NewActivity("Failing", func(_ actx, n int) (string, error) { return "", errors.New(long(n)) }))
	beside := c.refused(w, o, "one", limit*2, limit, field) - limit*2
	if all := c.refused(w, o, "two", limit+1-beside, limit, field); all != limit+1 {
		w.t.Errorf("%d and what is beside it are %d, want one more than %d", limit+1-beside, all, limit)
	}
	for i, n := range []int{limit - 1 - beside, limit - beside} {
		id := fmt.Sprint("at", i) // as long as the other ids
		begin(w, o, id, n)
		if f := w.end(id).Failure; f != nil && strings.Contains(f.Error(), "limit") {
			w.t.Errorf("%d of %d: %v; history:\n%s", n+beside, limit, f, w.story(id))
		}
	}
}

var sizeOf = regexp.MustCompile(` is (\d+)[ ,]`)

// refused gives a value that is over the limit with what is beside it, and returns the size of all.
func (c *executionLimit) refused(w *world, o *orch[int, string], id string, n, limit int, field string) int {
	w.t.Helper()
	begin(w, o, id, n)
	f := w.failure(id)
	size := sizeOf.FindStringSubmatch(f.Error())
	var e *turnstone.Error
	if size == nil || f.Category != turnstone.CategoryApplication || f.Retryable || !errors.As(f, &e) || e.Kind != "Limit" ||
		!strings.Contains(f.Error(), c.what+" is ") || !strings.Contains(f.Error(), fmt.Sprint("the limit is ", limit)) ||
		!strings.HasSuffix(f.Error(), "or raise Config.Limits."+field) {
		w.t.Fatalf("%d bytes and more: %+v, %.300v", n, f, f)
	}
	if h := w.history(id, 0); h.count("TimerCreated") != 0 || len(h.kinds()) > 4 {
		w.t.Errorf("what is over the limit is recorded:\n%s", w.story(id))
	}
	all, _ := strconv.Atoi(size[1])
	return all
}
