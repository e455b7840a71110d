package replay

import turnpb "github.com/turnstone-dev/turnstone/proto"

// details is what few futures have. It is apart from them, so that an activity without options, a timer and a wait are
// small: a long history has many of those.
type details struct {
	version  string
	instance string // of a child, a detached start, a send or an await
	session  *string
	tag      *string
	status   *string
	call     *activityCall
	life     *Life // of a child or a detached start; nil if neither bound is given
	result   any   // opPush: the step; opUndone: the event

	waiters []*coroutine // those behind the first

	arrival turnpb.ArrivalKind // of a send
	policy  turnpb.ChildPolicy
	// own: a child was given its id.
	own bool
	// told: a child that is waited for has been sent the cancel of its parent.
	told bool
}

// noDetails is what a future without details reads. It is never written.
var noDetails details

// details are for reading only: those of a future that has none are zero.
func (f *Future) details() *details {
	if f.more == nil {
		return &noDetails
	}
	return f.more
}

// withDetails are for writing: they are made if the future has none.
func (f *Future) withDetails() *details {
	if f.more == nil {
		f.more = &details{}
	}
	return f.more
}
