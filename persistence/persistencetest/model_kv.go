package persistencetest

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

type kvKey struct {
	iid     persistence.Incarnation
	current bool
	key     string
}

// layer lists the rows of a layer of an instance's store, by key.
func (m *Model) layer(iid persistence.Incarnation, current bool) (items []persistence.KVItem) {
	for _, item := range m.kv {
		if item.IID == iid && item.Current == current {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b persistence.KVItem) int { return cmp.Compare(a.Key, b.Key) })
	return items
}

func (m *Model) putKV(item persistence.KVItem) {
	m.kv[kvKey{item.IID, item.Current, item.Key}] = item
}

func (m *Model) dropLayer(iid persistence.Incarnation, current bool) {
	for _, item := range m.layer(iid, current) {
		delete(m.kv, kvKey{iid, current, item.Key})
	}
}

// changeKV takes changes into the current layer. A key that is cleared leaves a row only where the base may have it.
func (m *Model) changeKV(head *persistence.Head, changes []persistence.KVChange) {
	for _, c := range changes {
		item := persistence.KVItem{IID: head.IID, Current: true, KVEntry: persistence.KVEntry{Key: c.Key}}
		switch c.Op {
		case persistence.KVSet:
			item.Value, item.UpdatedMs = c.Value, c.UpdatedMs
			m.putKV(item)
		case persistence.KVClear:
			delete(m.kv, kvKey{head.IID, true, c.Key})
			if head.KVBase > 0 && !head.KVCleared {
				item.Cleared = true
				m.putKV(item)
			}
		case persistence.KVClearAll:
			m.dropLayer(head.IID, true)
			head.KVCleared = head.KVBase > 0
		}
	}
	m.countKV(head)
}

// mergeKV makes what others see the base of the next execution.
func (m *Model) mergeKV(head *persistence.Head) {
	all := m.merged(head.IID)
	m.dropLayer(head.IID, true)
	m.dropLayer(head.IID, false)
	for _, e := range all {
		m.putKV(persistence.KVItem{IID: head.IID, KVEntry: e})
	}
	head.KVCleared = false
	m.countKV(head)
}

func (m *Model) countKV(head *persistence.Head) {
	base := m.layer(head.IID, false)
	head.KVBase, head.KVBaseBytes, head.KVCurrent = uint64(len(base)), 0, uint64(len(m.layer(head.IID, true)))
	for _, item := range base {
		head.KVBaseBytes += uint64(len(item.Key) + len(item.Value))
	}
}

// merged lists an instance's entries as others see them.
func (m *Model) merged(iid persistence.Incarnation) (entries []persistence.KVEntry) {
	head := m.heads[iid]
	if head == nil {
		return nil
	}
	all := map[string]persistence.KVItem{}
	if !head.KVCleared {
		for _, item := range m.layer(iid, false) {
			all[item.Key] = item
		}
	}
	for _, item := range m.layer(iid, true) {
		all[item.Key] = item
	}
	for _, key := range sortedKeys(all) {
		if !all[key].Cleared {
			entries = append(entries, all[key].KVEntry)
		}
	}
	return entries
}

// KV implements [persistence.Reader].
func (m *Model) KV(iid persistence.Incarnation, key string) (persistence.KVEntry, bool, error) {
	for _, e := range m.merged(iid) {
		if e.Key == key {
			return e, true, nil
		}
	}
	return persistence.KVEntry{}, false, nil
}

// KVList implements [persistence.Reader].
func (m *Model) KVList(iid persistence.Incarnation, after *string, limit, maxBytes int) (page persistence.KVPage, _ error) {
	size := 0
	for _, e := range m.merged(iid) {
		if after != nil && e.Key <= *after {
			continue
		}
		n := len(page.Entries)
		if size += len(e.Key) + len(e.Value); n == limit || n > 0 && maxBytes > 0 && size > maxBytes {
			page.More = true
			break
		}
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}

// KVBase implements [persistence.Reader].
func (m *Model) KVBase(iid persistence.Incarnation) (entries []persistence.KVEntry, _ error) {
	for _, item := range m.layer(iid, false) {
		entries = append(entries, item.KVEntry)
	}
	return entries, nil
}

func (m *Model) sortedKV() (all []persistence.KVItem) {
	for _, iid := range sortedKeys(m.heads) {
		all = append(append(all, m.layer(iid, false)...), m.layer(iid, true)...)
	}
	return all
}
