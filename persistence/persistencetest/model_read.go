package persistencetest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Model implements [persistence.Reader] on its present state.
var _ persistence.Reader = (*Model)(nil)

// Partition implements [persistence.Reader].
func (m *Model) Partition() (persistence.PartitionState, error) { return m.state, nil }

// Resolve implements [persistence.Reader].
func (m *Model) Resolve(id string) (persistence.Incarnation, bool, error) {
	iid, ok := m.names[id]
	return iid, ok, nil
}

// Head implements [persistence.Reader].
func (m *Model) Head(iid persistence.Incarnation) (persistence.Head, bool, error) {
	head, ok := m.heads[iid]
	if !ok {
		return persistence.Head{}, false, nil
	}
	return *head, true, nil
}

// Start implements [persistence.Reader].
func (m *Model) Start(iid persistence.Incarnation, execution uint64) (persistence.PendingStart, bool, error) {
	s, ok := m.starts[executionKey{iid, execution}]
	return s, ok, nil
}

// Parts implements [persistence.Reader].
func (m *Model) Parts(
	iid persistence.Incarnation, execution, fromEvent uint64, yield func(persistence.StoredPart) bool,
) error {
	for _, p := range m.parts[executionKey{iid, execution}] {
		if p.FirstEvent >= fromEvent && !yield(p) {
			break
		}
	}
	return nil
}

// TurnLease implements [persistence.Reader].
func (m *Model) TurnLease(iid persistence.Incarnation) (persistence.TurnLease, bool, error) {
	l, ok := m.leases[iid]
	return l, ok, nil
}

// Work implements [persistence.Reader].
func (m *Model) Work(key persistence.WorkKey) (persistence.WorkItem, bool, error) {
	w, ok := m.work[key]
	return w, ok, nil
}

// Children implements [persistence.Reader].
func (m *Model) Children(iid persistence.Incarnation, execution uint64) ([]persistence.ChildItem, error) {
	var found []persistence.ChildItem
	for _, c := range m.sortedChildren() {
		if c.IID == iid && c.Execution == execution {
			found = append(found, c.ChildItem)
		}
	}
	return found, nil
}

// Timers implements [persistence.Reader].
func (m *Model) Timers(
	iid persistence.Incarnation, execution uint64, refs []persistence.TimerRef,
) ([]persistence.TimerKey, error) {
	var found []persistence.TimerKey
	for _, ref := range refs {
		if key := timerKey(iid, execution, ref); m.timers[key] {
			found = append(found, key)
		}
	}
	return found, nil
}

// Request implements [persistence.Reader].
func (m *Model) Request(id, key string) (persistence.RequestItem, bool, error) {
	item, ok := m.requests[persistence.RequestRef{ID: id, Key: key}]
	return item, ok, nil
}

// List implements [persistence.Reader].
func (m *Model) List(
	statuses []persistence.Status, after persistence.ListCursor, limit int,
) ([]persistence.Head, error) {
	heads := m.sortedHeads()
	slices.SortFunc(heads, func(a, b persistence.Head) int {
		return cmp.Or(cmp.Compare(b.UpdatedAtMs, a.UpdatedAtMs), cmp.Compare(b.IID, a.IID))
	})
	return page(heads, limit, func(h persistence.Head) bool {
		older := after == persistence.ListCursor{} || h.UpdatedAtMs < after.UpdatedAtMs ||
			h.UpdatedAtMs == after.UpdatedAtMs && h.IID < after.IID
		return older && slices.Contains(statuses, h.Status)
	}), nil
}

// ScanStarts implements [persistence.Reader].
func (m *Model) ScanStarts(after persistence.Incarnation, limit int) ([]persistence.StartEffect, error) {
	var found []persistence.StartEffect
	for _, s := range page(m.sortedStarts(), limit, func(s persistence.PendingStart) bool { return s.IID > after }) {
		found = append(found, persistence.StartEffect{
			ID: s.ID, IID: s.IID, Execution: s.Execution, Name: s.Name, Version: s.Version, NotBeforeMs: s.NotBeforeMs,
		})
	}
	return found, nil
}

