package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// changedBy replays a history with code, takes a turn, and gives what is listed as changed.
func changedBy(fn replay.Func, hist []*event, messages ...*turnpb.Message) (replay.Decision, []replay.ChangedInput) {
	m := replay.New(config(fn))
	defer m.Close()
	m.Load(replay.Segments(flat(hist...)))
	return m.Advance(input(messages...)), m.ChangedInputs()
}

// TestChangedInputs: without StrictInputs the recorded input stands, and the decision says what changed.
func TestChangedInputs(t *testing.T) {
	code := func(c *replay.Context, _ []byte) ([]byte, error) {
		a, err := text(activity(c, "A", "new"))
		if err != nil {
			return nil, err
		}
		b, err := text(child(c, "C", "new"))
		if err != nil {
			return nil, err
		}
		c.Detached("D", "d-1", []byte("new"), replay.DetachedOptions{})
		again, err := text(activity(c, "A", "newer"))
		return []byte(a + b + again), err
	}
	hist := events(evS(1), evAS(2, "A", "old"), evAC(3, 2, "a"), evSS(4, "C", "sub::4", "old"), evSC(5, 4, "b"),
		evChained(6, "D", "d-1", "old"), evAS(7, "A", "old"))
	t.Run("what history has stands, and each operation is listed once", func(t *testing.T) {
		d, changed := changedBy(code, hist, msgAC(7, "c"))
		wantCompleted(t, d, "abc")
		var all []string
		for _, c := range changed {
			all = append(all, fmt.Sprint(c.Event, " ", c.What))
		}
		if got := strings.Join(all, "; "); got != `2 activity "A"; 4 sub-orchestration "C"; 6 detached orchestration "D"` {
			t.Errorf("listed: %s", got)
		}
		if text := changed[0].Text; !strings.Contains(text, `ActivityScheduled "A" with "old"`) ||
			!strings.Contains(text, `activity "A" with "new" at replay_test.activity (harness_test.go:`) {
			t.Errorf("the text is %q", text)
		}
	})
	t.Run("it is listed by the turn that replays, and not again", func(t *testing.T) {
		m := replay.New(config(code))
		defer m.Close()
		m.Load(replay.Segments(flat(hist[:5]...)))
		m.Advance(input())
		if all := m.ChangedInputs(); len(all) != 2 {
			t.Errorf("the first turn lists %v", all)
		}
		m.Advance(input(msgXE("E", "")))
		if all := m.ChangedInputs(); len(all) != 0 {
			t.Errorf("the second turn lists %v", all)
		}
	})
	t.Run("equal inputs list nothing", func(t *testing.T) {
		if _, all := changedBy(one("A", "x"), events(evS(1), evAS(2, "A", "x"))); all != nil {
			t.Errorf("listed: %v", all)
		}
	})
	t.Run("what is listed is bounded", func(t *testing.T) {
		hist := events(evS(1))
		for i := range uint64(40) {
			hist = append(hist, evAS(i+2, fmt.Sprint("A", i), "old"))
		}
		d, all := changedBy(func(c *replay.Context, _ []byte) ([]byte, error) {
			for i := range 40 {
				activity(c, fmt.Sprint("A", i), "new")
			}
			_, err := c.WaitEvent("E", buffered).Await()
			return nil, err
		}, hist)
		wantRunning(t, d)
		if len(all) != 16 {
			t.Errorf("%d are listed", len(all))
		}
	})
	t.Run("a key's value and a name are matched all the same", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.KVSet("k", []byte("new"))
			_, err := c.WaitEvent("E", buffered).Await()
			return nil, err
		}, events(evS(1), evKVSet(2, "k", "old")))
		wantNondeterminism(t, d, "the values differ")
		if !failure.IsNondeterminism(d.Divergence) {
			t.Errorf("the divergence is %v", d.Divergence)
		}
	})
}
