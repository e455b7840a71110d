package e2e

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/limits"
)

// tight are small limits, each of another size.
var tight = limits.Limits{
	IDBytes: 40, DerivedIDBytes: 50, NameBytes: 30, PayloadBytes: 5000, RequestKeyBytes: 20, ReasonBytes: 25, StatusBytes: 100,
	KVKeys: 5, KVValueBytes: 70, HeartbeatBytes: 60, Pending: 35,
}

// of is a limit by the name of its field.
func of(l limits.Limits, field string) int { return int(reflect.ValueOf(l).FieldByName(field).Int()) }

func long(n int) string { return strings.Repeat("x", n) }

// versionOf is a version of n bytes.
func versionOf(n int) string { return "1.0.0-" + strings.Repeat("a", n-len("1.0.0-")) }

// clientLimit is a limit of what a client gives.
type clientLimit struct {
	row string
	// what is the name of the limit in the error.
	what string
	// ask makes requests with a value of n bytes. id is an instance of asked that waits.
	ask func(w *world, id string, n int) []error
	// kind is of the event that a request at the limit leaves in the history of id; empty: none.
	kind string
}

var clientLimits = []clientLimit{
	{"id of a start", "instance id bytes", func(w *world, _ string, n int) []error {
		_, err := w.c.Start(w.ctx, long(n), "Asked", nil)
		return []error{err}
	}, ""},
	{"id of any other request", "instance id bytes", func(w *world, _ string, n int) []error { return requestsOf(w, long(n)) }, ""},
	{"orchestration name of a start", "orchestration name bytes", func(w *world, id string, n int) []error {
		_, err := w.c.Start(w.ctx, "named "+id, long(n), nil)
		return []error{err}
	}, ""},
	{"version of a start", "version bytes", func(w *world, id string, n int) []error {
		_, err := w.c.Start(w.ctx, "versioned "+id, "Versioned", nil, client.WithVersion(versionOf(n)))
		return []error{err}
	}, ""},
	{"request key", "request key bytes", keyed, "ExternalEvent"},
	{"input of a start", "input bytes", func(w *world, id string, n int) []error {
		_, err := w.c.Start(w.ctx, "with input "+id, "Asked", fill(n))
		return []error{err}
	}, ""},
	{"event name", "event name bytes", func(w *world, id string, n int) []error {
		return []error{w.c.Raise(w.ctx, id, long(n), nil)}
	}, "ExternalEvent"},
	{"event data", "event data bytes", func(w *world, id string, n int) []error {
		return []error{w.c.Raise(w.ctx, id, "e", fill(n))}
	}, "ExternalEvent"},
	{"queue name", "queue name bytes", func(w *world, id string, n int) []error {
		return []error{w.c.Enqueue(w.ctx, id, long(n), nil)}
	}, "QueueEventDelivered"},
	{"queue message", "message data bytes", func(w *world, id string, n int) []error {
		return []error{w.c.Enqueue(w.ctx, id, "q", fill(n))}
	}, "QueueEventDelivered"},
	{"query name", "query name bytes", func(w *world, id string, n int) []error { return queried(w, id, long(n), nil, 0) }, ""},
	{"query input", "query input bytes", func(w *world, id string, n int) []error {
		return queried(w, id, "length", fill(n), len(fmt.Sprint(n)))
	}, ""},
	{"query answer", "query answer bytes", func(w *world, id string, n int) []error {
		return queried(w, id, "fill", fmt.Append(nil, n), n)
	}, ""},
	{"query failure", "query failure bytes", queryFails, ""},
	{"cancel reason", "cancel reason bytes", func(w *world, id string, n int) []error {
		return []error{endedBy(w, id, long(n), w.c.Cancel(w.ctx, id, long(n)))}
	}, "OrchestrationCancelRequested"},
	{"termination reason", "terminate reason bytes", func(w *world, id string, n int) []error {
		return []error{endedBy(w, id, long(n), w.c.Terminate(w.ctx, id, long(n)))}
	}, "OrchestrationFailed"},
}

