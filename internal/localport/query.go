package localport

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/limits"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Query implements api.Port.
func (p *Port) Query(r api.QueryRequest, done func(api.QueryAnswer, error)) {
	l := &p.limits
	err := firstError(
		limits.CheckID("instance id", r.ID, l.DerivedIDBytes, "DerivedIDBytes"),
		limits.CheckID("query name", r.Name, l.IDBytes, "IDBytes"),
		limits.Check("query input bytes", len(r.Input), l.PayloadBytes, "PayloadBytes"),
	)
	if err != nil {
		done(api.QueryAnswer{}, err)
		return
	}
	p.engine.Query(r, func(output []byte, failure *turnpb.Failure, err error) {
		a := api.QueryAnswer{Output: output}
		if err == nil && failure != nil {
			a.Failure, err = proto.Marshal(failure)
		}
		if err != nil {
			done(api.QueryAnswer{}, about(r.ID, err))
			return
		}
		done(a, nil)
	})
}

// refusals are the codes of refused queries, and the errors of package turnstone with whose text a message begins.
var refusals = [query.Reasons]struct {
	code  api.Code
	outer error
}{
	query.Unknown:    {code: api.UnknownQuery},
	query.Blocked:    {api.QueryBlocked, turnstone.ErrQueryBlocked},
	query.NotReading: {api.QueryNotReading, turnstone.ErrQueryNotReading},
	query.Panicked:   {api.QueryPanicked, turnstone.ErrQueryPanicked},
	query.Misused:    {api.QueryNotReading, turnstone.ErrQueryNotReading},
	query.Diverged:   {api.Nondeterministic, turnstone.ErrNondeterminism},
	query.Held:       {api.InstanceHeld, turnstone.ErrHeld},
	query.Recovering: {api.Recovering, turnstone.ErrRecovering},
	query.NoHandler:  {api.NoHandler, turnstone.ErrNoHandler},
	query.Unreadable: {api.NoHandler, turnstone.ErrNoHandler},
}

// refusedQuery is the error of an answer to a query that was refused; nil if err is no such refusal.
func refusedQuery(err error) *api.Error {
	var r *query.Refusal
	if !errors.As(err, &r) {
		return nil
	}
	as := refusals[r.Reason]
	e := &api.Error{Code: as.code, Message: r.Text, Subject: r.Query, Known: r.Known, Cause: err}
	if as.outer != nil {
		e.Message = fmt.Sprintf("%v: %s", as.outer, r.Text)
	}
	return e
}
