package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// timers holds the durable timers that are due soon: every row up to a cursor, within a bound. What lies beyond is read
// by a scan when the time comes near.
type timers struct {
	wall     *wallClock
	max      int
	rows     int // of a page
	windowMs int64

	// through: every row with a key at or below it is in the table (unless its row is gone). Rows above it are not,
	// except where complete.
	through  persistence.TimerKey
	complete bool // every row is in the table
	rewound  bool // while a page is read: what it covers says nothing of the rows before it

	table map[persistence.TimerKey]*timer
	// pending are ordered by key, told by the time at which they are told again.
	pending heap[*timer]
	told    heap[*timer]

	scan pageScan[persistence.TimerKey, persistence.TimerItem]
}

type timer struct {
	item    persistence.TimerItem
	wake    int64 // told: when to tell again, in elapsed time
	repeats int64
	at      int
	isTold  bool
	fresh   uint64 // the runtime that it has said was attached; it says so until it is left or consumed
}

// A timer that was told and whose row is still there is told again after this time, doubled each time up to the most:
// the instance may have lost it with its memory.
const (
	timerRepeatMs    = tellAgainMs
	timerRepeatMaxMs = tellAgainMaxMs
)

func newTimers(wall *wallClock, cfg *Config) *timers {
	t := &timers{wall: wall, max: cfg.TimersMax, rows: cfg.PageRows, windowMs: cfg.TimerWindowMs, table: map[persistence.TimerKey]*timer{}}
	place := func(x *timer, at int) { x.at = at }
	t.pending = heap[*timer]{place: place, less: func(a, b *timer) bool { return a.item.Key.Compare(b.item.Key) < 0 }}
	t.told = heap[*timer]{place: place, less: func(a, b *timer) bool {
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

// trim drops the latest when there are too many; they are found again by a scan.
func (t *timers) trim() {
	if len(t.table) <= t.max {
		return
	}
	all := t.pending.clear()
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b *timer) int { return a.item.Key.Compare(b.item.Key) })
	keep := max(t.max*3/4-t.told.len(), 0)
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

// before is the greatest key below one. Only the fields' order matters, not whether a timer could have that key.
func before(k persistence.TimerKey) persistence.TimerKey {
	return persistence.TimerKey{FireAtMs: k.FireAtMs - 1, IID: ^persistence.Incarnation(0), Execution: ^uint64(0), Event: ^uint64(0)}
}

// deleted takes the end of a row.
func (t *timers) deleted(key persistence.TimerKey) {
	t.scan.note(key, nil)
	t.forget(key)
}

// forget takes a timer out of the table.
func (t *timers) forget(key persistence.TimerKey) {
	x := t.table[key]
	if x == nil {
		return
	}
	delete(t.table, key)
	if x.isTold {
		t.told.remove(x.at)
	} else {
		t.pending.remove(x.at)
	}
}

// due takes the next timer that must be told now. again: it has been told before, and its row is still there.
func (t *timers) due(now int64) (item persistence.TimerItem, again, ok bool) {
	var x *timer
	switch {
	case t.told.len() > 0 && t.told.top().wake <= now:
		x = t.told.pop()
		again = x.repeats > 0
	case t.pending.len() > 0 && t.pending.top().item.Key.FireAtMs <= t.wall.at(now):
		x = t.pending.pop()
		x.isTold = true
	default:
		return persistence.TimerItem{}, false, false
	}
	x.wake = now + min(int64(timerRepeatMs)<<min(x.repeats, 10), timerRepeatMaxMs)
	x.repeats++
	t.told.push(x)
	return x.item, again, true
}

// busy says that a timer could not be told and must be told again at the given time.
func (t *timers) busy(key persistence.TimerKey, at int64) {
	x := t.table[key]
	if x == nil || !x.isTold {
		return
	}
	t.told.remove(x.at)
	x.wake, x.repeats = at, 0
	t.told.push(x)
}

// scanAt is when rows beyond the cursor are needed: when half of the window has passed, and, where the bound was
// reached, not before most of what was known has gone.
func (t *timers) scanAt(now int64) int64 {
	if t.complete || t.scan.running || len(t.table) >= t.max {
		return Never
	}
	at := t.wall.until(t.through.FireAtMs - t.windowMs/2)
	if at <= now && t.pending.len() >= max(t.max/4, 1) {
		return Never // what is known comes first; when some of it has gone, this is asked again
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

// page takes the page that was asked for.
func (t *timers) page(now int64, page []persistence.TimerItem) {
	t.takePage(now, page)
	if t.rewound {
		t.rewind()
	}
}

// takePage inserts what a page has. Rows beyond the window are left for a later scan, unless they end the family.
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
			t.through = last // the bound: this row and those behind it are for a later scan
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
	if t.told.len() > 0 {
		wake = min(wake, t.told.top().wake)
	}
	return wake
}
