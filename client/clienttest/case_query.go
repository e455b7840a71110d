package clienttest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// answers has the engine answer every query.
func (w *world) answers(output string, f *turnpb.Failure, err error) {
	w.answer = func() ([]byte, *turnpb.Failure, error) { return []byte(output), f, err }
}

func (s suite) A_query_is_answered(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	ctx := t.Context()
	w.answers(`["a","b"]`, nil, nil)
	got, err := client.Query[[]string](ctx, w.c, "i", "items", 7)
	if err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the answer is %v, %v", got, err)
	}
	raw, err := w.c.Query(ctx, "i", "items", []byte("8"))
	if err != nil || string(raw) != `["a","b"]` {
		t.Errorf("the untyped answer is %s, %v", raw, err)
	}
	run := client.Attach[int](w.c, "i")
	var items []string
	if err := run.Query(ctx, "items", 9, &items); err != nil || !slices.Equal(items, []string{"a", "b"}) {
		t.Errorf("the answer of a handle is %v, %v", items, err)
	}
	var encoded turnstone.Raw
	if err := run.Query(ctx, "items", turnstone.Raw("10"), &encoded); err != nil || string(encoded) != `["a","b"]` {
		t.Errorf("the untyped answer of a handle is %s, %v", encoded, err)
	}
	for i, q := range w.asks {
		if want := fmt.Sprint(i + 7); q.ID != "i" || q.Name != "items" || string(q.Input) != want {
			t.Errorf("query %d is %+v, want the input %s", i, q, want)
		}
	}
	var decode *turnstone.DecodeError
	if _, err := client.Query[int](ctx, w.c, "i", "items", 0); !errors.As(err, &decode) {
		t.Errorf("an answer of another type: %v", err)
	}
	if err := run.Query(ctx, "items", 0, new(int)); !errors.As(err, &decode) {
		t.Errorf("an answer of another type, by a handle: %v", err)
	}
	if _, err := client.Query[int](ctx, w.c, "i", "items", func() {}); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("an input that cannot be encoded: %v", err)
	}
	if err := run.Query(ctx, "items", func() {}, &items); !errors.Is(err, turnstone.ErrInvalidInput) {
		t.Errorf("an input that cannot be encoded, by a handle: %v", err)
	}
}

func (s suite) A_query_that_fails_has_the_error_of_the_code(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	f := failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED, errors.New("no such item"))
	f.GetApplication().ErrorKind = "NoItem"
	w.answers("", f, nil)
	_, err := w.c.Query(t.Context(), "i", "items", nil)
	var own *turnstone.Error
	var why *turnstone.Failure
	if !errors.As(err, &own) || own.Kind != "NoItem" || !errors.As(err, &why) || !strings.Contains(why.Error(), "no such item") {
		t.Errorf("the error is %#v", err)
	}
}

func (s suite) A_query_that_is_refused_says_why(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	for reason, want := range map[query.Reason]error{
		query.Blocked: turnstone.ErrQueryBlocked, query.NotReading: turnstone.ErrQueryNotReading, query.Misused: turnstone.ErrQueryNotReading,
		query.Panicked: turnstone.ErrQueryPanicked, query.Diverged: turnstone.ErrNondeterminism, query.Held: turnstone.ErrHeld,
		query.Recovering: turnstone.ErrRecovering, query.NoHandler: turnstone.ErrNoHandler, query.Unreadable: turnstone.ErrNoHandler,
	} {
		w.answers("", nil, &query.Refusal{Reason: reason, Text: "at main.go:7"})
		_, err := w.c.Query(t.Context(), "i", "items", nil)
		if !errors.Is(err, want) {
			t.Errorf("reason %d: %v, want %v", reason, err, want)
			continue
		}
		for _, part := range []string{`"i"`, want.Error(), "at main.go:7"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("reason %d: the error %q does not say %q", reason, err, part)
			}
		}
	}
	w.answers("", nil, &query.Refusal{Reason: query.Unknown, Text: "no handler; it has a, b", Query: "items", Known: []string{"a", "b"}})
	_, err := w.c.Query(t.Context(), "i", "items", nil)
	var unknown *turnstone.UnknownQueryError
	if !errors.As(err, &unknown) || unknown.Query != "items" || !slices.Equal(unknown.Known, []string{"a", "b"}) {
		t.Errorf("an unknown query: %#v", err)
	} else if text := unknown.Error(); !strings.Contains(text, `"items"`) || !strings.Contains(text, "a, b") {
		t.Errorf("the text of an unknown query is %q", text)
	}
	for inner, want := range map[error]error{
		persistence.ErrNotFound: turnstone.ErrInstanceNotFound, persistence.ErrEnded: turnstone.ErrInstanceEnded,
		persistence.ErrBusy: turnstone.ErrBusy, persistence.ErrUncertain: turnstone.ErrUncertain,
	} {
		w.answers("", nil, inner)
		if _, err := w.c.Query(t.Context(), "i", "items", nil); !errors.Is(err, want) {
			t.Errorf("%v became %v", inner, err)
		}
	}
}

func (s suite) A_query_over_a_limit_is_refused_before_it_is_asked(t *testing.T) {
	w := s.world(t, 1, localport.Options{Limits: limits.Limits{PayloadBytes: 4, IDBytes: 3}})
	w.answers("", nil, nil)
	ask := func(id, name, input string) error {
		_, err := w.c.Query(t.Context(), id, name, []byte(input))
		return err
	}
	if err := ask("i", "abc", "1234"); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	var limit *turnstone.LimitError
	if err := ask("i", "abc", "12345"); !errors.As(err, &limit) || limit.Size != 5 || limit.Max != 4 {
		t.Errorf("an input over the limit: %v", err)
	}
	for _, c := range [][2]string{{"i", "abcd"}, {"i", ""}, {"", "abc"}} {
		if err := ask(c[0], c[1], ""); !errors.Is(err, turnstone.ErrInvalidInput) && !errors.As(err, &limit) {
			t.Errorf("id %q, name %q: %v", c[0], c[1], err)
		}
	}
	if len(w.asks) != 1 {
		t.Errorf("the engine was asked %d times", len(w.asks))
	}
}
