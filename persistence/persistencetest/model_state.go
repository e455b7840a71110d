package persistencetest

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

// setState takes what the turn shows to others.
func (m *Model) setState(head *persistence.Head, c *persistence.CommitTurn) {
	m.changeKV(head, c.KV)
	m.setCleanup(head, c)
	if c.Status != nil {
		head.StatusVersion++
		m.statuses[head.IID] = persistence.CustomStatus{IID: head.IID, Version: head.StatusVersion, Value: c.Status.Value}
	}
}

// setCleanup keeps where the turn began that fixed the end.
func (m *Model) setCleanup(head *persistence.Head, c *persistence.CommitTurn) {
	next := c.Cleanup
	next.Part = 0
	if next.Event > 0 && next.Event == head.Cleanup.Event {
		next.Part = head.Cleanup.Part
	} else if next.Event > 0 && partOf(c.Segment, next.Event) > 0 {
		next.Part = c.Segment.Parts[0].FirstEvent
	}
	head.Cleanup = next
}

// CustomStatus implements [persistence.Reader].
func (m *Model) CustomStatus(iid persistence.Incarnation) (persistence.CustomStatus, bool, error) {
	s, ok := m.statuses[iid]
	return s, ok, nil
}

func (m *Model) sortedStatuses() (all []persistence.CustomStatus) {
	for _, iid := range sortedKeys(m.statuses) {
		all = append(all, m.statuses[iid])
	}
	return all
}
