package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// changeKV takes a turn's changes into the current layer. It touches the rows of the keys that it names; only a clear of all
// looks at others, and only if the head counts some.
func (m *machine) changeKV(h *headRow, changes []persistence.KVChange) {
	for i := range changes {
		c := &changes[i]
		item := persistence.KVItem{IID: h.IID, Current: true, KVEntry: persistence.KVEntry{Key: c.Key}}
		switch {
		case c.Op == persistence.KVSet:
			item.Value, item.UpdatedMs = c.Value, c.UpdatedMs
			m.putKV(h, &item)
		case c.Op == persistence.KVClearAll:
			m.dropLayer(h, true, h.KVCurrent)
			h.KVCurrent, h.KVCleared = 0, h.KVBase > 0
		case h.KVBase > 0 && !h.KVCleared: // the base may have the key
			item.Cleared = true
			m.putKV(h, &item)
		case h.KVCurrent > 0:
			m.t.key = appendKV(m.t.key[:0], m.p, h.IID, true, c.Key)
			if m.t.has(m.t.key) {
				m.t.del(m.t.key)
				h.KVCurrent--
			}
		}
	}
}

// putKV writes a row of the current layer.
func (m *machine) putKV(h *headRow, item *persistence.KVItem) {
	m.t.key = appendKV(m.t.key[:0], m.p, h.IID, true, item.Key)
	if h.KVCurrent == 0 || !m.t.has(m.t.key) {
		h.KVCurrent++
	}
	encodeKV(m.t.newValue(), item)
	m.t.put(m.t.key, m.t.value)
}

// dropLayer deletes the rows of a layer, if there are any.
func (m *machine) dropLayer(h *headRow, current bool, rows uint64) {
	if rows == 0 {
		return
	}
	for _, key := range m.t.keysUnder(appendLayer(nil, m.p, h.IID, current)) {
		m.t.del(key)
	}
}

// mergeKV makes what the execution leaves the base of the next one. An execution that has changed nothing costs nothing.
func (m *machine) mergeKV(h *headRow) {
	if h.KVCleared {
		m.dropLayer(h, false, h.KVBase)
		h.KVBase, h.KVBaseBytes, h.KVCleared = 0, 0, false
	}
	if h.KVCurrent == 0 {
		return
	}
	for _, key := range m.t.keysUnder(appendLayer(nil, m.p, h.IID, true)) {
		item, ok := m.kvRow(key)
		if !ok {
			return // the error of the txn says why
		}
		m.t.del(key)
		m.mergeKey(h, &item)
	}
	h.KVCurrent = 0
}

// mergeKey moves a row of the current layer into the base.
func (m *machine) mergeKey(h *headRow, item *persistence.KVItem) {
	base := appendKV(nil, m.p, h.IID, false, item.Key)
	if h.KVBase > 0 {
		if old, ok := m.kvRow(base); ok {
			h.KVBase--
			h.KVBaseBytes -= kvBytes(&old)
			if item.Cleared {
				m.t.del(base)
			}
		}
	}
	if item.Cleared {
		return
	}
	h.KVBase++
	h.KVBaseBytes += kvBytes(item)
	encodeKV(m.t.newValue(), item)
	m.t.put(base, m.t.value)
}

// kvRow reads a K row; ok is false if there is none, or it cannot be read.
func (m *machine) kvRow(key []byte) (item persistence.KVItem, ok bool) {
	row, ok := m.t.get(key)
	if !ok {
		return item, false
	}
	_, _, k := splitKey(key)
	item, err := decodeKV(k.kv(), row)
	if err != nil {
		m.t.corrupt(key, err)
		return item, false
	}
	return item, true
}

// kvBytes is what an entry counts in the head.
func kvBytes(k *persistence.KVItem) uint64 { return uint64(len(k.Key) + len(k.Value)) }
