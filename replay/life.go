package replay

import (
	"fmt"
	"math"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Life bounds the life of an instance that code starts. Like the version it is no part of the replay match.
type Life struct {
	// DelayMs is how long the first turn waits, from the commit of the turn that starts the instance; 0 is not at all.
	DelayMs int64
	// TimeoutMs is how long each of its executions may take, from its first turn on; 0 is without bound.
	TimeoutMs int64
}

// given returns a life to keep with an action; nil if it bounds nothing, so that most actions keep none.
func given(l Life) *Life {
	if l == (Life{}) {
		return nil
	}
	return &l
}

func (l *Life) of() Life {
	if l == nil {
		return Life{}
	}
	return *l
}

// boundLife opens the timer that bounds the execution. Its event is the started event, which no code can wait for or cancel.
func (m *Machine) boundLife(e *turnpb.Event, s *turnpb.OrchestrationStarted) {
	timeout := s.GetExecutionTimeoutMs()
	if timeout <= 0 {
		return
	}
	f := &Future{m: m, kind: opTimer, event: e.GetId(), fireAtMs: m.turnMs}
	if f.fireAtMs > math.MaxInt64-timeout {
		f.fireAtMs = math.MaxInt64
	} else {
		f.fireAtMs += timeout
	}
	m.ledger.set(f.event, f.mark())
	m.open.add(f)
	m.bound = append(m.bound, f)
	m.deadline = f
}

// lifeOver ends the execution at its bound. If how it ends is decided already, that stands, and it waits for no child any
// more.
func (m *Machine) lifeOver() *turnpb.Failure {
	m.expired = true
	if m.decided() {
		return nil
	}
	bound := time.Duration(m.started.GetExecutionTimeoutMs()) * time.Millisecond
	return failure.TimedOut(fmt.Sprintf("it took longer than %s", bound))
}
