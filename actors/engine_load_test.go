package actors

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestCommitsAt64InFlight: an orchestration of one activity costs exactly two commits, one of ten steps eleven, with 8
// partitions and 64 in flight, and nothing else is proposed but the epochs.
func TestCommitsAt64InFlight(t *testing.T) {
	const inFlight = 64
	n := fullOrShort(640, 128)
	for _, steps := range []int{1, 10} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.disk = persistencetest.NewDisk(8)
			w.open()
			w.attach(basics().orchestration("steps", func(c *replay.Context, _ []byte) ([]byte, error) {
				for range steps {
					if _, err := c.Activity("echo", nil, replay.ActivityOptions{}).Await(); err != nil {
						return nil, err
					}
				}
				return nil, nil
			}))
			begun := map[string]int{}
			for command, count := range w.journal.all() {
				begun[command] = count
			}
			var running sync.WaitGroup
			for i := range inFlight {
				running.Go(func() {
					for j := i; j < n; j += inFlight {
						w.runOne(t, fmt.Sprint("i", j), "steps")
					}
				})
			}
			running.Wait()
			synctest.Wait()
			want := n * (steps + 1)
			if got := w.journal.count(&persistence.CommitTurn{}); got != want {
				t.Errorf("%d steps: %d commits for %d orchestrations, want %d", steps, got, n, want)
			}
			for command, count := range w.journal.all() {
				if command != "*persistence.CommitTurn" && !strings.HasSuffix(command, "OutboxAck") && count != begun[command] {
					t.Errorf("%d steps: %d more %s", steps, count-begun[command], command)
				}
			}
			if c := w.e.Counters(); c.Loads != 0 || c.ReplayedEvents != 0 {
				t.Errorf("%d loads, %d events replayed", c.Loads, c.ReplayedEvents)
			}
			w.close()
		})
	}
}

// runOne starts an instance and waits for its end.
func (w *world) runOne(t *testing.T, id, name string) {
	ended, started := make(chan struct{}), make(chan error, 1)
	w.e.WatchEnd(id, func(persistence.EndEffect) { close(ended) }, func(error) {})
	w.e.StartInstance(arrival.StartRequest{ID: id, Name: name}, func(r arrival.StartReply) { started <- r.Err })
	if err := <-started; err != nil {
		t.Errorf("start %s: %v", id, err)
		return
	}
	<-ended
}

// TestPassivationUnderLoad drives many instances from many senders while everything leaves memory as soon as it may:
// every message arrives once, in its sender's order, and no instance has two actors at a time.
func TestPassivationUnderLoad(t *testing.T) {
	const senders, instances = 8, 20
	each := 15
	if testing.Short() {
		each = 5
	}
	for _, resident := range []int64{-1, 1, 64 << 10} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{ResidentBytes: resident})
			w.open()
			w.attach(basics().orchestration("collect", collect))
			for i := range instances {
				w.start(fmt.Sprint("i", i), "collect", strconv.Itoa(senders*each))
			}
			var sending sync.WaitGroup
			for s := range senders {
				sending.Go(func() {
					random := rand.New(rand.NewPCG(1, uint64(s)))
					next := make([]int, instances)
					for range instances * each {
						i := random.IntN(instances)
						for next[i] == each {
							i = (i + 1) % instances
						}
						w.send(t, fmt.Sprint("i", i), fmt.Sprintf("%d:%d", s, next[i]))
						next[i]++
					}
				})
			}
			sending.Wait()
			pass(5 * time.Second)
			for i := range instances {
				id := fmt.Sprint("i", i)
				if got := w.head(id).Status; got != persistence.StatusCompleted {
					t.Fatalf("%s is %v", id, got)
				}
				inOrder(t, id, string(w.last(id).GetCompleted().GetOutput()), senders*each)
			}
			c := w.e.Counters()
			if c.Passivations == 0 || c.Conflicts != 0 || c.SecondActivations != 0 {
				t.Errorf("%d passivations, %d conflicts, %d second activations", c.Passivations, c.Conflicts, c.SecondActivations)
			}
			w.close()
		})
	}
}

// send raises an event and waits until it is durable.
func (w *world) send(t *testing.T, id, data string) {
	done := make(chan error, 1)
	w.e.Deliver(arrival.Delivery{ID: id, Message: &turnpb.Message{
		Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: "go", Data: []byte(data)}}}},
		func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Errorf("raise %s for %s: %v", data, id, err)
	}
}

// inOrder checks that the words are there, each once, each sender's in its order.
func inOrder(t *testing.T, id, output string, want int) {
	t.Helper()
	words := strings.Fields(output)
	if len(words) != want {
		t.Errorf("%s got %d messages, want %d", id, len(words), want)
	}
	next := map[string]int{}
	for _, word := range words {
		sender, number, _ := strings.Cut(word, ":")
		if n, _ := strconv.Atoi(number); n != next[sender] {
			t.Fatalf("%s: message %s where %d of its sender was next", id, word, next[sender])
		}
		next[sender]++
	}
}
