package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/node"
)

// otherLimit is a limit above which neither a request is refused with a LimitError nor the instance fails.
type otherLimit struct {
	row string
	try func(w *world, limit int)
	// limit is a fixed one; 0: that of tight, in the field that docs/limits.md names.
	limit int
}

var otherLimits = []otherLimit{
	{"messages that wait", messagesThatWait, 10},
	{"bytes that wait", bytesThatWait, 3000},
	{"heartbeat details", heartbeatDetails, 0},
	{"events that no wait has taken", eventsNotTaken, 6},
	{"bytes of events that no wait has taken", bytesNotTaken, 700},
	{"history entries of a warning", entriesOfAWarning, 9},
	{"history bytes of a warning", bytesOfAWarning, 4000},
	{"name that is registered", nameRegistered, 256},
	{"version that is registered", versionRegistered, 256},
	{"version that code names", versionNamed, 256},
	{"Config.NodeID", configText("Config.NodeID: limit exceeded: node id bytes", func(c *node.Config, s string) { c.NodeID = s }), 256},
	{"Config.Build", configText("Config.Build: limit exceeded: build bytes", func(c *node.Config, s string) { c.Build = s }), 256},
	{"name of `Config.Codec", configText("Config.Codec: limit exceeded: codec name bytes", func(c *node.Config, s string) {
		c.Codec = renamed{turnstone.JSON, s}
	}), 256},
	{"Runtime.ID", runtimeID, 256},
	{"active instances of a node", activeInstances, 2},
	{"page of a listing", pageOfAListing, 1000},
	{"values that a turn makes itself", valuesOfATurn, 20_000},
}

func TestLimitsOfOtherThings(t *testing.T) {
	for _, c := range otherLimits {
		scenario(t, c.row, func(w *world) {
			w.cfg.Limits = tight
			limit := c.limit
			if limit == 0 {
				limit = of(tight, fieldOf(t, c.row))
			}
			c.try(w, limit)
		})
	}
}

// pendingWorld has instances that have not begun, since their code is not there.
func pendingWorld(w *world, ids ...string) {
	w.verified = true
	w.open()
	for _, id := range ids {
		begin(w, waiting, id, "")
	}
}

// full checks the refusal of a message that finds no room, and that a cancel does.
func full(w *world, field, unit string, limit int, send func() error) {
	w.t.Helper()
	before := w.describe("i")
	err := send()
	var size int
	text := fmt.Sprintf(" %s, and Config.Limits.%s is %d", unit, field, limit)
	if _, failed := fmt.Sscanf(err.Error(), `instance "i": its inbox is full: with this it would hold %d`, &size); failed != nil ||
		size != limit+1 || !errors.Is(err, turnstone.ErrBusy) || !strings.HasSuffix(err.Error(), text) {
		w.t.Errorf("one above: %v, want %d%s", err, limit+1, text)
	}
	if after := w.describe("i"); after.Inbox != before.Inbox || after.Turn != before.Turn {
		w.t.Errorf("it was %+v and is %+v", before, after)
	}
	w.cancel("i", "enough")
	w.cancelled("i", "enough")
}

func messagesThatWait(w *world, limit int) {
	w.cfg.Limits.Inbox = limit
	pendingWorld(w, "i")
	for range limit {
		w.raise("i", "e", "")
	}
	full(w, "Inbox", "messages", limit, func() error { return w.c.Enqueue(w.ctx, "i", "q", nil) })
}

func bytesThatWait(w *world, limit int) {
	w.cfg.Limits.InboxBytes = limit
	pendingWorld(w, "i", "j")
	send := func(n int) error { return w.c.Raise(w.ctx, "i", "e", fill(n)) }
	err := send(limit * 3 / 2)
	var all int
	if _, failed := fmt.Sscanf(err.Error(), `instance "i": its inbox is full: with this it would hold %d`, &all); failed != nil {
		w.t.Fatal(err)
	}
	beside := all - limit*3/2
	if err := send(limit/2 - beside); err != nil {
		w.t.Error(err)
	}
	full(w, "InboxBytes", "bytes", limit, func() error { return send(limit - limit/2 - beside + 1) })
	if err := send(1); !errors.Is(err, turnstone.ErrInstanceEnded) {
		w.t.Error(err)
	}
	for _, n := range []int{limit/2 - beside, limit - limit/2 - beside} {
		if err := w.c.Raise(w.ctx, "j", "e", fill(n)); err != nil {
			w.t.Errorf("at the limit: %v", err)
		}
	}
}

func heartbeatDetails(w *world, limit int) {
	beats := turnstone.NewActivity("Beats", func(ctx actx, n int) (string, error) {
		switch err := ctx.Heartbeat(turnstone.Raw(fill(n))); {
		case n > limit:
			var over *turnstone.LimitError
			if !errors.As(err, &over) || *over != (turnstone.LimitError{Limit: "heartbeat bytes", Size: n, Max: limit, Field: "HeartbeatBytes"}) {
				return "", fmt.Errorf("%d bytes of %d: %w", n, limit, err)
			}
		case err != nil:
			return "", err
		}
		return "", errors.New("again")
	})
	o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
		_, err := beats.Call(ctx, n)
		return "", err
	})
	w.open(beats, o)
	for n := limit - 1; n <= limit+1; n++ {
		id := fmt.Sprint("i", n)
		begin(w, o, id, n)
		if f := w.failure(id); f.Error() != "again" {
			w.t.Errorf("%d of %d: %v", n, limit, f)
		}
		details := w.history(id, 0).first(w.t, "ActivityFailed").GetActivityFailed().LastHeartbeat
		if n > limit && details != nil || n <= limit && len(details) != n {
			w.t.Errorf("%d of %d: %d bytes are recorded", n, limit, len(details))
		}
	}
}

// notTaken raises events for which no wait is open, and checks how many stay in the inbox.
func notTaken(w *world, id string, events, size, left int) {
	w.t.Helper()
	o := turnstone.NewOrchestration("O", func(ctx octx, n int) (int, error) {
		ctx.WaitEvent("go").Await()
		for i := range n {
			if data, err := ctx.WaitEvent("e").Await(); err != nil || len(data) == 0 || int(data[0]) != i {
				return 0, fmt.Errorf("event %d: %v, %w", i, data, err)
			}
		}
		return n, nil
	})
	if w.node == nil {
		w.open(o)
	}
	begin(w, o, id, events)
	w.untilRunning(id)
	for i := range events {
		data := fill(size)
		data[0] = byte(i)
		if err := w.c.Raise(w.ctx, id, "e", data); err != nil {
			w.t.Fatal(err)
		}
	}
	w.untilHistory(id, events-left, "ExternalEvent")
	w.raise(id, "go", "")
	completes(w, id, events)
	early := 0
	for _, e := range w.history(id, 0) {
		if r := e.GetExternalEvent(); r.GetName() == "go" {
			break
		} else if r != nil {
			early++
		}
	}
	if early != events-left {
		w.t.Errorf("%d of %d events were taken from the inbox before a wait, want %d", early, events, events-left)
	}
}

func eventsNotTaken(w *world, limit int) {
	w.cfg.Limits.Carried = limit
	for n := limit - 1; n <= limit+1; n++ {
		notTaken(w, fmt.Sprint("i", n), n, 1, max(0, n-limit))
	}
}

func bytesNotTaken(w *world, limit int) {
	w.cfg.Limits.CarriedBytes = limit
	half := limit/2 - len("e")
	notTaken(w, "below", 2, half-1, 0)
	notTaken(w, "at", 2, half, 0)
	notTaken(w, "above", 2, half+1, 1)
}
