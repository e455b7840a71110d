package actors

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestStepsAreOneCommitEach and a resident instance replays nothing.
func TestStepsAreOneCommitEach(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("steps", func(c *replay.Context, input []byte) ([]byte, error) {
			n, _ := strconv.Atoi(string(input))
			for i := range n {
				if _, err := c.Activity("echo", []byte(strconv.Itoa(i)), replay.ActivityOptions{}).Await(); err != nil {
					return nil, err
				}
			}
			return []byte("done"), nil
		}))
		w.start("a", "steps", "20")
		synctest.Wait()
		w.completed("a", "done")
		if n := w.journal.count(&persistence.CommitTurn{}); n != 21 {
			t.Errorf("%d commits for 20 steps, want 21", n)
		}
		c := w.e.Counters()
		if resident := w.cfg.ResidentBytes >= 0; resident != (c.ReplayedEvents == 0) {
			t.Errorf("%d events replayed, resident %v", c.ReplayedEvents, resident)
		}
	})
}

// collect gives the data of n events "go", joined.
func collect(c *replay.Context, input []byte) ([]byte, error) {
	n, _ := strconv.Atoi(string(input))
	var all [][]byte
	for range n {
		v, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
		if err != nil {
			return nil, err
		}
		all = append(all, v.([]byte))
	}
	return bytes.Join(all, []byte(" ")), nil
}

// TestMessagesDuringACommitFormTheNextTurn together, in order.
func TestMessagesDuringACommitFormTheNextTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", "3")
		w.journal.hold()
		first := w.raise("a", "go", "1")
		synctest.Wait()
		second, third := w.raise("a", "go", "2"), w.raise("a", "go", "3")
		if err := second.wait(); err != errNoAnswer {
			t.Fatalf("answered before it was durable: %v", err)
		}
		w.journal.release()
		for _, r := range []*reply{first, second, third} {
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		}
		w.completed("a", "1 2 3")
		if n := w.journal.count(&persistence.CommitTurn{}); n != 3 {
			t.Errorf("%d commits, want 3: start, the first event, the other two together", n)
		}
	})
}

// TestHeldForTenMilliseconds: messages behind a commit that takes its time are accepted on their own.
func TestHeldForTenMilliseconds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", "3")
		w.journal.hold()
		w.raise("a", "go", "1")
		synctest.Wait()
		w.raise("a", "go", "2")
		pass(step.AcceptAfter - time.Millisecond)
		if n := w.journal.count(&persistence.Enqueue{}); n != 0 {
			t.Fatalf("%d accepted before 10 ms", n)
		}
		w.raise("a", "go", "3")
		pass(2 * time.Millisecond)
		if n := w.journal.count(&persistence.Enqueue{}); n != 1 {
			t.Fatalf("%d accepted at 11 ms, want the one that was held for 10", n)
		}
		w.journal.release()
		synctest.Wait()
		pass(20 * time.Millisecond)
		w.completed("a", "1 2 3")
		if c := w.e.Counters(); c.SlowAccepts != 1 {
			t.Errorf("%d slow accepts, want 1", c.SlowAccepts)
		}
	})
}

// TestNoSenderIsHostageToCode: a start whose first turn blocks is acknowledged after 10 ms, and so are messages.
func TestNoSenderIsHostageToCode(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("block", func(c *replay.Context, _ []byte) ([]byte, error) {
			<-gate
			return waiter(c, nil)
		}))
		start := w.ask(arrival.StartRequest{ID: "a", Name: "block"})
		event := w.raise("a", "go", "x")
		if err := start.wait(); err != errNoAnswer {
			t.Fatalf("start: %v", err)
		}
		pass(step.AcceptAfter)
		if err := start.wait(); err != nil {
			t.Fatalf("start after 10 ms: %v", err)
		}
		if err := event.wait(); err != nil {
			t.Fatalf("event after 10 ms: %v", err)
		}
		close(gate)
		synctest.Wait()
		w.completed("a", "x")
		if n := w.journal.count(&persistence.StartInstance{}); n != 1 {
			t.Errorf("%d StartInstance, want 1", n)
		}
		if got, want := w.story("a", 1), []string{"OrchestrationStarted", "ExternalSubscribed", "ExternalEvent",
			"OrchestrationCompleted"}; !slices.Equal(got, want) {
			t.Errorf("history %v, want %v", got, want)
		}
	})
}

