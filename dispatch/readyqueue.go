package dispatch

import (
	"cmp"

	"github.com/turnstone-dev/turnstone/persistence"
)

// readyQueue is the ready queue of instances: those that must be told that they have something to do, oldest first, and
// those that must be told later. It is bounded. A walk over the rows of starts and inboxes finds again what had no room; an
// open begins with such a walk.
type readyQueue struct {
	wall    *wallClock
	max     int
	rows    int // of a page
	ready   ring[*tell]
	inReady map[persistence.Incarnation]*tell // those in the ring
	later   heap[*tell]
	inLater map[laterKey]*tell // those in the heap

	// unacked are the tells that were sent and are not acknowledged; resends has them by the time of the next repetition.
	unacked map[persistence.Incarnation]*tell
	resends heap[*tell]
	// anyUnserved: some instances ignored tells because no consumer is attached. A walk repeats them once one is.
	anyUnserved bool
	last        uint64 // the number of the last tell

	// pausedUntil: the node is full, and no tell is sent before this time.
	pausedUntil int64
	pause       int64

	starts, inbox, leases walk
	// dropped: a tell had no room, so the families must be walked again. rewalkAt is when the first dropped tell of later is
	// due.
	dropped  bool
	rewalkAt int64
}

// tell is a message for one instance. In the ring, it combines all that the instance must be told.
type tell struct {
	id    string
	iid   persistence.Incarnation
	seq   uint64 // nudge; 0: none
	start *persistence.StartEffect
	retry bool
	fresh uint64 // with retry: the runtime that was attached after the instance was held; 0: none

	dueAt   int64
	backoff bool // dueAt is the end of a backoff
	at      int  // its place in the heap
	removed bool // skip it in the ring

	// Once it is sent: its number, when it is repeated, and how often the repetition has been postponed.
	number  uint64
	unacked uint64 // the first number that has not been acknowledged, before this one; 0: none
	againAt int64
	waited  int
	again   bool
}

// laterKey: an inbox row that is hidden until its time, or (seq 0) the retry of an instance.
type laterKey struct {
	iid persistence.Incarnation
	seq uint64
}

// walk is a pass over one family, page by page.
type walk struct {
	after   persistence.Incarnation
	running bool
	done    bool
}

// The pause of all tells after one could not be sent because the node is full. It doubles each time, up to the maximum.
const (
	busyPauseMs    = 20
	busyPauseMaxMs = 1000
)

func newReadyQueue(wall *wallClock, max, rows int) *readyQueue {
	place := func(x *tell, at int) { x.at = at }
	return &readyQueue{
		wall: wall, max: max, rows: rows, rewalkAt: Never,
		unacked: map[persistence.Incarnation]*tell{},
		resends: heap[*tell]{place: place, less: func(a, b *tell) bool {
			if a.againAt != b.againAt {
				return a.againAt < b.againAt
			}
			return a.iid < b.iid
		}},
		inReady: map[persistence.Incarnation]*tell{}, inLater: map[laterKey]*tell{},
		later: heap[*tell]{
			less: func(a, b *tell) bool {
				if a.dueAt != b.dueAt {
					return a.dueAt < b.dueAt
				}
				if a.iid != b.iid {
					return a.iid < b.iid
				}
				return a.seq < b.seq
			},
			place: place,
		},
	}
}

func (t *readyQueue) len() int { return len(t.inReady) + len(t.inLater) }

// put queues a tell for the time item.dueAt of the wall clock, or for now if that has passed. A retry replaces an earlier
// retry.
func (t *readyQueue) put(now int64, item tell) {
	if item.retry {
		t.dropLater(laterKey{item.iid, 0})
	}
	if item.dueAt <= t.wall.at(now) {
		t.enqueue(item)
		return
	}
	key := laterKey{item.iid, item.seq}
	if t.inLater[key] != nil {
		return
	}
	if t.len() >= t.max {
		t.rewalkAt = min(t.rewalkAt, item.dueAt)
		return
	}
	t.inLater[key] = &item
	t.later.push(&item)
}

// enqueue puts a tell into the ring, or combines it with the tell of the same instance that is there.
func (t *readyQueue) enqueue(item tell) {
	x := t.inReady[item.iid]
	if x == nil {
		if t.len() >= t.max {
			t.dropped = true
			return
		}
		x = &tell{id: item.id, iid: item.iid}
		t.inReady[item.iid] = x
		t.ready.push(x)
	}
	x.seq = max(x.seq, item.seq)
	x.retry, x.fresh = x.retry || item.retry, max(x.fresh, item.fresh)
	if item.start != nil {
		x.start = item.start
	}
}

