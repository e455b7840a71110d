package mailbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/internal/executortest"
)

// latch counts down to an open channel.
type latch struct {
	left atomic.Int64
	open chan struct{}
}

func newLatch(n int) *latch {
	l := &latch{open: make(chan struct{})}
	l.left.Store(int64(n))
	return l
}

func (l *latch) down() {
	if l.left.Add(-1) == 0 {
		close(l.open)
	}
}

func TestMailboxKeepsOrderForEachSender(t *testing.T) {
	s := newTestSystem(t)
	const senders, each = 8, 5000
	var last [senders]int
	done := newLatch(senders * each)
	pid := s.Spawn("order", receiver(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*numberMsg); ok {
			from, n := m.n%senders, m.n/senders
			if n != last[from]+1 {
				t.Errorf("sender %d: message %d came after %d", from, n, last[from])
			}
			last[from] = n
			done.down()
		}
	}))
	for from := range senders {
		go func() {
			for n := 1; n <= each; n++ {
				send := s.Send
				if (n+from)%3 == 0 {
					send = s.SendLast
				}
				send(pid, &numberMsg{n*senders + from})
			}
		}()
	}
	<-done.open
}

func TestMailboxPanicsLoseOnlyTheirMessage(t *testing.T) {
	s := newTestSystem(t)
	const total = 12000
	var handled, panicked, next int
	done := newLatch(total)
	pid := s.Spawn("panics", receiver(func(ctx actor.Context) {
		m, ok := ctx.Message().(*numberMsg)
		if !ok {
			return
		}
		defer done.down()
		if m.n != next {
			t.Errorf("message %d, expected %d", m.n, next)
		}
		next++
		if m.n%3 == 0 {
			panicked++
			panic(fmt.Sprintf("planted %d", m.n))
		}
		handled++
	}))
	for n := range total {
		send := s.Send
		if n%5 == 0 {
			send = s.SendLast
		}
		send(pid, &numberMsg{n})
	}
	<-done.open
	if handled != 8000 || panicked != 4000 {
		t.Errorf("handled %d and panicked %d, want 8000 and 4000", handled, panicked)
	}
	settled := newLatch(1)
	s.Send(s.Spawn("after", receiver(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*numberMsg); ok {
			settled.down()
		}
	})), &numberMsg{})
	<-settled.open
	if s.DeadLetters() != 0 {
		t.Errorf("%d dead letters", s.DeadLetters())
	}
}

func TestMailboxSurvivesGoexit(t *testing.T) {
	s := newTestSystem(t)
	done := newLatch(1)
	var seen []int
	pid := s.Spawn("goexit", receiver(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*numberMsg); ok {
			seen = append(seen, m.n)
			if m.n%10 == 3 {
				runtime.Goexit()
			}
			if m.n == 99 {
				done.down()
			}
		}
	}))
	for n := range 100 {
		s.Send(pid, &numberMsg{n})
	}
	<-done.open
	for i, n := range seen {
		if i != n {
			t.Fatalf("message %d at place %d", n, i)
		}
	}
	if got := s.Restarts(); got != 10 {
		t.Errorf("%d restarts, want 10", got)
	}
}

// A restart finds in its carryover the message that panicked, and everything that was held.
func TestRestartFindsItsCarryover(t *testing.T) {
	s := newTestSystem(t)
	done := newLatch(1)
	c := &Carryover{State: "kept"}
	var failed, held any
	pid := s.Spawn("carryover", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				if msg := c.Handling; msg != nil {
					failed, held = msg, c.State
					c.Handled()
				}
			case *numberMsg:
				c.Received, c.Handling = c.Received+1, m
				if m.n == 1 {
					panic("planted")
				}
				c.Handled()
				done.down()
			}
		})
	})
	first := &numberMsg{1}
	s.Send(pid, first)
	s.Send(pid, &numberMsg{2})
	<-done.open
	if failed != any(first) || held != "kept" || c.Received != 2 {
		t.Errorf("failed %v, held %v, received %d", failed, held, c.Received)
	}
}

