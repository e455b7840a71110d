package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Held says why an instance is held: its last turn was not recorded, because the code that is registered cannot go on
// with it, and nothing of the instance was changed. Its events and timers are kept. The reason is one of these:
//   - The code does not fit the history ("nondeterministic: ..."): it names the event, what history has, what the code
//     asked for, and both call sites.
//   - The code has used its context where it must not, or blocks on something that is not a future.
//   - No attached runtime has the orchestration, or not in this version. Such an instance fails as poison
//     (turnstone.ErrPoisoned) after Config.MaxAttempts tries.
//   - A cancel waits for the handler of an execution that has cleanup to do.
//
// It goes on when code that fits is deployed, and at a [Client.Release]; a [Client.Cancel] or a [Client.Terminate] ends it.
type Held struct {
	Reason string
	// Since is when it was first held.
	Since time.Time
	// Attempts is how often the code of Build has tried it, and Build is the Config.Build of that node.
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

func heldOf(lease *persistence.TurnLease) *Held {
	h := &lease.Held
	if h.Reason == "" {
		return nil
	}
	return &Held{
		Reason: h.Reason, Since: moment(h.SinceMs), Attempts: int(max(h.Tries, lease.Attempts)), Build: h.Build, Next: moment(lease.NotBeforeMs),
	}
}

// why says in words what an instance waits for. runs says whether the node has a handler; nil if there is no node.
func why(d *Description, lease *persistence.TurnLease, runs func(name, version string) bool) string {
	switch {
	case d.State.Terminal():
		return ""
	case d.Held != nil:
		return d.Held.why(lease.Token != "")
	case runs != nil && !runs(d.Name, d.Version):
		return handlerName(d) + " is not registered: attach a runtime that has it, or cancel or terminate the instance"
	case lease.NotBeforeMs != 0:
		return fmt.Sprintf("%s; its next one is not before %s", counted(int(lease.Attempts), "attempt", " ended without an answer"),
			instant(moment(lease.NotBeforeMs)))
	case d.State == StatePending:
		return "its first turn has not run yet"
	}
	return waits(d)
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
	return fmt.Sprintf("held since %s: %s. Build %s has tried it %s%s. Deploy code that fits, or roll back, and it goes on; "+
		"Release has it tried at once, Cancel or Terminate ends it",
		instant(h.Since), h.Reason, h.Build, counted(h.Attempts, "time", ""), again)
}

// waits counts what is open.
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
		text = "waits for " + strings.Join(open, ", ")
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