// asked waits for "go", and answers queries.
var asked = turnstone.NewOrchestration("Asked", func(ctx octx, _ turnstone.Raw) (string, error) {
	for n := tight.IDBytes - 1; n <= tight.IDBytes; n++ {
		ctx.HandleQuery(long(n), func([]byte) ([]byte, error) { return nil, nil })
	}
	ctx.HandleQuery("length", func(input []byte) ([]byte, error) { return fmt.Append(nil, len(input)), nil })
	ctx.HandleQuery("fill", func(input []byte) ([]byte, error) {
		n, err := number(input)
		return fill(n), err
	})
	ctx.HandleQuery("fail", func(input []byte) ([]byte, error) {
		n, err := number(input)
		return nil, errors.Join(err, errors.New(long(n)))
	})
	return turnstone.WaitEvent[string](ctx, "go").Await()
})

// named is an orchestration that returns at once.
func named(name string, options ...turnstone.OrchestrationOption) turnstone.Handler {
	return turnstone.NewOrchestration(name, func(octx, turnstone.Raw) (string, error) { return "ok", nil }, options...)
}

// requestsOf makes every request that is no start, for an instance that there is not.
func requestsOf(w *world, id string) []error {
	_, ask := w.c.Query(w.ctx, id, "q", nil)
	_, wait := w.c.Wait(w.ctx, id)
	all := []error{
		w.c.Raise(w.ctx, id, "e", nil), w.c.Enqueue(w.ctx, id, "q", nil), w.c.Cancel(w.ctx, id, ""), w.c.Terminate(w.ctx, id, ""),
		w.c.Release(w.ctx, id), ask, wait,
	}
	for i, err := range all {
		if errors.Is(err, turnstone.ErrInstanceNotFound) {
			all[i] = nil // the id was taken
		}
	}
	return all
}

// keyed makes every request that takes a key of n bytes, each for another instance.
func keyed(w *world, id string, n int) []error {
	if n <= tight.RequestKeyBytes {
		for _, other := range []string{" enqueue", " cancel", " terminate"} {
			begin(w, asked, id+other, nil)
		}
	}
	key := client.WithRequestKey(long(n))
	_, start := w.c.Start(w.ctx, id+" start", "Asked", nil, key)
	return []error{
		start, w.c.Raise(w.ctx, id, "e", nil, key), w.c.Enqueue(w.ctx, id+" enqueue", "q", nil, key),
		w.c.Cancel(w.ctx, id+" cancel", "", key), w.c.Terminate(w.ctx, id+" terminate", "", key),
	}
}

// queryFails has a query fail with a failure of n bytes. What a failure has beside its text is in the refusal of a large one.
func queryFails(w *world, id string, n int) []error {
	fail := func(text int) error {
		_, err := w.c.Query(w.ctx, id, "fail", fmt.Append(nil, text))
		return err
	}
	var over *turnstone.LimitError
	if err := fail(2 * n); !errors.As(err, &over) {
		return []error{fmt.Errorf("a failure of %d bytes: %w", 2*n, err)}
	}
	err := fail(n - (over.Size - 2*n))
	if f := (*turnstone.Failure)(nil); errors.As(err, &f) {
		err = nil
	}
	return []error{err}
}

func queried(w *world, id, name string, input []byte, size int) []error {
	answer, err := w.c.Query(w.ctx, id, name, input)
	if err == nil && len(answer) != size {
		err = fmt.Errorf("the answer has %d bytes, want %d", len(answer), size)
	}
	return []error{err}
}

// endedBy checks that an instance ends with a reason, if the request was taken.
func endedBy(w *world, id, reason string, err error) error {
	if err != nil {
		return err
	}
	if f := w.failure(id); f.Reason != reason {
		return fmt.Errorf("the reason is %q", f.Reason)
	}
	return nil
}

// TestLimitsOfWhatClientsGive asks below, at and above each limit.
func TestLimitsOfWhatClientsGive(t *testing.T) {
	for _, c := range clientLimits {
		scenario(t, c.row, func(w *world) { c.try(w) })
	}
}

