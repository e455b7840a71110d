package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// deleteTree deletes an instance that has ended, and the tree of its children. A refusal deletes none of them.
func (m *machine) deleteTree(root *headRow) error {
	tree := []*headRow{root}
	for i := 0; i < len(tree); i++ {
		h := tree[i]
		switch {
		case !h.Status.Terminal():
			return &persistence.Refusal{Code: persistence.AlreadyExists, IID: h.IID}
		case h.Spread:
			return &persistence.Refusal{Code: persistence.Spread, IID: h.IID}
		case !h.Family:
			continue
		}
		of := persistence.FamilyRef{Partition: m.p, Parent: h.IID}
		prefix := appendFamily(nil, m.p, of)
		for _, key := range m.t.keysUnder(prefix[:len(prefix)-8]) {
			_, _, r := splitKey(key)
			child := m.head(r.family().Child)
			if child == nil {
				m.t.corrupt(key, errNoSuchID)
				return nil
			}
			tree = append(tree, child)
		}
	}
	for _, h := range tree {
		m.delete(h)
	}
	return nil
}

// delete removes all rows of an instance that has ended. The answers to its requests stay.
func (m *machine) delete(h *headRow) {
	m.abandonWatchers(h)
	m.t.key = appendName(m.t.key[:0], m.p, h.ID)
	m.t.del(m.t.key)
	m.t.key = appendIndex(m.t.key[:0], m.p, h.Status, h.UpdatedAtMs, h.IID)
	m.t.delBlind(m.t.key)
	*m.counter(h.Status)--
	if h.Parent.IID != 0 {
		m.t.key = appendFamily(m.t.key[:0], m.p, m.familyOf(h))
		m.t.del(m.t.key)
	}
	prefix := appendInstance(nil, m.p, famSegment, h.IID)
	m.t.fail(m.t.batch.DeleteRange(prefix, after(prefix), nil))
	m.deleteState(h)
	m.t.key = appendInstance(m.t.key[:0], m.p, famHead, h.IID)
	m.t.del(m.t.key)
	m.heads.remove(h)
	h.deleted = true
}
