package step

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// commandText is a proposal that is no commit, in words.
func commandText(command persistence.Command) string {
	switch c := command.(type) {
	case *persistence.StartInstance:
		return "StartInstance " + c.Name
	case *persistence.Enqueue:
		m := &turnpb.Message{}
		if err := proto.Unmarshal(c.Message, m); err != nil {
			return "Enqueue: " + err.Error()
		}
		return "Enqueue " + messageText(m)
	case *persistence.CompleteWork:
		return fmt.Sprintf("CompleteWork of event %d", c.Key.Event)
	case *persistence.LeaseTurn:
		return fmt.Sprintf("LeaseTurn for turn %d", c.Turn+1)
	case *persistence.AbandonTurn:
		return abandonText(c)
	case *persistence.ReleaseTurn:
		return "ReleaseTurn"
	}
	return fmt.Sprintf("%T", command)
}

func abandonText(c *persistence.AbandonTurn) string {
	parts := []string{"the attempt does not count"}
	if c.Counts {
		parts[0] = "the attempt counts"
	}
	if c.Token != "" {
		parts = append(parts, "gives the lease back")
	}
	if c.DelayMs > 0 {
		parts = append(parts, fmt.Sprintf("no turn for %dms", c.DelayMs))
	}
	if c.Reason != "" {
		parts = append(parts, "held: "+oneLine(c.Reason))
	}
	return "AbandonTurn: " + strings.Join(parts, ", ")
}

// commitText says what a commit consumes, schedules and ends.
func commitText(t *turn.Turn) string {
	c := t.Commit
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if c.AcceptedStart != nil {
		add("creates the instance")
	}
	if len(c.ConsumedInbox) > 0 {
		add("consumes inbox %v", c.ConsumedInbox)
	}
	for _, timer := range c.ConsumedTimers {
		add("consumes timer %d", timer.Event)
	}
	if n := len(c.AcceptedMessages); n > 0 {
		add("accepts %d messages", n)
	}
	for _, r := range c.AcceptedResults {
		add("accepts the result of event %d", r.Event)
	}
	for i := range c.Work {
		add("schedules %s (event %d)", c.Work[i].Name, c.Work[i].Event)
	}
	for _, timer := range c.Timers {
		add("a timer %s (event %d)", instant(timer.FireAtMs), timer.Event)
	}
	add("%s", [...]string{"", "running", "completed", "failed", "continued as new"}[c.Outcome])
	return fmt.Sprintf("CommitTurn %d: %s", c.Turn+1, strings.Join(parts, ", "))
}
