package persistencetest

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

// setState takes what the turn shows to others.
func (m *Model) setState(head *persistence.Head, c *persistence.CommitTurn) {
	m.changeKV(head, c.KV)
	if c.Status != nil {
		head.StatusVersion++
		m.statuses[head.IID] = persistence.CustomStatus{IID: head.IID, Version: head.StatusVersion, Value: c.Status.Value}
	}
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
