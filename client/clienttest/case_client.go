package clienttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

var echo = turnstone.NewOrchestration("O", func(_ *turnstone.Context, n int) (int, error) { return n, nil })

// Every limit is allowed at its value and refused one above, before anything is written.
func (s suite) Limits(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	l, ctx, long := limits.Default(), context.Background(), func(n int) string { return strings.Repeat("x", n) }
	w.start("i")
	for _, c := range []struct {
		limit string
		max   int
		call  func(n int) error
	}{
		{"instance id bytes", l.IDBytes, func(n int) error { return second(w.c.Start(ctx, long(n), "O", nil)) }},
		{"orchestration name bytes", l.NameBytes, func(n int) error { return second(w.c.Start(ctx, fmt.Sprint("name", n), long(n), nil)) }},
		{"version bytes", l.NameBytes, func(n int) error {
			return second(w.c.Start(ctx, fmt.Sprint("version", n), "O", nil, client.WithVersion(long(n))))
		}},
		{"request key bytes", l.RequestKeyBytes, func(n int) error {
			return second(w.c.Start(ctx, fmt.Sprint("key", n), "O", nil, client.WithRequestKey(long(n))))
		}},
		{"input bytes", l.PayloadBytes, func(n int) error { return second(w.c.Start(ctx, fmt.Sprint("input", n), "O", make([]byte, n))) }},
		{"event name bytes", l.IDBytes, func(n int) error { return w.c.Raise(ctx, "i", long(n), nil) }},
		{"event data bytes", l.PayloadBytes, func(n int) error { return w.c.Raise(ctx, "i", "e", make([]byte, n)) }},
		{"cancel reason bytes", l.ReasonBytes, func(n int) error { return w.c.Cancel(ctx, "done", long(n)) }},
		{"terminate reason bytes", l.ReasonBytes, func(n int) error { return w.c.Terminate(ctx, "i", long(n)) }},
	} {
		w.start("done" + c.limit)
		before, delivered := w.started, len(w.delivers)
		err := c.call(c.max + 1)
		var limit *turnstone.LimitError
		if !errors.As(err, &limit) || limit.Limit != c.limit || limit.Size != c.max+1 || limit.Max != c.max {
			t.Errorf("%s: one above gives %v", c.limit, err)
		}
		if w.started != before || len(w.delivers) != delivered {
			t.Errorf("%s: what was refused reached the engine", c.limit)
		}
		if err := c.call(c.max); errors.As(err, &limit) {
			t.Errorf("%s: the limit itself gives %v", c.limit, err)
		}
	}
	// A derived id may be longer than one that a caller gives.
	if err := w.c.Cancel(ctx, long(l.DerivedIDBytes), ""); !errors.Is(err, turnstone.ErrInstanceNotFound) {
		t.Errorf("a derived id at its limit: %v", err)
	}
	var limit *turnstone.LimitError
	if err := w.c.Cancel(ctx, long(l.DerivedIDBytes+1), ""); !errors.As(err, &limit) {
		t.Errorf("a derived id above its limit: %v", err)
	}
}

