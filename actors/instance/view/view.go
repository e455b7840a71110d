package view

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// View is what an instance knows of its durable state: the last load, moved on by each commit and accept since.
type View struct {
	// Known: the rest of the view is as the journal has it. If false, only Inbox.Nudged and Due mean anything.
	Known  bool
	Exists bool
	Head   persistence.Head
	// Partial: only the head and the lease have been read. Size is the memory that the rest takes.
	Partial bool
	Size    int64
	// Start is the start row, while Head.Turn is 0.
	Start *persistence.PendingStart
	// StartsAtMs is when the first turn of the instance may run; 0 is at once. A partial view has it too.
	StartsAtMs int64
	// Inbox has the messages in memory that no turn has consumed.
	Inbox Page
	// Due has the timers that are due and that no turn has consumed, in the order in which the dispatcher told of them.
	Due []persistence.TimerKey
	// Attempts and NotBeforeMs are those of the lease row.
	Attempts    uint32
	NotBeforeMs int64
	// Held is why the instance is held, from the lease row.
	Held persistence.Held
	// Leased: the lease row had a lease when it was read, so another process may be trying the instance.
	Leased bool
	// OrphanLease is the token of that lease if this process took it.
	OrphanLease persistence.Token
	// Cancel is a cancel that waits in the inbox. A load looks for it only if the instance is held, its start is delayed or no
	// consumer has its handler: then the instance may be cancelled without its code.
	Cancel *Item
	// Children are the children that a failure without code must cancel. Only a load sets it.
	Children []persistence.ChildItem
	// History is the loaded history, until a replay machine takes it.
	History replay.History
	// KV is what the execution began with of its key-value store, until a replay machine takes it.
	KV map[string]replay.KVEntry
	// Unreadable is why the history cannot be replayed.
	Unreadable error
}

// Taken reports whether a replay machine has taken what was loaded: another one needs another load.
func (v *View) Taken() bool {
	return v.Head.Turn > 0 && v.History == nil || v.Head.KVBase > 0 && v.KV == nil
}

// Begin takes what an execution begins with of the key-value store, from the machine of the one before.
func (v *View) Begin(kv map[string]replay.KVEntry) {
	v.KV, v.Head.KVBase, v.Head.KVBaseBytes = kv, uint64(len(kv)), 0
	for key, e := range kv {
		v.Head.KVBaseBytes += uint64(len(key) + len(e.Value))
	}
}

// Forget drops everything but the due timers, which the dispatcher has told and a load does not read.
func (v *View) Forget() { *v = View{Due: v.Due} }

// TimerDue adds a due timer, unless the view has it already or it belongs to an older execution. A view without an instance
// keeps it: the dispatcher learns of a commit before the instance does, so a timer of the first turn may be due before the
// instance knows that it exists.
func (v *View) TimerDue(key persistence.TimerKey) {
	if v.Known && v.Exists && !v.owns(key) && !v.Older(key.IID, key.Execution) || slices.Contains(v.Due, key) {
		return
	}
	v.Due = append(v.Due, key)
}

// owns reports whether a timer belongs to the present execution.
func (v *View) owns(key persistence.TimerKey) bool {
	return v.Exists && key.IID == v.Head.IID && key.Execution == v.Head.Execution && !v.Head.Status.Terminal()
}

// Older reports whether the view is older than an incarnation or execution.
func (v *View) Older(iid persistence.Incarnation, execution uint64) bool {
	return iid > v.Head.IID || iid == v.Head.IID && execution > v.Head.Execution
}

// KeepOwnTimers drops the due timers of other incarnations and executions.
func (v *View) KeepOwnTimers() {
	v.Due = slices.DeleteFunc(v.Due, func(key persistence.TimerKey) bool { return !v.owns(key) })
}

// IsDue reports whether a timer is due and waits for a turn.
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
	v.Start, v.StartsAtMs, v.Attempts, v.NotBeforeMs, v.Children, v.History, v.KV, v.Unreadable = nil, 0, 0, 0, nil, nil, nil, nil
	v.Held, v.Leased, v.OrphanLease, v.Cancel = persistence.Held{}, false, "", nil
	if c.Status != nil {
		h.StatusVersion++
	}
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
