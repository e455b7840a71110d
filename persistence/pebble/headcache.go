package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// headCache keeps the most recently used heads. Only Apply changes it. A dirty head is never dropped.
type headCache struct {
	max  int
	rows map[persistence.Incarnation]*headRow
	// ends closes the list to a ring: ends.newer is the oldest entry, ends.older the newest.
	ends headRow
}

func newHeadCache(max int) *headCache {
	c := &headCache{max: max, rows: map[persistence.Incarnation]*headRow{}}
	c.ends.newer, c.ends.older = &c.ends, &c.ends
	return c
}

// get finds a head and makes it the newest.
func (c *headCache) get(iid persistence.Incarnation) *headRow {
	h := c.rows[iid]
	if h != nil && c.ends.older != h {
		c.unlink(h)
		c.link(h)
	}
	return h
}

// add adds a head that is not in the cache.
func (c *headCache) add(h *headRow) {
	c.rows[h.IID] = h
	c.link(h)
}

// remove removes a head that is in the cache.
func (c *headCache) remove(h *headRow) {
	delete(c.rows, h.IID)
	c.unlink(h)
}

// trim drops the oldest heads. Call it between batches, when no head is dirty.
func (c *headCache) trim() {
	for len(c.rows) > c.max {
		oldest := c.ends.newer
		c.unlink(oldest)
		delete(c.rows, oldest.IID)
	}
}

func (c *headCache) link(h *headRow) {
	newest := c.ends.older
	h.older, h.newer = newest, &c.ends
	newest.newer, c.ends.older = h, h
}

func (c *headCache) unlink(h *headRow) {
	h.older.newer, h.newer.older = h.newer, h.older
}