func (s suite) InvalidIDs(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	ctx := context.Background()
	for name, id := range map[string]string{
		"is empty": "", "is not valid UTF-8": "a\xff", "has a control character at byte 1": "a\x00b", "byte 2": "ab\n",
	} {
		for what, err := range map[string]error{
			"instance id":        second(w.c.Start(ctx, id, "O", nil)),
			"orchestration name": second(w.c.Start(ctx, "ok", id, nil)),
			"event name":         w.c.Raise(ctx, "ok", id, nil),
		} {
			if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), "invalid input: "+what) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %q: %v", what, id, err)
			}
		}
		if _, err := w.c.Wait(ctx, id); !errors.Is(err, turnstone.ErrInvalidInput) {
			t.Errorf("wait for %q: %v", id, err)
		}
	}
	if err := w.c.Cancel(ctx, "i", "\xff"); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("a reason that is not UTF-8: %v", err)
	}
	for _, id := range []string{"a/b c", "日本", "<>", strings.Repeat("é", 128)} {
		if _, err := w.c.Start(ctx, id, "O", nil); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func (s suite) Start(t *testing.T) {
	w := s.world(t, 2, localport.Options{Limits: limits.Limits{Inbox: inboxMax}})
	ctx := context.Background()
	run, err := client.Start(ctx, w.c, "i", echo, 7, client.WithRequestKey("k"))
	if err != nil || run.ID() != "i" {
		t.Fatal(err)
	}
	if again, err := client.Start(ctx, w.c, "i", echo, 7); !errors.Is(err, turnstone.ErrAlreadyExists) || again == nil {
		t.Errorf("the same id: %v", err)
	}
	if _, err := client.Start(ctx, w.c, "i", echo, 7, client.WithRequestKey("k")); err != nil {
		t.Errorf("the same request: %v", err)
	}
	bad := turnstone.NewOrchestration("Bad", func(*turnstone.Context, chan int) (int, error) { return 0, nil })
	if _, err := client.Start(ctx, w.c, "bad", bad, make(chan int)); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("an input that cannot be encoded: %v", err)
	}
	if err := client.Raise(ctx, w.c, "i", "e", make(chan int)); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("data that cannot be encoded: %v", err)
	}
	if err := client.Raise(ctx, w.c, "i", "e", 5); err != nil || string(w.delivers[0].GetEventRaised().GetData()) != "5" {
		t.Errorf("raise: %v, %v", err, w.delivers)
	}
	if err := run.Raise(ctx, "e", make(chan int)); !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), "encode event e") {
		t.Errorf("data of a run that cannot be encoded: %v", err)
	}
	if err := run.Cancel(ctx, "why"); err != nil || w.delivers[1].GetCancel().GetReason() != "why" {
		t.Errorf("cancel: %v, %v", err, w.delivers)
	}
	if err := w.c.Raise(ctx, "i", "e", nil); !errors.Is(err, turnstone.ErrBusy) ||
		err.Error() != `instance "i": its inbox is full: with this it would hold 3 messages, and Config.Limits.Inbox is 2` {
		t.Errorf("a full inbox: %v", err)
	}
	for _, err := range []error{w.c.Raise(ctx, "nobody", "e", nil), w.c.Cancel(ctx, "nobody", "")} {
		if !errors.Is(err, turnstone.ErrInstanceNotFound) || !strings.Contains(err.Error(), `instance "nobody"`) {
			t.Errorf("nobody: %v", err)
		}
	}
	if s, err := run.Status(ctx); err != nil || s.State != client.StateRunning {
		t.Errorf("status %+v, %v", s, err)
	}
}

func (s suite) Wait(t *testing.T) {
	w := s.world(t, 2, localport.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got := make(chan error, 1)
	go func() { // it begins before the instance exists
		out, err := client.Attach[int](w.c, "i").Wait(ctx, client.WaitForStart())
		if err == nil && out != 8 {
			err = fmt.Errorf("it gave %d", out)
		}
		got <- err
	}()
	w.watched("i")
	w.start("i")
	w.turn("i", persistence.OutcomeContinued, started(), continued())
	w.turn("i", persistence.OutcomeRunning, started())
	w.turn("i", persistence.OutcomeCompleted, completed("8"))
	if err := <-got; err != nil {
		t.Error(err)
	}
	if out, err := client.Attach[int](w.c, "i").Wait(ctx); err != nil || out != 8 {
		t.Errorf("after the end: %d, %v", out, err)
	}
	if _, err := client.Attach[[]int](w.c, "i").Wait(ctx); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("as another type: %v", err)
	}
	if raw, err := client.Attach[turnstone.Raw](w.c, "i").Wait(ctx); err != nil || string(raw) != "8" {
		t.Errorf("raw: %s, %v", raw, err)
	}
	w.start("f")
	w.turn("f", persistence.OutcomeFailed, started(), failed("boom"))
	_, err := client.Attach[int](w.c, "f").Wait(ctx)
	var f *turnstone.Failure
	var e *turnstone.Error
	if !errors.As(err, &f) || !errors.As(err, &e) || e.Message != "boom" || f.Kind != turnstone.KindOrchestrationFailed {
		t.Errorf("failure %v", err)
	}
}

