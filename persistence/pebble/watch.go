package pebble

import (
	"bytes"

	"github.com/turnstone-dev/turnstone/persistence"
)

// receiveAwait applies a message about an instance that another one waits for.
func (m *machine) receiveAwait(h *headRow, o *persistence.OutboxMessage) {
	switch {
	case o.Kind == persistence.SendAwaited:
		m.answer(h, o.Link, &persistence.InboxItem{
			Form: persistence.ItemAwaited, Execution: o.Link.Execution, Event: o.Link.Event, Outcome: o.Outcome, Message: o.Message,
		})
	case o.Kind == persistence.SendUnawait:
		m.unwatch(h, &o.Link)
	case h == nil:
		m.answerAwait(&o.Link, persistence.SendNotFound, nil)
	case h.Status.Terminal():
		m.tellEnd(h, &o.Link)
	default:
		m.watch(h, &o.Link)
	}
}

// answerAwait tells the instance that waits.
func (m *machine) answerAwait(l *persistence.Link, outcome persistence.SendOutcome, last []byte) {
	m.send(&persistence.OutboxMessage{Kind: persistence.SendAwaited, To: l.ID, Link: *l, Outcome: outcome, Message: last})
}

// tellEnd answers a wait for an instance that has ended already. If one command brings so many that their answers are more than
// a batch, the rest are watchers, as if they had come before the end.
func (m *machine) tellEnd(h *headRow, l *persistence.Link) {
	last := m.lastEvents(h)
	if m.told == 0 || m.told+len(last) <= persistence.DrainBytes {
		m.told += len(last)
		m.answerAwait(l, 0, last)
		return
	}
	listed := h.Watchers > 0
	m.watch(h, l)
	if !listed {
		m.fx().Draining = append(m.fx().Draining, h.IID)
		m.listDraining(h)
	}
}

// watcherOf is the row of an instance that waits for another one.
func (m *machine) watcherOf(h *headRow, l *persistence.Link) *persistence.WatcherItem {
	return &persistence.WatcherItem{Target: h.IID, Partition: m.slots[persistence.Slot(l.ID)], Link: *l}
}

func (m *machine) watch(h *headRow, l *persistence.Link) {
	w := m.watcherOf(h, l)
	key := appendWatcher(nil, m.p, w)
	if m.t.has(key) {
		return
	}
	encodeWatcher(m.t.newValue(), w)
	m.t.put(key, m.t.value)
	h.Watchers++
	m.touch(h)
}

// unwatch removes the row of an instance that waits no longer. One that has ended keeps it until it is answered: the answer is
// ignored.
func (m *machine) unwatch(h *headRow, l *persistence.Link) {
	if h == nil || h.Status.Terminal() || h.Watchers == 0 {
		return
	}
	key := appendWatcher(nil, m.p, m.watcherOf(h, l))
	if !m.t.has(key) {
		return
	}
	m.t.del(key)
	h.Watchers--
	m.touch(h)
}

func (m *machine) drainWatchers(c *persistence.DrainWatchers) persistence.Result {
	if h := m.head(c.IID); h != nil && h.Status.Terminal() && h.Watchers > 0 {
		m.drain(h, true)
	}
	return persistence.Result{}
}

// drain answers the next watchers of an instance that has ended, and lists it as long as some are left.
func (m *machine) drain(h *headRow, listed bool) {
	last := m.lastEvents(h)
	m.takeWatchers(h, persistence.DrainCount(len(last)), func(l *persistence.Link) { m.answerAwait(l, 0, last) })
	left := h.Watchers > 0
	if left {
		m.fx().Draining = append(m.fx().Draining, h.IID)
	}
	switch {
	case left && !listed:
		m.listDraining(h)
	case listed && !left:
		m.unlistDraining(h)
	}
}

func (m *machine) listDraining(h *headRow) {
	m.t.key = appendInstance(m.t.key[:0], m.p, famDraining, h.IID)
	encodeMark(m.t.newValue())
	m.t.put(m.t.key, m.t.value)
	m.state.Draining++
}

func (m *machine) unlistDraining(h *headRow) {
	m.t.key = appendInstance(m.t.key[:0], m.p, famDraining, h.IID)
	m.t.del(m.t.key)
	m.state.Draining--
}

// abandonWatchers tells those that wait for an instance which is deleted that there is none.
func (m *machine) abandonWatchers(h *headRow) {
	if h.Watchers == 0 {
		return
	}
	m.takeWatchers(h, int(h.Watchers), func(l *persistence.Link) { m.answerAwait(l, persistence.SendNotFound, nil) })
	m.unlistDraining(h)
}

// takeWatchers removes the first rows of the instances that wait for another one, at most so many, and calls each with them.
func (m *machine) takeWatchers(h *headRow, most int, each func(l *persistence.Link)) {
	for i, key := range m.t.firstUnder(appendInstance(nil, m.p, famWatcher, h.IID), most) {
		row, ok := m.t.get(key)
		if !ok {
			m.t.corrupt(key, errMissing)
			return
		}
		_, _, r := splitKey(key)
		w, err := decodeWatcher(r.watcher(), row)
		if err != nil {
			m.t.corrupt(key, err)
			return
		}
		m.t.del(key)
		h.Watchers--
		if plantedWatchers && i == 0 {
			continue
		}
		each(&w.Link)
	}
	m.touch(h)
}

// lastEvents returns the last part of the history of an instance that has ended, which says how.
func (m *machine) lastEvents(h *headRow) []byte {
	if h.ends {
		return h.last
	}
	m.t.key = appendSegment(m.t.key[:0], m.p, h.IID, h.Execution, h.LastPart, h.Turn)
	row, ok := m.t.stored(m.t.key)
	if !ok {
		m.t.corrupt(m.t.key, errMissing)
		return nil
	}
	part, err := decodePart(h.Execution, h.LastPart, h.Turn, row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
	}
	return bytes.Clone(part.Events)
}
