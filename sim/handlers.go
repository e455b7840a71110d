package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/replay"
)

// handlers are one runtime's registry: the program that every process runs, so it survives their deaths.
type handlers struct {
	world      *World
	version    string // the engine version that it pins
	activities map[string]bool
	late       map[string]bool // registered when the world says so
	program    *interpreter
}

var _ consumer.Handlers = (*handlers)(nil)

// newHandlers makes the registries of the two consumers.
func newHandlers(w *World) [2]*handlers {
	program := &interpreter{kill: func(instance string) {
		// A committed turn ends the count of attempts, so the count is by the turn that is not committed.
		at := record{}
		if rec := w.disk.ledger.of(instance); rec != nil {
			at = *rec
		}
		w.die(fmt.Sprintf("turn of %s after %d/%d", instance, at.execution, at.turn))
	}, reach: w.reach, unfit: func(instance string) {
		w.fail("S14", "the code of %s, with StrictInputs, was given the result of an activity that history has with another input", instance)
	}, compute: func() []byte {
		w.computed++
		return fmt.Appendf(nil, "computed-%d", w.computed)
	}}
	return [2]*handlers{
		{
			world: w, version: "1.0.0", program: program, activities: map[string]bool{activityCommon: true, activityFirst: true},
			late: map[string]bool{activityLate: true},
		},
		{
			world: w, version: "1.1.0", program: program, activities: map[string]bool{activityCommon: true, activitySecond: true},
			late: map[string]bool{lateOrchestration: true},
		},
	}
}

// Orchestration implements consumer.Handlers.
func (h *handlers) Orchestration(name, version string) (string, replay.Func, bool) {
	return h.code(name, version, inputsSame)
}

// code is an orchestration's, which gives activities such inputs.
func (h *handlers) code(name, version string, given inputs) (string, replay.Func, bool) {
	if version != "" && version != "1.0.0" {
		return "", nil, false
	}
	if name == orchestrationName || name == lateOrchestration && h.late[name] && h.world.lateRegistered {
		program := *h.program
		program.older, program.settled, program.inputs = !h.world.lateRegistered, h.world.way != nil, given
		return "1.0.0", program.orchestration, true
	}
	return "", nil, false
}

// Activity implements consumer.Handlers.
func (h *handlers) Activity(name string) (consumer.ActivityFunc, bool) {
	if h.activities[name] || h.late[name] && h.world.lateRegistered {
		return h.world.activity, true
	}
	return nil, false
}

// Replays implements consumer.Handlers: the first runtime does not know what the second one's engine writes.
func (h *handlers) Replays(pin string) bool {
	return pin == "" || pin == h.version || h.version == "1.1.0"
}

// workLate is how long new work may wait for a slot when nothing goes wrong any more.
const workLate = 10 * time.Minute

var errActivity = errors.New("the activity fails here")

// activity is what every activity runs.
func (w *World) activity(ctx context.Context, info consumer.ActivityInfo, heart consumer.Heart, input []byte) ([]byte, error) {
	var spec activitySpec
	if err := json.Unmarshal(input, &spec); err != nil {
		return nil, fmt.Errorf("activity input %q: %w", input, err)
	}
	key := activityKey{info.Instance, info.Execution, info.Event}
	w.runs++
	run := w.runs
	w.trace.add('A', []uint64{text(info.Instance), info.Execution, info.Event, uint64(info.Delivery), run}, func() string {
		return fmt.Sprintf("activity %s of %v delivery %d runs as number %d", info.Name, key, info.Delivery, run)
	})
	at, durable := w.disk.ledger.scheduled[key]
	if !durable {
		w.fail("S6", "activity %s of %v ran before it was durable that it was scheduled", info.Name, key)
	}
	w.checkAttempt(spec, key, info.Attempt, info.FirstEvent)
	waited := w.agenda.now - max(at, w.healedAt)
	if w.healing && info.Delivery == 1 && waited > workLate && w.crashes == w.crashesAtHeal {
		w.fail("L2", "activity %s of %v began %v after it could", info.Name, key, waited)
	}
	if most := w.config.maxAttempts + 1; info.Delivery > most { // a grant that a crash took is counted by no row
		w.fail("attempts", "activity %v was delivered %d times, the most is %d", key, info.Delivery, most)
	}
	if spec.Beats && ctx.Err() == nil { // else it was given up before its code began, perhaps long ago
		w.beat(key, heart, fmt.Sprint("run ", run))
	}
	switch {
	case spec.Kills:
		w.die(fmt.Sprintf("activity %v", key))
	case ctx.Err() != nil:
		w.reach("cancelled activity saw it")
		return nil, ctx.Err()
	case spec.Fails > 0 && spec.Hangs:
		return w.hang(&spec), nil
	case spec.Fails > 0:
		return nil, errActivity
	case w.faults.badActivities && w.lives.chance(20):
		runtime.Goexit() // as a test's FailNow; a panic would record addresses, which differ from run to run
	}
	result := fmt.Appendf(nil, "result-%d", run)
	if w.way != nil {
		result = fmt.Append(nil, "result of ", info.Name, " of ", spec.Label)
	}
	w.given[key] = append(w.given[key], string(result))
	return result, nil
}