// TestTheBufferOverflowsToTheInbox, and order is kept.
func TestTheBufferOverflowsToTheInbox(t *testing.T) {
	const n = step.BufferMessages + 50
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", strconv.Itoa(n))
		w.journal.hold()
		var want []string
		var replies []*reply
		for i := range n {
			want = append(want, strconv.Itoa(i))
			replies = append(replies, w.raise("a", "go", strconv.Itoa(i)))
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if c := w.e.Counters(); c.Overflows == 0 {
			t.Error("nothing overflowed")
		}
		w.journal.release()
		pass(time.Second)
		for i, r := range replies {
			if err := r.wait(); err != nil {
				t.Fatalf("event %d: %v", i, err)
			}
		}
		w.completed("a", string(bytes.Join(bytesOf(want), []byte(" "))))
	})
}

func bytesOf(list []string) (all [][]byte) {
	for _, s := range list {
		all = append(all, []byte(s))
	}
	return all
}

// TestConflict: another process has committed a turn of the instance. The turn is run again on the present state.
func TestConflict(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", "2")
		rival := false
		w.journal.on(func(p persistence.Partition, proposal persistence.Proposal) bool {
			if c, ok := proposal.Command.(*persistence.CommitTurn); ok && !rival && c.Turn == 1 {
				rival = true
				w.rivalCommit(p, proposal, c)
			}
			return false
		})
		if err := w.raise("a", "go", "mine").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "rival mine")
		if c := w.e.Counters(); c.Conflicts != 1 || c.SecondActivations != 1 {
			t.Errorf("%d conflicts, %d second activations, want 1 and 1", c.Conflicts, c.SecondActivations)
		}
	})
}

// rivalCommit commits another turn just before one, as a second activation of the instance would.
func (w *world) rivalCommit(p persistence.Partition, proposal persistence.Proposal, c *persistence.CommitTurn) {
	m := replay.New(replay.Config{Instance: c.ID, Execution: c.Execution, Name: "collect", Version: "1.0.0", Func: collect})
	m.Load(replay.Segments(w.history(c.ID, c.Execution)))
	decision := m.Advance(replay.Input{TimeMs: proposal.TimeMs, Messages: []*turnpb.Message{{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "go", Data: []byte("rival")}}}}})
	m.Close()
	head := w.head(c.ID)
	header, err := proto.Marshal(&turnpb.SegmentHeader{Turn: c.Turn + 1, TimeMs: proposal.TimeMs, Entropy: make([]byte, 16)})
	if err != nil {
		w.t.Error(err)
	}
	events, err := proto.Marshal(&turnpb.EventList{Events: decision.Events})
	if err != nil {
		w.t.Error(err)
	}
	rival := &persistence.CommitTurn{
		ID: c.ID, IID: c.IID, Execution: c.Execution, Turn: c.Turn, Outcome: persistence.OutcomeRunning,
		Segment: persistence.SegmentDraft{Header: header, Parts: []persistence.SegmentPart{
			{FirstEvent: head.NextEvent, Count: uint64(len(decision.Events)), Events: events},
		}},
		AcceptedMessages: []persistence.AcceptedMessage{{}},
	}
	w.journal.Memory.Propose(p, persistence.Proposal{
		TimeMs: proposal.TimeMs, Epoch: proposal.Epoch, Command: rival, Done: func(r persistence.Result) {
			if r.Err != nil {
				w.t.Errorf("the rival's commit: %v", r.Err)
			}
		}})
}

// TestARequestKeyThatWasUsedIsStale: the message is dropped, and its sender gets the first answer.
func TestARequestKeyThatWasUsedIsStale(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("collect", collect))
		w.start("a", "collect", "2")
		event := arrival.Delivery{ID: "a", RequestKey: "k", Message: &turnpb.Message{
			Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "go", Data: []byte("1")}}}}
		for i := range 3 {
			if err := w.deliver(event).wait(); err != nil {
				t.Fatalf("time %d: %v", i, err)
			}
		}
		if err := w.raise("a", "go", "2").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "1 2")
		if c := w.e.Counters(); c.Stale != 2 {
			t.Errorf("%d stale, want 2", c.Stale)
		}
	})
}

// TestFenced: a newer epoch owns the partition. The holder answers that it does not lead, and leaves.
func TestFenced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.journal.on(func(p persistence.Partition, proposal persistence.Proposal) bool {
			if _, ok := proposal.Command.(*persistence.CommitTurn); ok {
				proposal.Done(persistence.Result{Index: 1, Err: &persistence.Refusal{Code: persistence.Fenced}})
				return true
			}
			return false
		})
		if err := w.raise("a", "go", "x").wait(); !errors.Is(err, persistence.ErrNotLeader) {
			t.Errorf("raise: %v", err)
		}
		if c := w.e.Counters(); c.Fenced != 1 || c.Active != 0 {
			t.Errorf("%d fenced, %d active, want 1 and 0", c.Fenced, c.Active)
		}
		w.journal.on(nil)
		if err := w.raise("a", "go", "y").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "y")
	})
}

