package client

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// firstError is the first that is not nil, as a caller sees it.
func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return clientError(err)
		}
	}
	return nil
}

func optionalID(what, id string, max int) error {
	if id == "" {
		return nil
	}
	return limits.CheckID(what, id, max)
}

func optionalVersion(version string, max int) error {
	if version == "" {
		return nil
	}
	if err := limits.CheckID("version", version, max); err != nil {
		return err
	}
	return author.CheckVersion(version)
}

func checkText(what, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	return &limits.IDError{What: what, Problem: "is not valid UTF-8"}
}

var sentinels = []struct{ inner, outer error }{
	{persistence.ErrAlreadyExists, turnstone.ErrAlreadyExists},
	{persistence.ErrNotFound, turnstone.ErrInstanceNotFound},
	{persistence.ErrEnded, turnstone.ErrInstanceEnded},
	{persistence.ErrKeyReused, turnstone.ErrRequestKeyReused},
	// One error may wrap several: what may have been written comes first, then what will not come back by waiting.
	{persistence.ErrUncertain, turnstone.ErrUncertain},
	{persistence.ErrStopped, turnstone.ErrStopped},
	{persistence.ErrBusy, turnstone.ErrBusy},
	{persistence.ErrLimit, turnstone.ErrBusy}, // of an inbox that is full
	{persistence.ErrNotLeader, turnstone.ErrBusy},
	{persistence.ErrCorrupt, turnstone.ErrDamaged},
}

// clientError turns an error of the rooms below into one that callers can name.
func clientError(err error) error {
	var limit *limits.Error
	if errors.As(err, &limit) {
		return &turnstone.LimitError{Limit: limit.Limit, Size: limit.Size, Max: limit.Max}
	}
	var id *limits.IDError
	if errors.As(err, &id) {
		return fmt.Errorf("%w: %s %s", turnstone.ErrInvalidInput, id.What, id.Problem)
	}
	for _, s := range sentinels {
		if errors.Is(err, s.inner) {
			return &translated{outer: s.outer, cause: err}
		}
	}
	return err
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

// limitOf names the limit of an inbox that is full. The journal says which by its value only.
func (c *Core) limitOf(err error) error {
	var r *persistence.Refusal
	if !errors.As(err, &r) || r.Code != persistence.Limit {
		return err
	}
	switch r.Max {
	case uint64(c.limits.Inbox):
		return &inboxFull{"Inbox", "messages", r}
	case uint64(c.limits.InboxBytes):
		return &inboxFull{"InboxBytes", "bytes", r}
	}
	return err
}

// about adds the instance to an error.
func about(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("instance %q: %w", id, clientError(err))
}

// translated reads like the sentinel that callers know and keeps its cause. Of a node that stops, and of damage, it says
// more: which disk fails, and what is damaged.
type translated struct{ outer, cause error }

func (t *translated) Error() string {
	switch t.outer {
	case turnstone.ErrUncertain, turnstone.ErrStopped, turnstone.ErrDamaged:
		return t.outer.Error() + ": " + t.cause.Error()
	case turnstone.ErrBusy:
		if errors.Is(t.cause, persistence.ErrLimit) { // waiting helps only if the instance takes what waits for it
			return t.cause.Error()
		}
	}
	return t.outer.Error()
}

func (t *translated) Unwrap() []error { return []error{t.outer, t.cause} }