func (t *readyQueue) dropLater(key laterKey) {
	if x := t.inLater[key]; x != nil {
		delete(t.inLater, key)
		t.later.remove(x.at)
	}
}

// ended drops the tells of an instance. Those of hidden inbox rows stay until their time: a nudge for a row that no longer
// exists does no harm.
func (t *readyQueue) ended(iid persistence.Incarnation) {
	t.dropLater(laterKey{iid, 0})
	t.dropUnacked(iid)
	if x := t.inReady[iid]; x != nil {
		delete(t.inReady, iid)
		x.removed = true
	}
}

// due returns the next tell that must be sent now.
func (t *readyQueue) due(now int64) *tell {
	if now < t.pausedUntil {
		return nil
	}
	for t.later.len() > 0 && t.later.top().dueAt <= t.wall.at(now) {
		x := t.later.pop()
		delete(t.inLater, laterKey{x.iid, x.seq})
		t.enqueue(*x)
	}
	for t.resends.len() > 0 && t.resends.top().againAt <= now {
		x := t.resends.top()
		x.again = true
		return x
	}
	for t.ready.len() > 0 {
		x := t.ready.pop()
		if x.removed {
			continue
		}
		delete(t.inReady, x.iid)
		return x
	}
	return nil
}

// A tell that is not acknowledged is repeated after this time. While the instance is at work on it, the time doubles with
// each repetition, up to the maximum.
const (
	tellAgainMs    = 10_000
	tellAgainMaxMs = 300_000
)

// sent notes that a tell is sent now, under a new number, and reports whether it repeats an earlier one.
func (t *readyQueue) sent(now int64, x *tell) (again bool) {
	again, x.again = x.again, false
	if old := t.unacked[x.iid]; old != nil { // perhaps x itself
		x.seq, x.retry, x.waited = max(x.seq, old.seq), x.retry || old.retry, old.waited
		x.fresh = max(x.fresh, old.fresh)
		if x.start == nil {
			x.start = old.start
		}
		x.unacked = cmp.Or(old.unacked, old.number)
		t.dropUnacked(x.iid)
	}
	t.last++
	x.number, x.againAt = t.last, now+min(int64(tellAgainMs)<<min(x.waited, 10), tellAgainMaxMs)
	t.unacked[x.iid] = x
	t.resends.push(x)
	return again
}

// dropUnacked drops the tell that an instance has not acknowledged.
func (t *readyQueue) dropUnacked(iid persistence.Incarnation) {
	if x := t.unacked[iid]; x != nil {
		delete(t.unacked, iid)
		t.resends.remove(x.at)
	}
}

// acknowledged takes the acknowledgement of all tells up to a number. A later tell stays.
func (t *readyQueue) acknowledged(now int64, iid persistence.Incarnation, number uint64, until int64) {
	x := t.unacked[iid]
	if x == nil || !x.acknowledge(number) {
		return
	}
	t.dropUnacked(iid)
	switch {
	case until == 0:
	case x.seq > 0 || x.start != nil:
		t.put(now, tell{id: x.id, iid: iid, seq: x.seq, start: x.start, dueAt: until})
	case t.inLater[laterKey{iid, 0}] == nil: // else the lease row has scheduled the next try
		t.put(now, tell{id: x.id, iid: iid, retry: true, dueAt: until})
	}
}

// postpone moves the next repetition of an instance's tell to later.
func (t *readyQueue) postpone(now int64, iid persistence.Incarnation) {
	x := t.unacked[iid]
	if x == nil {
		return
	}
	t.resends.remove(x.at)
	x.waited++
	x.againAt = now + min(int64(tellAgainMs)<<min(x.waited, 10), tellAgainMaxMs)
	t.resends.push(x)
}

// unserved takes the answer of an instance for which no consumer is attached. A walk finds the instance again once one is.
func (t *readyQueue) unserved(iid persistence.Incarnation, number uint64) {
	if x := t.unacked[iid]; x != nil && x.acknowledge(number) {
		t.dropUnacked(iid)
		t.anyUnserved = true
	}
}

// requeue takes such an answer when a consumer was attached after it was given: the tell is repeated now.
func (t *readyQueue) requeue(iid persistence.Incarnation, number uint64) {
	if x := t.unacked[iid]; x != nil && x.acknowledge(number) {
		t.dropUnacked(iid)
		t.enqueue(tell{id: x.id, iid: iid, seq: x.seq, start: x.start, retry: x.retry, fresh: x.fresh})
	}
}

