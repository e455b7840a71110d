package replay

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/query"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// HandleQuery registers the code's answer to a query. It is no event: the code registers again when it runs again, and a
// later handler of the same name replaces the one before. handle reads the variables of the code and must change nothing.
func (c *Context) HandleQuery(name string, handle func(input []byte) ([]byte, error)) {
	m := c.m
	m.enter(c.co)
	m.checkID("query name", name)
	if m.queries == nil {
		m.queries = &queries{handlers: map[string]func([]byte) ([]byte, error){}}
	}
	m.queries.handlers[name] = handle
}

// Look is Check for a method that only reads: the handler of a query may call it, too.
func (c *Context) Look() { c.m.look(c.co) }

// Replay replays what was loaded and takes no turn: afterwards the code stands where its last committed turn left it. All of
// it is the past, so the code sees the same as in a first Advance that has messages.
func (m *Machine) Replay() { m.replay(true) }

// Answer is what a query gave: Refusal is nil if its handler returned, with Output or, for an error of the code's, Failure.
type Answer struct {
	Output  []byte
	Failure *turnpb.Failure
	Refusal *query.Refusal
}

// Query runs the handler of a query between two turns, on a coroutine of its own that cannot wait and can ask for nothing:
// the call of the context that would ends it. If Answer.Refusal.Drops, the machine must not be used again.
func (m *Machine) Query(name string, input []byte) Answer {
	if a := m.unfit(); a != nil {
		return Answer{Refusal: a}
	}
	q := m.queries
	if q == nil || q.handlers[name] == nil {
		return Answer{Refusal: m.unknownQuery(name)}
	}
	if plantedQuery {
		m.takeID()
	}
	var answer Answer
	co, handle := &coroutine{m: m, computing: true}, q.handlers[name]
	q.co, q.name, q.refusal = co, name, nil
	co.ctx = Context{m: m, co: co}
	co.fn = func(*Context) (any, error) {
		q.on.Store(goroutineID())
		out, err := handle(bytes.Clone(input))
		// The error's text is the author's code: it is asked for here, where a panic of it is caught.
		answer.Output = bytes.Clone(out)
		answer.Failure = failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED, err)
		return nil, nil
	}
	co.next, co.stop = iter.Pull(co.body)
	m.give(co)
	co.next()
	m.take()
	q.on.Store(0)
	if co.exited {
		m.release(co)
	}
	q.co = nil
	if why := m.failedQuery(co); why != nil {
		return Answer{Refusal: why}
	}
	if answer.Failure != nil {
		answer.Output = nil
	}
	return answer
}

// unfit says why no query can be asked of the machine; nil if one can.
func (m *Machine) unfit() *query.Refusal {
	if err := m.Spoiled(); err != nil {
		return &query.Refusal{Reason: query.Misused, Text: err.Error()}
	}
	if m.divergence != nil {
		return &query.Refusal{Reason: query.Diverged, Text: failure.Display(m.divergence)}
	}
	return nil
}

func (m *Machine) unknownQuery(name string) *query.Refusal {
	var known []string
	if m.queries != nil {
		known = slices.Sorted(maps.Keys(m.queries.handlers))
	}
	text := fmt.Sprintf("the code has no handler for query %q; ", name)
	if len(known) == 0 {
		text += "it has none for any: register them with HandleQuery, before the code first waits"
	} else {
		text += "it has handlers for " + strings.Join(known, ", ")
	}
	return &query.Refusal{Reason: query.Unknown, Text: text, Query: name, Known: known}
}

// failedQuery says why a handler has not returned; nil if it has.
func (m *Machine) failedQuery(co *coroutine) *query.Refusal {
	switch {
	case m.spoiled.Load() != nil:
		return &query.Refusal{Reason: query.Misused, Text: m.Spoiled().Error()}
	case m.queries.refusal != nil:
		return m.queries.refusal
	case co.panicked:
		site, _, _ := strings.Cut(co.stack, "\n")
		return &query.Refusal{Reason: query.Panicked, Text: fmt.Sprintf("the handler of query %q panicked, at %s: %s", m.queries.name, site, co.reason)}
	case co.exited:
		return &query.Refusal{Reason: query.Panicked, Text: fmt.Sprintf("the handler of query %q called runtime.Goexit"+
			" (for example through testing.T.FailNow)", m.queries.name)}
	}
	return nil
}

// queries are the code's handlers, and the query that runs.
type queries struct {
	handlers map[string]func([]byte) ([]byte, error)
	co       *coroutine // that of the query that runs; nil if none does
	name     string
	refusal  *query.Refusal // why it was ended
	on       atomic.Uint64  // its goroutine, as the runtime's texts name it
}

// look is enter for a method that only reads. The code of a query may call it through any context of its machine.
func (m *Machine) look(co *coroutine) {
	if m.querying() != nil {
		return
	}
	m.enter(co)
}

// querying is the coroutine of the query that calls; nil if the caller is none.
func (m *Machine) querying() *coroutine {
	if m.holder.Load() != goroutine() || !m.current.asks() {
		return nil
	}
	return m.current
}

// asks reports whether a coroutine runs a query.
func (co *coroutine) asks() bool { return co.m.queries != nil && co.m.queries.co == co }

// look is the same for futures.
func (f *Future) look() *coroutine {
	if co := f.m.querying(); co != nil {
		return co
	}
	return f.enter()
}

// refuse ends a handler that asks for something.
func (co *coroutine) refuse() {
	co.end(query.NotReading, "uses its context for more than reading", "a query must change nothing and ask for nothing: "+
		"let it read variables that the code has set")
}

// refuseToWait ends a handler that waits.
func (co *coroutine) refuseToWait() {
	co.end(query.Blocked, "waits for a future", "a query must return at once: let it ask with Ready, or read a variable that the code has set")
}

// end ends a handler at its call of the context. Deferred functions of it may call again.
func (co *coroutine) end(why query.Reason, what, instead string) {
	if !co.exiting {
		at := siteNobody
		if s := outerSite(); s != nil {
			at = s
		}
		co.m.queries.refusal = &query.Refusal{Reason: why, Text: fmt.Sprintf("the handler of query %q %s, at %s: %s", co.m.queries.name, what, at.text, instead)}
	}
	co.exit()
}
