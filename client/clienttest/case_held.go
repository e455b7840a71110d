package clienttest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
)

// holdsIt has an instance held, as a turn does whose code does not fit.
func (w *world) holdsIt(id, reason, build string, delay time.Duration) {
	w.t.Helper()
	head, _ := w.head(id)
	if r := w.propose(w.journal.PartitionOf(id), &persistence.AbandonTurn{
		IID: head.IID, Execution: head.Execution, Turn: head.Turn, DelayMs: delay.Milliseconds(), Reason: reason, Build: build,
		Counts: reason == "", // a plain attempt that ended without an answer
	}); r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

func (w *world) describe(id string) client.Description {
	w.t.Helper()
	d, err := w.c.Describe(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (s suite) F50_a_held_instance_says_since_when_and_why_and_what_to_do(t *testing.T) {
	w := s.world(t, 2, localport.Options{})
	ctx := t.Context()
	w.start("i")
	w.turn("i", persistence.OutcomeRunning, started())
	if d := w.describe("i"); d.Held != nil {
		t.Errorf("before it is held: %+v", d.Held)
	}
	w.holdsIt("i", "history has A at a.go:1; the code asked for B at b.go:2", "b1", time.Second)
	since := time.UnixMilli(w.nowMs).UTC()
	w.holdsIt("i", "history has A at a.go:1; the code asked for B at b.go:2", "b1", time.Minute)
	d := w.describe("i")
	want := client.Held{
		Reason: "history has A at a.go:1; the code asked for B at b.go:2", Since: since, Attempts: 2, Build: "b1",
		Next: time.UnixMilli(w.nowMs).UTC().Add(time.Minute),
	}
	if d.Held == nil || *d.Held != want || d.State != client.StateRunning {
		t.Fatalf("%s, held: %+v, want %+v", d.State, d.Held, want)
	}
	if s, err := w.c.Status(ctx, "i"); err != nil || s.State != client.StateRunning {
		t.Errorf("status %+v, %v", s, err)
	}
	for _, part := range []string{"held since 2023-", want.Reason, "Build b1 has tried it 2 times", "the next try is not before 2023-", "Deploy",
		"roll back", "Release", "Cancel", "Terminate"} {
		if !strings.Contains(d.Why, part) {
			t.Errorf("%q does not say %q", d.Why, part)
		}
	}
	w.holdsIt("i", want.Reason, "b1", 0) // as the last try of a build
	if d := w.describe("i"); !d.Held.Next.IsZero() || !strings.Contains(d.Why, "not tried again by this build") {
		t.Errorf("held with %+v: %q", d.Held, d.Why)
	}
	if err := w.c.Release(ctx, "i"); err != nil {
		t.Fatal(err)
	}
	if d := w.describe("i"); d.Held != nil || strings.Contains(d.Why, "held") {
		t.Errorf("after its release: %+v, %q", d.Held, d.Why)
	}
	if err := client.Attach[int](w.c, "i").Release(ctx); err != nil {
		t.Errorf("a release of one that is not held: %v", err)
	}
	w.turn("i", persistence.OutcomeCompleted, completed("1"))
	for id, want := range map[string]error{
		"i": turnstone.ErrInstanceEnded, "nobody": turnstone.ErrInstanceNotFound, "": turnstone.ErrInvalidInput,
	} {
		if err := w.c.Release(ctx, id); !errors.Is(err, want) {
			t.Errorf("a release of %q: %v, want %v", id, err, want)
		}
	}
}

// counting counts what is read of instances.
type counting struct {
	localport.Journal
	reads int
}

func (j *counting) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	j.Journal.View(p, func(r persistence.Reader) error { return read(countingReader{r, j}) }, done)
}

type countingReader struct {
	persistence.Reader
	j *counting
}

func (r countingReader) Head(iid persistence.Incarnation) (persistence.Head, bool, error) {
	r.j.reads++
	return r.Reader.Head(iid)
}

func (r countingReader) TurnLease(iid persistence.Incarnation) (persistence.TurnLease, bool, error) {
	r.j.reads++
	return r.Reader.TurnLease(iid)
}

func (r countingReader) List([]persistence.Status, persistence.ListCursor, int) ([]persistence.Head, error) {
	return nil, errors.New("it looks at instances that are not held")
}

func (s suite) F50_held_instances_are_listed_by_age_and_counted(t *testing.T) {
	w := s.world(t, 4, localport.Options{})
	ctx := t.Context()
	const n, held = 100, 11
	for i := range n {
		w.start(fmt.Sprintf("i%02d", i))
	}
	for i := range held {
		w.holdsIt(fmt.Sprintf("i%02d", n-1-i), "no code", "b", 0)
	}
	w.turn("i00", persistence.OutcomeRunning, started())
	w.turn("i01", persistence.OutcomeCompleted, started(), completed("1"))
	w.turn("i02", persistence.OutcomeFailed, started(), failed("no"))
	want := client.Counts{Pending: n - 3, Running: 1, Completed: 1, Failed: 1, Held: held}
	if got, err := w.c.Counts(ctx); err != nil || got != want {
		t.Errorf("counts %+v, %v, want %+v", got, err, want)
	}
	for _, max := range []int{0, 1, 3, held, n} {
		j := &counting{Journal: w.journal}
		r := s.reads(t, w, j)
		var ids []string
		for q := (client.ListRequest{Held: true, Max: max}); ; {
			page, err := r.List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Instances {
				ids = append(ids, d.ID)
				if d.Held == nil || d.Held.Reason != "no code" || !strings.Contains(d.Why, "no code") {
					t.Errorf("%s: held %+v, %q", d.ID, d.Held, d.Why)
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		for i := range held {
			if want := fmt.Sprintf("i%02d", n-1-i); len(ids) != held || ids[i] != want {
				t.Fatalf("pages of %d: %v; number %d is not %s: the longest held first", max, ids, i, want)
			}
		}
		if max >= held && j.reads > 2*held {
			t.Errorf("pages of %d: %d rows of instances were read for %d that are held", max, j.reads, held)
		}
	}
	w.refusesListings()
}

// refusesListings asks for listings that there are not.
func (w *world) refusesListings() {
	w.t.Helper()
	ctx := w.t.Context()
	newest, err1 := w.c.List(ctx, client.ListRequest{Max: 1})
	oldest, err2 := w.c.List(ctx, client.ListRequest{Max: 1, Held: true})
	if err := errors.Join(err1, err2); err != nil {
		w.t.Fatal(err)
	}
	for name, q := range map[string]client.ListRequest{
		"held and states":            {Held: true, States: []client.State{client.StatePending}},
		"a cursor of the other list": {Held: true, Cursor: newest.Next}, "the other way round": {Cursor: oldest.Next},
	} {
		if _, err := w.c.List(ctx, q); !errors.Is(err, turnstone.ErrInvalidInput) {
			w.t.Errorf("%s: %v", name, err)
		}
	}
}

// misses has an instance held, as a try does that finds no handler.
func (w *world) misses(id string) {
	w.t.Helper()
	head, _ := w.head(id)
	if r := w.propose(w.journal.PartitionOf(id), &persistence.AbandonTurn{
		IID: head.IID, Execution: head.Execution, Turn: head.Turn, DelayMs: 1000, Counts: true, Build: "b1",
		Reason: "orchestration O 1.0.0 is not registered",
	}); r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

func (s suite) F51_an_instance_whose_handler_is_missing_says_when_it_is_given_up(t *testing.T) {
	w := s.world(t, 1, localport.Options{MaxAttempts: 10})
	w.start("i")
	for range 3 {
		w.misses("i")
	}
	d := w.describe("i")
	if want := "attempt 3 of 10, after which it fails for good as poison"; d.Held.End != want || !strings.Contains(d.Why, want) || d.Held.Attempts != 3 {
		t.Errorf("held: %+v; %q", d.Held, d.Why)
	}
	r, err := client.NewReader(localport.NewReader(w.journal), nil).Describe(t.Context(), "i")
	if want := "attempt 3; after the node's MaxAttempts it fails for good as poison"; err != nil || r.Held.End != want || !strings.Contains(r.Why, want) {
		t.Errorf("without a node: held: %+v; %q, %v", r.Held, r.Why, err)
	}
	for range 7 {
		w.misses("i")
	}
	if last := w.describe("i").Held; !strings.HasPrefix(last.End, "attempt 10 of 10: at the next try it fails") {
		t.Errorf("at the last attempt: %+v", last)
	}
	if err := w.c.Release(t.Context(), "i"); err != nil {
		t.Fatal(err)
	}
	w.misses("i")
	if after := w.describe("i").Held; !strings.HasPrefix(after.End, "attempt 1 of 10") || !after.Since.After(d.Held.Since) {
		t.Errorf("after a release: %+v", after)
	}
	w.holdsIt("i", "nondeterministic: the code asked for B", "b1", time.Second)
	if other := w.describe("i"); other.Held.End != "" || strings.Contains(other.Why, "poison") {
		t.Errorf("held for another reason: %+v; %q", other.Held, other.Why)
	}
	if _, err := w.c.Start(t.Context(), "missing", "Mistyped", nil); err != nil {
		t.Fatal(err)
	}
	if why := w.describe("missing").Why; !strings.Contains(why, "it is tried 10 times, and then it fails for good as poison") {
		t.Error(why)
	}
}

func (s suite) F31_describe_says_in_words_what_an_instance_waits_for(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	for _, id := range []string{"pending", "event", "work", "backoff", "ended"} {
		w.start(id)
	}
	if _, err := w.c.Start(t.Context(), "missing", "Mistyped", nil, client.WithVersion("1.2.0")); err != nil {
		t.Fatal(err)
	}
	w.turn("event", persistence.OutcomeRunning, started())
	w.turnWith("work", persistence.OutcomeRunning, func(c *persistence.CommitTurn) {
		c.Work = []persistence.NewWork{{Event: 2, Name: "A"}, {Event: 3, Name: "A"}}
		c.Timers = []persistence.TimerRef{{FireAtMs: w.nowMs, Event: 4}}
		c.Children = []persistence.NewChild{{Event: 5, ID: "c"}}
	}, started(), started(), started(), started(), started())
	if err := w.c.Raise(t.Context(), "work", "e", nil); err != nil {
		t.Fatal(err)
	}
	w.holdsIt("backoff", "", "", time.Minute)
	w.turn("ended", persistence.OutcomeCompleted, started(), completed("1"))
	for id, want := range map[string]string{
		"pending": "its first turn has not run yet",
		"event":   "waits for an event, a message, the end of another instance or the answer to a send; or its turn runs now",
		"work":    "waits for 2 activities, 1 timer, 1 child; perhaps for events, messages or other instances; 1 message in its inbox",
		"backoff": "1 attempt ended without an answer; its next one is not before 2023-",
		"missing": "orchestration Mistyped 1.2.0 is not registered: attach a runtime that has it, or cancel or terminate the instance; when " +
			"something waits for it, it is tried as often as the node's MaxAttempts allows, and then it fails for good as poison",
		"ended": "",
	} {
		if got := w.describe(id).Why; got != want && (id != "backoff" || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	d, err := client.NewReader(localport.NewReader(w.journal), nil).Describe(t.Context(), "missing")
	if err != nil || d.Why != "its first turn has not run yet" {
		t.Errorf("a store without a node: %q, %v", d.Why, err)
	}
}

func (s suite) F52_a_termination_ends_an_instance_and_is_answered_by_its_key(t *testing.T) {
	w := s.world(t, 2, localport.Options{})
	ctx := t.Context()
	w.start("i")
	w.turn("i", persistence.OutcomeRunning, started())
	w.holdsIt("i", "no code", "b", 0)
	key := client.WithRequestKey("k")
	for range 2 {
		if err := w.c.Terminate(ctx, "i", "a wrong deploy", key); err != nil {
			t.Fatal(err)
		}
	}
	end, err := w.c.Wait(ctx, "i")
	if err != nil || end.State != client.StateFailed || !errors.Is(end.Failure, turnstone.ErrTerminated) ||
		errors.Is(end.Failure, turnstone.ErrCancelled) || end.Failure.Kind != turnstone.KindTerminated ||
		end.Failure.Reason != "a wrong deploy" || end.Failure.Error() != "terminated: a wrong deploy" || end.Failure.Retryable {
		t.Errorf("end %+v, %v", end.Failure, err)
	}
	if d := w.describe("i"); d.Held != nil || d.Why != "" {
		t.Errorf("it has ended and is held: %+v, %q", d.Held, d.Why)
	}
	if n, err := w.c.Counts(ctx); err != nil || n != (client.Counts{Failed: 1}) {
		t.Errorf("counts %+v, %v", n, err)
	}
	run := client.Attach[int](w.c, "i")
	for what, c := range map[string]struct{ got, want error }{
		"another request with its key": {run.Terminate(ctx, "another reason", key), turnstone.ErrRequestKeyReused},
		"one that has ended":           {run.Terminate(ctx, "a wrong deploy"), turnstone.ErrInstanceEnded},
		"one that does not exist":      {w.c.Terminate(ctx, "nobody", ""), turnstone.ErrInstanceNotFound},
		"no id":                        {w.c.Terminate(ctx, "", ""), turnstone.ErrInvalidInput},
		"a reason that is no text":     {w.c.Terminate(ctx, "i", "\xff"), turnstone.ErrInvalidInput},
		"an empty key":                 {w.c.Terminate(ctx, "i", "", client.WithRequestKey("")), turnstone.ErrInvalidInput},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}