// WaitReadsNothingWhileTheInstanceIsOpen has the engine say that an instance which has ended in the journal is open:
// a read would answer, and only the engine's word may.
func (s suite) WaitReadsNothingWhileTheInstanceIsOpen(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	var last persistence.EndEffect
	w.mu.Lock()
	w.watchers["i"] = append(w.watchers["i"], func(end persistence.EndEffect) { last = end })
	w.mu.Unlock()
	w.start("i")
	w.turn("i", persistence.OutcomeCompleted, started(), completed("8"))
	w.open = map[string]bool{"i": true}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if end, err := w.c.Wait(short, "i"); !errors.Is(err, turnstone.ErrTimeout) {
		t.Fatalf("got %v, %v before the engine told of the end", end, err)
	}
	w.mu.Lock()
	w.watchers["i"] = nil // the one that gave up
	w.mu.Unlock()
	answered := make(chan error, 1)
	go func() { _, err := w.c.Wait(context.Background(), "i"); answered <- err }()
	w.watched("i")
	w.released(&persistence.Effects{Ended: []persistence.EndEffect{last}})
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

func (s suite) WaitEndsWithItsContext(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	short, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := w.c.Wait(short, "i"); !errors.Is(err, turnstone.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at its deadline: %v", err)
	}
	if _, err := w.c.Status(short, "i"); !errors.Is(err, turnstone.ErrTimeout) {
		t.Errorf("a context that is over: %v", err)
	}
	given, giveUp := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { _, err := w.c.Wait(given, "other", client.WaitForStart()); done <- err }()
	w.watched("other")
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, turnstone.ErrTimeout) {
		t.Errorf("given up: %v", err)
	}
	go func() { _, err := w.c.Wait(context.Background(), "third", client.WaitForStart()); done <- err }()
	w.watched("third")
	w.journal.Stop(errors.New("the disk is gone"))
	if err := <-done; !errors.Is(err, turnstone.ErrStopped) || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("at a stop: %v", err)
	}
	if _, err := w.c.Describe(context.Background(), "i"); !errors.Is(err, turnstone.ErrStopped) {
		t.Errorf("after a stop: %v", err)
	}
	if _, err := w.c.Start(context.Background(), "j", "O", nil); !errors.Is(err, turnstone.ErrStopped) || w.started != 1 {
		t.Errorf("a start after a stop: %v, after %d starts", err, w.started)
	}
}

// AStopLeavesWritesInDoubt has requests that the engine has not answered when the journal stops: they may be in the
// log. Only what was asked later is known to be nowhere.
func (s suite) AStopLeavesWritesInDoubt(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.hold = true
	ctx := context.Background()
	requests := map[string]func() error{
		"start":  func() error { return second(w.c.Start(ctx, "i", "O", nil)) },
		"raise":  func() error { return w.c.Raise(ctx, "i", "e", nil) },
		"cancel": func() error { return w.c.Cancel(ctx, "i", "why") },

		"terminate": func() error { return w.c.Terminate(ctx, "i", "why") },
		"release":   func() error { return w.c.Release(ctx, "i") },
	}
	answers := make(chan string, len(requests))
	for what, request := range requests {
		go func() {
			if err := request(); !errors.Is(err, turnstone.ErrUncertain) || errors.Is(err, turnstone.ErrStopped) {
				answers <- fmt.Sprintf("%s: %v", what, err)
				return
			}
			answers <- ""
		}()
	}
	w.asked(len(requests))
	w.journal.Stop(errors.New("the disk is gone"))
	for range requests {
		if wrong := <-answers; wrong != "" {
			t.Error(wrong)
		}
	}
	for what, request := range requests {
		if err := request(); !errors.Is(err, turnstone.ErrStopped) || errors.Is(err, turnstone.ErrUncertain) {
			t.Errorf("%s after the stop: %v", what, err)
		}
	}
}

// An engine that never answers does not hold a caller longer than its context.
func (s suite) StartEndsWithItsContext(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.busy = true
	if _, err := w.c.Start(context.Background(), "i", "O", nil); !errors.Is(err, turnstone.ErrBusy) || errors.Is(err, turnstone.ErrUncertain) {
		t.Errorf("an engine at its limits: %v", err)
	}
	w.hold = true
	short, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := w.c.Start(short, "i", "O", nil); !errors.Is(err, turnstone.ErrTimeout) {
		t.Errorf("error %v", err)
	}
}

