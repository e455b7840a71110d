package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// work holds the activities of a partition that wait for a consumer, oldest first, within a bound, and those that were
// granted to a consumer.
type work struct {
	cfg       *Config
	wall      *wallClock
	consumers consumers

	entries      map[persistence.WorkKey]*entry
	routes       []*route     // in the order in which they were first needed
	later        heap[*entry] // not before a time of the wall clock, or leased by another holder
	paused       heap[*entry] // released, and not to be granted again before some time has elapsed
	unregistered heap[*entry] // no consumer has the handler: to be given back
	exhausted    heap[*entry] // attempted too often: to be recorded as poison
	orphans      heap[*entry] // leased by this process, but no activity uses the lease: to be given back
	unserved     heap[*entry] // no consumer of activities is attached
	deadlines    deadlines
	busy         int // in none of these heaps: granted, being given back, or being recorded
	settling     int // of those, being given back or recorded

	admitted ring[persistence.WorkKey] // suspects that may start and have no consumer yet

	inputBytes int
	bounds     bounds
	refill     refill
	walks      int // complete ones

	suspectBelow     uint64 // work with a lower order is suspect
	newestOrder      uint64 // the highest order seen
	freshPausedUntil int64
}

// entry is one activity.
type entry struct {
	item       persistence.WorkItem
	state      workState
	queue      *heap[*entry] // the heap that holds it; nil if it is busy
	at         int
	wake       int64 // in the time of its heap
	route      *route
	ticket     uint64 // of the probation; 0: none
	admittedAt int64  // when the probation admitted it; 0: it has not
	// orphanUntil is when its orphan lease is given back, in elapsed time; 0: it has none.
	orphanUntil int64
	// deadline is when it is given up if it still waits, by the wall clock; deadlineAt is its place among the deadlines,
	// counted from 1; 0: it has none. started: a consumer has had it.
	deadline   int64
	deadlineAt int
	started    bool
}

type workState uint8

const (
	waiting  workState = iota
	granted            // to a consumer
	settling           // being given back or recorded as poison
)

// route has the queues of the work that the same consumers can do.
type route struct {
	mask        uint64
	fresh       heap[*entry]
	suspects    heap[*entry]
	onProbation *entry // the suspect of this route that waits for its admission
}

// settlingMax bounds how much work is being given back or recorded as poison at once.
const settlingMax = 64

func byOrder(a, b *entry) bool { return a.item.Order < b.item.Order }

func newHeap(less func(a, b *entry) bool) heap[*entry] {
	return heap[*entry]{less: less, place: func(e *entry, at int) { e.at = at }}
}

func byWake(a, b *entry) bool {
	if a.wake != b.wake {
		return a.wake < b.wake
	}
	return byOrder(a, b)
}

func newWork(cfg *Config, wall *wallClock) *work {
	return &work{
		cfg: cfg, wall: wall, entries: map[persistence.WorkKey]*entry{},
		later: newHeap(byWake), paused: newHeap(byWake),
		unregistered: newHeap(byOrder), exhausted: newHeap(byOrder), orphans: newHeap(byOrder), unserved: newHeap(byOrder),
		deadlines: newDeadlines(), bounds: newBounds(cfg.WorkMax),
	}
}

// changed takes a new or changed row.
func (w *work) changed(now int64, item *persistence.WorkItem) {
	w.newestOrder = max(w.newestOrder, item.Order)
	if e := w.entries[item.Key]; e != nil {
		w.update(e, item)
		if e.state == waiting {
			w.unqueue(e)
			w.place(now, e)
		}
		return
	}
	if w.refill.noteChanged(item) {
		return
	}
	w.admit(now, item)
}

// update replaces a row. It keeps the input, which only the effect of the row's creation has.
func (w *work) update(e *entry, item *persistence.WorkItem) {
	old := e.item
	e.item = *item
	if old.Token != item.Token {
		e.orphanUntil = 0
	}
	if item.Orchestration == "" {
		e.item.Input, e.item.Orchestration, e.item.Version = old.Input, old.Orchestration, old.Version
	}
	w.inputBytes += len(e.item.Input) - len(old.Input)
}

