package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// timers holds the durable timers that are due soon: every row up to a cursor, within a bound. A scan reads the rows beyond
// the cursor when their time comes near.
type timers struct {
	wall     *wallClock
	max      int
	rows     int // of a page
	windowMs int64

	// through: the table has every row with a key at or below it, and no row above it unless complete is true.
	through  persistence.TimerKey
	complete bool // every row is in the table
	rewound  bool // rewind was called while a page is read: the cursor goes back once the page has come

	table map[persistence.TimerKey]*timer
	// pending is ordered by key, sent by the time of the next repetition.
	pending heap[*timer]
	sent    heap[*timer]

	scan pageScan[persistence.TimerKey, persistence.TimerItem]
}

type timer struct {
	item    persistence.TimerItem
	wake    int64 // of one that was sent: when to send it again, in elapsed time
	repeats int64
	at      int
	isSent  bool
	fresh   uint64 // the runtime whose number it carries, until the instance consumes or drops the timer
}

// A timer that was sent and whose row still exists is sent again after this time, which doubles up to the maximum: the
// instance may have lost the timer with its memory.
const (
	timerRepeatMs    = tellAgainMs
	timerRepeatMaxMs = tellAgainMaxMs
)

func newTimers(wall *wallClock, cfg *Config) *timers {
	t := &timers{wall: wall, max: cfg.TimersMax, rows: cfg.PageRows, windowMs: cfg.TimerWindowMs, table: map[persistence.TimerKey]*timer{}}
	place := func(x *timer, at int) { x.at = at }
	t.pending = heap[*timer]{place: place, less: func(a, b *timer) bool { return a.item.Key.Compare(b.item.Key) < 0 }}
	t.sent = heap[*timer]{place: place, less: func(a, b *timer) bool {
		if a.wake != b.wake {
			return a.wake < b.wake
		}
		return a.item.Key.Compare(b.item.Key) < 0
	}}
	return t
}

// added takes a new row.
func (t *timers) added(item persistence.TimerItem) {
	t.scan.note(item.Key, &item)
	if !t.complete && item.Key.Compare(t.through) > 0 {
		return
	}
	t.insert(item)
	t.trim()
}

func (t *timers) insert(item persistence.TimerItem) {
	if t.table[item.Key] != nil {
		return
	}
	x := &timer{item: item}
	t.table[item.Key] = x
	t.pending.push(x)
}

// trim drops the latest timers when there are too many; a scan finds them again.
func (t *timers) trim() {
	if len(t.table) <= t.max {
		return
	}
	all := t.pending.clear()
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b *timer) int { return a.item.Key.Compare(b.item.Key) })
	keep := max(t.max*3/4-t.sent.len(), 0)
	keep = min(keep, len(all))
	for _, x := range all[keep:] {
		delete(t.table, x.item.Key)
	}
	for _, x := range all[:keep] {
		t.pending.push(x)
	}
	t.complete = false
	if keep > 0 {
		t.through = all[keep-1].item.Key
	} else {
		t.through = before(all[0].item.Key)
	}
}

// before returns a key just below all keys of k's time and above those of earlier times. No timer needs to have that key.
func before(k persistence.TimerKey) persistence.TimerKey {
	return persistence.TimerKey{FireAtMs: k.FireAtMs - 1, IID: ^persistence.Incarnation(0), Execution: ^uint64(0), Event: ^uint64(0)}
}

// deleted takes the deletion of a row.
func (t *timers) deleted(key persistence.TimerKey) {
	t.scan.note(key, nil)
	t.remove(key)
}

// remove deletes a timer from the table.
func (t *timers) remove(key persistence.TimerKey) {
	x := t.table[key]
	if x == nil {
		return
	}
	delete(t.table, key)
	if x.isSent {
		t.sent.remove(x.at)
	} else {
		t.pending.remove(x.at)
	}
}

// due returns the next timer that must be sent now. again: it was sent before, and its row still exists.
func (t *timers) due(now int64) (item persistence.TimerItem, again, ok bool) {
	var x *timer
	switch {
	case t.sent.len() > 0 && t.sent.top().wake <= now:
		x = t.sent.pop()
		again = x.repeats > 0
	case t.pending.len() > 0 && t.pending.top().item.Key.FireAtMs <= t.wall.at(now):
		x = t.pending.pop()
		x.isSent = true
	default:
		return persistence.TimerItem{}, false, false
	}
	x.wake = now + min(int64(timerRepeatMs)<<min(x.repeats, 10), timerRepeatMaxMs)
	x.repeats++
	t.sent.push(x)
	return x.item, again, true
}

// postpone schedules a timer that could not be sent for the given time.
func (t *timers) postpone(key persistence.TimerKey, at int64) {
	x := t.table[key]
	if x == nil || !x.isSent {
		return
	}
	t.sent.remove(x.at)
	x.wake, x.repeats = at, 0
	t.sent.push(x)
}

// scanAt returns when rows beyond the cursor are needed: when half of the window has passed. If the bound was reached, the
// scan waits until most of the known timers have been sent.
func (t *timers) scanAt(now int64) int64 {
	if t.complete || t.scan.running || len(t.table) >= t.max {
		return Never
	}
	at := t.wall.until(t.through.FireAtMs - t.windowMs/2)
	if at <= now && t.pending.len() >= max(t.max/4, 1) {
		return Never // the known timers come first; scanAt is called again when some of them are sent
	}
	return at
}

// startScan begins the read of the page after the cursor.
func (t *timers) startScan() persistence.TimerKey {
	t.scan.start()
	t.rewound = false
	return t.through
}

// failed says that the page could not be read.
func (t *timers) failed() { t.scan.finish(nil, timerKeyOf) }

func timerKeyOf(r *persistence.TimerItem) persistence.TimerKey { return r.Key }

// page takes the requested page.
func (t *timers) page(now int64, page []persistence.TimerItem) {
	t.takePage(now, page)
	if t.rewound {
		t.rewind()
	}
}

// takePage inserts the rows of a page. It leaves rows beyond the window for a later scan, unless the page is the last one.
func (t *timers) takePage(now int64, page []persistence.TimerItem) {
	horizon := persistence.TimerKey{FireAtMs: t.wall.at(now) + t.windowMs, IID: ^persistence.Incarnation(0)}
	covered, isAll := horizon, len(page) < t.rows
	if !isAll {
		if last := page[len(page)-1].Key; last.Compare(horizon) < 0 {
			covered = last
		}
	}
	rows, more := t.scan.finish(page, timerKeyOf)
	rows = append(rows, more...)
	slices.SortFunc(rows, func(a, b persistence.TimerItem) int { return a.Key.Compare(b.Key) })
	last := t.through
	for _, r := range rows {
		if !isAll && r.Key.Compare(covered) > 0 {
			break
		}
		if len(t.table) >= t.max && t.table[r.Key] == nil {
			t.through = last // the bound is reached: a later scan reads this row and those behind it
			return
		}
		t.insert(r)
		last = r.Key
	}
	t.complete = isAll
	if covered.Compare(t.through) > 0 {
		t.through = covered
	}
}

func (t *timers) wake(now, readsFrom int64) int64 {
	wake := max(t.scanAt(now), readsFrom)
	if t.pending.len() > 0 {
		wake = min(wake, t.wall.until(t.pending.top().item.Key.FireAtMs))
	}
	if t.sent.len() > 0 {
		wake = min(wake, t.sent.top().wake)
	}
	return wake
}