// acknowledge takes an acknowledgement up to a number, and reports whether it covers the last tell.
func (x *tell) acknowledge(number uint64) bool {
	if x.unacked <= number {
		x.unacked = 0
	}
	return x.number <= number
}

// lost returns the instance's id, and true if the tell with a number has not been acknowledged.
func (t *readyQueue) lost(iid persistence.Incarnation, number uint64) (id string, lost bool) {
	x := t.unacked[iid]
	if x == nil || x.unacked == 0 || x.unacked > number {
		return "", false
	}
	x.unacked = 0
	return x.id, true
}

// consumerAttached starts a walk if an instance ignored a tell for want of a consumer, or if any is held.
func (t *readyQueue) consumerAttached(held bool) {
	t.dropped = t.dropped || t.anyUnserved || held
	t.anyUnserved = false
}

// busy pauses all tells.
func (t *readyQueue) busy(now int64) {
	if now < t.pausedUntil {
		return // several tells were on their way when the node was full
	}
	t.pause = min(max(t.pause*2, busyPauseMs), busyPauseMaxMs)
	t.pausedUntil = now + t.pause
}

// accepted ends the doubling of the pause: a tell could be sent.
func (t *readyQueue) accepted() { t.pause = 0 }

// wantsWalk reports whether a page should be read now. Pages are read one at a time, and only while there is room.
func (t *readyQueue) wantsWalk(now int64) bool {
	if t.leases.running || t.starts.running || t.inbox.running || t.len()+t.rows > t.max && t.len() > 0 {
		return false
	}
	return t.dropped || t.wall.at(now) >= t.rewalkAt || !t.leases.done || !t.starts.done || !t.inbox.done
}

// walkStep asks for the next page. When the last walk has ended and a tell was dropped, a new walk begins. begins: the page
// is the first one of a walk.
func (t *readyQueue) walkStep(now int64, emit func(Action)) (begins bool) {
	if !t.wantsWalk(now) {
		return false
	}
	if t.leases.done && t.starts.done && t.inbox.done {
		t.dropped = false
		if t.wall.at(now) >= t.rewalkAt {
			t.rewalkAt = Never
		}
		t.leases, t.starts, t.inbox = walk{}, walk{}, walk{}
	}
	switch {
	case !t.leases.done:
		begins = t.leases.after == 0
		t.leases.running = true
		emit(Action{Kind: ScanLeases, Max: t.rows, After: t.leases.after})
	case !t.starts.done:
		t.starts.running = true
		emit(Action{Kind: ScanStarts, Max: t.rows, After: t.starts.after})
	default:
		t.inbox.running = true
		emit(Action{Kind: ScanInbox, Max: t.rows, After: t.inbox.after})
	}
	return begins
}

// walked reports whether the walks are complete and all tells that they found have been sent.
func (t *readyQueue) walked() bool {
	return t.leases.done && t.starts.done && t.inbox.done && !t.dropped && t.ready.len() == 0
}

func (t *readyQueue) page(w *walk, rows int) { w.running, w.done = false, rows < t.rows }

func (t *readyQueue) startsPage(now int64, rows []persistence.StartEffect) {
	t.page(&t.starts, len(rows))
	for i := range rows {
		r := &rows[i]
		t.starts.after = r.IID
		t.put(now, tell{id: r.ID, iid: r.IID, start: r, dueAt: r.NotBeforeMs})
	}
}

func (t *readyQueue) inboxPage(now int64, rows []persistence.InboxEffect) {
	t.page(&t.inbox, len(rows))
	for _, r := range rows {
		t.inbox.after = r.IID
		t.put(now, tell{id: r.ID, iid: r.IID, seq: r.Seq, dueAt: r.NotBeforeMs})
	}
}

func (t *readyQueue) wake(now int64) int64 {
	wake := Never
	if t.rewalkAt > t.wall.at(now) { // else there is no room for a walk yet; the input that makes room starts it
		wake = t.wall.until(t.rewalkAt)
	}
	if t.later.len() > 0 {
		wake = min(wake, t.wall.until(t.later.top().dueAt))
	}
	if t.resends.len() > 0 {
		wake = min(wake, t.resends.top().againAt)
	}
	if t.ready.len() > 0 {
		wake = min(wake, now)
	}
	return max(wake, t.pausedUntil)
}