// ScanInbox implements [persistence.Reader].
func (m *Model) ScanInbox(after persistence.Incarnation, limit int) ([]persistence.InboxEffect, error) {
	var first []persistence.InboxEffect
	for _, iid := range sortedKeys(m.inbox) {
		if items := m.inbox[iid]; iid > after && len(items) > 0 && len(first) < limit {
			earliest := slices.MinFunc(items, func(a, b persistence.InboxItem) int {
				return cmp.Or(cmp.Compare(a.NotBeforeMs, b.NotBeforeMs), cmp.Compare(a.Seq, b.Seq))
			})
			first = append(first, persistence.InboxEffect{
				ID: m.heads[iid].ID, IID: iid, Seq: earliest.Seq, NotBeforeMs: earliest.NotBeforeMs,
			})
		}
	}
	return first, nil
}

// ScanLeases implements [persistence.Reader].
func (m *Model) ScanLeases(after persistence.Incarnation, limit int) ([]persistence.TurnLease, error) {
	return page(m.sortedLeases(), limit, func(l persistence.TurnLease) bool { return l.IID > after }), nil
}

// ScanWork implements [persistence.Reader].
func (m *Model) ScanWork(after persistence.WorkKey, limit int) ([]persistence.WorkItem, error) {
	return page(m.sortedWork(), limit, func(w persistence.WorkItem) bool { return w.Key.Compare(after) > 0 }), nil
}

// ScanTimers implements [persistence.Reader].
func (m *Model) ScanTimers(after persistence.TimerKey, limit int) ([]persistence.TimerItem, error) {
	return page(m.sortedTimers(), limit, func(t persistence.TimerItem) bool { return t.Key.Compare(after) > 0 }), nil
}

// OutboxStreams implements [persistence.Reader].
func (m *Model) OutboxStreams() (streams []persistence.OutboxStream, err error) {
	for _, to := range sortedKeys(m.outbox) {
		if rows := m.outbox[to]; len(rows) > 0 {
			streams = append(streams, persistence.OutboxStream{To: to, Acked: rows[0].Seq - 1, Next: m.sent[to]})
		}
	}
	return streams, nil
}

// ScanOutbox implements [persistence.Reader].
func (m *Model) ScanOutbox(to persistence.Partition, after uint64, limit, maxBytes int) ([]persistence.OutboxItem, error) {
	rows, bytes := page(m.outbox[to], limit, func(o persistence.OutboxItem) bool { return o.Seq > after }), 0
	for i := range rows {
		if bytes += len(rows[i].Message); maxBytes > 0 && bytes >= maxBytes {
			return rows[:i+1], nil
		}
	}
	return rows, nil
}

// Mark implements [persistence.Reader].
func (m *Model) Mark(from persistence.Partition) (uint64, error) { return m.received[from], nil }

