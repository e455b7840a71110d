package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// deadlines has the activities in memory that wait, and may not wait for ever, by the time of the wall clock at which they are
// given up. What is granted has left it: its worker looks after its time. A row that is not in memory is looked at when it
// comes into memory.
type deadlines struct{ heap[*entry] }

func newDeadlines() deadlines {
	return deadlines{heap[*entry]{
		place: func(e *entry, at int) { e.deadlineAt = at + 1 },
		less: func(a, b *entry) bool {
			if a.deadline != b.deadline {
				return a.deadline < b.deadline
			}
			return byOrder(a, b)
		},
	}}
}

// watch adds a waiting entry, or moves it.
func (d *deadlines) watch(cfg *Config, e *entry) {
	d.unwatch(e)
	if e.item.Deadlines.ScheduleToStartAtMs == 0 && e.item.Deadlines.ScheduleToCloseAtMs == 0 {
		return
	}
	if e.deadline, _ = e.bound(); e.deadline == Never {
		return
	}
	if e.item.Token != "" && !cfg.dead(e.item.Holder) && !cfg.own(e.item.Holder) {
		e.deadline = max(e.deadline, e.item.ExpiresAtMs) // another holder may run it, and looks after its time
	}
	d.push(e)
}

func (d *deadlines) unwatch(e *entry) {
	if e.deadlineAt > 0 {
		d.remove(e.deadlineAt - 1)
	}
}

// bound is until when the entry may wait, by the wall clock, and which bound of its call says so. What was granted once has
// started.
func (e *entry) bound() (at int64, kind persistence.ExpiryKind) {
	at = Never
	if ms := e.item.Deadlines.ScheduleToCloseAtMs; ms > 0 {
		at, kind = ms, persistence.ExpiredScheduleToClose
	}
	if ms := e.item.Deadlines.ScheduleToStartAtMs; ms > 0 && ms < at && !e.started {
		at, kind = ms, persistence.ExpiredScheduleToStart
	}
	return at, kind
}

// expireDue emits the actions that end the activities whose time is over.
func (w *work) expireDue(now int64, emit func(Action)) {
	d := &w.deadlines
	for w.settling < settlingMax && d.len() > 0 && d.top().deadline <= w.wall.at(now) {
		e := d.top()
		_, kind := e.bound()
		w.unqueue(e)
		w.setState(e, settling)
		item := e.item
		emit(Action{Kind: Expire, ID: item.ID, IID: item.Key.IID, Work: &item, Expiry: kind})
	}
}
