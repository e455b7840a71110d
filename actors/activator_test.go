package actors

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/internal/executortest"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/persistence"
)

// sequenced is a message with its sender's own count for the identity.
type sequenced struct{ from, n int }

const stressSenders = 8

// stressed is what the stress knows of one identity. owners is how many actors hold it at once; expected is the next
// number of each sender.
type stressed struct {
	owner    atomic.Pointer[actor.PID]
	expected [stressSenders]atomic.Int64
}

type stressResult struct {
	got, reordered, overlapped, left atomic.Int64
}

// passivation is how an instance of the stress leaves.
type passivation int

const (
	handshake passivation = iota
	withoutCount
	stopsItself
)

// stress has 8 senders send total messages to ids identities and has instances leave after one message in every.
func stress(t *testing.T, kind passivation, ids, total, every int) (*stressResult, *mailbox.System) {
	t.Helper()
	executor := mailbox.NewElasticExecutor(0)
	s := mailbox.New(mailbox.Config{Executor: executor, Logger: silent()})
	var result stressResult
	known := map[string]*stressed{}
	names := make([]string, ids)
	for i := range names {
		names[i] = fmt.Sprint("id-", i)
		known[names[i]] = &stressed{}
	}
	var a *activator
	a = newActivator(s, func(id string, c *mailbox.Carryover) actor.Actor {
		return &stressInstance{a: a, id: id, carryover: c, kind: kind, every: every, shared: known[id], result: &result}
	}, 0)
	var sending sync.WaitGroup
	for from := range stressSenders {
		sending.Go(func() {
			counts := make([]int, ids)
			for n := range total / stressSenders {
				i := (n*7919 + from*104729) % ids
				if err := a.tell(names[i], &sequenced{from, counts[i]}); err != nil {
					t.Error(err)
				}
				counts[i]++
				if n%64 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	sending.Wait()
	executor.Close() // waits until the last actor has run
	return &result, s
}

type stressInstance struct {
	a         *activator
	id        string
	carryover *mailbox.Carryover
	kind      passivation
	every     int
	shared    *stressed
	result    *stressResult
	seen      int
}

func (i *stressInstance) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *sequenced:
		i.carryover.Received, i.carryover.Handling = i.carryover.Received+1, m
		i.own(ctx.Self())
		i.result.got.Add(1)
		if next := &i.shared.expected[m.from]; !next.CompareAndSwap(int64(m.n), int64(m.n)+1) {
			i.result.reordered.Add(1)
			next.Store(int64(m.n) + 1)
		}
		i.carryover.Handled()
		if i.seen++; i.seen%i.every == 0 {
			i.retire(ctx)
		}
	case *mailbox.Leave:
		i.result.left.Add(1)
		ctx.Stop(ctx.Self())
	}
}

// own notes that this actor acts for the identity. Another that has acted since and is not gone yet is an overlap: one
// of the two has messages to come.
func (i *stressInstance) own(self *actor.PID) {
	if previous := i.shared.owner.Swap(self); previous != nil && previous.Id != self.Id {
		i.result.overlapped.Add(1)
	}
}

// retire gives the identity up in the way that is being tested. What an owner does before it asks to leave is over by
// then, so it gives up its ownership first.
func (i *stressInstance) retire(ctx actor.Context) {
	i.shared.owner.CompareAndSwap(ctx.Self(), nil)
	switch i.kind {
	case handshake:
		i.a.idle(i.id, ctx.Self(), i.carryover.Received)
	case withoutCount:
		s := i.a.shard(i.id)
		s.mu.Lock()
		sent := uint64(0)
		if e := s.entries[i.id]; e != nil && e.pid.Id == ctx.Self().Id {
			sent = e.sent
		}
		s.mu.Unlock()
		runtime.Gosched()
		i.a.idle(i.id, ctx.Self(), sent) // says what the activator wants to hear
	case stopsItself:
		ctx.Stop(ctx.Self())
	}
}

func stressSize() int {
	return fullOrShort(400_000, 20_000)
}

func TestHandshakeLosesReordersAndOverlapsNothing(t *testing.T) {
	for _, c := range []struct{ ids, every int }{{fullOrShort(10_000, 1_000), 1}, {fullOrShort(10_000, 1_000), 8}, {40, 1}} {
		t.Run(fmt.Sprintf("%d identities, leaving after %d", c.ids, c.every), func(t *testing.T) {
			total := stressSize()
			r, s := stress(t, handshake, c.ids, total, c.every)
			if lost := int64(total) - r.got.Load(); lost != 0 {
				t.Errorf("%d lost", lost)
			}
			if r.reordered.Load() != 0 || r.overlapped.Load() != 0 || s.DeadLetters() != 0 {
				t.Errorf("%d reordered, %d overlapping owners, %d dead letters",
					r.reordered.Load(), r.overlapped.Load(), s.DeadLetters())
			}
			if r.left.Load() == 0 {
				t.Error("nothing was passivated: the test tested nothing")
			}
			t.Logf("%d messages, %d passivations", total, r.left.Load())
		})
	}
}

// byHand is the stress on one thread, of instances that leave after every second message: which message is sent and which actor runs next is drawn by a seed, so a fault that
// needs two things at once does not wait for the machine to do them at once.
func byHand(kind passivation, ids, total int) (*stressResult, *mailbox.System) {
	list := &executortest.List{PerRun: 1}
	s := mailbox.New(mailbox.Config{Executor: list, Logger: silent()})
	var result stressResult
	known := map[string]*stressed{}
	names := make([]string, ids)
	for i := range names {
		names[i] = fmt.Sprint("id-", i)
		known[names[i]] = &stressed{}
	}
	var a *activator
	a = newActivator(s, func(id string, c *mailbox.Carryover) actor.Actor {
		return &stressInstance{a: a, id: id, carryover: c, kind: kind, every: 2, shared: known[id], result: &result}
	}, 0)
	draw := rand.New(rand.NewPCG(1, 2)).IntN
	counts := map[[2]int]int{}
	for sent := 0; sent < total; {
		if len(list.Waiting) > 0 && draw(2) == 0 {
			i, last := draw(len(list.Waiting)), len(list.Waiting)-1
			f := list.Waiting[i]
			list.Waiting[i] = list.Waiting[last]
			list.Waiting = list.Waiting[:last]
			f()
			continue
		}
		key := [2]int{draw(stressSenders), draw(ids)}
		_ = a.tell(names[key[1]], &sequenced{key[0], counts[key]}) // it has no bound
		counts[key]++
		sent++
	}
	list.Drain(draw)
	return &result, s
}

// The stress finds what it is made to find, and nothing in what is right.
func TestStressOfTheHandshakeFindsFaults(t *testing.T) {
	const total = 5000
	r, _ := byHand(withoutCount, 4, total)
	if r.overlapped.Load() == 0 {
		t.Error("without the comparison of counts no overlap was found")
	}
	r, s := byHand(stopsItself, 4, total)
	lost := total - r.got.Load()
	if lost == 0 {
		t.Error("an instance that stops itself lost nothing")
	}
	if lost != int64(s.DeadLetters()) {
		t.Errorf("%d lost but %d dead letters: some were lost silently", lost, s.DeadLetters())
	}
	r, s = byHand(handshake, 4, total)
	if r.got.Load() != total || r.reordered.Load() != 0 || r.overlapped.Load() != 0 || s.DeadLetters() != 0 {
		t.Errorf("%d of %d handled, %d reordered, %d overlapping owners, %d dead letters",
			r.got.Load(), total, r.reordered.Load(), r.overlapped.Load(), s.DeadLetters())
	}
}

func TestActivatorBoundsWhatIsActive(t *testing.T) {
	list := &executortest.List{}
	s := mailbox.New(mailbox.Config{Executor: list, Logger: silent()})
	var a *activator
	a = newActivator(s, func(id string, c *mailbox.Carryover) actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *numberMsg:
				c.Received, c.Handling = c.Received+1, m
				if m.n == 0 {
					a.idle(id, ctx.Self(), c.Received)
				}
			case *mailbox.Leave:
				ctx.Stop(ctx.Self())
			}
		})
	}, 2)
	first := func(int) int { return 0 }
	for _, id := range []string{"a", "b"} {
		if err := a.tell(id, &numberMsg{1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.tell("c", &numberMsg{1}); !errors.Is(err, persistence.ErrBusy) {
		t.Errorf("a third identity: %v, want ErrBusy", err)
	}
	if a.count() != 2 {
		t.Errorf("%d active, want 2", a.count())
	}
	if err := a.tell("a", &numberMsg{0}); err != nil {
		t.Errorf("an identity that is active: %v", err)
	}
	list.Drain(first)
	if a.count() != 1 || a.tellActive("a", &numberMsg{1}) {
		t.Errorf("%d active after one left, want 1: %v", a.count(), a.identities())
	}
	if err := a.tell("c", &numberMsg{1}); err != nil {
		t.Errorf("after one left: %v", err)
	}
	if !a.tellActive("c", &numberMsg{1}) {
		t.Error("c is active")
	}
}

// An actor that is no longer the identity's cannot take its successor from the table.
func TestIdleOfAPredecessorIsIgnored(t *testing.T) {
	list := &executortest.List{}
	s := mailbox.New(mailbox.Config{Executor: list, Logger: silent()})
	a := newActivator(s, func(string, *mailbox.Carryover) actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) }, 0)
	_ = a.tell("x", &numberMsg{})
	old := a.shard("x").entries["x"].pid
	if !a.idle("x", old, 1) || a.idle("x", old, 1) {
		t.Fatal("the first idle leaves, the second is ignored")
	}
	_ = a.tell("x", &numberMsg{})
	if a.idle("x", old, 1) || a.count() != 1 {
		t.Error("a predecessor took its successor from the table")
	}
}

