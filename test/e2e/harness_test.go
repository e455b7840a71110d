package e2e

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/node"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience bounds every wait: a case that hits it has failed.
	patience = 30 * time.Second
	// look is how often a condition that nothing announces is looked at.
	look = 2 * time.Millisecond
)

// fullOrShort is how much a case does, and how much of the same with -short.
func fullOrShort(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// What the cases reach behind a node's back: what its registry has, and its journal.
var (
	registries = seam.Take[seam.Registry[*turnstone.Registry, turnstone.ActivityInfo]]()
	stores     = seam.Take[seam.Store[*node.Node, persistence.Journal]]()
	recorded   = seam.Take[seam.History[*client.Reader]]()
)

// world is one node on a directory of its own, which a case may kill and reopen.
type world struct {
	t        *testing.T
	ctx      context.Context
	cfg      node.Config
	registry *turnstone.Registry
	log      *syncBuffer

	mu       sync.Mutex // of cases that replace the node while others use it
	node     *node.Node
	c        *client.Client
	resident bool
	reopened bool
	verified bool
}

// scenario runs a case resident and with residency off, and checks what it leaves.
func scenario(t *testing.T, id string, run func(w *world)) {
	t.Helper()
	t.Run(id, func(t *testing.T) {
		for _, mode := range []struct {
			name     string
			resident bool
		}{{"resident", true}, {"evicted", false}} {
			t.Run(mode.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode.resident)
				run(w)
				w.finish()
			})
		}
	})
}

// resident runs a case only with instances that stay in memory.
func resident(t *testing.T, id string, run func(w *world)) {
	t.Helper()
	t.Run(id, func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, true)
		run(w)
		w.finish()
	})
}

func newWorld(t *testing.T, resident bool) *world {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, resident: resident, log: &syncBuffer{}}
	w.cfg = node.Config{
		Dir: t.TempDir() + "/store", Partitions: 4, TurnSlots: 8, ActivitySlots: 16, Drain: -1,
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if !resident {
		w.cfg.ResidentBytes = -1
	}
	t.Cleanup(func() {
		if w.node != nil {
			if t.Failed() {
				t.Logf("metrics: %+v", w.node.Metrics())
				if page, err := w.c.List(ctx, client.ListRequest{}); err == nil {
					t.Logf("instances: %+v", page.Instances)
				}
			}
			w.node.Kill()
		}
		if t.Failed() {
			t.Logf("the node's log:\n%s", w.log)
		}
	})
	return w
}

// open registers handlers and opens the node. Options of the node are set in w.cfg before.
func (w *world) open(handlers ...turnstone.Handler) {
	w.t.Helper()
	w.register(handlers...)
	w.start()
}

func (w *world) register(handlers ...turnstone.Handler) {
	w.t.Helper()
	w.registry = turnstone.NewRegistry(turnstone.WithLogger(w.cfg.Logger))
	if err := w.registry.Register(handlers...); err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Registry = w.registry
}

func (w *world) start() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	n, err := node.Open(ctx, w.cfg)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	w.node, w.c = n, n.Client()
}

// crash ends the node as a crash would.
func (w *world) crash() {
	w.node.Kill()
	w.node, w.reopened = nil, true
}

// restart crashes the node and opens it again.
func (w *world) restart() {
	w.t.Helper()
	w.crash()
	w.start()
}

// finish checks every history with the oracle, and the closed store.
func (w *world) finish() {
	w.t.Helper()
	if w.t.Failed() {
		return
	}
	w.verifyHistories()
	if !w.verified {
		w.t.Error("no history was verified")
	}
	if replayed := w.node.Metrics().ReplayedEvents; w.resident && !w.reopened && replayed != 0 {
		w.t.Errorf("a resident run replayed %d events", replayed)
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := w.node.Shutdown(ctx); err != nil {
		w.t.Errorf("shutdown: %v", err)
	}
	w.node = nil
	v, err := node.Verify(w.ctx, w.cfg.Dir)
	if err != nil {
		w.t.Errorf("verify the store: %v", err)
	}
	for _, d := range v.Damages {
		w.t.Errorf("the store is damaged: %s", d)
	}
}

func (w *world) verifyHistories() {
	w.t.Helper()
	oracle := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.DiscardHandler)))
	if err := oracle.Merge(w.registry); err != nil {
		w.t.Fatal(err)
	}
	for _, d := range w.all() {
		var kv, next map[string]replay.KVEntry
		for n := uint64(1); n <= d.Execution; n++ {
			turns := w.turns(d.ID, n)
			kv, next = next, replay.NextKV(next, turns)
			if len(turns) == 0 || len(turns[0].Events) == 0 {
				continue
			}
			started := turns[0].Events[0].GetStarted()
			_, fn, ok := registries.Orchestration(oracle, started.GetName(), started.GetVersion())
			if !ok {
				continue // it waits for a handler that this node never had
			}
			cfg := replay.Config{
				Instance: d.ID, Execution: n, Name: started.GetName(), Version: started.GetVersion(), Func: fn, KV: kv,
				RejectOrphans: !w.cfg.FailOnNondeterminism, Limits: replay.Limits{StatusBytes: w.cfg.Limits.StatusBytes},
			}
			if err := replay.Verify(cfg, turns); err != nil {
				w.t.Errorf("the oracle: %v", err)
			}
			w.verified = true
		}
	}
}

