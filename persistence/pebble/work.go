package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

func eventKey(h *headRow, event uint64) persistence.WorkKey {
	return persistence.WorkKey{IID: h.IID, Execution: h.Execution, Event: event}
}

func timerKey(h *headRow, ref persistence.TimerRef) persistence.TimerKey {
	return persistence.TimerKey{FireAtMs: ref.FireAtMs, IID: h.IID, Execution: h.Execution, Event: ref.Event}
}

// work returns a W row.
func (m *machine) work(key persistence.WorkKey) (persistence.WorkItem, bool) {
	if w, ok := m.works.rows[key]; ok {
		return w, true
	}
	m.t.key = appendEvent(m.t.key[:0], m.p, famWork, key)
	row, ok := m.t.get(m.t.key)
	if !ok {
		return persistence.WorkItem{}, false
	}
	w, err := decodeWork(key, row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
		return persistence.WorkItem{}, false
	}
	return w, true
}

func (m *machine) putWork(w *persistence.WorkItem) {
	m.t.key = appendEvent(m.t.key[:0], m.p, famWork, w.Key)
	encodeWork(m.t.newValue(), w)
	m.t.put(m.t.key, m.t.value)
	m.works.put(w)
}

// changeWork writes a row that exists, and adds the effect for the dispatcher.
func (m *machine) changeWork(w *persistence.WorkItem) {
	m.putWork(w)
	m.fx().Work = append(m.fx().Work, *w)
}

// delWork deletes a row that exists.
func (m *machine) delWork(h *headRow, key persistence.WorkKey) {
	m.t.key = appendEvent(m.t.key[:0], m.p, famWork, key)
	m.t.del(m.t.key)
	delete(m.works.rows, key)
	h.Work--
	m.touch(h)
	m.fx().WorkDeleted = append(m.fx().WorkDeleted, key)
}

// putTimer writes a timer's two rows: in the order of firing, and by instance.
func (m *machine) putTimer(h *headRow, key persistence.TimerKey) {
	m.t.key = appendTimer(m.t.key[:0], m.p, key)
	encodeOwner(m.t.newValue(), h.ID)
	m.t.put(m.t.key, m.t.value)
	m.t.key = appendEvent(m.t.key[:0], m.p, famTimerOf, eventKey(h, key.Event))
	encodeTime(m.t.newValue(), key.FireAtMs)
	m.t.put(m.t.key, m.t.value)
}

// delTimer deletes a timer that exists.
func (m *machine) delTimer(h *headRow, key persistence.TimerKey) {
	m.t.key = appendTimer(m.t.key[:0], m.p, key)
	m.t.del(m.t.key)
	m.t.key = appendEvent(m.t.key[:0], m.p, famTimerOf, eventKey(h, key.Event))
	m.t.del(m.t.key)
	h.Timers--
	m.fx().TimersDeleted = append(m.fx().TimersDeleted, key)
}

// delTimerRow deletes the T row that a t row names.
func (m *machine) delTimerRow(ofKey []byte) {
	row, ok := m.t.get(ofKey)
	if !ok {
		return
	}
	ms, err := decodeTime(row)
	if err != nil {
		m.t.corrupt(ofKey, err)
		return
	}
	_, _, r := splitKey(ofKey)
	w := r.workKey()
	key := persistence.TimerKey{FireAtMs: ms, IID: w.IID, Execution: w.Execution, Event: w.Event}
	m.t.key = appendTimer(m.t.key[:0], m.p, key)
	m.t.del(m.t.key)
	m.fx().TimersDeleted = append(m.fx().TimersDeleted, key)
}

// workFence returns nil if a command about work comes from its holder: it has the token of the row's lease, or, if there is
// no live lease, a grant of the current epoch that knows the last attempt.
func (m *machine) workFence(w *persistence.WorkItem, token persistence.Token, attempts uint32, epoch uint64) error {
	if m.tokenFits(token, w.Token, &w.Holder) {
		return nil
	}
	if token != "" || attempts != w.Attempts || m.leaseLive(w.Token, &w.Holder, w.ExpiresAtMs) {
		return &persistence.Refusal{Code: persistence.LeaseLost}
	}
	if !m.currentEpoch(epoch) {
		return &persistence.Refusal{Code: persistence.Fenced}
	}
	return nil
}

