package turn

import (
	"bytes"
	"runtime"
	"time"

	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// stackBytesMax bounds how many bytes of goroutine stacks the watchdog reads.
const stackBytesMax = 16 << 20

// reportBlocked logs a turn or a query whose code blocks outside Turnstone, with the stacks of the orchestration code that runs now. It
// only logs, because a wall clock must not decide what the history records. Later the turn is given up.
func (h *Shared) reportBlocked(instance, name, version string, ran time.Duration) {
	h.Counts.ReportedTurns.Add(1)
	h.Config.Logger.Warn("the code of an orchestration has not returned: it blocks on something that is not a future of "+
		"its context (a channel, a mutex, a sleep, I/O); move that into an activity",
		logkey.Instance, instance, logkey.Orchestration, name, logkey.Version, version, logkey.Duration, ran.Milliseconds(),
		logkey.MaxDuration, h.Config.WatchdogAbandon.Milliseconds(), logkey.Stack, codeStacks())
}

// codeStacks returns the stacks of all orchestration coroutines that are not parked. The coroutine that blocks is one of them;
// there are seldom more than a few.
func codeStacks() string {
	size := 1 << 20
	buf := make([]byte, size)
	n := runtime.Stack(buf, true)
	for n == len(buf) && size < stackBytesMax {
		size *= 4
		buf = make([]byte, size)
		n = runtime.Stack(buf, true)
	}
	var found [][]byte
	for _, stack := range bytes.Split(buf[:n], []byte("\n\n")) {
		header, _, _ := bytes.Cut(stack, []byte("\n"))
		parked := bytes.Contains(header, []byte("[coroutine"))
		if !parked && bytes.Contains(stack, []byte("/replay.(*")) && bytes.Contains(stack, []byte("iter.Pull")) {
			found = append(found, stack)
		}
	}
	return string(bytes.Join(found, []byte("\n\n")))
}
