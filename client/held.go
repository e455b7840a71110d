package client

import (
	"time"

	"github.com/turnstone-dev/turnstone/client/api"
)

// Held says why an instance is held: its last turn was not recorded, because the code that is registered cannot go on
// with it, and nothing of the instance was changed. Its events and timers are kept. The reason is one of these:
//   - The code does not fit the history ("nondeterministic: ..."): it names the event, what history has, what the code
//     asked for, and both call sites.
//   - The code has used its context where it must not, or blocks on something that is not a future.
//   - No attached runtime has the orchestration, or not in this version. Such an instance does not wait for ever: after
//     Config.MaxAttempts tries, about 5 minutes with the defaults, it fails for good as turnstone.ErrPoisoned.
//
// The instance goes on when code that fits is deployed. [Client.Release] has it tried at once; [Client.Cancel] and
// [Client.Terminate] end it.
type Held struct {
	Reason string
	// End says in words how and when the instance ends if its handler stays missing, such as "attempt 3 of 10, after which
	// it fails for good as poison". Empty if the handler is not missing: then it stays held. The text is for people and may
	// change.
	End string
	// Since is the time since which it has been held without a break. A release or a recorded turn is a break.
	Since time.Time
	// Attempts is how often the code of Build has tried it, or how often its handler was missing if that is more. Build is
	// the Config.Build of the node that tried it last.
	Attempts int
	Build    string
	// Next is when it is tried again by itself. Zero: a try is under way, or Build has used up its tries; then only other
	// code, a newly attached runtime or a release leads to another try.
	Next time.Time
}

func heldOf(h *api.Held) *Held {
	if h == nil {
		return nil
	}
	return &Held{
		Reason: h.Reason, End: h.End, Since: moment(h.SinceMs), Attempts: h.Attempts, Build: h.Build, Next: moment(h.NextMs),
	}
}