// all lists every instance of the store.
func (w *world) all() []client.Description {
	w.t.Helper()
	var all []client.Description
	request := client.ListRequest{Max: 7}
	for {
		page, err := w.c.List(w.ctx, request)
		if err != nil {
			w.t.Fatalf("list: %v", err)
		}
		all = append(all, page.Instances...)
		if page.Next == "" {
			return all
		}
		request.Cursor = page.Next
	}
}

// turns are those of an execution, as they are recorded; 0 is the current one.
func (w *world) turns(id string, execution uint64) []replay.Segment {
	w.t.Helper()
	turns, err := w.read(id, execution)
	if err != nil {
		w.t.Fatalf("history of %s, execution %d: %v", id, execution, err)
	}
	return turns
}

func (w *world) read(id string, execution uint64) (turns []replay.Segment, err error) {
	for turn, err := range recorded.Turns(w.c.Reader, w.ctx, id, execution) {
		if err != nil {
			return nil, err
		}
		turns = append(turns, turn)
	}
	return turns, nil
}

// history is the events of an execution; 0 is the current one.
func (w *world) history(id string, execution uint64) events {
	w.t.Helper()
	var all events
	for _, t := range w.turns(id, execution) {
		all = append(all, t.Events...)
	}
	return all
}

// begin starts an instance.
func begin[I, O any](w *world, o *turnstone.Orchestration[I, O], id string, input I) *client.Run[O] {
	w.t.Helper()
	run, err := client.Start(w.ctx, w.c, id, o, input)
	if err != nil {
		w.t.Fatalf("start %s: %v", id, err)
	}
	return run
}

// completes waits for an instance and compares its result.
func completes[O comparable](w *world, id string, want O) {
	w.t.Helper()
	if got := result[O](w, id); got != want {
		w.t.Fatalf("%s gave %v, want %v", id, got, want)
	}
}

// result waits for an instance that must complete.
func result[O any](w *world, id string) O {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	got, err := client.Attach[O](w.c, id).Wait(ctx)
	if err != nil {
		w.t.Fatalf("%s: %v; history:\n%v", id, err, w.story(id))
	}
	return got
}

// failure waits for an instance that must fail.
func (w *world) failure(id string) *turnstone.Failure {
	w.t.Helper()
	end := w.end(id)
	if end.Failure == nil {
		w.t.Fatalf("%s did not fail: %v with %s", id, end.State, end.Output)
	}
	return end.Failure
}

func (w *world) end(id string) client.End {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	end, err := w.c.Wait(ctx, id)
	if err != nil {
		w.t.Fatalf("wait for %s: %v; history:\n%v", id, err, w.story(id))
	}
	return end
}

// cancelled waits for an instance that must end as cancelled for this reason.
func (w *world) cancelled(id, reason string) {
	w.t.Helper()
	f := w.failure(id)
	if f.Kind != turnstone.KindCancelled || f.Reason != reason || f.Error() != "canceled: "+reason {
		w.t.Fatalf("%s failed with %+v, want cancelled for %q", id, f, reason)
	}
}

func (w *world) raise(id, name string, value any) {
	w.t.Helper()
	if err := client.Raise(w.ctx, w.c, id, name, value); err != nil {
		w.t.Fatalf("raise %s to %s: %v", name, id, err)
	}
}

func (w *world) cancel(id, reason string) {
	w.t.Helper()
	if err := w.c.Cancel(w.ctx, id, reason); err != nil {
		w.t.Fatalf("cancel %s: %v", id, err)
	}
}

// until waits until a condition holds.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("it never happened: %s", what)
		}
	}
}

// untilHistory waits until an instance's current history has so many events of a kind.
func (w *world) untilHistory(id string, n int, kind string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d %s in the history of %s", n, kind, id), func() bool {
		turns, err := w.read(id, 0)
		if err != nil {
			return false
		}
		var all events
		for _, t := range turns {
			all = append(all, t.Events...)
		}
		return all.count(kind) >= n
	})
}

func (w *world) story(id string) string {
	turns, err := w.read(id, 0)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	for _, t := range turns {
		fmt.Fprintf(&b, "turn %d\n", t.Header.GetTurn())
		for _, e := range t.Events {
			fmt.Fprintf(&b, "  %v\n", e)
		}
	}
	return b.String()
}

// events is a history.
type events []*turnpb.Event

// kinds names the events in order.
func (h events) kinds() []string {
	var all []string
	for _, e := range h {
		all = append(all, replay.KindName(e))
	}
	return all
}

func (h events) count(kind string) int {
	n := 0
	for _, e := range h {
		if replay.KindName(e) == kind {
			n++
		}
	}
	return n
}

// first is the first event of a kind; it must exist.
func (h events) first(t *testing.T, kind string) *turnpb.Event {
	t.Helper()
	for _, e := range h {
		if replay.KindName(e) == kind {
			return e
		}
	}
	t.Fatalf("no %s in %v", kind, h.kinds())
	return nil
}

// syncBuffer is a log that many goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// slowly is an activity body that takes a while, and less if it is told to stop.
func slowly(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// executions asserts how many executions an instance has: all but the last continued as new.
func (w *world) executions(id string, want int) {
	w.t.Helper()
	all, err := w.c.Executions(w.ctx, id)
	if err != nil || len(all) != want {
		w.t.Fatalf("executions of %s: %+v, %v; want %d", id, all, err, want)
	}
	for i, e := range all {
		if e.Number != uint64(i+1) || e.Started.IsZero() || (e.State == client.StateContinuedAsNew) != (i+1 < want) {
			w.t.Fatalf("execution %d of %s is %+v", i+1, id, e)
		}
	}
}
