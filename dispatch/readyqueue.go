package dispatch

import (
	"cmp"

	"github.com/turnstone-dev/turnstone/persistence"
)

// readyQueue is the ready queue of instances: those that must be told that they have something to do, oldest first, and those
// that must be told later. It is bounded; what finds no room is found again by walking the starts and the inboxes, which
// is also how an open begins.
type readyQueue struct {
	wall  *wallClock
	max   int
	rows  int // of a page
	ready ring[*tell]
	inRdy map[persistence.Incarnation]*tell // those in the ring
	later heap[*tell]
	inLtr map[laterKey]*tell // those in the heap

	// told are the instances that have been told and have not acknowledged it, by when they are told again.
	told   map[persistence.Incarnation]*tell
	byTime heap[*tell]
	// left: some instances have left what they were told until a consumer is attached.
	left bool
	last uint64 // the number of the last tell

	// pausedUntil: the node takes no more for the moment.
	pausedUntil int64
	pause       int64

	starts, inbox, leases walk
	// dropped: something found no room, so the families must be walked again. rewalkAt is when what was dropped is due.
	dropped  bool
	rewalkAt int64
}

// tell is what one instance must be told. In the ring, more than one thing may have come together.
type tell struct {
	id    string
	iid   persistence.Incarnation
	seq   uint64 // nudge; 0: none
	start *persistence.StartEffect
	retry bool
	fresh uint64 // with retry: the runtime that was attached since; 0: none

	dueAt   int64
	backoff bool // dueAt is the end of a backoff
	at      int  // its place in the heap
	gone    bool // skip it in the ring

	// Once it is told: when it is told again, and how often that has been put off.
	number  uint64
	owed    uint64 // the first number that has not been acknowledged, before this one; 0: none
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

// The pause after an instance could not be told, because the node is full. Doubled each time up to the most.
const (
	busyPauseMs    = 20
	busyPauseMaxMs = 1000
)

func newTells(wall *wallClock, max, rows int) *readyQueue {
	place := func(x *tell, at int) { x.at = at }
	return &readyQueue{
		wall: wall, max: max, rows: rows, rewalkAt: Never,
		told: map[persistence.Incarnation]*tell{},
		byTime: heap[*tell]{place: place, less: func(a, b *tell) bool {
			if a.againAt != b.againAt {
				return a.againAt < b.againAt
			}
			return a.iid < b.iid
		}},
		inRdy: map[persistence.Incarnation]*tell{}, inLtr: map[laterKey]*tell{},
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

func (t *readyQueue) len() int { return len(t.inRdy) + len(t.inLtr) }

// put queues something that an instance must be told at news.dueAt by the wall clock, or now if that has passed. A retry
// replaces an earlier retry.
func (t *readyQueue) put(now int64, news tell) {
	if news.retry {
		t.forget(laterKey{news.iid, 0})
	}
	if news.dueAt <= t.wall.at(now) {
		t.soon(news)
		return
	}
	key := laterKey{news.iid, news.seq}
	if t.inLtr[key] != nil {
		return
	}
	if t.len() >= t.max {
		t.rewalkAt = min(t.rewalkAt, news.dueAt)
		return
	}
	t.inLtr[key] = &news
	t.later.push(&news)
}

// soon puts something into the ring, or to what the ring already holds for the instance.
func (t *readyQueue) soon(news tell) {
	x := t.inRdy[news.iid]
	if x == nil {
		if t.len() >= t.max {
			t.dropped = true
			return
		}
		x = &tell{id: news.id, iid: news.iid}
		t.inRdy[news.iid] = x
		t.ready.push(x)
	}
	x.seq = max(x.seq, news.seq)
	x.retry, x.fresh = x.retry || news.retry, max(x.fresh, news.fresh)
	if news.start != nil {
		x.start = news.start
	}
}

func (t *readyQueue) forget(key laterKey) {
	if x := t.inLtr[key]; x != nil {
		delete(t.inLtr, key)
		t.later.remove(x.at)
	}
}

// ended forgets what an instance was to be told. Hidden inbox rows of it stay until their time: a nudge for a row that
// is gone does no harm.
func (t *readyQueue) ended(iid persistence.Incarnation) {
	t.forget(laterKey{iid, 0})
	t.untold(iid)
	if x := t.inRdy[iid]; x != nil {
		delete(t.inRdy, iid)
		x.gone = true
	}
}

// due takes the next instance that must be told now.
func (t *readyQueue) due(now int64) *tell {
	if now < t.pausedUntil {
		return nil
	}
	for t.later.len() > 0 && t.later.top().dueAt <= t.wall.at(now) {
		x := t.later.pop()
		delete(t.inLtr, laterKey{x.iid, x.seq})
		t.soon(*x)
	}
	for t.byTime.len() > 0 && t.byTime.top().againAt <= now {
		x := t.byTime.top()
		x.again = true
		return x
	}
	for t.ready.len() > 0 {
		x := t.ready.pop()
		if x.gone {
			continue
		}
		delete(t.inRdy, x.iid)
		return x
	}
	return nil
}

// An instance that has been told and does not acknowledge it is told again after this time; one that is at work on it
// is asked again after twice the time that it was asked after before, up to the most.
const (
	tellAgainMs    = 10_000
	tellAgainMaxMs = 300_000
)

// tell notes that an instance is told now, under a new number, and says whether it has been told the same before.
func (t *readyQueue) tell(now int64, x *tell) (again bool) {
	again, x.again = x.again, false
	if old := t.told[x.iid]; old != nil { // perhaps x itself
		x.seq, x.retry, x.waited = max(x.seq, old.seq), x.retry || old.retry, old.waited
		x.fresh = max(x.fresh, old.fresh)
		if x.start == nil {
			x.start = old.start
		}
		x.owed = cmp.Or(old.owed, old.number)
		t.untold(x.iid)
	}
	t.last++
	x.number, x.againAt = t.last, now+min(int64(tellAgainMs)<<min(x.waited, 10), tellAgainMaxMs)
	t.told[x.iid] = x
	t.byTime.push(x)
	return again
}

// untold forgets that an instance has been told.
func (t *readyQueue) untold(iid persistence.Incarnation) {
	if x := t.told[iid]; x != nil {
		delete(t.told, iid)
		t.byTime.remove(x.at)
	}
}

// acknowledged takes an answer to all that was told up to a number. What was told meanwhile stays.
func (t *readyQueue) acknowledged(now int64, iid persistence.Incarnation, number uint64, until int64) {
	x := t.told[iid]
	if x == nil || !x.paid(number) {
		return
	}
	t.untold(iid)
	switch {
	case until == 0:
	case x.seq > 0 || x.start != nil:
		t.put(now, tell{id: x.id, iid: iid, seq: x.seq, start: x.start, dueAt: until})
	case t.inLtr[laterKey{iid, 0}] == nil: // else the lease row has it tried again
		t.put(now, tell{id: x.id, iid: iid, retry: true, dueAt: until})
	}
}

// waits puts off the next time at which an instance is told again.
func (t *readyQueue) waits(now int64, iid persistence.Incarnation) {
	x := t.told[iid]
	if x == nil {
		return
	}
	t.byTime.remove(x.at)
	x.waited++
	x.againAt = now + min(int64(tellAgainMs)<<min(x.waited, 10), tellAgainMaxMs)
	t.byTime.push(x)
}

// unserved takes the answer of an instance for which no consumer is attached. It is found again by a walk, once one is.
func (t *readyQueue) unserved(iid persistence.Incarnation, number uint64) {
	if x := t.told[iid]; x != nil && x.paid(number) {
		t.untold(iid)
		t.left = true
	}
}

// tooEarly takes such an answer when a consumer has been attached since it was given: the instance is told again now.
func (t *readyQueue) tooEarly(iid persistence.Incarnation, number uint64) {
	if x := t.told[iid]; x != nil && x.paid(number) {
		t.untold(iid)
		t.soon(tell{id: x.id, iid: iid, seq: x.seq, start: x.start, retry: x.retry, fresh: x.fresh})
	}
}

// paid takes an acknowledgement up to a number, and reports whether everything told so far is acknowledged.
func (x *tell) paid(number uint64) bool {
	if x.owed <= number {
		x.owed = 0
	}
	return x.number <= number
}

// lost returns the instance's id, and true if what was told under a number has not been acknowledged.
func (t *readyQueue) lost(iid persistence.Incarnation, number uint64) (id string, lost bool) {
	x := t.told[iid]
	if x == nil || x.owed == 0 || x.owed > number {
		return "", false
	}
	x.owed = 0
	return x.id, true
}

// served has what was left, and what is held, walked again, since a consumer has been attached.
func (t *readyQueue) served(held bool) {
	t.dropped = t.dropped || t.left || held
	t.left = false
}

// busy stops telling for a while.
func (t *readyQueue) busy(now int64) {
	if now < t.pausedUntil {
		return // several were on their way
	}
	t.pause = min(max(t.pause*2, busyPauseMs), busyPauseMaxMs)
	t.pausedUntil = now + t.pause
}

// calm says that an instance could be told again.
func (t *readyQueue) calm() { t.pause = 0 }

// wantsWalk reports whether a page should be read now. Pages are read one at a time, and only while there is room.
func (t *readyQueue) wantsWalk(now int64) bool {
	if t.leases.running || t.starts.running || t.inbox.running || t.len()+t.rows > t.max && t.len() > 0 {
		return false
	}
	return t.dropped || t.wall.at(now) >= t.rewalkAt || !t.leases.done || !t.starts.done || !t.inbox.done
}

// walkStep names the next page to read. A walk that has ended begins anew if something was dropped since. begins: it is
// the first page of all.
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

// walked reports whether the walks have been to the end and everything they found has been told.
func (t *readyQueue) walked() bool {
	return t.leases.done && t.starts.done && t.inbox.done && !t.dropped && t.ready.len() == 0
}

func (t *readyQueue) page(w *walk, rows int) { w.running, w.done = false, rows < t.rows }

func (t *readyQueue) startsPage(now int64, rows []persistence.StartEffect) {
	t.page(&t.starts, len(rows))
	for i := range rows {
		r := &rows[i]
		t.starts.after = r.IID
		t.put(now, tell{id: r.ID, iid: r.IID, start: r})
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
	if t.rewalkAt > t.wall.at(now) { // else there is no room for a walk yet, and whatever makes room is an input of its own
		wake = t.wall.until(t.rewalkAt)
	}
	if t.later.len() > 0 {
		wake = min(wake, t.wall.until(t.later.top().dueAt))
	}
	if t.byTime.len() > 0 {
		wake = min(wake, t.byTime.top().againAt)
	}
	if t.ready.len() > 0 {
		wake = min(wake, now)
	}
	return max(wake, t.pausedUntil)
}