func (s suite) Reads(t *testing.T) {
	w := s.world(t, 4, localport.Options{})
	ctx := context.Background()
	if s, err := w.c.Status(ctx, "i"); err != nil || s.State != client.StateNotFound || s.State.Terminal() {
		t.Errorf("unknown: %+v, %v", s, err)
	}
	w.start("i")
	d, err := w.c.Describe(ctx, "i")
	if err != nil || d.State != client.StatePending || d.Execution != 1 || d.Created.IsZero() || !d.Ended.IsZero() || d.Parent != nil {
		t.Errorf("pending: %+v, %v", d, err)
	}
	if turns, err := w.c.History(ctx, "i", 0); err != nil || len(turns) != 0 {
		t.Errorf("history before the first turn: %v, %v", turns, err)
	}
	w.turn("i", persistence.OutcomeContinued, started(), continued())
	w.turn("i", persistence.OutcomeRunning, started())
	w.turn("i", persistence.OutcomeFailed, &turnpb.Event{Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{}}}, failed("no"))
	d, err = w.c.Describe(ctx, "i")
	if err != nil || d.State != client.StateFailed || d.Execution != 2 || d.Turn != 2 || d.HistoryEvents != 3 || d.Ended.IsZero() ||
		d.Failure == nil || d.Failure.Error() != "no" || d.Version != "1.0.0" || d.EngineVersion != "0.1.0" || d.Incarnation == 0 {
		t.Errorf("failed: %+v, %v", d, err)
	}
	if s, err := w.c.Status(ctx, "i"); err != nil || s.State != client.StateFailed || s.Failure.Error() != "no" || !s.State.Terminal() {
		t.Errorf("status %+v, %v", s, err)
	}
	turns, err := w.c.History(ctx, "i", 0)
	if err != nil || len(turns) != 2 || len(turns[1].Events) != 2 || turns[1].Number != 2 || turns[1].Events[1].ID != 3 {
		t.Errorf("history %v, %v", turns, err)
	}
	if turns, err := w.c.History(ctx, "i", 9); err != nil || len(turns) != 0 {
		t.Errorf("an execution that is not there: %v, %v", turns, err)
	}
	all, err := w.c.Executions(ctx, "i")
	if err != nil || len(all) != 2 || all[0].State != client.StateContinuedAsNew || all[1].State != client.StateFailed || all[1].Started.IsZero() {
		t.Errorf("executions %+v, %v", all, err)
	}
	for what, err := range map[string]error{
		"describe": second(w.c.Describe(ctx, "nobody")), "history": second(w.c.History(ctx, "nobody", 0)),
		"executions": second(w.c.Executions(ctx, "nobody")),
	} {
		if !errors.Is(err, turnstone.ErrInstanceNotFound) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
}

// holes is a journal that loses parts of histories.
type holes struct {
	localport.Journal
	lost func(p persistence.StoredPart) bool
}

func (j holes) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	j.Journal.View(p, func(r persistence.Reader) error { return read(holesReader{r, j.lost}) }, done)
}

type holesReader struct {
	persistence.Reader
	lost func(p persistence.StoredPart) bool
}

func (r holesReader) Parts(iid persistence.Incarnation, execution, from uint64, yield func(persistence.StoredPart) bool) error {
	return r.Reader.Parts(iid, execution, from, func(p persistence.StoredPart) bool { return r.lost(p) || yield(p) })
}

