package view

import (
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
)

// startsAt returns when the first turn of an instance may run; 0 is at once. It does not read what the start carries: in
// careful mode that may be read under a lease only, and an instance that waits for its time takes none.
func startsAt(r persistence.Reader, h *persistence.Head) (ms int64, err error) {
	if h.Turn > 0 || h.Execution > 1 {
		return 0, nil
	}
	starts, err := r.ScanStarts(h.IID-1, 1)
	if err != nil || len(starts) == 0 || starts[0].IID != h.IID {
		return 0, err
	}
	return starts[0].NotBeforeMs, nil
}

// delayed reports whether the first turn must wait for the time that its start gives.
func (m *Load) delayed() bool {
	return m.View.StartsAtMs != 0 && m.View.StartsAtMs > clock.WallMs(m.Source.Clock)
}
