package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// queryName is the query that every program answers, with what its code has been given so far.
const queryName = "seen"

// answerQueries has the code answer queries.
func (r *run) answerQueries(ctx *replay.Context) {
	ctx.HandleQuery(queryName, func(input []byte) ([]byte, error) {
		return fmt.Appendf(nil, "%s: %d letters, %s", input, r.sent, r.seen()), nil
	})
}

// query asks the code of an instance at any moment, but not a process that has a double: what the one has not synced the other
// one sees. The answer must be what the code knows after a turn that was durable
// by then, and no older than what was durable when it was asked.
func (c *client) query(id string) {
	w := c.world
	p := w.newest()
	if p == nil || p.doubled || p.twinOf != nil {
		return
	}
	r := c.callTo(p, func() {})
	asked := observation{}
	if rec := w.disk.ledger.of(id); rec != nil {
		asked = observation{rec.execution, rec.turn, rec.terminal}
	}
	c.number++
	input := fmt.Sprint("query ", c.number)
	w.trace.add('C', []uint64{text(id)}, func() string { return "client queries " + id })
	p.engine.Query(arrival.QueryRequest{ID: id, Name: queryName, Input: []byte(input)}, func(reply arrival.QueryReply) {
		if !c.answered(r, "a query of "+id) {
			return
		}
		w.trace.add('c', []uint64{text(id), codeOf(reply.Err), contents(reply.Output)}, func() string {
			return fmt.Sprintf("%s of %s is answered with %q, %v", input, id, reply.Output, reply.Err)
		})
		if reply.Err != nil {
			c.refusedQuery(id, asked, reply.Err)
		} else {
			w.claim(func() { w.checkAnswer(id, input, asked, reply.Output) })
		}
	})
}

// refusalNames are the refusals of queries that are counted.
var refusalNames = map[query.Reason]string{
	query.Diverged: "the code does not fit", query.Held: "the instance is held", query.Recovering: "the code may be a killer", query.NoHandler: "no handler",
}

// refusedQuery checks why a query was not answered.
func (c *client) refusedQuery(id string, asked observation, err error) {
	w := c.world
	var refusal *query.Refusal
	switch {
	case errors.As(err, &refusal):
		if name := refusalNames[refusal.Reason]; name != "" {
			w.reach("query refused: " + name)
		}
		if refusal.Reason == query.Unknown && asked.turn > 0 || refusal.Drops() && !w.faults.deploys {
			w.fail("answers", "a query of %s is refused: %v", id, err)
		}
	case errors.Is(err, persistence.ErrNotFound):
		if asked.execution > 0 {
			w.fail("S1", "%s exists and a query did not find it", id)
		}
	case errors.Is(err, persistence.ErrEnded):
		w.claim(func() {
			if rec := w.disk.ledger.of(id); rec == nil || rec.terminal == 0 {
				w.fail("S6", "a query of %s was told of its end before it was durable", id)
			}
		})
	case errors.Is(err, persistence.ErrBusy), errors.Is(err, persistence.ErrNotLeader), errors.Is(err, persistence.ErrStopped),
		errors.Is(err, persistence.ErrUncertain), errors.Is(err, errPlantedRead):
	default:
		w.fail("answers", "a query of %s ended with an unknown error: %v", id, err)
	}
}

// checkAnswer looks for the turn after which the code gives the answer.
func (w *World) checkAnswer(id, input string, asked observation, answer []byte) {
	rec := w.disk.ledger.of(id)
	if rec == nil {
		w.fail("S6", "a query of %s was answered before it was durable", id)
		return
	}
	executions, err := rec.turns()
	if err != nil {
		w.fail("S3", "%v", err)
		return
	}
	w.reach("query answered")
	var answers [][]byte
	var kv map[string]replay.KVEntry
	for i := range executions {
		e := &executions[i]
		for n, t := range e.turns() {
			if at := t.Header.GetTurn(); e.number < asked.execution || e.number == asked.execution && at < asked.turn {
				continue
			}
			answers = append(answers, w.answerAfter(rec, e, n+1, kv, input))
		}
		kv = replay.NextKV(kv, e.turns())
	}
	if !slices.ContainsFunc(answers, func(a []byte) bool { return string(a) == string(answer) }) {
		w.fail("S8", "%s of %s, asked after turn %d of execution %d, is answered with %q; its turns since then give %q",
			input, id, asked.turn, asked.execution, answer, answers)
	}
}

// answerAfter is what the code answers after so many turns of an execution.
func (w *World) answerAfter(rec *record, e *execution, turns int, kv map[string]replay.KVEntry, input string) (answer []byte) {
	started := e.turns()[0].Events
	if len(started) == 0 || started[0].GetStarted() == nil {
		return nil // it was ended before any code ran
	}
	program := &interpreter{settled: w.way != nil, compute: func() []byte { return nil }}
	w.await(func() {
		m := replay.New(replay.Config{
			Instance: rec.id, Execution: e.number, Name: started[0].GetStarted().GetName(),
			Version: started[0].GetStarted().GetVersion(), Func: program.orchestration, Unwind: w.unwind, KV: kv,
		})
		defer m.Close()
		m.Load(replay.Segments(e.turns()[:turns]))
		m.Replay()
		answer = m.Query(queryName, []byte(input)).Output
	})
	return answer
}

// queries asks an instance now and then.
func (c *client) queries(id string, most int) {
	for range c.random.below(most + 1) {
		c.later(func() { c.query(id) })
	}
}

// settledQueries asks an instance while its program runs.
func (c *client) settledQueries(id string) {
	for range 3 {
		c.world.agenda.in(c.random.duration(0, 10*time.Second), 0, "query", func() { c.query(id) })
	}
}
