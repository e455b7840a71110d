package localport

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// cleanupOf says how far undo steps are, without how the instance ends: that is in its history.
func cleanupOf(h *persistence.Head) *api.Cleanup {
	c := &h.Cleanup
	if c.Event == 0 {
		return nil
	}
	return &api.Cleanup{SinceMs: c.SinceMs, DeadlineMs: c.DeadlineMs, StepsLeft: int(c.Left)}
}

// readCleanup reads from the history how an instance ends whose undo steps run.
func readCleanup(d *api.Description, r persistence.Reader, h *persistence.Head) error {
	if d.Cleanup == nil {
		return nil
	}
	why, err := cleanupFailure(r, h)
	if err != nil {
		return err
	}
	encoded, err := proto.Marshal(why)
	if err != nil {
		return fmt.Errorf("encode the failure: %w", err)
	}
	d.Cleanup.Failure = append([]byte{}, encoded...) // not nil: it fails
	if d.Held == nil {
		d.Why = whyCleanup(d.Cleanup, why) + "; " + d.Why
	}
	return nil
}

func whyCleanup(c *api.Cleanup, why *turnpb.Failure) string {
	text := fmt.Sprintf("runs its undo steps since %s, %s left", instant(c.SinceMs), counted(c.StepsLeft, "step", ""))
	if c.DeadlineMs != 0 {
		text += ", until " + instant(c.DeadlineMs)
	}
	return text + "; then it ends with: " + failure.Display(why)
}

// cleanupFailure finds the event that fixes the end: in the first parts that the head names.
func cleanupFailure(r persistence.Reader, h *persistence.Head) (why *turnpb.Failure, err error) {
	var bad error
	err = r.Parts(h.IID, h.Execution, h.Cleanup.Part, func(p persistence.StoredPart) bool {
		if p.FirstEvent+p.Count <= h.Cleanup.Event {
			return true
		}
		var events []*turnpb.Event
		if events, bad = history.Events(p.FirstEvent, p.Events); bad != nil {
			return false
		}
		for _, e := range events {
			if e.GetId() == h.Cleanup.Event {
				why = e.GetCompensationStarted().GetFailure()
			}
		}
		return false
	})
	if err == nil && bad != nil {
		err = fmt.Errorf("%w: %w", persistence.ErrCorrupt, bad)
	}
	if err == nil && why == nil {
		err = fmt.Errorf("%w: undo steps run since event %d, and the history does not say so", persistence.ErrCorrupt, h.Cleanup.Event)
	}
	return why, err
}
