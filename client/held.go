package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Held says why an instance is held: its last turn was not recorded, because the code that is registered cannot go on
// with it, and nothing of the instance was changed. Its events and timers are kept. The reason is one of these:
//   - The code does not fit the history ("nondeterministic: ..."): it names the event, what history has, what the code
//     asked for, and both call sites.
//   - The code has used its context where it must not, or blocks on something that is not a future.
//   - No attached runtime has the orchestration, or not in this version. Such an instance does not wait for ever: after
//     Config.MaxAttempts tries, about 5 minutes with the defaults, it fails for good as turnstone.ErrPoisoned.
//
// It goes on when code that fits is deployed; a [Client.Release] has it tried at once; a [Client.Cancel] or a
// [Client.Terminate] ends it.
type Held struct {
	Reason string
	// End says in words how and when the instance ends if its handler stays missing, such as "attempt 3 of 10, after which
	// it fails for good as poison". Empty if the handler is not missing: then it stays held. The text is for people and may
	// change.
	End string
	// Since is since when it has been held without a break. A release and a recorded turn end that: when it is held after
	// one, Since begins anew.
	Since time.Time
	// Attempts is how often the code of Build has tried it, or how often its handler was missing if that is more. Build is
	// the Config.Build of the node that tried it last.
	Attempts int
	Build    string
	// Next is when it is tried again by itself. Zero: a try is under way, or Build has tried it often enough, and only
	// other code, a newly attached runtime or a release has it tried.
	Next time.Time
}

// leaseOf reads the turn lease of an instance; the zero value if there is none.
func leaseOf(r persistence.Reader, head *persistence.Head) (persistence.TurnLease, error) {
	if !head.Leased {
		return persistence.TurnLease{}, nil
	}
	lease, _, err := r.TurnLease(head.IID)
	return lease, err
}

func (c *reads) heldOf(lease *persistence.TurnLease) *Held {
	h := &lease.Held
	if h.Reason == "" {
		return nil
	}
	held := &Held{
		Reason: h.Reason, Since: moment(h.SinceMs), Attempts: int(max(h.Tries, lease.Attempts)), Build: h.Build, Next: moment(lease.NotBeforeMs),
	}
	switch {
	case !failure.IsMissing(h.Reason):
	case c.maxAttempts == 0:
		held.End = fmt.Sprintf("attempt %d; after the node's MaxAttempts it fails for good as poison", lease.Attempts)
	case lease.Attempts >= c.maxAttempts:
		held.End = fmt.Sprintf("attempt %d of %d: at the next try it fails for good as poison, whatever is registered then; "+
			"Release it before", lease.Attempts, c.maxAttempts)
	default:
		held.End = fmt.Sprintf("attempt %d of %d, after which it fails for good as poison", lease.Attempts, c.maxAttempts)
	}
	return held
}

// why says in words what an instance waits for.
func (c *reads) why(d *Description, lease *persistence.TurnLease) string {
	switch {
	case d.State.Terminal():
		return ""
	case d.Held != nil:
		return d.Held.why(lease.Token != "")
	case c.runs != nil && !c.runs(d.Name, d.Version):
		return failure.NotRegistered(handlerName(d)) + ": attach a runtime that has it, or cancel or terminate the instance; when " +
			"something waits for it, it is tried " + c.attempts() + ", and then it fails for good as poison"
	case lease.NotBeforeMs != 0:
		return fmt.Sprintf("%s; its next one is not before %s", counted(int(lease.Attempts), "attempt", " ended without an answer"),
			instant(moment(lease.NotBeforeMs)))
	case d.State == StatePending:
		return "its first turn has not run yet"
	}
	return waits(d)
}

// attempts says how often an instance is tried whose handler is missing.
func (c *reads) attempts() string {
	if c.maxAttempts == 0 {
		return "as often as the node's MaxAttempts allows"
	}
	return counted(int(c.maxAttempts), "time", "")
}

func handlerName(d *Description) string {
	if d.Version == "" {
		return "orchestration " + d.Name
	}
	return "orchestration " + d.Name + " " + d.Version
}

func (h *Held) why(leased bool) string {
	again := "; it is not tried again by this build"
	switch {
	case leased:
		again = "; a try is under way"
	case !h.Next.IsZero():
		again = "; the next try is not before " + instant(h.Next)
	}
	if h.End != "" {
		return fmt.Sprintf("held since %s: %s; %s%s. Attach a runtime that has its handler before the last attempt, and it goes on; "+
			"Release has it tried at once and counts from 1 again, Cancel or Terminate ends it",
			instant(h.Since), h.Reason, h.End, again)
	}
	return fmt.Sprintf("held since %s: %s. Build %s has tried it %s%s. Deploy code that fits, or roll back, and it goes on; "+
		"Release has it tried at once, Cancel or Terminate ends it",
		instant(h.Since), h.Reason, h.Build, counted(h.Attempts, "time", ""), again)
}

// waits counts what is open. How many waits for events are open is not known here.
func waits(d *Description) string {
	var open []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{d.OpenActivities, "activity"}, {d.OpenTimers, "timer"}, {d.OpenChildren, "child"},
	} {
		if c.n > 0 {
			open = append(open, counted(c.n, c.what, ""))
		}
	}
	text := "waits for an event, or its turn runs now"
	if len(open) > 0 {
		text = "waits for " + strings.Join(open, ", ") + "; perhaps for events"
	}
	if d.Inbox > 0 {
		text += "; " + counted(d.Inbox, "message", " in its inbox")
	}
	return text
}

// counted is a number with its noun.
func counted(n int, noun, after string) string {
	plurals := map[string]string{"activity": "activities", "child": "children"}
	switch plural, irregular := plurals[noun]; {
	case n == 1:
	case irregular:
		noun = plural
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s%s", n, noun, after)
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
