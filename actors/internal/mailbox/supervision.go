package mailbox

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// crash is the cause of an actor's restart. value is nil if the goroutine was ended with runtime.Goexit.
type crash struct {
	value any
	stack []byte
	after string
	row   int // how often the actor has failed without having handled a message
}

// Error names the panic, or that there was none, with the number of failures.
func (f *crash) Error() string {
	what := fmt.Sprintf("panic: %v", f.value)
	if f.value == nil {
		what = "runtime.Goexit was called on an actor's goroutine"
	}
	if f.after != "" {
		what += " after " + f.after
	}
	return what
}

// restarting is the strategy of every actor and every guardian. It always restarts the actor: at once, unless the actor fails
// repeatedly without having handled a message. It has no limit, does not escalate, and does not panic. The library's own
// strategies stop the process or lose the queue where this one counts and logs.
type restarting struct {
	logger   *slog.Logger
	clock    clock.Clock
	restarts atomic.Uint64
	mu       struct {
		sync.Mutex
		waiting []*lateRestart
		hurried bool
	}
}

// lateRestart is a restart that waits. Its actor's mailbox is suspended meanwhile, and keeps its queue.
type lateRestart struct {
	restart func()
	timer   clock.Timer
}

// The first failures in a row cost no pause: a defect that a single message triggers does not repeat. Then the pause doubles.
const (
	RestartsAtOnce  = 5
	restartPauseMin = 10 * time.Millisecond
	RestartPauseMax = 10 * time.Second
)

// RestartPause returns the pause before the restart of an actor that has failed so many times in a row.
func RestartPause(row int) time.Duration {
	if row <= RestartsAtOnce {
		return 0
	}
	return min(restartPauseMin<<min(row-RestartsAtOnce-1, 10), RestartPauseMax)
}

var _ actor.SupervisorStrategy = (*restarting)(nil)

// HandleFailure restarts the child.
func (r *restarting) HandleFailure(_ *actor.ActorSystem, by actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics,
	reason any, _ any,
) {
	f, ok := reason.(*crash)
	if !ok {
		f = &crash{value: reason}
	}
	r.note(child, f)
	restart := func() { by.RestartChildren(child) }
	if pause := RestartPause(f.row); pause == 0 || !r.later(pause, restart) {
		restart()
	}
}

// later restarts an actor after a pause. It returns false if there are no pauses any more, because the engine stops.
func (r *restarting) later(pause time.Duration, restart func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.hurried {
		return false
	}
	late := &lateRestart{restart: restart}
	r.mu.waiting = append(r.mu.waiting, late)
	late.timer = r.clock.AfterFunc(pause, func() {
		r.mu.Lock()
		at := slices.Index(r.mu.waiting, late)
		if at >= 0 {
			r.mu.waiting = slices.Delete(r.mu.waiting, at, at+1)
		}
		r.mu.Unlock()
		if at >= 0 {
			late.restart()
		}
	})
	return true
}

// hurry ends all pauses, also later ones: the engine stops, and waits until every actor has left.
func (r *restarting) hurry() {
	r.mu.Lock()
	r.mu.hurried = true
	waiting := r.mu.waiting
	r.mu.waiting = nil
	r.mu.Unlock()
	for _, late := range waiting {
		late.timer.Stop()
		late.restart()
	}
}

// note counts a failure and logs it with its stack: each of the first hundred, then whenever the count has doubled, so that
// an actor that cannot start does not fill the disk.
func (r *restarting) note(child *actor.PID, f *crash) {
	n := r.restarts.Add(1)
	if n > 100 && n&(n-1) != 0 {
		return
	}
	r.logger.Error("an actor failed and is started again; its queue is kept",
		logkey.Actor, child.GetId(), logkey.Error, f.Error(), logkey.Failures, n, logkey.Stack, string(f.stack))
}
