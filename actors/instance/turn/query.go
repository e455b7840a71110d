package turn

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/replay"
)

// Query is one run of the handler of a query, between two turns of its instance. It commits nothing. As with a turn, only the
// slot touches the fields of the run while it runs, and it keeps a run that was given up for ever.
type Query struct {
	Host     *Shared
	Owner    owner
	Consumer *consumer.Attached
	Name     string
	Version  string
	Arrival  *arrival.Arrival // the instance's alone; the slot reads the request, which does not change
	Fresh    bool             // Machine is new: it first replays History

	NotRun bool // no code ran
	// Back brings the query back to its instance. It is a field so that a query is one allocation.
	Back Asked

	// The run.
	Head    turnHead
	Machine *replay.Machine
	Func    replay.Func
	History replay.History // nil: none
	KV      map[string]replay.KVEntry
	Answer  arrival.QueryReply
	// Drops: Machine must not be used any more.
	Drops bool

	asks atomic.Pointer[replay.Machine] // Machine, once its handler may run, for QueryAt of another goroutine
}

// Asked brings a query back to its instance.
type Asked struct {
	Query *Query
	// Abandoned: the query was given up while its code still runs. Refusal says where. The instance must not touch the fields
	// of the run.
	Abandoned bool
	Refusal   *query.Refusal
}

var _ consumer.Turn = (*Query)(nil)

// Execute runs the query in its slot: it replays the loaded history, if there is one, and runs the handler.
func (q *Query) Execute() {
	defer func() {
		if r := recover(); r != nil {
			q.Drops = true
			q.Answer = arrival.QueryReply{Err: fmt.Errorf("the query panicked outside the author's code: %v\n%s", r, debug.Stack())}
		}
	}()
	h, request := q.Host, &q.Arrival.Query.QueryRequest
	if q.Fresh {
		q.Machine = h.newMachine(&q.Head, q.Consumer, replay.Config{Name: q.Name, Version: q.Version, Func: q.Func, KV: q.KV})
		if q.History != nil {
			q.Machine.Load(q.History)
		}
		q.History, q.KV = nil, nil
		q.Machine.Replay()
		h.Counts.ReplayedEvents.Add(uint64(q.Machine.Replayed()))
	}
	q.asks.Store(q.Machine)
	a := q.Machine.Query(request.Name, request.Input)
	q.Answer = arrival.QueryReply{Output: a.Output, Failure: a.Failure}
	if a.Refusal != nil {
		q.Drops, q.Answer.Err = a.Refusal.Drops(), a.Refusal
	} else if err := checkAnswer(&a, h.Config.Limits.PayloadBytes); err != nil {
		q.Answer = arrival.QueryReply{Err: err}
	}
}

// checkAnswer refuses what a handler returned if it is larger than a payload may be.
func checkAnswer(a *replay.Answer, most int) error {
	if a.Failure != nil {
		return limits.Check("query failure bytes", proto.Size(a.Failure), most, "PayloadBytes")
	}
	return limits.Check("query answer bytes", len(a.Output), most, "PayloadBytes")
}

// Begun implements consumer.Turn, and so do the methods below.
func (q *Query) Begun() { q.Host.Counts.Queries.Add(1) }

// Ran sends the query back.
func (q *Query) Ran() { q.Owner.SendLast(&q.Back) }

// Unrun sends the query back.
func (q *Query) Unrun() {
	q.NotRun = true
	q.Owner.Send(&q.Back)
}

// Blocked logs the code that blocks.
func (q *Query) Blocked(ran time.Duration) {
	q.Host.reportBlocked(q.Head.id, q.Name, q.Version, ran)
}

// GivenUp tells the instance where the code blocks.
func (q *Query) GivenUp() {
	q.Host.Counts.AbandonedQueries.Add(1)
	q.Host.Counts.LeakedCoroutines.Add(1)
	text := fmt.Sprintf("the code of orchestration %s %s has not returned while its history was replayed", q.Name, q.Version)
	if m := q.asks.Load(); m != nil {
		text = fmt.Sprintf("the handler of query %q has not returned", q.Arrival.Query.Name)
		if at := m.QueryAt(); at != "" {
			text += ", at " + at
		}
	}
	text += ": it blocks on a channel, a mutex, a sleep or I/O; a query must only read variables, and return at once"
	q.Owner.Send(&Asked{Query: q, Abandoned: true, Refusal: &query.Refusal{Reason: query.Blocked, Text: text}})
}

// Late closes the replay machine of a query that was given up, on the goroutine on which its code ran.
func (q *Query) Late() { q.Host.CloseMachine(q.Machine) }

// Suspect reports false: no query is asked of a suspect.
func (q *Query) Suspect() bool { return false }

// FreshPauseLeft asks the instance.
func (q *Query) FreshPauseLeft() time.Duration { return q.Owner.FreshPauseLeft() }
