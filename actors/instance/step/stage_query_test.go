package step

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/internal/query"
)

// bringQuery brings a query; with times, so many of them.
func (s *stage) bringQuery(l *line) string {
	var out string
	for range l.number("times", 1) {
		out = s.bring(arrival.NewQuery(arrival.QueryRequest{ID: instanceID, Name: l.word(0)}, nil))
	}
	return out
}

// asked runs the query; with unrun its slot has been closed before, and with blocked its code does not come back.
func (s *stage) asked(l *line) string {
	q := s.take(l, "query").effect.Query
	switch how := l.word(0); how {
	case "":
		q.Execute()
		return s.answer(&q.Back)
	case "unrun":
		q.NotRun = true
		return s.answer(&q.Back)
	case "blocked":
		return s.answer(&turn.Asked{Query: q, Abandoned: true, Refusal: &query.Refusal{Reason: query.Blocked, Text: "it does not return"}})
	default:
		l.fail("it has no argument %q", how)
		return ""
	}
}

// queryText says what a query runs on.
func queryText(q *turn.Query) string {
	text := "run query " + q.Arrival.Query.Name
	if q.History != nil {
		n := q.History.Turns()
		text += fmt.Sprintf("; after a replay of %d turns", n)
	}
	return text
}
