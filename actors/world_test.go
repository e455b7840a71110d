package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// registry is a Handlers of plain maps.
type registry struct {
	mu             sync.RWMutex
	orchestrations map[string]replay.Func
	activities     map[string]consumer.ActivityFunc
	version        string
}

func newRegistry() *registry {
	return &registry{orchestrations: map[string]replay.Func{}, activities: map[string]consumer.ActivityFunc{}, version: "1.0.0"}
}

func (r *registry) Orchestration(name, version string) (string, replay.Func, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	fn, ok := r.orchestrations[name]
	return r.version, fn, ok && (version == "" || version == r.version)
}

func (r *registry) Activity(name string) (consumer.ActivityFunc, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	fn, ok := r.activities[name]
	return fn, ok
}

func (r *registry) Replays(string) bool { return true }

func (r *registry) orchestration(name string, fn replay.Func) *registry {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orchestrations[name] = fn
	return r
}

// without takes an orchestration away.
func (r *registry) without(name string) *registry {
	delete(r.orchestrations, name)
	return r
}

func (r *registry) activity(name string, fn consumer.ActivityFunc) *registry {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.activities[name] = fn
	return r
}

// tape is a journal that counts and can hold back, refuse or replace what goes through it. It settles by itself unless
// it is held.
type tape struct {
	*persistencetest.Memory
	mu        sync.Mutex
	counts    map[string]int
	reads     atomic.Int64 // views and loads
	intercept func(p persistence.Partition, proposal persistence.Proposal) (taken bool)
	damaged   string        // reads of this instance's history fail
	failing   int           // so many loads to come fail
	slow      time.Duration // how long the answer of a load takes
	// spoil changes what a reader gives; nil leaves it as it is.
	spoil func(persistence.Reader) persistence.Reader
	held  atomic.Bool
	kick  chan struct{}
	done  chan struct{}
}

func newTape(disk *persistencetest.Disk) *tape {
	j := &tape{
		Memory: persistencetest.OpenMemory(disk, persistencetest.Faults{}), counts: map[string]int{},
		kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go func() {
		defer close(j.done)
		for range j.kick {
			if !j.held.Load() {
				j.Settle()
			}
		}
	}()
	return j
}

func (j *tape) Propose(p persistence.Partition, proposal persistence.Proposal) {
	j.mu.Lock()
	j.counts[fmt.Sprintf("%T", proposal.Command)]++
	intercept := j.intercept
	j.mu.Unlock()
	if intercept != nil && intercept(p, proposal) {
		return
	}
	// The disk of the memory journal keeps the proposal: it must not keep who made it.
	done := proposal.Done
	proposal.Done = func(r persistence.Result) {
		f := done
		done = nil
		f(r)
	}
	j.Memory.Propose(p, proposal)
	j.poke()
}

func (j *tape) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	j.reads.Add(1)
	j.Memory.View(p, read, done)
	j.poke()
}

// Load implements persistence.Journal.
func (j *tape) Load(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	j.reads.Add(1)
	j.mu.Lock()
	damaged, spoil, slow, fails := j.damaged, j.spoil, j.slow, j.failing > 0
	if fails {
		j.failing--
	}
	j.mu.Unlock()
	if fails {
		time.AfterFunc(time.Millisecond, func() { done(errors.New("the disk cannot be read now")) })
		return
	}
	answer := done
	if slow > 0 {
		answer = func(err error) { time.AfterFunc(slow, func() { done(err) }) }
	}
	j.Memory.Load(p, func(r persistence.Reader) error {
		if spoil != nil {
			r = spoil(r)
		}
		return read(damagedReader{r, damaged})
	}, answer)
}

// failLoads makes the next loads fail.
func (j *tape) failLoads(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failing = n
}

// slowLoads makes the answer of every load come so late.
func (j *tape) slowLoads(d time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.slow = d
}

// damage makes the history of an instance unreadable; the empty id heals.
func (j *tape) damage(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.damaged = id
}

// damagedReader finds one instance's history damaged.
type damagedReader struct {
	persistence.Reader
	id string
}

func (r damagedReader) Parts(iid persistence.Incarnation, execution, from uint64, yield func(persistence.StoredPart) bool) error {
	if own, ok, _ := r.Resolve(r.id); ok && own == iid {
		return fmt.Errorf("%w: a part of incarnation %d", persistence.ErrCorrupt, iid)
	}
	return r.Reader.Parts(iid, execution, from, yield)
}

func (j *tape) poke() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// hold keeps everything from becoming durable until release.
func (j *tape) hold() { j.held.Store(true) }

func (j *tape) release() {
	j.held.Store(false)
	j.poke()
}

