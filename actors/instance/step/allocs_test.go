package step

import (
	"testing"

	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// A step whose effects need no object of their own allocates none: effects lie in a slice that is used again.
func TestAStepAllocatesNoEffects(t *testing.T) {
	s := newStage(t)
	s.activation = &activation{core: New(s.host, instanceID)}
	in := &s.core
	in.phase = phaseReady
	in.view = view.View{Known: true, Exists: true, Head: persistence.Head{ID: instanceID, IID: 1, Execution: 1, Status: persistence.StatusRunning, Turn: 1, NextSeq: 1, FirstSeq: 1}}
	nudge := &NudgeMsg{iid: 1, Mark: dispatch.Mark{Number: 1}}
	out := make(Effects, 0, 16)
	for name, msg := range map[string]any{"wake": Wake, "late answer": Late, "eviction": Evict, "tick": AcceptDue, "nudge": nudge} {
		if n := testing.AllocsPerRun(100, func() {
			out = out[:0]
			in.Step(s, msg, &out)
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if len(out) == 0 {
			t.Errorf("%s has no effects", name)
		}
	}
}