// F20_a_history_with_a_hole_is_an_error_for_readers loses each turn of an instance with two executions.
func (s suite) F20_a_history_with_a_hole_is_an_error_for_readers(t *testing.T) {
	w, ctx := s.world(t, 1, localport.Options{}), context.Background()
	w.start("i")
	w.turn("i", persistence.OutcomeContinued, started(), continued())
	for range 3 {
		w.turn("i", persistence.OutcomeRunning, started())
	}
	for turn := range uint64(4) {
		lost := func(p persistence.StoredPart) bool {
			return p.Execution == 2 && p.Turn == turn || turn == 0 && p.Execution == 1
		}
		r := s.reads(t, w, holes{w.journal, lost})
		execution := min(turn+1, 2)
		if _, err := r.History(ctx, "i", execution); !errors.Is(err, turnstone.ErrDamaged) ||
			!strings.Contains(err.Error(), fmt.Sprintf("execution %d: ", execution)) {
			t.Errorf("without turn %d: %v", turn, err)
		}
		if _, err := r.Executions(ctx, "i"); (err != nil) != (turn == 0) || err != nil && !errors.Is(err, turnstone.ErrDamaged) {
			t.Errorf("executions, without turn %d: %v", turn, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func (s suite) List(t *testing.T) {
	w := s.world(t, 4, localport.Options{})
	ctx := context.Background()
	const n = 23
	for i := range n {
		id := fmt.Sprintf("i%02d", i)
		w.start(id)
		switch i % 3 {
		case 1:
			w.turn(id, persistence.OutcomeRunning, started())
		case 2:
			w.turn(id, persistence.OutcomeCompleted, started(), completed("1"))
		}
	}
	collect := func(q client.ListRequest) (ids []string) {
		for {
			page, err := w.c.List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if q.Max > 0 && len(page.Instances) > q.Max {
				t.Fatalf("a page of %d", len(page.Instances))
			}
			for _, d := range page.Instances {
				ids = append(ids, d.ID)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return ids
			}
		}
	}
	for _, max := range []int{0, 1, 5, n, 5000} {
		ids := collect(client.ListRequest{Max: max})
		if len(ids) != n {
			t.Fatalf("pages of %d: %d instances, want %d", max, len(ids), n)
		}
		for i, id := range ids {
			if want := fmt.Sprintf("i%02d", n-1-i); id != want {
				t.Errorf("pages of %d: number %d is %s, want %s: the newest first", max, i, id, want)
			}
		}
	}
	for state, want := range map[client.State]int{client.StatePending: 8, client.StateRunning: 8, client.StateCompleted: 7, client.StateFailed: 0} {
		if got := collect(client.ListRequest{States: []client.State{state, state}, Max: 3}); len(got) != want {
			t.Errorf("%s: %v", state, got)
		}
	}
	for name, q := range map[string]client.ListRequest{
		"state": {States: []client.State{client.StateNotFound}}, "cursor": {Cursor: "AQ"}, "text": {Cursor: "?"}, "page": {Max: -1},
	} {
		if _, err := w.c.List(ctx, q); !errors.Is(err, turnstone.ErrInvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	page, err := w.c.List(ctx, client.ListRequest{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.world(t, 2, localport.Options{}).c.List(ctx, client.ListRequest{Cursor: page.Next}); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("a cursor of another store: %v", err)
	}
}

// Damage is named, never shown as a shorter history.
func (s suite) Damage(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	w.turn("i", persistence.OutcomeCompleted, started()) // a head that says more than its history
	if _, err := w.c.Describe(context.Background(), "i"); !errors.Is(err, turnstone.ErrDamaged) {
		t.Errorf("describe: %v", err)
	}
	if _, err := w.c.Wait(context.Background(), "i"); !errors.Is(err, turnstone.ErrDamaged) {
		t.Errorf("wait: %v", err)
	}
}

// TestF20_a_wait_for_a_damaged_instance_is_answered: when it is known to be set aside, and when that is found later. One that
// has ended gives its end.
func (s suite) F20_a_wait_for_a_damaged_instance_is_answered(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	w.turn("i", persistence.OutcomeRunning, started())
	damage := fmt.Errorf("%w: turn 7 is lost", persistence.ErrCorrupt)
	answers := make(chan error, 1)
	ask := func(options ...client.WaitOption) {
		_, err := w.c.Wait(context.Background(), "i", options...)
		answers <- err
	}
	check := func(when string) {
		t.Helper()
		if err := <-answers; !errors.Is(err, turnstone.ErrDamaged) || !strings.Contains(err.Error(), `instance "i"`) || !strings.Contains(err.Error(), "turn 7 is lost") {
			t.Errorf("%s: %v", when, err)
		}
	}
	go ask()
	w.watched("i")
	w.mu.Lock()
	found := w.damages["i"]
	w.aside["i"] = damage
	w.mu.Unlock()
	found(damage)
	check("found during the wait")
	go ask(client.WaitForStart())
	check("known before")
	w.turn("i", persistence.OutcomeCompleted, completed("out"))
	if end, err := w.c.Wait(context.Background(), "i"); err != nil || end.State != client.StateCompleted {
		t.Errorf("of one that has ended: %+v, %v", end, err)
	}
}
