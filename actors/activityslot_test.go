package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// TestWhatActivitiesComeTo: results, errors, panics, and what is too large.
func TestWhatActivitiesComeTo(t *testing.T) {
	const most = 2000
	cases := []struct {
		name     string
		activity consumer.ActivityFunc
		output   string
		fails    string // the failure's text has this
	}{
		{"result", func(_ context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
			return in, nil
		}, "a", ""},
		{"no result", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) { return nil, nil }, "", ""},
		{"error", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			return nil, errors.New("out of paper")
		},
			"", "out of paper"},
		{"panic", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) { panic("boom") }, "", "activity panicked: boom"},
		{"panic with an error", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			panic(errors.New("bang"))
		},
			"", "activity panicked: bang"},
		{"nil panic", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) { panic(nil) }, "", "activity panicked"},
		{"Goexit", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			runtime.Goexit()
			return nil, nil
		},
			"", "ended its goroutine"},
		{"result at the limit", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			return []byte(strings.Repeat("x", most)), nil
		}, strings.Repeat("x", most), ""},
		{"result over the limit", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			return make([]byte, most+1), nil
		}, "", "activity result bytes is 2001, the limit is 2000"},
		{"error over the limit", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			return nil, errors.New(strings.Repeat("x", most))
		}, "", "activity failure bytes is"},
		{"error that is not UTF-8", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
			return nil, errors.New("\xff!")
		}, "", "\uFFFD!"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Limits: limits.Limits{PayloadBytes: most, ReasonBytes: most}}
			once(t, cfg, func(w *world) {
				w.attach(newRegistry().orchestration("call", call).activity("a", c.activity))
				w.start("a", "call", "a")
				synctest.Wait()
				if c.fails == "" {
					w.completed("a", c.output)
					return
				}
				f := w.failed("a").GetApplication()
				if !strings.Contains(f.GetMessage(), c.fails) {
					t.Errorf("failed with %q, want %q in it", f.GetMessage(), c.fails)
				}
			})
		})
	}
}

// TestActivityInfo says what an activity runs for, also after a restart, when all is read from the journal.
func TestActivityInfo(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		register := func() *registry { return newRegistry().orchestration("call", call).activity("work", k.run) }
		w.attach(register())
		w.start("a", "call", "work")
		k.wantCalls(t, 1, 1)
		want := consumer.ActivityInfo{
			Instance: "a", Incarnation: uint64(w.head("a").IID), Execution: 1, Event: 2, FirstEvent: 2,
			Orchestration: "call", Version: "1.0.0", Name: "work", Attempt: 1, Worker: "consumer-1",
		}
		for n := range 2 {
			w.reopen(w.crash)
			w.attach(register())
			k.wantCalls(t, n+2, 1)
		}
		for i, info := range k.infos {
			want.Delivery = uint32(i + 1)
			if info != want {
				t.Errorf("call %d: %+v\nwant %+v", i+1, info, want)
			}
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work") // its input was read from the history
	})
}

// TestAConsumersSlotsBoundWhatRuns, whatever the partition; and all of it runs in the end.
func TestAConsumersSlotsBoundWhatRuns(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
		for i := range 40 {
			w.start(fmt.Sprint("i", i), "call", "work")
		}
		k.wantCalls(t, 4, 4)
		for i := range 40 {
			k.gate <- struct{}{}
			synctest.Wait()
			if calls, _, most := k.state(); most > 4 || calls != min(40, i+5) {
				t.Fatalf("after %d ends: %d calls, %d at once", i+1, calls, most)
			}
		}
		for i := range 40 {
			w.completed(fmt.Sprint("i", i), "work")
		}
	})
}

// TestAResultIsRepeatedWhileTheNodeIsBusy.
func TestAResultIsRepeatedWhileTheNodeIsBusy(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(basics())
		n := 0
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			c, is := p.Command.(*persistence.CommitTurn)
			if !is || c.Turn == 0 || n == 3 {
				return false
			}
			n++
			p.Done(persistence.Result{Err: persistence.ErrBusy})
			return true
		})
		w.start("a", "echo", "hello")
		pass(time.Minute)
		w.completed("a", "hello")
		if n != 3 {
			t.Errorf("%d commits were refused, want 3", n)
		}
	})
}

// TestALongActivityIsLeasedInTheBackground after a second, and its result then comes under the lease.
func TestALongActivityIsLeasedInTheBackground(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
		w.start("a", "call", "work")
		pass(999 * time.Millisecond)
		if n := w.journal.count(&persistence.LeaseWork{}); n != 0 {
			t.Fatalf("%d leases before a second has passed", n)
		}
		pass(time.Millisecond)
		rows := w.rows()
		if len(rows) != 1 || rows[0].Token == "" || rows[0].Attempts != 1 || rows[0].Holder.Consumer != "consumer-1" {
			t.Fatalf("after a second the rows are %+v", rows)
		}
		if k.infos[0].Delivery != 1 {
			t.Errorf("delivery %d", k.infos[0].Delivery)
		}
		results := w.acceptedResults()
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
		if got := results(); len(got) != 1 || got[0].Token != rows[0].Token {
			t.Errorf("the result came as %+v, want under the token %v", got, rows[0].Token)
		}
	})
}

// acceptedResults collects the results that commits accept from now on.
func (w *world) acceptedResults() func() []persistence.AcceptedResult {
	var mu sync.Mutex
	var all []persistence.AcceptedResult
	w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
		if c, is := p.Command.(*persistence.CommitTurn); is {
			mu.Lock()
			all = append(all, c.AcceptedResults...)
			mu.Unlock()
		}
		return false
	})
	return func() []persistence.AcceptedResult {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// TestNoResultLeavesWhileItsLeaseIsUnanswered: the grant it would come under may be void by then.
func TestNoResultLeavesWhileItsLeaseIsUnanswered(t *testing.T) {
	for _, answer := range []string{"leased", "busy", "lost"} {
		t.Run(answer, func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				k := newWorker()
				w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
				var held *persistence.Proposal
				var results []persistence.AcceptedResult
				w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
					switch c := p.Command.(type) {
					case *persistence.LeaseWork:
						if held == nil {
							held = &p
							return true
						}
					case *persistence.CommitTurn:
						results = append(results, c.AcceptedResults...)
					}
					return false
				})
				w.start("a", "call", "work")
				pass(time.Second)
				if held == nil {
					t.Fatal("no lease was asked for")
				}
				k.gate <- struct{}{}
				pass(time.Second)
				if len(results) != 0 {
					t.Fatalf("the result left before the lease was answered: %+v", results)
				}
				switch answer {
				case "leased":
					w.journal.Propose(w.journal.PartitionOf("a"), *held)
					synctest.Wait()
					w.completed("a", "work")
					if len(results) != 1 || results[0].Token == "" {
						t.Errorf("the result came as %+v, want under the lease", results)
					}
				case "busy":
					held.Done(persistence.Result{Err: persistence.ErrBusy})
					synctest.Wait()
					w.completed("a", "work")
					if len(results) != 1 || results[0].Token != "" {
						t.Errorf("the result came as %+v, want under the grant", results)
					}
				case "lost": // the result is void; the row decides, and it names no holder
					held.Done(persistence.Result{Err: &persistence.Refusal{Code: persistence.LeaseLost}})
					pass(time.Second)
					k.wantCalls(t, 2, 1)
					close(k.gate)
					pass(time.Second)
					w.completed("a", "work")
				}
			})
		})
	}
}
