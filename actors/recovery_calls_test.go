package actors

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// saboteur panics once (or for a row of calls), at the call number at that an instance's actor makes to what it is given.
type saboteur struct {
	mu    sync.Mutex
	n     int
	at    int
	row   int
	after bool
	what  string
}

func inActor() bool {
	buf := make([]byte, 16<<10)
	return strings.Contains(string(buf[:runtime.Stack(buf, false)]), "instance.(*instance).Receive(")
}

func (s *saboteur) strikes(what string) bool {
	if s.at == 0 || !inActor() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.n >= s.at && s.n < s.at+s.row {
		s.what += what + " "
		return true
	}
	return false
}

func (s *saboteur) call(what string, canAfter bool, f func()) {
	hit := s.strikes(what)
	if hit && (!s.after || !canAfter) {
		panic("a defect before " + what)
	}
	f()
	if hit {
		panic("a defect after " + what)
	}
}

type sabotagedEngine struct {
	instance.Engine
	s *saboteur
}

func (e sabotagedEngine) Partition(p persistence.Partition) instance.Partition {
	return sabotagedPartition{e.Engine.Partition(p), e.s}
}

func (e sabotagedEngine) Propose(p persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result)) {
	e.s.call(fmt.Sprintf("Propose %T", c), true, func() { e.Engine.Propose(p, epoch, c, done) })
}

func (e sabotagedEngine) Idle(id string, pid *actor.PID, received uint64) (ok bool) {
	e.s.call("Idle", true, func() { ok = e.Engine.Idle(id, pid, received) })
	return ok
}

func (e sabotagedEngine) Park(r instance.Resident, bytes int, charge int64) (p instance.Place, ok bool) {
	e.s.call("Park", false, func() { p, ok = e.Engine.Park(r, bytes, charge) })
	return p, ok
}

func (e sabotagedEngine) Relieve() { e.s.call("Relieve", true, e.Engine.Relieve) }

type sabotagedPartition struct {
	instance.Partition
	s *saboteur
}

func (p sabotagedPartition) Epoch() (n uint64) {
	p.s.call("Epoch", true, func() { n = p.Partition.Epoch() })
	return n
}

func (p sabotagedPartition) Careful() (b bool) {
	p.s.call("Careful", true, func() { b = p.Partition.Careful() })
	return b
}

func (p sabotagedPartition) FreshPauseLeft() (d time.Duration) {
	p.s.call("FreshPauseLeft", true, func() { d = p.Partition.FreshPauseLeft() })
	return d
}

func (p sabotagedPartition) Consumers() (l *consumer.List) {
	p.s.call("Consumers", true, func() { l = p.Partition.Consumers() })
	return l
}

func (p sabotagedPartition) Acknowledge(a dispatch.Acknowledgement) {
	p.s.call("Acknowledge", true, func() { p.Partition.Acknowledge(a) })
}

func (p sabotagedPartition) AdmitSuspect(attempts uint32, run func(release func())) {
	p.s.call("AdmitSuspect", true, func() { p.Partition.AdmitSuspect(attempts, run) })
}

func (p sabotagedPartition) WatchTurnLease(token persistence.Token, lost func()) (stop func()) {
	var inner func()
	p.s.call("WatchTurnLease", false, func() { inner = p.Partition.WatchTurnLease(token, lost) })
	return func() { p.s.call("stop lease", true, inner) }
}

func (p sabotagedPartition) GiveBackQuietly(iid persistence.Incarnation) {
	p.s.call("GiveBackQuietly", true, func() { p.Partition.GiveBackQuietly(iid) })
}

type sabotagedJournal struct {
	persistence.Journal
	s *saboteur
}

func (j sabotagedJournal) Load(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	j.s.call("Load", true, func() { j.Journal.Load(p, read, done) })
}

func (j sabotagedJournal) MayExist(id string) (ok bool) {
	j.s.call("MayExist", true, func() { ok = j.Journal.MayExist(id) })
	return ok
}

type sabotagedMemory struct {
	instance.Memory
	s *saboteur
}

func (m sabotagedMemory) Ask(bytes int64, granted func()) {
	m.s.call("Ask", true, func() { m.Memory.Ask(bytes, granted) })
}

func (m sabotagedMemory) Back(bytes int64) {
	if bytes == 0 {
		return
	}
	hit := m.s.strikes("Back")
	m.Memory.Back(bytes)
	if hit {
		panic("a defect after Back")
	}
}

func (s *saboteur) into(w *world) {
	h := w.e.instances
	h.Engine = sabotagedEngine{h.Engine, s}
	h.Journal = sabotagedJournal{h.Journal, s}
	h.Memory = sabotagedMemory{h.Memory, s}
}

// counted wraps code so that its coroutines are counted.
type counted struct {
	mu           sync.Mutex
	began, ended int
}

func (k *counted) wrap(fn replay.Func) replay.Func {
	return func(c *replay.Context, in []byte) ([]byte, error) {
		k.mu.Lock()
		k.began++
		k.mu.Unlock()
		defer func() {
			k.mu.Lock()
			k.ended++
			k.mu.Unlock()
		}()
		return fn(c, in)
	}
}

