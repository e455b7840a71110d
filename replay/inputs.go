package replay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/turnstone-dev/turnstone/internal/system"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// ChangedInput is an input that the code gives otherwise than history has it. The recorded one stands.
type ChangedInput struct {
	// Event is the schedule event that has the recorded input.
	Event uint64
	// What was asked for, for example activity "Charge".
	What string
	// Text says what history has and what the code gave, and where.
	Text string
}

// changedInputsMax bounds what one replay lists: it is for a log.
const changedInputsMax = 16

// StrictInputs has a changed input of an activity, a sub-orchestration or a detached start fail the match with history. By
// default the recorded input stands, and Machine.ChangedInputs lists the change. Code calls it before it asks for anything.
func (c *Context) StrictInputs() {
	c.m.enter(c.co)
	c.m.strictInputs = true
}

// ChangedInputs lists the inputs that the code gave otherwise than the replayed history has them, the first of each
// operation, and forgets them. It may be called after Close.
func (m *Machine) ChangedInputs() []ChangedInput {
	if m.changed == nil {
		return nil
	}
	all := *m.changed
	m.changed = nil
	return all
}

// matchInput compares the input of an action with the recorded one, and says why they do not match; empty if they do.
func (f *Future) matchInput(e *turnpb.Event, recorded []byte) string {
	switch m := f.m; {
	case bytes.Equal(recorded, f.input):
	case m.strictInputs && !plantedInputs || strings.HasPrefix(f.name, system.Prefix): // the input names what is read
		return "the inputs differ"
	default:
		m.noteChanged(e, f)
	}
	return ""
}

// noteChanged lists a changed input, the first of each operation.
func (m *Machine) noteChanged(e *turnpb.Event, f *Future) {
	what := f.kind.String() + " " + brief(f.name)
	if m.changed == nil {
		m.changed = new([]ChangedInput)
	}
	all := m.changed
	if len(*all) == changedInputsMax || slices.ContainsFunc(*all, func(c ChangedInput) bool { return c.What == what }) {
		return
	}
	*all = append(*all, ChangedInput{Event: e.GetId(), What: what,
		Text: fmt.Sprintf("at event %d history has ", e.GetId()) + describeEvent(e) + "; the code asked for " + describeAction(f) + f.at()})
}
