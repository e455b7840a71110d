package replay_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// unbatched are the operations whose results depend on how messages are grouped into turns: what a turn answers itself,
// and arrivals. They are replaced by others.
var unbatched = map[string]string{
	"guid": "start-activity", "utc": "start-timer", "random": "start-child", "start-wait": "start-child",
	"start-positional": "start-timer", "start-dequeue": "start-activity", "dequeue": "race", "continue-as-new": "cancel",
}

func batched(block []stmt) []stmt {
	out := slices.Clone(block)
	for i := range out {
		if op, ok := unbatched[out[i].op]; ok {
			out[i].op = op
		}
		out[i].body, out[i].also = batched(out[i].body), batched(out[i].also)
	}
	return out
}

// TestF43_messages_in_one_batch_or_in_several_do_the_same: completions in any order, with failures that end the waiting
// code among them, come in one turn and in a turn each. The code sees the same and the execution ends alike. If undo steps
// run, how it ends is fixed then, and alike; the steps themselves begin when all that came in the turn has been applied.
func TestF43_messages_in_one_batch_or_in_several_do_the_same(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		cfg := config(program(batched(genBlock(t, 3, "p"))))
		var history []replay.Segment
		var w world
		messages := []*turnpb.Message{msgStart()}
		for turn := uint64(1); turn <= 8; turn++ {
			in := replay.Input{TimeMs: 1_000 * int64(turn), Messages: messages}
			m := replay.New(cfg)
			defer m.Close()
			m.Load(replay.Segments(history))
			d := m.Advance(in)
			one := ended(m, d)
			several := oneByOne(cfg, history, in)
			if one != several {
				t.Fatalf("turn %d, messages %v:\nin one batch %s\none by one   %s", turn, messages, one, several)
			}
			seen[fmt.Sprint("outcome ", d.Outcome, " ", failure.Category(d.Failure))]++
			if d.Outcome != replay.Running || d.CleansUp != nil {
				return
			}
			history = append(history, copyOf(d.Segment(turn, in, "test")))
			w.apply(d)
			messages = w.completions(t)
			if len(messages) == 0 {
				return
			}
		}
	})
	t.Logf("seen: %v", seen)
}

// oneByOne gives a machine each message of an input in a turn of its own.
func oneByOne(cfg replay.Config, history []replay.Segment, in replay.Input) string {
	m := replay.New(cfg)
	defer m.Close()
	loaded := make([]replay.Segment, len(history))
	for i := range history {
		loaded[i] = copyOf(history[i])
	}
	m.Load(replay.Segments(loaded))
	var d replay.Decision
	for _, msg := range in.Messages {
		d = m.Advance(replay.Input{TimeMs: in.TimeMs, Messages: []*turnpb.Message{msg}})
		if d.Outcome != replay.Running || d.CleansUp != nil {
			break
		}
	}
	return ended(m, d)
}

// ended is what a turn left: how the execution ended or will end, or what is open.
func ended(m *replay.Machine, d replay.Decision) string {
	if d.CleansUp != nil {
		return fmt.Sprintf("undo steps run, failure %q", failure.Display(d.CleansUp))
	}
	if d.Outcome == replay.Running {
		return fmt.Sprintf("running with %+v", m.Open())
	}
	return fmt.Sprintf("outcome %d, output %q, failure %q", d.Outcome, d.Output, failure.Display(d.Failure))
}

// completions draws answers to what is open, in any order, each at most once. A cancel is not among them: it wins over
// all that the code does in the same turn.
func (w *world) completions(t *rapid.T) []*turnpb.Message {
	var all []*turnpb.Message
	for _, id := range w.activities {
		all = append(all, answer(t, id, msgAC, msgAF))
	}
	for _, id := range w.children {
		all = append(all, answer(t, id, msgSC, msgSF))
	}
	for _, id := range w.timers {
		all = append(all, msgTF(id))
	}
	all = rapid.Permutation(all).Draw(t, "order")
	if len(all) > 0 {
		all = all[:rapid.IntRange(1, min(len(all), 5)).Draw(t, "how many")]
	}
	for _, m := range all {
		w.activities, w.timers = without(w.activities, m.GetEvent()), without(w.timers, m.GetEvent())
		w.children = without(w.children, m.GetEvent())
	}
	return all
}

func answer(t *rapid.T, id uint64, good func(uint64, string) *turnpb.Message, bad func(uint64, *turnpb.Failure) *turnpb.Message) *turnpb.Message {
	switch rapid.IntRange(0, 9).Draw(t, "answer") {
	case 0:
		return bad(id, activityFailed("declined"))
	case 1:
		return bad(id, failure.PoisonOrchestration("child", 1, 11, 10, ""))
	case 2:
		return bad(id, failure.Nondeterminism("r", "changed"))
	default:
		return good(id, fmt.Sprint("result of ", id))
	}
}
