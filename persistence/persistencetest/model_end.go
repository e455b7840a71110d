package persistencetest

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// terminate ends an instance whatever holds it.
func (m *Model) terminate(c *persistence.Terminate) persistence.Result {
	if item, ok := m.remembered(c.ID, c.Request.Key); ok {
		if item.Kind != c.Request.Kind || item.Digest != c.Request.Digest {
			return refuse(persistence.KeyReused)
		}
		return persistence.Result{IID: item.IID, Repeated: true}
	}
	head := m.heads[c.IID]
	if head == nil || head.ID != c.ID {
		return refuse(persistence.NotFound)
	}
	if head.Status.Terminal() {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Ended, IID: head.IID}}
	}
	turn := &persistence.CommitTurn{
		ID: c.ID, IID: c.IID, Execution: c.Execution, Turn: c.Turn, ConsumesStart: c.Turn == 0, Segment: c.Segment,
		Sends: c.Sends, Outcome: persistence.OutcomeFailed,
	}
	if !wellFormed(turn) || !m.inPlace(turn, head) {
		return refuse(persistence.Conflict)
	}
	delete(m.starts, executionKey{head.IID, head.Execution})
	m.appendSegment(head, turn)
	m.forgetLease(head)
	if c.Turn == 0 {
		head.Name, head.Version, head.Pin = c.Name, c.Version, c.Pin
	}
	m.finish(head, turn)
	for _, s := range c.Sends {
		m.send(head, s)
	}
	m.remember(c.ID, c.Request, head.IID, 0)
	return persistence.Result{IID: head.IID, Turn: c.Turn + 1}
}

func (m *Model) expireWork(c *persistence.ExpireWork) persistence.Result {
	w, ok := m.work[c.Key]
	if !ok {
		return refuse(persistence.NotFound)
	}
	bound := map[persistence.ExpiryKind]int64{
		persistence.ExpiredStartToClose: w.Deadlines.StartToCloseMs, persistence.ExpiredHeartbeat: w.Deadlines.HeartbeatMs,
		persistence.ExpiredScheduleToStart: w.Deadlines.ScheduleToStartAtMs,
		persistence.ExpiredScheduleToClose: w.Deadlines.ScheduleToCloseAtMs,
	}[c.Kind]
	if w.Attempts != c.Attempts || bound <= 0 {
		return refuse(persistence.Conflict)
	}
	if !m.granted(m.epoch) {
		return refuse(persistence.Fenced)
	}
	head := m.heads[c.Key.IID]
	m.deleteWork(head, c.Key)
	return persistence.Result{Seq: m.put(head, persistence.InboxItem{Form: persistence.ItemMessage, Message: c.Message})}
}

func (m *Model) releaseTurn(c *persistence.ReleaseTurn) persistence.Result {
	head := m.heads[m.names[c.ID]]
	if head == nil {
		return refuse(persistence.NotFound)
	}
	if head.Status.Terminal() {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Ended, IID: head.IID}}
	}
	l := m.leases[head.IID]
	if l.Held.Reason == "" {
		return persistence.Result{IID: head.IID}
	}
	l.Held = persistence.Held{}
	if l.Token == "" {
		l.Attempts, l.NotBeforeMs, l.Through = 0, 0, 0
	}
	m.writeLease(l)
	return persistence.Result{IID: head.IID, Released: true}
}

// forgetLease removes the L row of an instance whose turn is committed.
func (m *Model) forgetLease(head *persistence.Head) {
	if m.leases[head.IID].Held.Reason != "" {
		m.effects.Unheld = append(m.effects.Unheld, head.IID)
	}
	delete(m.leases, head.IID)
	head.Leased = false
	m.countHeld()
}

func (m *Model) countHeld() { m.state.Held = uint64(len(m.sortedHeld())) }

func (m *Model) sortedHeld() (held []persistence.HeldRef) {
	for iid, l := range m.leases {
		if l.Held.Reason != "" {
			held = append(held, persistence.HeldRef{SinceMs: l.Held.SinceMs, IID: iid})
		}
	}
	slices.SortFunc(held, compareHeld)
	return held
}

func compareHeld(a, b persistence.HeldRef) int {
	return cmp.Or(cmp.Compare(a.SinceMs, b.SinceMs), cmp.Compare(a.IID, b.IID))
}

// ScanHeld implements [persistence.Reader].
func (m *Model) ScanHeld(after persistence.HeldRef, limit int) ([]persistence.HeldRef, error) {
	return page(m.sortedHeld(), limit, func(h persistence.HeldRef) bool {
		return after == persistence.HeldRef{} || compareHeld(h, after) > 0
	}), nil
}

func (m *Model) sortedExpiry() (refs []persistence.ExpiryRef) {
	for ref, r := range m.requests {
		refs = append(refs, persistence.ExpiryRef{ExpiresAtMs: r.ExpiresAtMs, RequestRef: ref})
	}
	slices.SortFunc(refs, compareExpiry)
	return refs
}

func compareExpiry(a, b persistence.ExpiryRef) int {
	return cmp.Or(cmp.Compare(a.ExpiresAtMs, b.ExpiresAtMs), compareKeys(a.ID, b.ID), compareKeys(a.Key, b.Key))
}

// ScanExpired implements [persistence.Reader].
func (m *Model) ScanExpired(after persistence.ExpiryRef, byMs int64, limit int) ([]persistence.ExpiryRef, error) {
	return page(m.sortedExpiry(), limit, func(r persistence.ExpiryRef) bool {
		return r.ExpiresAtMs <= byMs && (after == persistence.ExpiryRef{} || compareExpiry(r, after) > 0)
	}), nil
}

func (m *Model) sortedFamilies() (families []persistence.FamilyRef) {
	for ref := range m.families {
		families = append(families, ref)
	}
	slices.SortFunc(families, func(a, b persistence.FamilyRef) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Child, b.Child))
	})
	return families
}
