package mailbox

import "github.com/asynkron/protoactor-go/actor"

// messagesPerRun is how many user messages an actor handles before it lets others run.
const messagesPerRun = 128

// scheduler implements the library's dispatcher on an [Executor]. Actors run only through it and through SendLast.
type scheduler struct {
	executor   Executor
	throughput int
	inline     bool // SendLast may run an actor on the caller's goroutine
}

var _ actor.Dispatcher = (*scheduler)(nil)

// newScheduler takes the throughput from the executor if it has one: the simulator has a step for each message.
func newScheduler(executor Executor) *scheduler {
	s := &scheduler{executor: executor, throughput: messagesPerRun}
	if t, ok := executor.(interface{ Throughput() int }); ok {
		s.throughput = max(1, t.Throughput())
	}
	_, s.inline = executor.(*ElasticExecutor)
	return s
}

// Schedule has the executor run one run of a mailbox.
func (s *scheduler) Schedule(run func()) { s.executor.Go(run) }

// Throughput returns how many user messages one run of a mailbox may handle.
func (s *scheduler) Throughput() int { return s.throughput }
