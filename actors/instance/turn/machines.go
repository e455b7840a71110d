package turn

import (
	"cmp"
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/replay"
)

// newMachine makes a replay machine for an execution, whose handler and store of keys are in cfg. c runs it, and is nil if no
// code runs.
func (h *Shared) newMachine(head *turnHead, c *consumer.Attached, cfg replay.Config) *replay.Machine {
	cfg.Instance, cfg.Execution = head.id, head.Execution
	cfg.Limits, cfg.Stray, cfg.Unlocked = h.replayLimits(), h.logLateCall, true
	cfg.RejectOrphans = !h.Config.FailOnNondeterminism && (c == nil || !c.FailOnNondeterminism)
	m := replay.New(cfg)
	h.machines.add(m)
	return m
}

// machines has the replay machines of an engine that have not been closed, numbered in the order in which they were made.
type machines struct {
	mu   sync.Mutex
	made uint64
	open map[*replay.Machine]openMachine
}

// openMachine is one that has not been closed. made is its number; claimed: it is about to be closed.
type openMachine struct {
	made    uint64
	claimed bool
}

func (l *machines) add(m *replay.Machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[*replay.Machine]openMachine{}
	}
	l.made++
	l.open[m] = openMachine{made: l.made}
}

func (l *machines) remove(m *replay.Machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, m)
}

// claim reports whether the caller is the first that is to close a replay machine.
func (l *machines) claim(m *replay.Machine) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, open := l.open[m]
	if !open || x.claimed {
		return false
	}
	x.claimed = true
	l.open[m] = x
	return true
}

func (l *machines) all() []*replay.Machine {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*replay.Machine, 0, len(l.open))
	for m := range l.open {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *replay.Machine) int { return cmp.Compare(l.open[a].made, l.open[b].made) })
	return list
}

// ClaimMachine reports whether the caller is the first that is to close a replay machine. A coroutine must not be unwound by
// two goroutines.
func (h *Shared) ClaimMachine(m *replay.Machine) bool { return h.machines.claim(m) }

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
