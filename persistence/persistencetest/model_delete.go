package persistencetest

import "github.com/turnstone-dev/turnstone/persistence"

// deleteTree deletes an instance and all below it, if all have ended and lie here.
func (m *Model) deleteTree(root *persistence.Head) error {
	tree := []*persistence.Head{root}
	for i := 0; i < len(tree); i++ {
		if !tree[i].Status.Terminal() {
			return &persistence.Refusal{Code: persistence.AlreadyExists, IID: tree[i].IID}
		}
		if tree[i].Spread {
			return &persistence.Refusal{Code: persistence.Spread, IID: tree[i].IID}
		}
		for _, iid := range sortedKeys(m.heads) {
			if p := m.heads[iid].Parent; p.IID == tree[i].IID && m.home(p.ID) == m.partition {
				tree = append(tree, m.heads[iid])
			}
		}
	}
	for _, head := range tree {
		for _, w := range m.watchersOf(head.IID) {
			m.answerWatcher(w, persistence.SendNotFound, nil)
		}
		m.countDraining()
		*m.counter(head.Status)--
		delete(m.names, head.ID)
		delete(m.heads, head.IID)
		delete(m.statuses, head.IID)
		m.dropLayer(head.IID, true)
		m.dropLayer(head.IID, false)
		delete(m.families, persistence.FamilyRef{
			Partition: m.home(head.Parent.ID), Parent: head.Parent.IID, Child: head.IID,
		})
		for key := range m.parts {
			if key.iid == head.IID {
				delete(m.parts, key)
			}
		}
	}
	return nil
}
