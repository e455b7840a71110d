package turn

import (
	"cmp"
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/replay"
)

// machines has the replay machines of an engine that have not been closed, numbered in the order in which they were made.
type machines struct {
	mu   sync.Mutex
	made uint64
	open map[*replay.Machine]uint64
}

func (l *machines) add(m *replay.Machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[*replay.Machine]uint64{}
	}
	l.made++
	l.open[m] = l.made
}

func (l *machines) remove(m *replay.Machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, m)
}

func (l *machines) all() []*replay.Machine {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*replay.Machine, 0, len(l.open))
	for m := range l.open {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *replay.Machine) int { return cmp.Compare(l.open[a], l.open[b]) })
	return list
}

// CloseMachine unwinds a replay machine on this goroutine.
func (h *Shared) CloseMachine(m *replay.Machine) {
	m.Close()
	h.machines.remove(m)
}

// DiscardMachines closes all replay machines, in the order in which they were made.
func (h *Shared) DiscardMachines() {
	for _, m := range h.machines.all() {
		h.CloseMachine(m)
	}
}