func BenchmarkTell(b *testing.B) {
	s := newTestSystem(b)
	var got atomic.Int64
	a := newActivator(s, func(_ string, c *mailbox.Carryover) actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(*numberMsg); ok {
				c.Received, c.Handling = c.Received+1, m
				got.Add(1)
			}
		})
	}, 0)
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprint("warm-", i)
		_ = a.tell(names[i], &numberMsg{})
	}
	m := &numberMsg{}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		_ = a.tell(names[i%len(names)], m)
	}
	for got.Load() < int64(b.N) {
		runtime.Gosched()
	}
}

func BenchmarkHop(b *testing.B) {
	s := newTestSystem(b)
	done := make(chan struct{})
	var other *actor.PID
	body := func(to func() *actor.PID) func() actor.Actor {
		return receiver(func(ctx actor.Context) {
			if m, ok := ctx.Message().(*numberMsg); ok {
				if m.n--; m.n <= 0 {
					close(done)
					return
				}
				s.Send(to(), m)
			}
		})
	}
	first := s.Spawn("ping", body(func() *actor.PID { return other }))
	other = s.Spawn("pong", body(func() *actor.PID { return first }))
	b.ReportAllocs()
	b.ResetTimer()
	s.Send(first, &numberMsg{b.N})
	<-done
}

