package localport

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

func checkText(what, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	return &limits.IDError{What: what, Problem: "is not valid UTF-8"}
}

// firstError returns the first error that is not nil, as the error of an answer.
func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return answerError(err)
		}
	}
	return nil
}

// about returns err as the error of an answer about an instance; nil if err is nil.
func about(id string, err error) error {
	if err == nil {
		return nil
	}
	e := answerError(err)
	e.Message = fmt.Sprintf("instance %q: %s", id, e.Message)
	return e
}

// codes are in this order because one error may wrap several: those of a request that may have been carried out come first,
// then those that waiting does not cure.
var codes = []struct {
	inner error
	code  api.Code
	// outer is the error of package turnstone that a client returns for the code; the message begins with its text.
	outer error
}{
	{persistence.ErrAlreadyExists, api.AlreadyExists, turnstone.ErrAlreadyExists},
	{persistence.ErrNotFound, api.NotFound, turnstone.ErrInstanceNotFound},
	{persistence.ErrEnded, api.Ended, turnstone.ErrInstanceEnded},
	{persistence.ErrKeyReused, api.KeyReused, turnstone.ErrRequestKeyReused},
	{persistence.ErrUncertain, api.Uncertain, turnstone.ErrUncertain},
	{persistence.ErrStopped, api.Stopped, turnstone.ErrStopped},
	{persistence.ErrBusy, api.Busy, turnstone.ErrBusy},
	{persistence.ErrLimit, api.Busy, turnstone.ErrBusy}, // of an inbox that is full
	{persistence.ErrNotLeader, api.Busy, turnstone.ErrBusy},
	{persistence.ErrCorrupt, api.Damaged, turnstone.ErrDamaged},
}

// answerError turns an error of the engine, the journal or a check into that of an answer.
func answerError(err error) *api.Error {
	var limit *limits.Error
	if errors.As(err, &limit) {
		return limitExceeded((*turnstone.LimitError)(limit))
	}
	var version *turnstone.LimitError // of a version's length
	if errors.As(err, &version) {
		return limitExceeded(version)
	}
	var id *limits.IDError
	if errors.As(err, &id) {
		return &api.Error{Code: api.Invalid, Message: fmt.Sprintf("%v: %s %s", turnstone.ErrInvalidInput, id.What, id.Problem)}
	}
	var text *turnstone.VersionError
	if errors.As(err, &text) {
		return &api.Error{Code: api.InvalidVersion, Message: text.Error(), Subject: text.Text}
	}
	if refused := refusedQuery(err); refused != nil {
		return refused
	}
	for _, c := range codes {
		if errors.Is(err, c.inner) {
			return &api.Error{Code: c.code, Message: message(c.outer, err), Cause: err}
		}
	}
	return &api.Error{Code: api.Internal, Message: err.Error(), Cause: err}
}

func limitExceeded(e *turnstone.LimitError) *api.Error {
	return &api.Error{Code: api.LimitExceeded, Message: e.Error(), Subject: e.Limit, Size: e.Size, Max: e.Max, Field: e.Field}
}

// message begins with the text of the error that callers branch on. For a node that stops, and for damage, it also names the
// disk that fails, or the damage.
func message(outer, cause error) string {
	switch outer {
	case turnstone.ErrUncertain, turnstone.ErrStopped, turnstone.ErrDamaged:
		return outer.Error() + ": " + cause.Error()
	case turnstone.ErrBusy:
		if errors.Is(cause, persistence.ErrLimit) { // waiting helps only if the instance takes what waits for it
			return cause.Error()
		}
	}
	return outer.Error()
}

// invalid refuses a request for a reason that no limit names.
func invalid(format string, args ...any) error {
	return &api.Error{Code: api.Invalid, Message: fmt.Sprintf("%v: %s", turnstone.ErrInvalidInput, fmt.Sprintf(format, args...))}
}

// inboxFull is the refusal of an inbox that has no room, with the name of the limit.
type inboxFull struct {
	limit, unit string
	refusal     *persistence.Refusal
}

func (e *inboxFull) Error() string {
	return fmt.Sprintf("its inbox is full: with this it would hold %d %s, and Config.Limits.%s is %d",
		e.refusal.Size, e.unit, e.limit, e.refusal.Max)
}

func (e *inboxFull) Unwrap() error { return e.refusal }

// limitOf names the limit of a full inbox. The error of the journal has only its value.
func (p *Port) limitOf(err error) error {
	var r *persistence.Refusal
	if !errors.As(err, &r) || r.Code != persistence.Limit {
		return err
	}
	switch r.Max {
	case uint64(p.limits.Inbox):
		return &inboxFull{"Inbox", "messages", r}
	case uint64(p.limits.InboxBytes):
		return &inboxFull{"InboxBytes", "bytes", r}
	}
	return err
}
