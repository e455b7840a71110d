package replay_test

import (
	"fmt"
	"hash/fnv"
	"iter"
	"path"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone/replay"
)

// shapes asks for statuses through calls of many shapes, and notes the line of each as the runtime names it.
type shapes struct {
	c    *replay.Context
	want []uint32
	plan []int
}

//go:noinline
func lineOf() uint32 {
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:]) // the caller of note, which may be in its caller
	frame, _ := runtime.CallersFrames(pcs[:]).Next()
	h := fnv.New32a()
	fmt.Fprintf(h, "%s (%s:%d)", path.Base(frame.Function), path.Base(frame.File), frame.Line)
	return h.Sum32()
}

//go:noinline
func (s *shapes) note() *replay.Context {
	s.want = append(s.want, lineOf())
	return s.c
}

// The leaves: each asks on one line.

//go:noinline
func (s *shapes) plain() { s.note().SetStatus(nil) }

func (s *shapes) inlined() { s.note().SetStatus(nil) }

func (s *shapes) two() { s.note().SetStatus(nil); s.note().SetStatus(nil) }

func generic[T any](s *shapes, _ T) { s.note().SetStatus(nil) }

//go:noinline
func genericOut[T any](s *shapes, v T) T { s.note().KVClear("k"); return v }

func (s *shapes) deferred() {
	defer func() { s.note().SetStatus(nil) }()
	for range 2 {
		defer func() { s.note().KVClear("k") }()
	}
}

func (s *shapes) recovered() {
	defer func() {
		_ = recover()
		s.note().SetStatus(nil)
	}()
	panic("expected")
}

type asker interface{ ask(s *shapes) }

type byValue struct{ _ [3]int }

func (byValue) ask(s *shapes) { s.note().SetStatus(nil) }

type byPointer struct{ byValue }

type embeds struct{ *byPointer }

// step does the next things of the plan. A plan is followed depth first: what each call makes of it is by its own shape.
func (s *shapes) step() {
	if len(s.plan) == 0 {
		return
	}
	kind := s.plan[0]
	s.plan = s.plan[1:]
	switch kind {
	case 0:
		s.plain()
	case 1:
		s.inlined()
		s.inlined()
	case 2:
		s.two()
	case 3:
		generic(s, 1)
		generic(s, "")
		genericOut(s, s)
		genericOut(s, byValue{})
	case 4:
		s.deferred()
	case 5:
		s.recovered()
	case 6:
		s.step()
		s.note().SetStatus(nil)
	case 7:
		f := s.step
		f()
	case 8:
		reflect.ValueOf(s.step).Call(nil)
		reflect.ValueOf(s.c).MethodByName("Instance").Call(nil)
	case 9:
		for _, a := range []asker{byValue{}, &byPointer{}, embeds{&byPointer{}}} {
			a.ask(s)
		}
		s.step()
	case 10:
		defer s.step()
		s.note().KVClear("k")
	case 11:
		var once sync.Once
		once.Do(s.step)
		once.Do(s.step)
	case 12:
		_ = s.c.Scope(func(*replay.Context) error { s.note().KVClear("k"); s.step(); return nil })
	case 13:
		c := s.c
		f := c.Go(func(own *replay.Context) (any, error) {
			s.c = own
			s.note().SetStatus(nil)
			s.step()
			s.c = c
			return nil, nil
		})
		_, _ = f.Await()
	case 14:
		slices.SortFunc([]int{3, 1, 2}, func(a, b int) int { s.note().KVClear("k"); return a - b })
		s.step()
	case 15:
		for range seq(s) {
			s.note().SetStatus(nil)
			s.step()
		}
	case 16:
		made := reflect.MakeFunc(reflect.TypeFor[func()](), func([]reflect.Value) []reflect.Value {
			s.note().SetStatus(nil)
			s.step()
			return nil
		})
		made.Interface().(func())()
	case 17:
		func() { func() { s.note().SetStatus(nil) }(); s.note().SetStatus(nil) }()
		s.step()
	case 18:
		s.step()
		s.step()
	}
}

func seq(s *shapes) iter.Seq[int] {
	return func(yield func(int) bool) {
		s.note().KVClear("before")
		if !yield(1) {
			return
		}
		yield(2)
	}
}

// TestTheLineThatAskedIsThatOfTheRuntime asks in random nests of calls, with what was remembered of the nests before.
func TestTheLineThatAskedIsThatOfTheRuntime(t *testing.T) {
	asked := 0
	rapid.Check(t, func(t *rapid.T) {
		plan := rapid.SliceOfN(rapid.IntRange(0, 18), 1, 12).Draw(t, "plan")
		s := &shapes{plan: plan}
		m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
			s.c = c
			for len(s.plan) > 0 {
				s.step()
			}
			return nil, nil
		}))
		defer m.Close()
		d := m.Advance(input(msgStart()))
		if d.Outcome != replay.Completed {
			t.Fatalf("outcome %v: %v", d.Outcome, d.Failure)
		}
		if len(d.CallSites) != len(s.want) {
			t.Fatalf("%d sites, want %d", len(d.CallSites), len(s.want))
		}
		for i, c := range d.CallSites {
			if c.Hash != s.want[i] {
				t.Fatalf("of %v, call %d is said to be at %q (%x), and is at %x", plan, i, c.Text, c.Hash, s.want[i])
			}
		}
		asked += len(s.want)
	})
	t.Logf("%d calls", asked)
}