func (c *clientLimit) try(w *world) {
	field := fieldOf(w.t, c.row)
	limit := of(tight, field)
	w.cfg.Limits, w.reopened = tight, true // what a termination ends leaves memory
	w.open(asked, named(long(29)), named(long(30)), named("Versioned", turnstone.WithVersion(versionOf(29))),
		named("Versioned", turnstone.WithVersion(versionOf(30))))
	begin(w, asked, "above", nil)
	w.untilRunning("above")
	w.unchanged("above", func() {
		for i, err := range c.ask(w, "above", limit+1) {
			c.refused(w.t, i, err, limit, field)
		}
	})
	for n := limit - 1; n <= limit; n++ {
		id := fmt.Sprint("i", n)
		begin(w, asked, id, nil)
		w.untilRunning(id)
		for i, err := range c.ask(w, id, n) {
			if err != nil {
				w.t.Errorf("request %d with %d bytes of %d: %v", i, n, limit, err)
			}
		}
		if c.kind != "" {
			w.untilHistory(id, 1, c.kind)
		}
	}
	w.raise("above", "go", "ok")
	completes(w, "above", "ok")
}

// refused checks the error of a request above its limit.
func (c *clientLimit) refused(t *testing.T, request int, err error, limit int, field string) {
	t.Helper()
	var over *turnstone.LimitError
	if !errors.As(err, &over) || *over != (turnstone.LimitError{Limit: c.what, Size: limit + 1, Max: limit, Field: field}) {
		t.Errorf("request %d with a byte too many: %v", request, err)
		return
	}
	if want := fmt.Sprintf("%s is %d, the limit is %d; make it smaller, or raise Config.Limits.%s", c.what, limit+1, limit, field); !strings.Contains(err.Error(), want) {
		t.Errorf("request %d is refused with %q, want %q", request, err, want)
	}
}

// unchanged makes requests that must change nothing. A command that the store applies meanwhile may be the node's own, so
// they are made again then: what they write themselves is always counted before they are answered.
func (w *world) unchanged(id string, requests func()) {
	w.t.Helper()
	before, kinds, counts := w.describe(id), w.history(id, 0).kinds(), w.counts()
	w.until("the requests write nothing", func() bool {
		commands := w.node.Metrics().Commands
		requests()
		return w.t.Failed() || w.node.Metrics().Commands == commands
	})
	if after := w.describe(id); !reflect.DeepEqual(after, before) {
		w.t.Errorf("%s was %+v and is %+v", id, before, after)
	}
	if after := w.history(id, 0).kinds(); !reflect.DeepEqual(after, kinds) {
		w.t.Errorf("the history of %s was %v and is %v", id, kinds, after)
	}
	if after := w.counts(); after != counts {
		w.t.Errorf("there were %+v and are %+v", counts, after)
	}
}

// A read of an id that no instance can have finds none, whatever the id is.
func TestReadsOfAnIDThatCannotBe(t *testing.T) {
	scenario(t, "reads", func(w *world) {
		w.cfg.Limits = tight
		w.open(asked)
		begin(w, asked, "i", nil)
		w.untilRunning("i")
		w.unchanged("i", func() {
			for _, id := range []string{"", long(tight.DerivedIDBytes + 1), long(limits.KeyBytesMax), long(limits.KeyBytesMax + 1), long(1 << 20), "a\xff", "a\x00b"} {
				_, described := w.c.Describe(w.ctx, id)
				_, listed := w.c.Executions(w.ctx, id)
				_, history := w.c.History(w.ctx, id, 1)
				for i, err := range []error{described, listed, history} {
					if !errors.Is(err, turnstone.ErrInstanceNotFound) {
						t.Errorf("read %d of %.20q: %v", i, id, err)
					}
				}
				_, found, err := w.c.KV(w.ctx, id, long(1<<20))
				entries, failed := w.c.KVList(w.ctx, id)
				if found || err != nil || len(entries) > 0 || failed != nil {
					t.Errorf("keys of %.20q: %v, %v, %v, %v", id, found, err, entries, failed)
				}
			}
			if _, found, err := w.c.KV(w.ctx, "i", "\xff"); found || err != nil {
				t.Errorf("a key that cannot be: %v, %v", found, err)
			}
		})
	})
}
