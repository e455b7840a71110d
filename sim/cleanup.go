package sim

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// tidy gives an execution the undo step of its registration, with the time that all of its steps may take, and returns the
// program that it runs.
func (r *run) tidy(ctx *replay.Context, p *Program) *Program {
	if p.Op != "tidy" {
		return p
	}
	ctx.Cleanup(func(ctx *replay.Context, why *turnpb.Failure) error {
		r.note("cleans up", failure.Display(why), nil)
		return r.undo(ctx, &Program{Tag: p.Tag, Kids: p.Kids[1:]}, 0)
	}, time.Duration(p.N)*time.Millisecond)
	return p.Kids[0]
}

// push adds an undo step.
func (r *run) push(ctx *replay.Context, p *Program) {
	r.pushed++
	number := r.pushed
	ctx.Compensate(func(ctx *replay.Context) error { return r.undo(ctx, p, number) })
}

// undo runs an undo step: it records which one it is, and leaves what the code and the steps before it have seen where others
// can see it, since an execution that fails has no output.
func (r *run) undo(ctx *replay.Context, p *Program, number int) error {
	ctx.SideEffect(func() []byte { return undoMark(number) })
	if r.left == nil {
		r.left = r.seen()
	}
	err := r.do(ctx, p.Kids[0])
	if r.settled { // the order of the steps may be a matter of time, and so is what a step sees of the others
		ctx.KVSet(fmt.Sprint("undone-", p.Tag), r.left)
	} else {
		text := fmt.Sprintf("undone %d, seen %s", number, r.seen())
		ctx.SetStatus(&text)
	}
	return err
}

// seen is a digest of what the code was given.
func (r *run) seen() []byte {
	lines := strings.Split(r.digest.String(), "\n")
	if r.settled {
		slices.Sort(lines)
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(strings.Join(lines, "\n")))
	return fmt.Appendf(nil, "%016x", sum.Sum64())
}

// undoMark is what an undo step records of itself: how many steps its code had added with it. 0 is that of the registration.
func undoMark(number int) []byte { return fmt.Append(nil, "undo ", number) }

// undoSteps is what a history says of an execution's undo steps.
type undoSteps struct {
	events  []uint64 // those that added steps
	least   int      // the number of the last step that is to run
	next    int      // the number of the step that is to run next
	outcome *turnpb.Failure
}

// checkCleanup checks that each undo step ran once, the last one first, if the execution did not end well, and none if it did.
func (w *World) checkCleanup(rec *record, e *execution) {
	s := undoSteps{least: 1}
	for _, t := range e.turns() {
		for _, event := range t.Events {
			if wrong := s.take(w, event); wrong != "" {
				w.fail("S12", "%s execution %d event %d: %s", rec.id, e.number, event.GetId(), wrong)
				return
			}
		}
	}
}

// take takes the next event of a history, and says what is wrong with it.
func (s *undoSteps) take(w *World, event *turnpb.Event) string {
	switch k := event.GetKind().(type) {
	case *turnpb.Event_Started:
		if k.Started.GetCleanup() {
			s.least = 0
		}
	case *turnpb.Event_CompensationPushed:
		s.events = append(s.events, event.GetId())
		if s.outcome != nil {
			return "an undo step was added while undo steps run"
		}
	case *turnpb.Event_CompensationStarted:
		w.reach("cleanup: " + strings.ToLower(strings.TrimPrefix(k.CompensationStarted.GetCause().String(), "COMPENSATION_CAUSE_")))
		s.outcome, s.next = k.CompensationStarted.GetFailure(), len(s.events)
		if s.next < s.least {
			return "undo steps run, and there are none"
		}
	case *turnpb.Event_SideEffectRecorded:
		if mark := k.SideEffectRecorded.GetValue(); bytes.HasPrefix(mark, []byte("undo ")) {
			w.reach("undo step")
			return s.ran(mark)
		}
	case *turnpb.Event_CompensationFailed:
		w.reach("undo step that failed")
		if strings.Contains(failure.Display(k.CompensationFailed.GetFailure()), "before it began") {
			w.reach("undo step that had no time")
			return s.skipped(k.CompensationFailed.GetPushed())
		}
	case *turnpb.Event_Failed:
		return s.over(k.Failed.GetFailure())
	case *turnpb.Event_Completed, *turnpb.Event_ContinuedAsNew:
		if s.outcome != nil {
			return "the execution ends well after its undo steps have run"
		}
	}
	return ""
}

// ran takes the step that runs now.
func (s *undoSteps) ran(mark []byte) string {
	if s.outcome == nil || s.next < s.least || !bytes.Equal(mark, undoMark(s.next)) {
		return fmt.Sprintf("the step %q runs, it is the turn of step %d of %d (cleanup began: %v)", mark, s.next, len(s.events), s.outcome != nil)
	}
	s.next--
	return ""
}

// skipped takes a step for which no time was left.
func (s *undoSteps) skipped(event uint64) string {
	want := uint64(0)
	if s.next > 0 {
		want = s.events[s.next-1]
	}
	if s.next < s.least || event != want {
		return fmt.Sprintf("the step of event %d has no time, it is the turn of step %d of %d", event, s.next, len(s.events))
	}
	s.next--
	return ""
}

// over takes the end of an execution that fails. Only some ends run no undo steps.
func (s *undoSteps) over(f *turnpb.Failure) string {
	switch {
	case f.GetPoison() != nil && (s.outcome == nil || !proto.Equal(f, s.outcome)), failure.IsNondeterminism(f),
		f.GetApplication().GetKind() == turnpb.ApplicationKind_APPLICATION_KIND_TERMINATED:
		return ""
	case s.outcome == nil && len(s.events) < s.least:
		return ""
	case s.outcome == nil:
		return fmt.Sprintf("the execution ends with %q, and %d undo steps did not run", failure.Display(f), len(s.events)+1-s.least)
	case !proto.Equal(f, s.outcome):
		return fmt.Sprintf("the execution ends with %q, its end was fixed as %q", failure.Display(f), failure.Display(s.outcome))
	case s.next >= s.least:
		return fmt.Sprintf("the execution ends before step %d has run", s.next)
	}
	return ""
}