// TestContinueAsNew hands the buffered messages on and what came during the commit to the next execution.
func TestContinueAsNew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("loop", func(c *replay.Context, input []byte) ([]byte, error) {
			v, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
			if err != nil {
				return nil, err
			}
			all := append(bytes.Clone(input), v.([]byte)...)
			if c.Execution() < 4 {
				c.ContinueAsNew(all, "")
				return nil, nil
			}
			return all, nil
		}))
		w.start("a", "loop", "")
		w.journal.hold()
		for i := range 4 {
			w.raise("a", "go", strconv.Itoa(i))
		}
		synctest.Wait()
		w.journal.release()
		pass(time.Second)
		w.completed("a", "0123")
		if got := w.head("a").Execution; got != 4 {
			t.Errorf("execution %d, want 4", got)
		}
	})
}

// TestChildren: a parent takes its children's answers; a child id that is taken is an answer too.
func TestChildren(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("parent", func(c *replay.Context, _ []byte) ([]byte, error) {
			var fs []*replay.Future
			for i := range 3 {
				fs = append(fs, c.Child("echo", []byte(strconv.Itoa(i)), replay.ChildOptions{}))
			}
			fs = append(fs, c.Child("echo", []byte("own"), replay.ChildOptions{ID: "own-id"}))
			taken := c.Child("echo", []byte("x"), replay.ChildOptions{ID: "taken"})
			var all [][]byte
			for _, f := range fs {
				v, err := f.Await()
				if err != nil {
					return nil, err
				}
				all = append(all, v.([]byte))
			}
			if _, err := taken.Await(); err == nil {
				return nil, errors.New("the taken id was given")
			}
			return bytes.Join(all, []byte(" ")), nil
		}))
		w.start("taken", "wait", "")
		w.start("p", "parent", "")
		pass(time.Second)
		w.completed("p", "0 1 2 own")
		if got := w.head("p::sub::2").Parent; got.ID != "p" || got.Event != 2 {
			t.Errorf("the first child's parent is %+v", got)
		}
	})
}

// TestF48_of_two_starts_of_one_id_in_one_turn_the_first_gets_it: a detached one and a child, in the order of the code.
func TestF48_of_two_starts_of_one_id_in_one_turn_the_first_gets_it(t *testing.T) {
	child := func(c *replay.Context) *replay.Future {
		return c.Child("echo", []byte("child"), replay.ChildOptions{ID: "x"})
	}
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("detached first", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Child("echo", []byte("another"), replay.ChildOptions{ID: "y"})
			c.Detached("echo", "x", []byte("detached"), replay.DetachedOptions{})
			_, err := child(c).Await()
			return []byte(fmt.Sprint(err)), nil
		}))
		w.start("p", "detached first", "")
		pass(time.Second)
		w.completed("x", "detached")
		w.completed("p", `an instance with the id "x" already exists`)
	})
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("child first", func(c *replay.Context, _ []byte) ([]byte, error) {
			f := child(c)
			c.Detached("echo", "x", []byte("detached"), replay.DetachedOptions{})
			_, err := f.Await()
			return []byte(fmt.Sprint(err)), nil
		}))
		w.start("p", "child first", "")
		pass(time.Second)
		w.completed("x", "child")
		w.completed("p", "<nil>")
	})
}

// TestCancelReachesTheChildren of the default policy.
func TestCancelReachesTheChildren(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("parent", func(c *replay.Context, _ []byte) ([]byte, error) {
			f := c.Child("wait", nil, replay.ChildOptions{})
			other := c.Child("wait", nil, replay.ChildOptions{ID: "elsewhere"})
			c.All(f, other)
			return nil, nil
		}))
		w.start("p", "parent", "")
		pass(time.Second)
		if err := w.cancel("p", "enough").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		for _, id := range []string{"p", "p::sub::2", "elsewhere"} {
			if why := w.failed(id); !failure.IsCancelled(why) {
				t.Errorf("%s: %v", id, failure.Display(why))
			}
		}
	})
}

// TestTimersFire, in virtual time, at their time.
func TestTimersFire(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("sleep", func(c *replay.Context, _ []byte) ([]byte, error) {
			began := c.Now()
			if _, err := c.Timer(time.Hour).Await(); err != nil {
				return nil, err
			}
			return []byte(fmt.Sprint(c.Now().Sub(began) >= time.Hour)), nil
		}))
		w.start("a", "sleep", "")
		pass(time.Hour - time.Second)
		if got := w.head("a").Status; got != persistence.StatusRunning {
			t.Fatalf("%v before its time", got)
		}
		pass(2 * time.Second)
		w.completed("a", "true")
	})
}
