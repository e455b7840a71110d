package persistencetest

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// await notes that an instance waits for the end of another one, or no longer, or answers it.
func (m *Model) await(msg persistence.OutboxMessage, head *persistence.Head) {
	var w persistence.WatcherItem
	if head != nil {
		w = persistence.WatcherItem{Target: head.IID, Partition: m.home(msg.Link.ID), Link: msg.Link}
	}
	switch {
	case msg.Kind == persistence.SendAwaited:
		m.putIf(head, head != nil && head.IID == msg.Link.IID, persistence.InboxItem{
			Form: persistence.ItemAwaited, Execution: msg.Link.Execution, Event: msg.Link.Event,
			Outcome: msg.Outcome, Message: msg.Message,
		})
	case msg.Kind == persistence.SendUnawait:
		if head != nil && !head.Status.Terminal() && m.watchers[w] {
			delete(m.watchers, w)
			head.Watchers--
		}
	case head == nil:
		m.answerWatcher(persistence.WatcherItem{Link: msg.Link}, persistence.SendNotFound, nil)
	case head.Status.Terminal() && (m.told == 0 || m.told+len(m.lastPart(head)) <= persistence.DrainBytes):
		m.told += len(m.lastPart(head))
		m.answerWatcher(persistence.WatcherItem{Link: msg.Link}, 0, m.lastPart(head))
	case !m.watchers[w]:
		if head.Status.Terminal() && head.Watchers == 0 {
			m.effects.Draining = append(m.effects.Draining, head.IID)
		}
		m.watchers[w] = true
		head.Watchers++
		m.countDraining()
	}
}

// answerWatcher sends the answer and forgets the watcher.
func (m *Model) answerWatcher(w persistence.WatcherItem, outcome persistence.SendOutcome, last []byte) {
	if m.watchers[w] {
		delete(m.watchers, w)
		m.heads[w.Target].Watchers--
	}
	m.post(persistence.OutboxMessage{
		Kind: persistence.SendAwaited, To: w.Link.ID, Link: w.Link, Outcome: outcome, Message: last,
	})
}

// lastPart has the events with which an instance ended.
func (m *Model) lastPart(head *persistence.Head) []byte {
	parts := m.parts[executionKey{head.IID, head.Execution}]
	return parts[len(parts)-1].Events
}

// answerWatchers answers as many as one command does.
func (m *Model) answerWatchers(head *persistence.Head) {
	last := m.lastPart(head)
	waiting := m.watchersOf(head.IID)
	for _, w := range waiting[:min(len(waiting), persistence.DrainCount(len(last)))] {
		m.answerWatcher(w, 0, last)
	}
	if head.Watchers > 0 {
		m.effects.Draining = append(m.effects.Draining, head.IID)
	}
	m.countDraining()
}

func (m *Model) drainWatchers(c *persistence.DrainWatchers) persistence.Result {
	if head := m.heads[c.IID]; head != nil && head.Status.Terminal() {
		m.answerWatchers(head)
	}
	return persistence.Result{}
}

func (m *Model) watchersOf(target persistence.Incarnation) []persistence.WatcherItem {
	return slices.DeleteFunc(m.sortedWatchers(), func(w persistence.WatcherItem) bool { return w.Target != target })
}

func (m *Model) sortedWatchers() (watchers []persistence.WatcherItem) {
	for w := range m.watchers {
		watchers = append(watchers, w)
	}
	slices.SortFunc(watchers, func(a, b persistence.WatcherItem) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Link.IID, b.Link.IID),
			cmp.Compare(a.Link.Execution, b.Link.Execution), cmp.Compare(a.Link.Event, b.Link.Event))
	})
	return watchers
}

// sortedDraining are the instances that have ended and have watchers left.
func (m *Model) sortedDraining() (ended []persistence.Incarnation) {
	for _, iid := range sortedKeys(m.heads) {
		if h := m.heads[iid]; h.Status.Terminal() && h.Watchers > 0 {
			ended = append(ended, iid)
		}
	}
	return ended
}

func (m *Model) countDraining() { m.state.Draining = uint64(len(m.sortedDraining())) }

// ScanDraining implements [persistence.Reader].
func (m *Model) ScanDraining(after persistence.Incarnation, limit int) ([]persistence.Incarnation, error) {
	return page(m.sortedDraining(), limit, func(iid persistence.Incarnation) bool { return iid > after }), nil
}
