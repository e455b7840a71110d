package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// work holds the activities of a partition that wait for a consumer, oldest first, within a bound, and remembers those
// that are in a consumer's hands.
type work struct {
	cfg       *Config
	wall      *wallClock
	consumers consumers

	entries map[persistence.WorkKey]*entry
	routes  []*route     // in the order in which they were first needed
	later   heap[*entry] // not before a time of the wall clock, or leased by another holder
	resting heap[*entry] // released, and not to be handed out again before some time has elapsed
	missing heap[*entry] // no consumer has the handler: to be given back
	spent   heap[*entry] // attempted too often: to be recorded as poison
	stray   heap[*entry] // leased by this process, in which no activity has it any more: the lease is to be given back
	noOne   heap[*entry] // there is no consumer of activities at all
	busy    int          // not waiting here: handed out, being given back, or being recorded
	errands int          // of those, the ones being given back or recorded

	admitted ring[persistence.WorkKey] // suspects that may start and have no consumer yet

	inputBytes int
	bounds     bounds
	refill     refill
	walks      int // that have ended

	suspectBelow uint64 // work whose order is below is suspect
	newest       uint64 // the highest order seen
	hushUntil    int64
}

// entry is one activity.
type entry struct {
	item   persistence.WorkItem
	state  workState
	home   *heap[*entry] // the heap that holds it; nil if it is busy
	at     int
	wake   int64 // in the time of its heap
	route  *route
	ticket uint64 // the gate's; 0: none
	since  int64  // when the gate admitted it; 0: it has not
	// strayAt is until when it is left to a lease of this process that no activity has any more, in elapsed time; 0: it is not.
	strayAt int64
}

type workState uint8

const (
	waiting  workState = iota
	inHands            // of a slot
	onErrand           // being given back or recorded as poison
)

// route is the queue of the work that the same consumers can do.
type route struct {
	mask     uint64
	fresh    heap[*entry]
	suspects heap[*entry]
	asking   *entry // the suspect of this route that waits for the gate
}

// errandsMax bounds how much work is being given back or recorded as poison at once.
const errandsMax = 64

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
		later: newHeap(byWake), resting: newHeap(byWake),
		missing: newHeap(byOrder), spent: newHeap(byOrder), stray: newHeap(byOrder), noOne: newHeap(byOrder),
		bounds: newBounds(cfg.WorkMax),
	}
}

// changed takes a new or changed row.
func (w *work) changed(now int64, item *persistence.WorkItem) {
	w.newest = max(w.newest, item.Order)
	if e := w.entries[item.Key]; e != nil {
		w.update(e, item)
		if e.state == waiting {
			w.take(e)
			w.place(now, e)
		}
		return
	}
	if w.refill.noteChanged(item) {
		return
	}
	w.admit(now, item)
}

// update replaces what is known of a row. Only the effect that announced it carries its input.
func (w *work) update(e *entry, item *persistence.WorkItem) {
	old := e.item
	e.item = *item
	if old.Token != item.Token {
		e.strayAt = 0
	}
	if item.Orchestration == "" {
		e.item.Input, e.item.Orchestration, e.item.Version = old.Input, old.Orchestration, old.Version
	}
	w.inputBytes += len(e.item.Input) - len(old.Input)
}

// forgetInput drops an entry's input and what came with it; they are read again when they are needed.
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

// dueAt is when, by the wall clock, the row may be handed out: 0 if at once.
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

// place puts a waiting entry where it belongs.
func (w *work) place(now int64, e *entry) {
	e.state = waiting
	home := &w.later
	e.wake = w.dueAt(now, &e.item)
	switch {
	case w.strays(now, e):
		home = &w.stray
		if now < e.strayAt {
			home, e.wake = &w.resting, e.strayAt
		}
	case e.wake == 0:
		home = w.queueOf(e)
	}
	e.home = home
	home.push(e)
}

// strays reports whether a waiting row has a lease of this process: no activity in it has the work any more, though code that was
// told to stop may still run. It is given that lease's time, which elapses whatever the wall clock is set to.
func (w *work) strays(now int64, e *entry) bool {
	left := e.item.ExpiresAtMs - w.wall.at(now)
	if e.item.Token == "" || left <= 0 || !w.cfg.own(e.item.Holder) {
		e.strayAt = 0
		return false
	}
	if e.strayAt == 0 {
		e.strayAt = now + min(left, w.cfg.WorkLeaseMs)
	}
	return true
}