// check compares the coroutines that began with those that were unwound.
func (k *counted) check(bad func(format string, args ...any)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.began != k.ended {
		bad("%d coroutines began, and %d were unwound", k.began, k.ended)
	}
}

func storyCode(c *replay.Context, in []byte) ([]byte, error) {
	var all []string
	work := c.Activity("echo", []byte("w"), replay.ActivityOptions{})
	timer := c.Timer(50 * time.Millisecond)
	for range 4 {
		v, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
		if err != nil {
			return nil, err
		}
		all = append(all, string(v.([]byte)))
	}
	v, err := work.Await()
	if err != nil {
		return nil, err
	}
	if _, err := timer.Await(); err != nil {
		return nil, err
	}
	return []byte(strings.Join(all, " ") + " " + string(v.([]byte))), nil
}

// sendAll sends the start and the events one after the other, each with a key, and repeats what was not answered well.
func sendAll(w *world, bad func(format string, args ...any)) {
	send := func(what string, f func(r *reply)) bool {
		for range 20 {
			r := &reply{}
			f(r)
			for range 60 {
				synctest.Wait()
				if r.wait() != errNoAnswer {
					break
				}
				pass(time.Second)
			}
			err := r.wait()
			switch {
			case err == nil:
				return true
			case err == errNoAnswer:
				bad("%s: no answer within a minute", what)
				return false
			case errors.Is(err, persistence.ErrUncertain), errors.Is(err, persistence.ErrNotLeader), errors.Is(err, persistence.ErrBusy):
				pass(20 * time.Millisecond)
			default:
				bad("%s: %v", what, err)
				return false
			}
		}
		bad("%s: never taken", what)
		return false
	}
	send("start", func(r *reply) {
		w.e.StartInstance(arrival.StartRequest{ID: "a", Name: "story", RequestKey: "s"}, func(s arrival.StartReply) { r.set(s.Err, s.Repeated) })
	})
	for i := range 4 {
		n := fmt.Sprint(i + 1)
		send("event "+n, func(r *reply) { w.e.Deliver(event("a", "go", n, "k"+n), func(err error) { r.set(err, false) }) })
	}
}

// TestRecovery_from_a_panic_at_each_call has the actor panic before or after each call that it makes, once or several times in
// a row, while an instance takes a start, four events, an activity and a timer. Each sender gets an answer, the instance comes
// to its end with all that it was sent, in order, and all that it had is given back.
func TestRecovery_from_a_panic_at_each_call(t *testing.T) {
	rows := []int{1, 3}
	if testing.Short() || underRace {
		rows = []int{1}
	}
	for _, careful := range []bool{false, true} {
		for _, resident := range []int64{0, -1} {
			for _, memory := range []int64{0, 1} {
				for _, after := range []bool{false, true} {
					for _, row := range rows {
						c := callsCase{careful: careful, cfg: Config{ResidentBytes: resident, MemoryBytes: memory}, after: after, row: row}
						name := fmt.Sprintf("careful %t resident %d memory %d after %t row %d", careful, resident, memory, after, row)
						t.Run(name, c.each)
					}
				}
			}
		}
	}
}

// callsCase is one way in which calls panic.
type callsCase struct {
	careful bool
	cfg     Config
	after   bool
	row     int
}

func (c callsCase) each(t *testing.T) {
	stride := 3
	switch {
	case testing.Short():
		stride = 41
	case underRace:
		stride = 7
	}
	for at := 1; ; at += stride {
		s := &saboteur{at: at, row: c.row, after: c.after}
		synctest.Test(t, func(t *testing.T) {
			c.run(newWorld(t, c.cfg), s, func(format string, args ...any) {
				t.Errorf("at call %d (%s): %s", at, s.what, fmt.Sprintf(format, args...))
			})
		})
		if s.what == "" {
			return
		}
	}
}

func (c callsCase) run(w *world, s *saboteur, bad func(format string, args ...any)) {
	k := &counted{}
	w.panicsExpected = true
	w.open()
	r := newRegistry().orchestration("story", k.wrap(storyCode)).activity("echo", echoActivity).orchestration("wait", waiter)
	if c.careful {
		w.attach(r)
		w.start("z", "wait", "")
		w.crash()
		w.open()
	}
	s.into(w)
	w.attach(r)
	sendAll(w, bad)
	pass(2 * time.Minute)
	if h := w.head("a"); h.Status != persistence.StatusCompleted {
		bad("the instance is %v after two minutes", h.Status)
	} else if got := string(w.last("a").GetCompleted().GetOutput()); got != "1 2 3 4 w" {
		bad("the output is %q", got)
	}
	pass(10 * time.Minute)
	if n := w.e.memory.used.Load(); n != 0 {
		bad("%d bytes of the memory are in use", n)
	}
	done := make(chan error, 1)
	w.e.Stop(func(err error) { done <- err })
	select {
	case <-done:
	case <-time.After(time.Hour):
		bad("the engine does not stop")
	}
	pass(time.Minute)
	k.check(bad)
	w.e.instances.DiscardMachines()
	// An actor that panics behind its leave waits for nothing: it has left.
	if n := w.e.Counters().DeadLetters; n != 0 && !strings.Contains(s.what, "Idle") {
		bad("%d dead letters", n)
	}
	_ = w.journal.Close()
	w.journal.end()
}
