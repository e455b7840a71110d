package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// bounds says which work rows are held in memory: all, until they are too many. From then on, rows that may be granted are
// held up to an order (the horizon), and rows that must wait up to a number. A walk over the rows finds the rest again,
// when the rows in memory run low or the time of the first omitted row has come.
type bounds struct {
	max int
	// horizon: every row that may be granted and whose order is below it is in memory.
	horizon uint64
	// laterAt is the earliest time, by the wall clock, of the omitted rows that must wait.
	laterAt int64
}

const noHorizon = ^uint64(0)

func newBounds(max int) bounds { return bounds{max: max, horizon: noHorizon, laterAt: Never} }

// admit reports whether a row is taken into memory, and notes if it is omitted. due is 0 if the row may be granted now; held
// is how many rows wait in memory, of which later must wait for their time.
func (b *bounds) admit(wallMs int64, order uint64, due int64, held, later int) bool {
	if due > wallMs {
		if later >= b.max/2 || held >= b.max {
			b.laterAt = min(b.laterAt, due)
			return false
		}
		return true
	}
	if order >= b.horizon {
		return false
	}
	if held >= b.max {
		b.horizon = order
		return false
	}
	return true
}

// needed reports whether a walk should look for omitted rows now. ready is how many rows in memory may be granted.
func (b *bounds) needed(wallMs int64, held, ready int) bool {
	if held >= b.max*3/4 {
		return false
	}
	return b.horizon != noHorizon && ready < max(b.max/4, 1) || wallMs >= b.laterAt
}

// wake returns when, by the wall clock, omitted rows are due.
func (b *bounds) wake(wallMs int64) int64 {
	if b.laterAt <= wallMs {
		return Never // there was no room; the input that makes room leads to a walk
	}
	return b.laterAt
}

// refill is a walk over all work rows that keeps those that fit: the oldest of those that may be granted, and the earliest
// of those that must wait.
type refill struct {
	pageScan[persistence.WorkKey, persistence.WorkItem]
	walking bool
	perPage int
	after   persistence.WorkKey
	dueAt   func(*persistence.WorkItem) int64
	ready   candidates
	later   candidates
	keys    map[persistence.WorkKey]*candidate
	// Of the rows omitted since the walk began: the lowest order, and the earliest time.
	horizon uint64
	laterAt int64
}

type candidate struct {
	item persistence.WorkItem
	due  int64
	at   int
}

// candidates are the best few of many rows. The worst is on top, and is dropped first.
type candidates struct {
	heap[*candidate]
	limit int
}

func newCandidates(limit int, worse func(a, b *candidate) bool) candidates {
	return candidates{limit: limit, heap: heap[*candidate]{
		less: worse, place: func(c *candidate, at int) { c.at = at },
	}}
}

// begin starts a walk that keeps at most so many rows of each kind. dueAt returns 0 for a row that may be granted.
func (r *refill) begin(perPage, readyMax, laterMax int, dueAt func(*persistence.WorkItem) int64) {
	*r = refill{
		walking: true, perPage: perPage, dueAt: dueAt, horizon: noHorizon, laterAt: Never, keys: map[persistence.WorkKey]*candidate{},
		ready: newCandidates(readyMax, func(a, b *candidate) bool { return a.item.Order > b.item.Order }),
		later: newCandidates(laterMax, func(a, b *candidate) bool {
			if a.due != b.due {
				return a.due > b.due
			}
			return a.item.Order > b.item.Order
		}),
	}
}

// noteChanged takes a changed row that is not in memory. It returns true if a walk is running, which then has the row.
func (r *refill) noteChanged(item *persistence.WorkItem) bool {
	if !r.walking {
		return false
	}
	r.drop(item.Key)
	copied := *item
	r.note(item.Key, &copied)
	if r.after.Compare(item.Key) >= 0 {
		r.keep(*item) // the walk is past the row; else its page brings it
	}
	return true
}

func (r *refill) noteDeleted(key persistence.WorkKey) {
	if !r.walking {
		return
	}
	r.drop(key)
	r.note(key, nil)
}

func (r *refill) drop(key persistence.WorkKey) {
	if c := r.keys[key]; c != nil {
		delete(r.keys, key)
		r.listOf(c).remove(c.at)
	}
}

func (r *refill) listOf(c *candidate) *candidates {
	if c.due == 0 {
		return &r.ready
	}
	return &r.later
}

// keep adds a candidate, and drops the worst when there are too many.
func (r *refill) keep(item persistence.WorkItem) {
	if r.keys[item.Key] != nil {
		return
	}
	c := &candidate{item: item, due: r.dueAt(&item)}
	r.keys[item.Key] = c
	list := r.listOf(c)
	list.push(c)
	if list.len() <= list.limit {
		return
	}
	out := list.pop()
	delete(r.keys, out.item.Key)
	if out.due == 0 {
		r.horizon = min(r.horizon, out.item.Order)
	} else {
		r.laterAt = min(r.laterAt, out.due)
	}
}

// page takes a page, and returns true if the walk has ended.
func (r *refill) page(page []persistence.WorkItem, known func(persistence.WorkKey) bool) bool {
	ended := len(page) < r.perPage
	if !ended {
		r.after = page[len(page)-1].Key
	}
	rows, more := r.finish(page, func(i *persistence.WorkItem) persistence.WorkKey { return i.Key })
	for _, list := range [...][]persistence.WorkItem{rows, more} {
		for i := range list {
			if !known(list[i].Key) && (ended || list[i].Key.Compare(r.after) <= 0) {
				r.keep(list[i])
			}
		}
	}
	return ended
}
