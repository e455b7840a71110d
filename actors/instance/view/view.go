package view

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// View is what an instance knows of its durable state: what it last loaded, moved on by every commit and accept since.
type View struct {
	// Known: the rest of the view is as the journal has it. Else only inbox.nudged and due mean anything.
	Known  bool
	Exists bool
	Head   persistence.Head
	// Partial: only the head and the lease have been read. size is what the rest takes in memory.
	Partial bool
	Size    int64
	// Start is the S row, while Turn is 0.
	Start *persistence.PendingStart
	// Inbox is what is in memory of the messages that no turn has consumed.
	Inbox Page
	// Due are timers that have come due and that no turn has consumed, in the order in which they came.
	Due []persistence.TimerKey
	// Attempts and notBeforeMs are those of the L row.
	Attempts    uint32
	NotBeforeMs int64
	// Held is why it does not run, of the L row.
	Held persistence.Held
	// Leased: the L row has a lease, of a try that another process has begun.
	Leased bool
	// OrphanLease is the token of that lease if this process has taken it.
	OrphanLease persistence.Token
	// Cancel is one that waits in the inbox, if the instance is held or no consumer has its handler.
	Cancel *Item
	// Children is set by a load only: the children that a failure without code must cancel.
	Children []persistence.ChildItem
	// Segments are the history of a load, until a machine has taken them.
	Segments []replay.Segment
	// Unreadable is why the history cannot be replayed.
	Unreadable error
}

// Forget keeps only what does not come from the journal's present state.
func (v *View) Forget() { *v = View{Due: v.Due} }

// TimerDue notes a timer, unless it is noted already or belongs to another execution. An instance that does not exist
// yet keeps it: effects come before answers, so a timer of its first turn may be due before it knows that it exists.
func (v *View) TimerDue(key persistence.TimerKey) {
	if v.Known && v.Exists && !v.owns(key) && !v.Older(key.IID, key.Execution) || slices.Contains(v.Due, key) {
		return
	}
	v.Due = append(v.Due, key)
}

func (v *View) owns(key persistence.TimerKey) bool {
	return v.Exists && key.IID == v.Head.IID && key.Execution == v.Head.Execution && !v.Head.Status.Terminal()
}

// Older says that an incarnation or execution is newer than what the view knows.
func (v *View) Older(iid persistence.Incarnation, execution uint64) bool {
	return iid > v.Head.IID || iid == v.Head.IID && execution > v.Head.Execution
}

// KeepOwnTimers drops due timers of other incarnations and executions.
func (v *View) KeepOwnTimers() {
	v.Due = slices.DeleteFunc(v.Due, func(key persistence.TimerKey) bool { return !v.owns(key) })
}

// IsDue says that a timer has come due and waits for its turn.
func (v *View) IsDue(key persistence.TimerKey) bool { return slices.Contains(v.Due, key) }

// Created moves the view on after a start was accepted on its own.
func (v *View) Created(start *persistence.PendingStart) {
	due := v.Due
	*v = View{Known: true, Exists: true, Due: due}
	v.Head = persistence.Head{
		ID: start.ID, IID: start.IID, Name: start.Name, Version: start.Version, Status: persistence.StatusPending,
		Execution: start.Execution, NextEvent: 1, NextSeq: 1,
	}
	v.Start = start
}

// Committed moves the view on after a turn's commit.
func (v *View) Committed(c *persistence.CommitTurn, r persistence.Result) {
	h := &v.Head
	if c.IID == 0 {
		*h = persistence.Head{ID: c.ID, IID: r.IID, Execution: 1, NextEvent: 1, NextSeq: 1, Status: persistence.StatusPending}
		v.Known, v.Exists = true, true
		v.KeepOwnTimers()
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
	v.Start, v.Attempts, v.NotBeforeMs, v.Children, v.Segments, v.Unreadable = nil, 0, 0, nil, nil, nil
	v.Held, v.Leased, v.OrphanLease, v.Cancel = persistence.Held{}, false, "", nil
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
		v.Inbox, v.Due = Page{}, nil
	}
}

// continued moves the view on to the next execution.
func (v *View) continued(next *persistence.NextStart) {
	h := &v.Head
	h.Status, h.Execution = persistence.StatusPending, h.Execution+1
	h.Turn, h.NextEvent, h.HistoryEvents, h.HistoryBytes = 0, 1, 0, 0
	h.Name, h.Version, h.Pin = next.Name, next.Version, ""
	v.Start = &persistence.PendingStart{
		ID: h.ID, IID: h.IID, Execution: h.Execution, Name: next.Name, Version: next.Version, Start: next.Start,
		Parent: h.Parent,
	}
	v.Due = nil
	v.Inbox.Known, v.Inbox.Wanted = false, nil
}