// Dump is the whole state.
func (m *Model) Dump() *persistence.Dump {
	d := &persistence.Dump{
		Partition: m.partition, State: m.state, Marks: marks(m.received), Sent: marks(m.sent),
		Heads: m.sortedHeads(), Starts: m.sortedStarts(), Leases: m.sortedLeases(), Work: m.sortedWork(),
		Timers: m.sortedTimers(), Children: m.sortedChildren(), Requests: m.sortedRequests(),
		Expiry: m.sortedExpiry(), Held: m.sortedHeld(), Families: m.sortedFamilies(),
		Watchers: m.sortedWatchers(), Draining: m.sortedDraining(),
		Statuses: m.sortedStatuses(), KV: m.sortedKV(),
	}
	m.dumpTopics(d)
	for _, id := range slices.SortedFunc(maps.Keys(m.names), compareKeys) {
		d.Names = append(d.Names, persistence.DumpName{ID: id, IID: m.names[id]})
	}
	for _, h := range d.Heads {
		d.Listing = append(d.Listing, persistence.DumpListing{Status: h.Status, UpdatedAtMs: h.UpdatedAtMs, IID: h.IID})
		for execution := uint64(1); execution <= h.Execution; execution++ {
			for _, p := range m.parts[executionKey{h.IID, execution}] {
				d.Parts = append(d.Parts, persistence.DumpPart{IID: h.IID, StoredPart: p})
			}
		}
		for _, item := range m.inbox[h.IID] {
			d.Inbox = append(d.Inbox, persistence.DumpInbox{IID: h.IID, InboxItem: item})
		}
	}
	slices.SortFunc(d.Listing, func(a, b persistence.DumpListing) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.UpdatedAtMs, b.UpdatedAtMs), cmp.Compare(a.IID, b.IID))
	})
	for _, to := range sortedKeys(m.outbox) {
		d.Outbox = append(d.Outbox, m.outbox[to]...)
	}
	return d
}

func (m *Model) sortedHeads() (heads []persistence.Head) {
	for _, iid := range sortedKeys(m.heads) {
		heads = append(heads, *m.heads[iid])
	}
	return heads
}

func (m *Model) sortedStarts() (starts []persistence.PendingStart) {
	for _, s := range m.starts {
		starts = append(starts, s)
	}
	slices.SortFunc(starts, func(a, b persistence.PendingStart) int {
		return cmp.Or(cmp.Compare(a.IID, b.IID), cmp.Compare(a.Execution, b.Execution))
	})
	return starts
}

func (m *Model) sortedLeases() (leases []persistence.TurnLease) {
	for _, iid := range sortedKeys(m.leases) {
		leases = append(leases, m.leases[iid])
	}
	return leases
}

func (m *Model) sortedWork() (work []persistence.WorkItem) {
	for _, w := range m.work {
		work = append(work, w)
	}
	slices.SortFunc(work, func(a, b persistence.WorkItem) int { return a.Key.Compare(b.Key) })
	return work
}

func (m *Model) sortedTimers() (timers []persistence.TimerItem) {
	for key := range m.timers {
		timers = append(timers, persistence.TimerItem{ID: m.heads[key.IID].ID, Key: key})
	}
	slices.SortFunc(timers, func(a, b persistence.TimerItem) int { return a.Key.Compare(b.Key) })
	return timers
}

func (m *Model) sortedChildren() (children []persistence.DumpChild) {
	for key, c := range m.children {
		children = append(children, persistence.DumpChild{IID: key.IID, ChildItem: c})
	}
	slices.SortFunc(children, func(a, b persistence.DumpChild) int {
		return cmp.Or(cmp.Compare(a.IID, b.IID), cmp.Compare(a.Execution, b.Execution), cmp.Compare(a.Event, b.Event))
	})
	return children
}

func (m *Model) sortedRequests() (requests []persistence.RequestItem) {
	for _, r := range m.requests {
		requests = append(requests, r)
	}
	slices.SortFunc(requests, func(a, b persistence.RequestItem) int {
		return cmp.Or(compareKeys(a.ID, b.ID), compareKeys(a.Key, b.Key))
	})
	return requests
}

func marks(m map[persistence.Partition]uint64) (rows []persistence.DumpMark) {
	for _, p := range sortedKeys(m) {
		if m[p] > 0 {
			rows = append(rows, persistence.DumpMark{Peer: p, Seq: m[p]})
		}
	}
	return rows
}

// compareKeys orders strings as keys: the shorter first, so that none is a prefix of the next.
func compareKeys(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// page is the first few of the rows that are wanted.
func page[R any](rows []R, limit int, wanted func(R) bool) (found []R) {
	for _, row := range rows {
		if len(found) < limit && wanted(row) {
			found = append(found, row)
		}
	}
	return found
}
