package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// Next grants the next activity to a consumer that has a free slot: the oldest of those that it has a handler for.
// Suspects are leased first and need an admission; while one waits for it, work that is not suspect is granted.
func (d *Dispatcher) Next(now int64, consumer int) (Grant, bool) { return d.work.next(now, consumer) }

// Wants reports whether there may be work for a consumer, so that the caller should look for a free slot.
func (d *Dispatcher) Wants(now int64, consumer int) bool { return d.work.wants(now, consumer) }

// Admitted says that the probation has admitted a suspect's ticket. It does nothing if the work no longer waits.
func (d *Dispatcher) Admitted(now int64, key persistence.WorkKey, ticket uint64) {
	w := d.work
	e := w.entries[key]
	if e == nil || e.state != waiting || e.ticket != ticket {
		return // the ticket was returned with the entry
	}
	e.admittedAt = max(now, 1)
	w.admitted.push(key)
}

// admittedForMs is how long an admitted suspect may wait for a free slot before it must ask again: the probation keeps the
// others waiting for AloneMs from the admission.
const admittedForMs = AloneMs / 2

func (w *work) next(now int64, consumer int) (Grant, bool) {
	bit := uint64(1) << consumer
	if e := w.nextAdmitted(now, bit); e != nil {
		return w.grant(e), true
	}
	for {
		e := w.oldest(now, bit)
		if e == nil {
			return Grant{}, false
		}
		if e.queue != &e.route.suspects {
			return w.grant(e), true
		}
		ticket, admitted := w.cfg.Probation.Ask(e.item.Key, e.item.Attempts)
		e.ticket = ticket
		if admitted {
			return w.grant(e), true
		}
		e.route.onProbation = e
	}
}

// nextAdmitted returns the first admitted suspect that a consumer can take. A suspect whose admission is too old must ask
// again.
func (w *work) nextAdmitted(now int64, bit uint64) *entry {
	for range w.admitted.len() {
		key := w.admitted.pop()
		e := w.entries[key]
		switch {
		case e == nil || e.admittedAt == 0 || e.state != waiting: // it was deleted, or placed again
		case now >= e.admittedAt+admittedForMs:
			route := e.route
			w.leaveProbation(e)
			e.route = route
		case e.route.mask&bit == 0:
			w.admitted.push(key)
		default:
			return e
		}
	}
	return nil
}

// oldest returns the oldest work that a consumer could start now.
func (w *work) oldest(now int64, bit uint64) *entry {
	var best *entry
	for _, r := range w.routes {
		if r.mask&bit == 0 {
			continue
		}
		if r.onProbation == nil && r.suspects.len() > 0 {
			best = older(best, r.suspects.top())
		}
		if now >= w.freshPausedUntil && r.fresh.len() > 0 {
			best = older(best, r.fresh.top())
		}
	}
	return best
}

func older(a, b *entry) *entry {
	if a == nil || byOrder(b, a) {
		return b
	}
	return a
}

func (w *work) wants(now int64, consumer int) bool {
	bit := uint64(1) << consumer
	for i := range w.admitted.len() {
		if e := w.entries[w.admitted.at(i)]; e != nil && e.admittedAt != 0 && e.state == waiting && e.route.mask&bit != 0 {
			return true
		}
	}
	return w.oldest(now, bit) != nil
}

// grant gives an entry to a consumer.
func (w *work) grant(e *entry) Grant {
	g := Grant{Item: e.item, Lease: e.item.Order < w.suspectBelow, Ticket: e.ticket}
	if e.route.onProbation == e {
		e.route.onProbation = nil
	}
	e.queue.remove(e.at)
	e.queue = nil
	e.ticket, e.admittedAt, e.route = 0, 0, nil // the ticket goes with the grant
	e.started = true
	w.setState(e, granted)
	w.forgetInput(e) // the consumer has it
	return g
}

// walkStep asks for the next page of a walk over the rows, and begins a walk when one is needed.
func (w *work) walkStep(now int64, emit func(Action)) {
	r := &w.refill
	if !r.walking {
		held := len(w.entries) - w.busy
		if !w.bounds.needed(w.wall.at(now), held, held-w.later.len()-w.paused.len()) {
			return
		}
		room := max(w.bounds.max-held, 0)
		later := min(max(w.bounds.max/2-w.later.len(), 0), room/2)
		r.begin(w.cfg.PageRows, room-later, later, func(i *persistence.WorkItem) int64 { return w.dueAt(now, i) })
		w.bounds.laterAt = Never
	}
	if !r.running {
		r.start()
		emit(Action{Kind: ScanWork, Max: w.cfg.PageRows, AfterWork: r.after})
	}
}

// page takes a page of a walk. At the end of the walk, it takes the rows that the walk kept into memory.
func (w *work) page(now int64, rows []persistence.WorkItem) {
	r := &w.refill
	for i := range rows {
		w.newestOrder = max(w.newestOrder, rows[i].Order)
	}
	if !r.page(rows, func(k persistence.WorkKey) bool { return w.entries[k] != nil }) {
		return
	}
	w.walks++
	found := append(r.ready.clear(), r.later.clear()...)
	sortByOrder(found)
	w.bounds.horizon = noHorizon
	w.bounds.laterAt = min(w.bounds.laterAt, r.laterAt)
	horizon := r.horizon
	*r = refill{}
	for _, c := range found {
		w.admit(now, &c.item)
	}
	w.bounds.horizon = min(w.bounds.horizon, horizon)
}

// failed says that a page could not be read. The next read of it shows the changes that effects brought meanwhile.
func (r *refill) failed() { r.pageScan = pageScan[persistence.WorkKey, persistence.WorkItem]{} }