// Senders that know the name may send while the actor is being made: nothing may run before Started.
func TestSpawnRacesWithSenders(t *testing.T) {
	s := newTestSystem(t)
	spawns := 8000
	if testing.Short() {
		spawns = 1500
	}
	var stop atomic.Bool
	var current atomic.Uint64
	current.Store(s.names.Load() + 1)
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for n := 0; !stop.Load(); n++ {
				s.Send(s.library.NewLocalPID(fmt.Sprintf("raced$%d", current.Load())), &numberMsg{n})
			}
		})
	}
	var early, got atomic.Int64
	ended := newLatch(spawns)
	for i := range spawns {
		current.Store(s.names.Load() + 1)
		pid := s.Spawn("raced", func() actor.Actor {
			started := false
			return actor.ReceiveFunc(func(ctx actor.Context) {
				switch ctx.Message().(type) {
				case *actor.Started:
					started = true
				case *numberMsg:
					got.Add(1)
					if !started {
						early.Add(1)
					}
				case *lastMsg:
					ctx.Stop(ctx.Self())
				case *actor.Stopped:
					ended.down()
				}
			})
		})
		for i == spawns-1 && got.Load() == 0 { // the last actor stays until a message has reached one
			runtime.Gosched()
		}
		s.Send(pid, &lastMsg{})
	}
	<-ended.open
	stop.Store(true)
	senders.Wait()
	if early.Load() != 0 || s.Restarts() != 0 {
		t.Errorf("%d messages before Started, %d failures", early.Load(), s.Restarts())
	}
	if got.Load() == 0 {
		t.Error("no sender reached an actor: the test raced with nothing")
	}
}

// Every message that is sent while an actor stops is either handled or a dead letter.
func TestSendsThatRaceStopAreCounted(t *testing.T) {
	s := newTestSystem(t)
	const senders = 4
	rounds, each := 300, 100
	if testing.Short() {
		rounds = 60
	}
	var handled atomic.Int64
	for range rounds {
		stopped := newLatch(1)
		pid := s.Spawn("stopping", receiver(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *numberMsg:
				handled.Add(1)
			case *actor.Stopped:
				stopped.down()
			}
		}))
		var sending sync.WaitGroup
		for from := range senders {
			sending.Go(func() {
				for n := range each {
					s.Send(pid, &numberMsg{n})
					if from == 0 && n == each/2 {
						s.Stop(pid)
					}
				}
			})
		}
		sending.Wait()
		<-stopped.open
	}
	// The mailbox is closed just after Stopped: an empty executor has seen to it.
	s.dispatch.executor.(*ElasticExecutor).Close()
	total := int64(rounds * senders * each)
	if sum := handled.Load() + int64(s.DeadLetters()); sum != total {
		t.Errorf("%d handled and %d dead letters of %d: %d vanished", handled.Load(), s.DeadLetters(), total, total-sum)
	}
	if s.DeadLetters() == 0 {
		t.Error("no message came late: the test raced with nothing")
	}
}

func TestPanicInStoppedEndsTheActor(t *testing.T) {
	s := newTestSystem(t)
	began, release := newLatch(1), make(chan struct{})
	pid := s.Spawn("stopped", receiver(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *numberMsg:
			began.down()
			<-release
		case *actor.Stopped:
			panic("planted")
		}
	}))
	for n := range 10 {
		s.Send(pid, &numberMsg{n})
	}
	<-began.open
	s.Stop(pid)
	close(release)
	s.dispatch.executor.(*ElasticExecutor).Close()
	if s.DeadLetters() != 9 || s.Restarts() != 1 {
		t.Errorf("%d dead letters, %d failures; want 9 and 1", s.DeadLetters(), s.Restarts())
	}
}

func TestNilPanicsAtTheSender(t *testing.T) {
	s := newTestSystem(t)
	pid := s.Spawn("nil", receiver(func(actor.Context) {}))
	for name, send := range map[string]func(){
		"message":        func() { s.Send(pid, nil) },
		"address":        func() { s.Send(nil, &lastMsg{}) },
		"mailbox":        func() { newMailbox(s).PostUserMessage(nil) },
		"system message": func() { newMailbox(s).PostSystemMessage(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			send()
		})
	}
}

// A flooded actor shares its executor: another gets its turn after at most one run.
func TestMailboxLetsOthersRun(t *testing.T) {
	list := &executortest.List{}
	s := New(Config{Executor: list, Logger: silent()})
	var order []string
	note := func(name string) func() actor.Actor {
		return receiver(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*numberMsg); ok {
				order = append(order, name)
			}
		})
	}
	flood, other := s.Spawn("flood", note("flood")), s.Spawn("other", note("other"))
	for range 1000 {
		s.Send(flood, &numberMsg{})
	}
	s.Send(other, &numberMsg{})
	list.Drain(func(n int) int { return 0 })
	for i, name := range order {
		if name == "other" {
			if i != messagesPerRun {
				t.Errorf("the other actor ran after %d messages, want %d", i, messagesPerRun)
			}
			return
		}
	}
	t.Error("the other actor never ran")
}