// forgetInput drops an entry's input, orchestration and version; they are read from the history when they are needed.
func (w *work) forgetInput(e *entry) {
	w.inputBytes -= len(e.item.Input)
	e.item.Input, e.item.Orchestration, e.item.Version = nil, "", ""
}

// admit brings a row into memory if there is room for it.
func (w *work) admit(now int64, item *persistence.WorkItem) {
	due := w.dueAt(now, item)
	if !w.bounds.admit(w.wall.at(now), item.Order, due, len(w.entries)-w.busy, w.later.len()) {
		return
	}
	e := &entry{item: *item, at: -1}
	w.inputBytes += len(e.item.Input)
	if w.inputBytes > w.cfg.InputBytesMax {
		w.forgetInput(e)
	}
	w.entries[item.Key] = e
	w.place(now, e)
}

// dueAt returns when, by the wall clock, the row may be granted: 0 if at once.
func (w *work) dueAt(now int64, item *persistence.WorkItem) int64 {
	wall := w.wall.at(now)
	if item.Token != "" && item.ExpiresAtMs > wall && !w.cfg.dead(item.Holder) && !w.cfg.own(item.Holder) {
		return max(item.ExpiresAtMs, item.NotBeforeMs)
	}
	if BacksOff(item.NotBeforeMs, wall, w.cfg.BackoffMaxMs) {
		return item.NotBeforeMs
	}
	return 0
}

// place puts a waiting entry into its heap.
func (w *work) place(now int64, e *entry) {
	e.state = waiting
	queue := &w.later
	e.wake = w.dueAt(now, &e.item)
	switch {
	case w.orphaned(now, e):
		queue = &w.orphans
		if now < e.orphanUntil {
			queue, e.wake = &w.paused, e.orphanUntil
		}
	case e.wake == 0:
		queue = w.queueOf(e)
	}
	e.queue = queue
	queue.push(e)
	w.deadlines.watch(w.cfg, e)
}

// orphaned reports whether a waiting row has a lease of this process. No activity uses that lease any more, but code that
// was told to stop may still run. The entry therefore waits as long as the lease would last, in elapsed time, which does not
// change when the wall clock is set.
func (w *work) orphaned(now int64, e *entry) bool {
	left := e.item.ExpiresAtMs - w.wall.at(now)
	if e.item.Token == "" || left <= 0 || !w.cfg.own(e.item.Holder) {
		e.orphanUntil = 0
		return false
	}
	if e.orphanUntil == 0 {
		e.orphanUntil = now + min(left, w.cfg.WorkLeaseMs)
	}
	return true
}

func (w *work) queueOf(e *entry) *heap[*entry] {
	mask := w.consumers.mask(e.item.Name)
	switch {
	case e.item.Attempts >= w.cfg.MaxAttempts:
		return &w.exhausted
	case mask == 0 && !w.consumers.any():
		return &w.unserved
	case mask == 0:
		return &w.unregistered
	}
	e.route = w.routeOf(mask)
	if e.item.Order < w.suspectBelow {
		return &e.route.suspects
	}
	return &e.route.fresh
}

func (w *work) routeOf(mask uint64) *route {
	for _, r := range w.routes {
		if r.mask == mask {
			return r
		}
	}
	r := &route{mask: mask, fresh: newHeap(byOrder), suspects: newHeap(byOrder)}
	w.routes = append(w.routes, r)
	return r
}

// unqueue removes a waiting entry from its heap.
func (w *work) unqueue(e *entry) {
	if e.queue != nil {
		e.queue.remove(e.at)
		e.queue = nil
	}
	w.deadlines.unwatch(e)
	w.leaveProbation(e)
}

// leaveProbation returns the ticket of an entry that waits for its admission.
func (w *work) leaveProbation(e *entry) {
	if e.route != nil && e.route.onProbation == e {
		e.route.onProbation = nil
	}
	if e.ticket != 0 && e.state == waiting {
		w.cfg.Probation.Done(e.ticket)
	}
	e.ticket, e.admittedAt, e.route = 0, 0, nil
}

// deleted takes the deletion of a row.
func (w *work) deleted(key persistence.WorkKey) {
	w.refill.noteDeleted(key)
	e := w.entries[key]
	if e == nil {
		return
	}
	w.setState(e, waiting)
	w.unqueue(e)
	w.inputBytes -= len(e.item.Input)
	delete(w.entries, key)
}

