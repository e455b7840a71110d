package actors

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// crash is why an actor was restarted. value is nil if the goroutine was ended with runtime.Goexit.
type crash struct {
	value any
	stack []byte
	after string
}

// Error says what happened.
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

// restarting is the strategy of every actor and every guardian: the actor is started again, always and at once. It has
// no limit and no clock, it never escalates, and it never panics; the library's strategies stop the process or lose
// the queue where this one counts and logs.
type restarting struct {
	logger   *slog.Logger
	restarts atomic.Uint64
}

var _ actor.SupervisorStrategy = (*restarting)(nil)

// HandleFailure restarts the child.
func (r *restarting) HandleFailure(_ *actor.ActorSystem, by actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics,
	reason any, _ any,
) {
	r.note(child, reason)
	by.RestartChildren(child)
}

// note counts a failure and logs it with its stack: the first hundred each, then each time the count has doubled, so
// that an actor that cannot start does not fill the disk.
func (r *restarting) note(child *actor.PID, reason any) {
	n := r.restarts.Add(1)
	if n > 100 && n&(n-1) != 0 {
		return
	}
	f, ok := reason.(*crash)
	if !ok {
		f = &crash{value: reason}
	}
	r.logger.Error("an actor failed and is started again; its queue is kept",
		"actor", child.GetId(), "reason", f.Error(), "failures", n, "stack", string(f.stack))
}
