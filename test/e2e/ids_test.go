package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// Ids and names that code gives are refused, like those that a client gives, before anything of their turn is written.
func TestIDsThatCodeGives(t *testing.T) {
	asks := map[string]func(octx, string){
		"instance id":          func(ctx octx, id string) { ctx.StartDetached("Other", id, nil) },
		"sub-orchestration id": func(ctx octx, id string) { ctx.StartChild("Other", nil, turnstone.WithChildID(id)) },
		"event name":           func(ctx octx, id string) { ctx.WaitEvent(id) },
		"activity name":        func(ctx octx, id string) { ctx.StartActivity(id, nil) },
		"orchestration name":   func(ctx octx, id string) { ctx.StartChild(id, nil) },
	}
	bad := map[string]string{"": "is empty", "bell\a": "has a control character at byte 4"}
	scenario(t, "refused", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, in [2]string) (string, error) {
			asks[in[0]](ctx, in[1])
			return "taken", nil
		})
		w.open(o)
		n := 0
		for what := range asks {
			for id, problem := range bad {
				if what == "sub-orchestration id" && id == "" {
					continue // an empty one asks for a derived id
				}
				n++
				name := fmt.Sprint("i", n)
				begin(w, o, name, [2]string{what, id})
				if f := w.failure(name); !strings.Contains(f.Error(), "invalid "+what) || !strings.Contains(f.Error(), problem) {
					t.Errorf("%s %q: %v", what, id, f)
				}
			}
		}
	})
}