func (m *machine) leaseWork(c *persistence.LeaseWork) persistence.Result {
	w, ok := m.work(c.Key)
	if !ok {
		return refuse(persistence.NotFound)
	}
	if w.Attempts != c.Attempts {
		return refuse(persistence.Conflict)
	}
	if m.leaseLive(w.Token, &w.Holder, w.ExpiresAtMs) {
		return refuse(persistence.LeaseLost)
	}
	w.Attempts++
	w.Token = persistence.NewWorkToken(m.p, c.Key, m.index, c.Nonce)
	w.Holder, w.ExpiresAtMs, w.NotBeforeMs = c.Holder, m.now+c.TTLMs, 0
	w.Deadlines.ScheduleToStartAtMs = 0
	m.changeWork(&w)
	return persistence.Result{Token: w.Token, Attempts: w.Attempts}
}

func (m *machine) renewWork(c *persistence.RenewWork) persistence.Result {
	r := persistence.Result{Live: make([]bool, len(c.Tokens))}
	for i, token := range c.Tokens {
		p, key, ok := token.Work()
		if !ok || p != m.p {
			continue
		}
		w, ok := m.work(key)
		if ok && m.tokenFits(token, w.Token, &w.Holder) {
			r.Live[i] = true
			w.ExpiresAtMs = m.now + c.TTLMs
			if i < len(c.Heartbeats) && c.Heartbeats[i] != nil {
				w.Heartbeat, w.HeartbeatAtMs = c.Heartbeats[i], m.now
			}
			m.changeWork(&w)
		}
	}
	return r
}

func (m *machine) completeWork(c *persistence.CompleteWork) persistence.Result {
	w, ok := m.work(c.Key)
	if !ok {
		return refuse(persistence.NotFound)
	}
	if err := m.workFence(&w, c.Token, c.Attempts, m.epoch); err != nil {
		return persistence.Result{Err: err}
	}
	h := m.owner(c.Key)
	if h == nil {
		return persistence.Result{}
	}
	m.delWork(h, c.Key)
	var r persistence.Result
	if c.Message != nil {
		r.Seq = m.putInbox(h, &persistence.InboxItem{Form: persistence.ItemMessage, Message: c.Message})
	}
	return r
}

func (m *machine) expireWork(c *persistence.ExpireWork) persistence.Result {
	w, ok := m.work(c.Key)
	switch {
	case !ok:
		return refuse(persistence.NotFound)
	case w.Attempts != c.Attempts || !bounded(&w.Deadlines, c.Kind):
		return refuse(persistence.Conflict)
	case !m.currentEpoch(m.epoch):
		return refuse(persistence.Fenced)
	}
	h := m.owner(c.Key)
	if h == nil {
		return persistence.Result{}
	}
	m.delWork(h, c.Key)
	return persistence.Result{
		Seq: m.putInbox(h, &persistence.InboxItem{Form: persistence.ItemMessage, Message: c.Message}),
	}
}

// bounded reports whether an activity has a deadline of this kind.
func bounded(d *persistence.Deadlines, kind persistence.ExpiryKind) bool {
	switch kind {
	case persistence.ExpiredStartToClose:
		return d.StartToCloseMs > 0
	case persistence.ExpiredScheduleToStart:
		return d.ScheduleToStartAtMs > 0
	case persistence.ExpiredHeartbeat:
		return d.HeartbeatMs > 0
	case persistence.ExpiredScheduleToClose:
		return d.ScheduleToCloseAtMs > 0
	}
	return false
}

// owner returns the head of the instance of an existing work row. Work is deleted with its execution, so the instance exists
// and runs.
func (m *machine) owner(key persistence.WorkKey) *headRow {
	h := m.head(key.IID)
	if h == nil || h.Status.Terminal() || h.Work == 0 {
		m.t.key = appendEvent(m.t.key[:0], m.p, famWork, key)
		m.t.corrupt(m.t.key, errOrphan)
		return nil
	}
	return h
}

func (m *machine) abandonWork(c *persistence.AbandonWork) persistence.Result {
	w, ok := m.work(c.Key)
	if !ok {
		return refuse(persistence.NotFound)
	}
	if err := m.workFence(&w, c.Token, c.Attempts, m.epoch); err != nil {
		return persistence.Result{Err: err}
	}
	w.Attempts = attemptsAfterAbandon(w.Attempts, c.Token != "", c.Counts)
	w.Token, w.Holder, w.ExpiresAtMs, w.NotBeforeMs = "", persistence.Holder{}, 0, m.now+c.DelayMs
	m.changeWork(&w)
	return persistence.Result{}
}

// attemptsAfterAbandon returns the number of attempts after an abandon: a lease has counted its attempt already, a grant has
// not.
func attemptsAfterAbandon(attempts uint32, leased, counts bool) uint32 {
	switch {
	case leased && !counts && attempts > 0:
		return attempts - 1
	case !leased && counts:
		return attempts + 1
	}
	return attempts
}
