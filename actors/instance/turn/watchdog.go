package turn

import (
	"bytes"
	"runtime"
	"time"

	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// stackBytesMax bounds how much of all goroutines' stacks the watchdog reads.
const stackBytesMax = 16 << 20

// reportBlocked logs a turn that blocks outside Turnstone, with the stacks of the orchestration code that runs now. A
// wall clock never writes history: this is all that happens until the turn is given up.
func (h *Shared) reportBlocked(t *Turn, ran time.Duration) {
	h.Counts.ReportedTurns.Add(1)
	h.Config.Logger.Warn("an orchestration has not come back from its code: it blocks on something that is not a future of "+
		"its context (a channel, a mutex, a sleep, I/O); move that into an activity",
		logkey.Instance, t.Head.id, logkey.Orchestration, t.Name, logkey.Version, t.Version, logkey.Duration, ran.Milliseconds(),
		logkey.MaxDuration, h.Config.WatchdogAbandon.Milliseconds(), logkey.Stack, codeStacks())
}

// codeStacks are the stacks of all coroutines of orchestrations that are not parked. The coroutine in question is one
// of them; there are seldom more than a few.
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
