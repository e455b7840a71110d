package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// setCustomStatus writes what the turn makes of the custom status. It reads nothing: the head has the version.
func (m *machine) setCustomStatus(h *headRow, c *persistence.StatusChange) {
	h.StatusVersion++
	m.t.key = appendInstance(m.t.key[:0], m.p, famStatus, h.IID)
	encodeStatus(m.t.newValue(), &persistence.CustomStatus{IID: h.IID, Version: h.StatusVersion, Value: c.Value})
	m.t.putBlind(m.t.key, m.t.value)
}

// deleteState deletes what a deleted instance has shown to others.
func (m *machine) deleteState(h *headRow) {
	if h.StatusVersion > 0 {
		m.t.key = appendInstance(m.t.key[:0], m.p, famStatus, h.IID)
		m.t.delBlind(m.t.key)
	}
	if h.KVBase|h.KVCurrent != 0 {
		prefix := appendInstance(nil, m.p, famKV, h.IID)
		m.t.fail(m.t.batch.DeleteRange(prefix, after(prefix), nil))
	}
}