func (w *work) queueOf(e *entry) *heap[*entry] {
	mask := w.consumers.mask(e.item.Name)
	switch {
	case e.item.Attempts >= w.cfg.MaxAttempts:
		return &w.spent
	case !w.consumers.any():
		return &w.noOne
	case mask == 0:
		return &w.missing
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

// take takes a waiting entry out of its heap.
func (w *work) take(e *entry) {
	if e.home != nil {
		e.home.remove(e.at)
		e.home = nil
	}
	w.withdraw(e)
}

// withdraw gives up an entry's place at the gate.
func (w *work) withdraw(e *entry) {
	if e.route != nil && e.route.asking == e {
		e.route.asking = nil
	}
	if e.ticket != 0 && e.state == waiting {
		w.cfg.Gate.Done(e.ticket)
	}
	e.ticket, e.since, e.route = 0, 0, nil
}

// deleted takes the end of a row.
func (w *work) deleted(key persistence.WorkKey) {
	w.refill.noteDeleted(key)
	e := w.entries[key]
	if e == nil {
		return
	}
	w.hold(e, waiting)
	w.take(e)
	w.inputBytes -= len(e.item.Input)
	delete(w.entries, key)
}

// hold changes the state of an entry, and keeps the counts right.
func (w *work) hold(e *entry, state workState) {
	for _, step := range [...]struct {
		state workState
		by    int
	}{{e.state, -1}, {state, 1}} {
		if step.state != waiting {
			w.busy += step.by
		}
		if step.state == onErrand {
			w.errands += step.by
		}
	}
	if e.state != waiting && state == waiting {
		e.ticket, e.since, e.route = 0, 0, nil // the ticket went with the grant
	}
	e.state = state
}

// release takes back what was handed out and whose row is still there. It is not handed out again before some time has
// elapsed, whatever its row says.
func (w *work) release(now int64, key persistence.WorkKey, notBefore int64) {
	e := w.entries[key]
	if e == nil || e.state == waiting {
		return
	}
	w.hold(e, waiting)
	if notBefore <= now {
		w.place(now, e)
		return
	}
	e.wake, e.home = notBefore, &w.resting
	w.resting.push(e)
}

// wakeUp moves what may be handed out from now on.
func (w *work) wakeUp(now int64) {
	for w.later.len() > 0 && w.later.top().wake <= w.wall.at(now) {
		e := w.later.pop()
		e.home = nil
		w.place(now, e)
	}
	for w.resting.len() > 0 && w.resting.top().wake <= now {
		e := w.resting.pop()
		e.home = nil
		w.place(now, e)
	}
}

// reroute places everything anew: a consumer came or went.
func (w *work) reroute(now int64) {
	var all []*entry
	for _, r := range w.routes {
		all = append(all, r.fresh.clear()...)
		all = append(all, r.suspects.clear()...)
	}
	all = append(all, w.missing.clear()...)
	all = append(all, w.noOne.clear()...)
	w.routes = nil
	slices.SortFunc(all, func(a, b *entry) int {
		if byOrder(a, b) {
			return -1
		}
		return 1
	})
	for _, e := range all {
		e.home = nil
		w.withdraw(e)
		w.place(now, e)
	}
}

// opened reports whether the rows that were there at the open have been walked.
func (w *work) opened() bool { return w.walks > 0 }

// careful says until which order work is suspect.
func (w *work) careful(now int64, below uint64) {
	if below == w.suspectBelow {
		return
	}
	w.suspectBelow = below
	w.reroute(now)
}

// errandsDue names what must be given back or recorded as poison.
func (w *work) errandsDue(emit func(Action)) {
	for w.errands < errandsMax && w.stray.len() > 0 {
		e := w.stray.pop()
		e.home = nil
		w.hold(e, onErrand)
		item := e.item
		emit(Action{Kind: GiveBack, ID: item.ID, IID: item.Key.IID, Work: &item})
	}
	for w.errands < errandsMax && w.spent.len() > 0 {
		e := w.spent.pop()
		e.home = nil
		w.hold(e, onErrand)
		item := e.item
		emit(Action{Kind: Poison, ID: item.ID, IID: item.Key.IID, Work: &item})
	}
	for w.errands < errandsMax && w.missing.len() > 0 {
		e := w.missing.pop()
		e.home = nil
		w.hold(e, onErrand)
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
	if w.resting.len() > 0 {
		wake = min(wake, w.resting.top().wake)
	}
	if w.hushUntil > now {
		wake = min(wake, w.hushUntil)
	}
	return wake
}
