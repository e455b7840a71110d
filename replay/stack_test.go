package replay_test

import (
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

//go:noinline
func dig(depth int) {
	if depth > 0 {
		dig(depth - 1)
		digs++
		return
	}
	var nothing []int
	_ = nothing[depth]
}

var digs int

// TestF32_a_panic_leaves_its_stack: of the author's frames, without anything that differs between two machines, and
// bounded; beside the events, so that a history is the same history for a build with other lines.
func TestF32_a_panic_leaves_its_stack(t *testing.T) {
	cases := map[string]struct {
		code   replay.Func
		first  string
		inside string
	}{
		"of the handler": {func(*replay.Context, []byte) ([]byte, error) { panic("oops") },
			"replay_test.TestF32_a_panic_leaves_its_stack.", "stack_test.go:"},
		"of the runtime, in a call": {func(*replay.Context, []byte) ([]byte, error) { dig(3); return nil, nil },
			"replay_test.dig (stack_test.go:", "replay_test.TestF32_a_panic_leaves_its_stack."},
		"of a coroutine": {func(c *replay.Context, _ []byte) ([]byte, error) {
			return text2(c.Go(func(*replay.Context) (any, error) { dig(1); return nil, nil }))
		}, "replay_test.dig (stack_test.go:", ".1 (stack_test.go:"},
		"of a text that the engine refuses": {func(c *replay.Context, _ []byte) ([]byte, error) {
			return text2(c.Activity("\xff", nil, replay.ActivityOptions{}))
		}, "replay_test.TestF32_a_panic_leaves_its_stack.", "stack_test.go:"},
		"while the code is unwound": {func(c *replay.Context, _ []byte) ([]byte, error) {
			f := c.Go(func(c *replay.Context) (any, error) {
				defer dig(2)
				return activity(c, "A", "").Await()
			})
			c.NewGUID()
			f.Cancel()
			return nil, nil
		}, "replay_test.dig (stack_test.go:", "stack_test.go:"},
		"deep": {func(*replay.Context, []byte) ([]byte, error) { dig(10_000); return nil, nil },
			"replay_test.dig (stack_test.go:", "\n...\n"},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			s := tell(t, k.code)
			d := s.turn(msgStart())
			wantFailed(t, d, "application", "orchestration panicked: ")
			stack := s.history[0].Header.GetPanicStack()
			if stack != d.PanicStack || !strings.HasPrefix(stack, k.first) || !strings.Contains(stack, k.inside) {
				t.Errorf("the stack is not of the author's code:\n%s", stack)
			}
			for _, not := range []string{"goroutine", "0x", "/", "replay.(*coroutine).run ", "iter."} {
				if strings.Contains(stack, not) {
					t.Errorf("%q is in the stack:\n%s", not, stack)
				}
			}
			if len(stack) > replay.StackBytesMax {
				t.Errorf("%d bytes", len(stack))
			}
		})
	}
	t.Run("once, where it happened, though the end waits for a child", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "wait", policyWait)
			c.WaitEvent("go", buffered).Await()
			panic("oops")
		})
		s.turn(msgStart())
		d := s.turn(msgXE("go", ""))
		wantRunning(t, d)
		if d.PanicStack == "" {
			t.Error("no stack")
		}
		d = s.turn(msgSC(2, ""))
		wantFailed(t, d, "application", "oops")
		if d.PanicStack != "" {
			t.Errorf("again:\n%s", d.PanicStack)
		}
	})
}
