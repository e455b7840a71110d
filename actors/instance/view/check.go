package view

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// checkChildren compares the head's count of children with the children that were read.
func (m *Load) checkChildren() error {
	v := &m.View
	if n := uint64(len(v.Children)); n != v.Head.Children {
		return fmt.Errorf("%w: the head counts %d children, and %d are there", persistence.ErrCorrupt, v.Head.Children, n)
	}
	return nil
}

// readKV reads what the execution began with of its key-value store.
func (v *View) readKV(r persistence.Reader, iid persistence.Incarnation) error {
	base, err := r.KVBase(iid)
	if err != nil {
		return err
	}
	if n := uint64(len(base)); n != v.Head.KVBase {
		return fmt.Errorf("%w: the head counts %d keys that the execution began with, and %d are there", persistence.ErrCorrupt, v.Head.KVBase, n)
	}
	v.KV = make(map[string]replay.KVEntry, len(base))
	for _, e := range base {
		v.KV[e.Key] = replay.KVEntry{Value: e.Value, UpdatedMs: e.UpdatedMs}
	}
	return nil
}

// Check compares the head's count of rows with a page that was read by age, before Take. The head tells how many rows are
// left behind those in memory, and so how many holes there may be. A missing row is one hole too many. Check finds it in the
// page where it is missing if no row was consumed out of order, and otherwise in the last page at the latest.
func (p *Page) Check(m *InboxRead) error {
	if !m.byAge {
		return nil
	}
	here, _ := slices.BinarySearchFunc(p.Rows, m.after+1, bySeq)
	left := m.Head.Inbox - min(m.Head.Inbox, uint64(here))
	holes := m.through - min(m.through, m.after) - min(m.through-min(m.through, m.after), uint64(m.count))
	if behind := m.Head.NextSeq - 1 - min(m.Head.NextSeq-1, m.after); !m.more && uint64(m.count) != left || holes+left > behind {
		return fmt.Errorf("%w: the head counts %d messages in the inbox behind number %d, and %d are there up to number %d",
			persistence.ErrCorrupt, left, m.after, m.count, m.through)
	}
	return nil
}

// CancelAsked returns the oldest known cancel in the inbox, or nil.
func (v *View) CancelAsked() *Item {
	if v.Cancel != nil {
		return v.Cancel
	}
	for i := range v.Inbox.Rows {
		if v.Inbox.Rows[i].Message.GetCancel() != nil {
			return &v.Inbox.Rows[i]
		}
	}
	return nil
}

// CleansUp reports whether the execution has undo steps: then a cancel, or an end for a limit, needs the handler's code.
func (v *View) CleansUp() bool {
	if v.History == nil {
		return false
	}
	for i := range v.History.Turns() {
		for _, e := range v.History.Turn(i).Events {
			if e.GetStarted().GetCleanup() || e.GetCompensationPushed() != nil {
				return true
			}
		}
	}
	return false
}

// findCancel returns the oldest cancel in the inbox, or nil. It reads all rows without a name, because a cancel may be
// anywhere among them.
func findCancel(r persistence.Reader, iid persistence.Incarnation, limit int) (*Item, error) {
	for after, more := uint64(0), true; more; {
		page, err := r.InboxOf(iid, []persistence.Topic{0}, after, limit, InboxPageBytes)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			decoded, err := decodeItem(item)
			if err == nil && decoded.Message.GetCancel() != nil { // a turn that reads a damaged row reports it; this read does not
				return &decoded, nil
			}
		}
		after, more = page.Through, page.More
	}
	return nil, nil
}