func (j *tape) on(intercept func(p persistence.Partition, proposal persistence.Proposal) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.intercept = intercept
}

func (j *tape) count(command persistence.Command) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[fmt.Sprintf("%T", command)]
}

// all is how often each command was proposed.
func (j *tape) all() map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.counts)
}

func (j *tape) end() {
	close(j.kick)
	<-j.done
}

// world is an engine on a journal in memory, in a bubble of virtual time.
type world struct {
	t              *testing.T
	disk           *persistencetest.Disk
	journal        *tape
	e              *Engine
	cfg            Config
	process        int
	panicsExpected bool
	stopped        Counters    // of the engine that was closed last
	log            switchedLog // where engines log to
}

// inWorld runs f in virtual time with a running engine, resident and not: nothing but speed may depend on that.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	inWorldWith(t, Config{}, f)
}

func inWorldWith(t *testing.T, cfg Config, f func(w *world)) {
	t.Helper()
	for _, mode := range []struct {
		name     string
		resident int64
	}{{"resident", cfg.ResidentBytes}, {"not resident", -1}} {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := cfg
				cfg.ResidentBytes = mode.resident
				w := newWorld(t, cfg)
				w.open()
				f(w)
				w.close()
			})
		})
	}
}

func newWorld(t *testing.T, cfg Config) *world {
	return &world{t: t, disk: persistencetest.NewDisk(4), cfg: cfg}
}

// logTo has what the engines log go there, from now on.
func (w *world) logTo(h slog.Handler) { w.log.to.Store(&h) }

// switchedLog passes what is logged on to a handler that may be changed.
type switchedLog struct {
	to atomic.Pointer[slog.Handler]
}

func (s *switchedLog) handler() slog.Handler {
	if to := s.to.Load(); to != nil {
		return *to
	}
	return slog.DiscardHandler
}

func (s *switchedLog) Enabled(ctx context.Context, l slog.Level) bool {
	return s.handler().Enabled(ctx, l)
}

func (s *switchedLog) Handle(ctx context.Context, r slog.Record) error {
	return s.handler().Handle(ctx, r)
}

func (s *switchedLog) WithAttrs([]slog.Attr) slog.Handler { return s }

func (s *switchedLog) WithGroup(string) slog.Handler { return s }

// open starts an engine in a new process on what the disk holds.
func (w *world) open() {
	w.t.Helper()
	w.process++
	w.journal = newTape(w.disk)
	cfg := w.cfg
	cfg.Journal, cfg.Node, cfg.Process = w.journal, "node-1", fmt.Sprintf("process-%d", w.process)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(&w.log)
	}
	var ready error = errors.New("not ready")
	w.e = Start(cfg, func(err error) { ready = err })
	synctest.Wait()
	if ready != nil {
		w.t.Fatalf("start: %v", ready)
	}
}

// close drains the engine and checks that nothing is left behind.
func (w *world) close() {
	w.t.Helper()
	done := make(chan error, 1)
	w.e.Stop(func(err error) { done <- err })
	if err := <-done; err != nil && w.journal.Cause() == nil {
		w.t.Errorf("stop: %v", err)
	}
	_ = w.journal.Close()
	w.journal.end()
	synctest.Wait()
	c := w.e.Counters()
	w.stopped = c
	if c.Active != 0 || c.DeadLetters != 0 || c.Restarts != 0 && !w.panicsExpected {
		w.t.Errorf("after the stop: %d active, %d dead letters, %d restarts", c.Active, c.DeadLetters, c.Restarts)
	}
}

// crash ends the process: nothing that is not durable survives, and no epoch ends cleanly.
func (w *world) crash() {
	w.t.Helper()
	w.journal.Stop(errors.New("crash"))
	done := make(chan struct{})
	w.e.Stop(func(error) { close(done) })
	<-done
	w.journal.end()
	synctest.Wait()
}

func (w *world) attach(r *registry) (detach func()) {
	w.t.Helper()
	return w.attachAs("consumer-1", r)
}

func (w *world) attachAs(id string, r *registry) (detach func()) {
	w.t.Helper()
	detach, err := w.e.Attach(consumer.Consumer{ID: id, Handlers: r, TurnSlots: 4, ActivitySlots: 4, EngineVersion: "0.1.0"})
	if err != nil {
		w.t.Fatal(err)
	}
	return detach
}

// ask starts an instance and returns where the answer will be.
func (w *world) ask(req arrival.StartRequest) *reply {
	r := &reply{}
	w.e.StartInstance(req, func(s arrival.StartReply) { r.set(s.Err, s.Repeated) })
	return r
}