func BenchmarkSpawn(b *testing.B) {
	s := newTestSystem(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Stop(s.Spawn("spawned", receiver(func(actor.Context) {})))
	}
}

// The same seed draws the same run of messages, spawns, restarts and passivations, whatever GOMAXPROCS is.
func TestSeededExecutorIsDeterministic(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	distinct := map[uint64]bool{}
	seeds := fullOrShort(100, 20)
	for seed := range uint64(seeds) {
		runtime.GOMAXPROCS(1)
		first := seededTrace(seed)
		runtime.GOMAXPROCS(2)
		if second := seededTrace(seed); first != second {
			t.Fatalf("seed %d: traces %x and %x", seed, first, second)
		}
		distinct[first] = true
	}
	if len(distinct) != seeds {
		t.Errorf("%d distinct traces of %d seeds", len(distinct), seeds)
	}
}

func seededTrace(seed uint64) uint64 {
	random := rand.New(rand.NewPCG(seed, 1))
	list := &executortest.List{PerRun: 1}
	s := mailbox.New(mailbox.Config{Executor: list, Logger: silent()})
	trace := fnv.New64a()
	var a *activator
	a = newActivator(s, func(id string, c *mailbox.Carryover) actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *numberMsg:
				c.Received, c.Handling = c.Received+1, m
				fmt.Fprintf(trace, "%s got %d as %d\n", id, m.n, c.Received)
				if m.n > 0 && random.IntN(3) > 0 {
					_ = a.tell(fmt.Sprint("i", random.IntN(20)), &numberMsg{m.n - 1})
				}
				if random.IntN(17) == 0 {
					panic("planted")
				}
				if random.IntN(3) == 0 {
					fmt.Fprintf(trace, "%s idle %v\n", id, a.idle(id, ctx.Self(), c.Received))
				}
			case *mailbox.Leave:
				fmt.Fprintf(trace, "%s leaves\n", id)
				ctx.Stop(ctx.Self())
			}
		})
	}, 0)
	for n := range 100 {
		_ = a.tell(fmt.Sprint("i", n%20), &numberMsg{n})
	}
	list.Drain(random.IntN)
	fmt.Fprintf(trace, "%v %d", a.identities(), s.Restarts())
	return trace.Sum64()
}
