package persistencetest

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// watchers compares what heads say of the instances that wait for them with the rows.
func (c *checker) watchers() {
	counts := map[persistence.Incarnation]uint64{}
	for _, w := range c.d.Watchers {
		counts[w.Target]++
		c.expect(c.heads[w.Target].ID != "", "a watcher of incarnation %d, which does not exist", w.Target)
	}
	var draining []persistence.Incarnation
	for _, h := range c.d.Heads {
		c.expect(h.Watchers == counts[h.IID], "%q counts %d watchers, there are %d", h.ID, h.Watchers, counts[h.IID])
		if h.Status.Terminal() && h.Watchers > 0 {
			draining = append(draining, h.IID)
		}
	}
	c.expect(slices.Equal(draining, c.d.Draining), "%v have ended with watchers, %v are listed", draining, c.d.Draining)
	c.expect(c.d.State.Draining == uint64(len(draining)), "%d are counted as ended with watchers, there are %d",
		c.d.State.Draining, len(draining))
}
