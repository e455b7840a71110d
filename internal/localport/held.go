package localport

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// leaseOf reads the turn lease of an instance; the zero value if there is none.
func leaseOf(r persistence.Reader, head *persistence.Head) (persistence.TurnLease, error) {
	if !head.Leased {
		return persistence.TurnLease{}, nil
	}
	lease, _, err := r.TurnLease(head.IID)
	return lease, err
}

func (r *Reader) heldOf(lease *persistence.TurnLease) *api.Held {
	h := &lease.Held
	if h.Reason == "" {
		return nil
	}
	held := &api.Held{
		Reason: h.Reason, SinceMs: h.SinceMs, Attempts: int(max(h.Tries, lease.Attempts)), Build: h.Build, NextMs: lease.NotBeforeMs,
	}
	switch {
	case !failure.IsMissing(h.Reason):
	case r.maxAttempts == 0:
		held.End = fmt.Sprintf("attempt %d; after the node's MaxAttempts it fails for good as poison", lease.Attempts)
	case lease.Attempts >= r.maxAttempts:
		held.End = fmt.Sprintf("attempt %d of %d: at the next try it fails for good as poison, whatever is registered then; "+
			"Release it before", lease.Attempts, r.maxAttempts)
	default:
		held.End = fmt.Sprintf("attempt %d of %d, after which it fails for good as poison", lease.Attempts, r.maxAttempts)
	}
	return held
}

// whyPending is why an instance waits whose first turn may run at any moment.
const whyPending = "its first turn has not run yet"

// why says in words what an instance waits for.
func (r *Reader) why(d *api.Description, status persistence.Status, lease *persistence.TurnLease) string {
	switch {
	case status.Terminal():
		return ""
	case d.Held != nil:
		return whyHeld(d.Held, lease.Token != "")
	case r.runs != nil && !r.runs(d.Name, d.Version):
		return failure.NotRegistered(handlerName(d)) + ": attach a runtime that has it, or cancel or terminate the instance; when " +
			"something waits for it, it is tried " + r.attempts() + ", and then it fails for good as poison"
	case lease.NotBeforeMs != 0:
		return fmt.Sprintf("%s; its next one is not before %s", counted(int(lease.Attempts), "attempt", " ended without an answer"),
			instant(lease.NotBeforeMs))
	case status == persistence.StatusPending:
		return whyPending
	}
	return waits(d)
}

// whyDelayed says until when the first turn of an instance waits, if its start is delayed and nothing else keeps it.
func whyDelayed(d *api.Description, stored persistence.Reader, head *persistence.Head) error {
	if head.Status != persistence.StatusPending || d.Why != whyPending {
		return nil
	}
	start, _, err := stored.Start(head.IID, head.Execution)
	if start.NotBeforeMs > 0 {
		d.Why = "its first turn waits until " + instant(start.NotBeforeMs) + ", as its start says; it takes messages, and a cancel ends it"
	}
	return err
}

// whyGivenUp says why the code of what was given up as poison did not run; it is empty for every other end.
func whyGivenUp(encoded []byte) string {
	var f turnpb.Failure
	if proto.Unmarshal(encoded, &f) != nil {
		return "" // the client tells it when it decodes the failure
	}
	reason := failure.PoisonReason(&f)
	if reason == "" {
		return ""
	}
	return "it was given up as poison: at the last attempt its code did not run, because " + reason
}

// attempts says in words how often an instance whose handler is missing is tried.
func (r *Reader) attempts() string {
	if r.maxAttempts == 0 {
		return "as often as the node's MaxAttempts allows"
	}
	return counted(int(r.maxAttempts), "time", "")
}

func handlerName(d *api.Description) string {
	if d.Version == "" {
		return "orchestration " + d.Name
	}
	return "orchestration " + d.Name + " " + d.Version
}

func whyHeld(h *api.Held, leased bool) string {
	again := "; it is not tried again by this build"
	switch {
	case leased:
		again = "; a try is under way"
	case h.NextMs != 0:
		again = "; the next try is not before " + instant(h.NextMs)
	}
	if h.End != "" {
		return fmt.Sprintf("held since %s: %s; %s%s. Attach a runtime that has its handler before the last attempt, and it goes on; "+
			"Release has it tried at once and counts from 1 again, Terminate ends it, and Cancel if it has no undo steps",
			instant(h.SinceMs), h.Reason, h.End, again)
	}
	if failure.IsNotReplayable(h.Reason) {
		return fmt.Sprintf("held since %s: %s%s. Attach a runtime whose Engines have that version, or run a later build, and it "+
			"goes on; Terminate ends it, and Cancel if it has no undo steps", instant(h.SinceMs), h.Reason, again)
	}
	return fmt.Sprintf("held since %s: %s. Build %s has tried it %s%s. Deploy code that fits, or roll back, and it goes on; "+
		"Release has it tried at once, Terminate ends it, and Cancel if it has no undo steps",
		instant(h.SinceMs), h.Reason, h.Build, counted(h.Attempts, "time", ""), again)
}

// waits counts open operations. The numbers of open waits for events, messages and other instances are not stored.
func waits(d *api.Description) string {
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
	text := "waits for an event, a message, the end of another instance or the answer to a send; or its turn runs now"
	if len(open) > 0 {
		text = "waits for " + strings.Join(open, ", ") + "; perhaps for events, messages or other instances"
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

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
