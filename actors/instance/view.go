package instance

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// view is what an instance knows of its durable state: what it last loaded, moved on by every commit and accept since.
type view struct {
	// known: the rest of the view is as the journal has it. Else only inbox.nudged and due mean anything.
	known  bool
	exists bool
	head   persistence.Head
	// partial: only the head and the lease have been read. size is what the rest takes in memory.
	partial bool
	size    int64
	// start is the S row, while Turn is 0.
	start *persistence.PendingStart
	// inbox is what is in memory of the messages that no turn has consumed.
	inbox inboxPage
	// due are timers that have come due and that no turn has consumed, in the order in which they came.
	due []persistence.TimerKey
	// attempts and notBeforeMs are those of the L row.
	attempts    uint32
	notBeforeMs int64
	// held is why it does not run, of the L row.
	held persistence.Held
	// leased: the L row has a lease, of a try that another process has begun.
	leased bool
	// stray is the token of that lease if this process has taken it.
	stray persistence.Token
	// cancel is one that waits in the inbox, if the instance is held or no consumer has its handler.
	cancel *inboxItem
	// children is set by a load only: the children that a failure without code must cancel.
	children []persistence.ChildItem
	// segments are the history of a load, until a machine has taken them.
	segments []replay.Segment
	// unreadable is why the history cannot be replayed.
	unreadable error
}

// forget keeps only what does not come from the journal's present state.
func (v *view) forget() { *v = view{due: v.due} }

// timerDue notes a timer, unless it is noted already or belongs to another execution. An instance that does not exist
// yet keeps it: effects come before answers, so a timer of its first turn may be due before it knows that it exists.
func (v *view) timerDue(key persistence.TimerKey) {
	if v.known && v.exists && !v.owns(key) && !v.older(key.IID, key.Execution) || slices.Contains(v.due, key) {
		return
	}
	v.due = append(v.due, key)
}

func (v *view) owns(key persistence.TimerKey) bool {
	return v.exists && key.IID == v.head.IID && key.Execution == v.head.Execution && !v.head.Status.Terminal()
}

// older says that an incarnation or execution is newer than what the view knows.
func (v *view) older(iid persistence.Incarnation, execution uint64) bool {
	return iid > v.head.IID || iid == v.head.IID && execution > v.head.Execution
}

// keepOwnTimers drops due timers of other incarnations and executions.
func (v *view) keepOwnTimers() {
	v.due = slices.DeleteFunc(v.due, func(key persistence.TimerKey) bool { return !v.owns(key) })
}

// isDue says that a timer has come due and waits for its turn.
func (v *view) isDue(key persistence.TimerKey) bool { return slices.Contains(v.due, key) }

// created moves the view on after a start was accepted on its own.
func (v *view) created(iid persistence.Incarnation, req *StartRequest) {
	due := v.due
	*v = view{known: true, exists: true, due: due}
	v.head = persistence.Head{
		ID: req.ID, IID: iid, Name: req.Name, Version: req.Version, Status: persistence.StatusPending,
		Execution: 1, NextEvent: 1, NextSeq: 1,
	}
	v.start = &persistence.PendingStart{
		ID: req.ID, IID: iid, Execution: 1, Name: req.Name, Version: req.Version, Input: req.Input,
	}
}

// committed moves the view on after a turn's commit.
func (v *view) committed(c *persistence.CommitTurn, r persistence.Result) {
	h := &v.head
	if c.IID == 0 {
		*h = persistence.Head{ID: c.ID, IID: r.IID, Execution: 1, NextEvent: 1, NextSeq: 1, Status: persistence.StatusPending}
		v.known, v.exists = true, true
		v.keepOwnTimers()
	}
	if c.Turn == 0 {
		h.Name, h.Version, h.Pin = c.Name, c.Version, c.Pin
	}
	h.Turn = c.Turn + 1
	for i, p := range c.Segment.Parts {
		h.NextEvent += p.Count
		h.HistoryEvents += p.Count
		h.HistoryBytes += uint64(len(p.Events))
		if i == 0 {
			h.HistoryBytes += uint64(len(c.Segment.Header))
		}
	}
	v.start, v.attempts, v.notBeforeMs, v.children, v.segments, v.unreadable = nil, 0, 0, nil, nil, nil
	v.held, v.leased, v.stray, v.cancel = persistence.Held{}, false, "", nil
	switch c.Outcome {
	case persistence.OutcomeRunning:
		h.Status = persistence.StatusRunning
	case persistence.OutcomeCompleted:
		h.Status = persistence.StatusCompleted
	case persistence.OutcomeFailed:
		h.Status = persistence.StatusFailed
	case persistence.OutcomeContinued:
		v.continued(c.Next)
	}
	if h.Status.Terminal() {
		v.inbox, v.due = inboxPage{}, nil
	}
}

// continued moves the view on to the next execution.
func (v *view) continued(next *persistence.NextStart) {
	h := &v.head
	h.Status, h.Execution = persistence.StatusPending, h.Execution+1
	h.Turn, h.NextEvent, h.HistoryEvents, h.HistoryBytes = 0, 1, 0, 0
	h.Name, h.Version, h.Pin = next.Name, next.Version, ""
	v.start = &persistence.PendingStart{
		ID: h.ID, IID: h.IID, Execution: h.Execution, Name: next.Name, Version: next.Version, Start: next.Start,
		Parent: h.Parent,
	}
	v.due = nil
	v.inbox.known, v.inbox.wanted = false, nil
}
