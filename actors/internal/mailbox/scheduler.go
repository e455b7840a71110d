package mailbox

import "github.com/asynkron/protoactor-go/actor"

// messagesPerRun is how many user messages an actor handles before it lets others run.
const messagesPerRun = 128

// scheduler is the library's dispatcher over our Executor: with sendLast the only way in which an actor gets to run.
type scheduler struct {
	executor   Executor
	throughput int
	inline     bool // an actor may also run on a goroutine that is done with what it had to do
}

var _ actor.Dispatcher = (*scheduler)(nil)

// newScheduler asks the executor for its throughput if it has one: the simulator wants a step for each message.
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

// Throughput is how many user messages one run of a mailbox may handle.
func (s *scheduler) Throughput() int { return s.throughput }