func TestRingGrowsAndGivesBack(t *testing.T) {
	var r ring
	next, want := 0, 0
	for round := range 2000 {
		for range round%7 + 1 {
			r.push(next)
			next++
		}
		for range min(r.n, round%5+1) {
			if got := r.pop(); got != want {
				t.Fatalf("popped %v, want %d", got, want)
			}
			want++
		}
	}
	for r.n > 0 {
		if got := r.pop(); got != want {
			t.Fatalf("popped %v, want %d", got, want)
		}
		want++
	}
	if next != want || r.items != nil {
		t.Errorf("%d pushed, %d popped, %d slots kept", next, want, len(r.items))
	}
}

// Logs name types and reasons, never a message.
func TestLogsHoldNoMessages(t *testing.T) {
	var out bytes.Buffer
	list := &executortest.List{}
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := New(Config{Executor: list, Logger: logger})
	type secretMsg struct{ canary string }
	pid := s.Spawn("logging", receiver(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*secretMsg); ok {
			panic("planted")
		}
	}))
	s.Send(pid, &secretMsg{"canary-1"})
	list.Drain(func(int) int { return 0 })
	s.Stop(pid)
	list.Drain(func(int) int { return 0 })
	s.Send(pid, &secretMsg{"canary-2"})
	if strings.Contains(out.String(), "canary") {
		t.Errorf("a message was logged:\n%s", out.String())
	}
	for _, want := range []string{"planted", "TestLogsHoldNoMessages", "secretMsg"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, out.String())
		}
	}
}

// TestSendLastRunsAnActorAtRestAtOnce: the message has been handled when sendLast comes back, unless the actor runs
// elsewhere, is stopped, or the executor wants each run for itself.
func TestSendLastRunsAnActorAtRestAtOnce(t *testing.T) {
	s := newTestSystem(t)
	var handled atomic.Int64
	entered, leave := make(chan struct{}), make(chan struct{})
	count := receiver(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*numberMsg); ok {
			if m.n < 0 {
				close(entered)
				<-leave
			}
			handled.Add(1)
		}
	})
	s.SendLast(rested(s, count), &numberMsg{1})
	if n := handled.Load(); n != 1 {
		t.Fatalf("%d messages handled when sendLast came back, want 1", n)
	}

	busy := rested(s, count)
	s.Send(busy, &numberMsg{-1})
	<-entered
	s.SendLast(busy, &numberMsg{2}) // must not wait, nor run beside the other
	if n := handled.Load(); n != 1 {
		t.Fatalf("%d messages handled while the actor was busy, want 1", n)
	}
	close(leave)
	if settled(s); handled.Load() != 3 {
		t.Fatalf("%d messages handled at the end, want 3", handled.Load())
	}

	gone := rested(s, count)
	if err := s.root.StopFuture(gone).Wait(); err != nil {
		t.Fatal(err)
	}
	before := s.DeadLetters()
	s.SendLast(gone, &numberMsg{3})
	if n := s.DeadLetters() - before; n != 1 || handled.Load() != 3 {
		t.Errorf("%d dead letters and %d handled after the stop, want 1 and 3", n, handled.Load())
	}

	s.dispatch.inline = false
	ran := make(chan bool, 1)
	elsewhere := rested(s, receiver(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*numberMsg); ok {
			ran <- inThisCall(t.Name())
		}
	}))
	if s.SendLast(elsewhere, &numberMsg{4}); <-ran {
		t.Error("the actor ran on the sender's goroutine, though the executor wants each run for itself")
	}
}

// rested spawns an actor and waits until it has nothing to do.
func rested(s *System, producer func() actor.Actor) *actor.PID {
	pid := s.Spawn("rested", producer)
	settled(s)
	return pid
}

// settled waits until no actor runs.
func settled(s *System) {
	e := s.dispatch.executor.(*ElasticExecutor)
	for busy := true; busy; runtime.Gosched() {
		e.mu.Lock()
		busy = len(e.parked) < e.live
		e.mu.Unlock()
	}
}

// inThisCall reports whether a test's function is on the stack.
func inThisCall(name string) bool {
	stack := make([]byte, 64<<10)
	return strings.Contains(string(stack[:runtime.Stack(stack, false)]), "."+name+"(")
}