// setState changes the state of an entry and the counts.
func (w *work) setState(e *entry, state workState) {
	for _, step := range [...]struct {
		state workState
		by    int
	}{{e.state, -1}, {state, 1}} {
		if step.state != waiting {
			w.busy += step.by
		}
		if step.state == settling {
			w.settling += step.by
		}
	}
	if state != waiting {
		w.deadlines.unwatch(e)
	}
	if e.state != waiting && state == waiting {
		e.ticket, e.admittedAt, e.route = 0, 0, nil // the ticket went with the grant
	}
	e.state = state
}

// release takes back an entry that is granted or settling, and whose row still exists. It is not granted again before
// notBefore, in elapsed time, even if its row allows it.
func (w *work) release(now int64, key persistence.WorkKey, notBefore int64) {
	e := w.entries[key]
	if e == nil || e.state == waiting {
		return
	}
	w.setState(e, waiting)
	if notBefore <= now {
		w.place(now, e)
		return
	}
	e.wake, e.queue = notBefore, &w.paused
	w.paused.push(e)
	w.deadlines.watch(w.cfg, e)
}

// wakeUp places the entries whose time has come.
func (w *work) wakeUp(now int64) {
	for w.later.len() > 0 && w.later.top().wake <= w.wall.at(now) {
		e := w.later.pop()
		e.queue = nil
		w.place(now, e)
	}
	for w.paused.len() > 0 && w.paused.top().wake <= now {
		e := w.paused.pop()
		e.queue = nil
		w.place(now, e)
	}
}

// reroute places all entries again, because a consumer was attached or detached, or because other work is suspect now.
func (w *work) reroute(now int64) {
	var all []*entry
	for _, r := range w.routes {
		all = append(all, r.fresh.clear()...)
		all = append(all, r.suspects.clear()...)
	}
	all = append(all, w.unregistered.clear()...)
	all = append(all, w.unserved.clear()...)
	w.routes = nil
	slices.SortFunc(all, func(a, b *entry) int {
		if byOrder(a, b) {
			return -1
		}
		return 1
	})
	for _, e := range all {
		e.queue = nil
		w.leaveProbation(e)
		w.place(now, e)
	}
}

// opened reports whether a walk has read the rows that existed at the open.
func (w *work) opened() bool { return w.walks > 0 }

// careful sets the order below which work is suspect.
func (w *work) careful(now int64, below uint64) {
	if below == w.suspectBelow {
		return
	}
	w.suspectBelow = below
	w.reroute(now)
}

// settleDue emits the actions that give work back or record it as poison.
func (w *work) settleDue(emit func(Action)) {
	for w.settling < settlingMax && w.orphans.len() > 0 {
		e := w.orphans.pop()
		e.queue = nil
		w.setState(e, settling)
		item := e.item
		emit(Action{Kind: GiveBack, ID: item.ID, IID: item.Key.IID, Work: &item})
	}
	for w.settling < settlingMax && w.exhausted.len() > 0 {
		e := w.exhausted.pop()
		e.queue = nil
		w.setState(e, settling)
		item := e.item
		emit(Action{Kind: Poison, ID: item.ID, IID: item.Key.IID, Work: &item})
	}
	for w.settling < settlingMax && w.unregistered.len() > 0 {
		e := w.unregistered.pop()
		e.queue = nil
		w.setState(e, settling)
		item := e.item
		emit(Action{Kind: BackOff, ID: item.ID, IID: item.Key.IID, Work: &item,
			DelayMs: BackoffMs(w.cfg.BackoffBaseMs, w.cfg.BackoffMaxMs, item.Attempts+1)})
	}
}

func (w *work) wake(now int64) int64 {
	wake := w.wall.until(w.bounds.wake(w.wall.at(now)))
	if w.later.len() > 0 {
		wake = min(wake, w.wall.until(w.later.top().wake))
	}
	if w.paused.len() > 0 {
		wake = min(wake, w.paused.top().wake)
	}
	if w.deadlines.len() > 0 && w.settling < settlingMax {
		wake = min(wake, w.wall.until(w.deadlines.top().deadline))
	}
	if w.freshPausedUntil > now {
		wake = min(wake, w.freshPausedUntil)
	}
	return wake
}