func (w *world) start(id, name, input string) {
	w.t.Helper()
	if err := w.ask(arrival.StartRequest{ID: id, Name: name, Input: []byte(input)}).wait(); err != nil {
		w.t.Fatalf("start %s: %v", id, err)
	}
}

// raise delivers a buffered event.
func (w *world) raise(id, name, data string) *reply {
	return w.deliver(arrival.Delivery{ID: id, Message: &turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: name, Data: []byte(data)}}}})
}

func (w *world) cancel(id, reason string) *reply {
	return w.deliver(arrival.Delivery{ID: id, Message: &turnpb.Message{
		Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: reason}}}})
}

func (w *world) deliver(d arrival.Delivery) *reply {
	r := &reply{}
	w.e.Deliver(d, func(err error) { r.set(err, false) })
	return r
}

// reply is an answer that may not have come yet.
type reply struct {
	mu       sync.Mutex
	done     bool
	err      error
	repeated bool
	times    int
}

func (r *reply) set(err error, repeated bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.err, r.repeated = true, err, repeated
	r.times++
}

var errNoAnswer = errors.New("no answer")

// wait lets the world come to rest, without letting time pass, and returns the answer.
func (r *reply) wait() error {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		return errNoAnswer
	}
	if r.times != 1 {
		return fmt.Errorf("answered %d times", r.times)
	}
	return r.err
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// head is an instance's head.
func (w *world) head(id string) persistence.Head {
	w.t.Helper()
	var head persistence.Head
	w.read(id, func(r persistence.Reader, iid persistence.Incarnation) (err error) {
		head, _, err = r.Head(iid)
		return err
	})
	return head
}

func (w *world) read(id string, f func(r persistence.Reader, iid persistence.Incarnation) error) {
	w.t.Helper()
	w.journal.Load(w.journal.PartitionOf(id), func(r persistence.Reader) error {
		iid, ok, err := r.Resolve(id)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("no instance %s", id))
		}
		return f(r, iid)
	}, func(err error) {
		if err != nil {
			w.t.Errorf("read %s: %v", id, err)
		}
	})
}

// history is the events of an execution.
func (w *world) history(id string, execution uint64) (segments []replay.Segment) {
	w.t.Helper()
	w.read(id, func(r persistence.Reader, iid persistence.Incarnation) (err error) {
		stored, unreadable, damage := view.ReadHistory(r, iid, execution, &persistence.HistoryCheck{})
		for n := range stored.Turns() {
			t := stored.Turn(n)
			turn := replay.Segment{Header: proto.CloneOf(t.Header)}
			for _, e := range t.Events {
				turn.Events = append(turn.Events, proto.CloneOf(e))
			}
			segments = append(segments, turn)
		}
		return errors.Join(unreadable, damage)
	})
	return segments
}

// story is the kinds of the events of an execution, in order.
func (w *world) story(id string, execution uint64) (kinds []string) {
	w.t.Helper()
	for _, s := range w.history(id, execution) {
		for _, e := range s.Events {
			kinds = append(kinds, replay.KindName(e))
		}
	}
	return kinds
}

// last is the last event of an instance's current execution.
func (w *world) last(id string) *turnpb.Event {
	w.t.Helper()
	segments := w.history(id, w.head(id).Execution)
	events := segments[len(segments)-1].Events
	return events[len(events)-1]
}

// completed checks that an instance has ended well, and with what.
func (w *world) completed(id, output string) {
	w.t.Helper()
	if got := w.head(id).Status; got != persistence.StatusCompleted {
		w.t.Fatalf("%s is %v, want Completed; history %v", id, got, w.story(id, w.head(id).Execution))
	}
	if got := string(w.last(id).GetCompleted().GetOutput()); got != output {
		w.t.Fatalf("%s gave %q, want %q", id, got, output)
	}
}

// failed checks that an instance has failed, and returns why.
func (w *world) failed(id string) *turnpb.Failure {
	w.t.Helper()
	if got := w.head(id).Status; got != persistence.StatusFailed {
		w.t.Fatalf("%s is %v, want Failed; history %v", id, got, w.story(id, w.head(id).Execution))
	}
	return w.last(id).GetFailed().GetFailure()
}

// echo is an orchestration of one activity.
func echo(c *replay.Context, input []byte) ([]byte, error) {
	v, err := c.Activity("echo", input, replay.ActivityOptions{}).Await()
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

// waiter is an orchestration that gives the data of the event "go".
func waiter(c *replay.Context, _ []byte) ([]byte, error) {
	v, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

func echoActivity(_ context.Context, _ consumer.ActivityInfo, _ consumer.Heart, input []byte) ([]byte, error) {
	return input, nil
}

func basics() *registry {
	return newRegistry().orchestration("echo", echo).orchestration("wait", waiter).activity("echo", echoActivity)
}
