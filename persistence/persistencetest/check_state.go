package persistencetest

import "github.com/turnstone-dev/turnstone/persistence"

// state compares what heads say of custom status and key-value store with the rows.
func (c *checker) state() {
	versions, counts := map[persistence.Incarnation]uint64{}, map[persistence.Incarnation]*persistence.Head{}
	for _, s := range c.d.Statuses {
		versions[s.IID] = s.Version
		c.expect(c.heads[s.IID].ID != "", "a status of incarnation %d, which does not exist", s.IID)
	}
	for _, k := range c.d.KV {
		if counts[k.IID] == nil {
			counts[k.IID] = &persistence.Head{}
		}
		c.expect(c.heads[k.IID].ID != "", "key %q of incarnation %d, which does not exist", k.Key, k.IID)
		c.expect(k.Current || !k.Cleared, "key %q of incarnation %d is cleared in the base", k.Key, k.IID)
		n := counts[k.IID]
		if k.Current {
			n.KVCurrent++
			continue
		}
		n.KVBase++
		n.KVBaseBytes += uint64(len(k.Key) + len(k.Value))
	}
	for _, h := range c.d.Heads {
		c.expect(h.StatusVersion == versions[h.IID], "%q has status version %d, its row %d", h.ID, h.StatusVersion, versions[h.IID])
		n := counts[h.IID]
		if n == nil {
			n = &persistence.Head{}
		}
		c.expect(h.KVBase == n.KVBase && h.KVBaseBytes == n.KVBaseBytes && h.KVCurrent == n.KVCurrent,
			"%q counts %d keys of %d bytes and %d changed ones; there are %d of %d, and %d",
			h.ID, h.KVBase, h.KVBaseBytes, h.KVCurrent, n.KVBase, n.KVBaseBytes, n.KVCurrent)
		c.expect(!h.KVCleared || h.KVBase > 0, "%q has cleared all of an empty base", h.ID)
	}
}
