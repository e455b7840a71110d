package persistencetest

import "github.com/turnstone-dev/turnstone/persistence"

func (m *Model) leaseTurn(c *persistence.LeaseTurn) persistence.Result {
	head := m.heads[c.IID]
	if head == nil {
		return refuse(persistence.NotFound)
	}
	if head.Status.Terminal() || head.Execution != c.Execution || head.Turn != c.Turn {
		return refuse(persistence.Conflict)
	}
	l := m.leases[c.IID]
	if m.live(l.Token, l.Holder, l.ExpiresAtMs) {
		return refuse(persistence.LeaseLost)
	}
	l.ID, l.IID, l.Holder, l.Attempts = head.ID, head.IID, c.Holder, l.Attempts+1
	l.Token = persistence.NewTurnToken(m.partition, c.IID, m.index, c.Nonce)
	l.ExpiresAtMs, l.Through, l.NotBeforeMs = m.now+c.TTLMs, head.NextSeq-1, 0
	m.writeLease(l)
	r := persistence.Result{Token: l.Token, Attempts: l.Attempts, Through: l.Through}
	for _, key := range c.Due {
		if key.IID == c.IID && m.timers[key] {
			r.Due = append(r.Due, key)
		}
	}
	return r
}

// writeLease stores an L row, or removes it when it says nothing any more.
func (m *Model) writeLease(l persistence.TurnLease) {
	if l.Token == "" && l.Attempts == 0 && l.NotBeforeMs == 0 && l.Held.Reason == "" {
		delete(m.leases, l.IID)
	} else {
		m.leases[l.IID] = l
	}
	_, m.heads[l.IID].Leased = m.leases[l.IID]
	m.countHeld()
	m.effects.Leases = append(m.effects.Leases, persistence.LeaseEffect{
		ID: l.ID, IID: l.IID, Token: l.Token, Attempts: l.Attempts, ExpiresAtMs: l.ExpiresAtMs, NotBeforeMs: l.NotBeforeMs,
		Through: l.Through, Held: l.Held,
	})
}

// tokenLease is the lease that a token opens.
func (m *Model) tokenLease(token persistence.Token) (persistence.TurnLease, bool) {
	_, iid, _ := token.Turn()
	l := m.leases[iid]
	return l, m.opens(token, l.Token, l.Holder)
}

func (m *Model) renewTurn(c *persistence.RenewTurn) persistence.Result {
	l, ok := m.tokenLease(c.Token)
	if !ok {
		return refuse(persistence.LeaseLost)
	}
	l.ExpiresAtMs = m.now + c.TTLMs
	m.writeLease(l)
	return persistence.Result{}
}

func (m *Model) abandonTurn(c *persistence.AbandonTurn) persistence.Result {
	head := m.heads[c.IID]
	if head == nil {
		return refuse(persistence.NotFound)
	}
	if head.Status.Terminal() || head.Execution != c.Execution || head.Turn != c.Turn {
		return refuse(persistence.Conflict)
	}
	l := m.leases[c.IID]
	if err := m.turnFence(l, c.Token); err != nil {
		return persistence.Result{Err: err}
	}
	l.ID, l.IID = head.ID, head.IID
	if c.Token == "" {
		l.Through = head.NextSeq - 1
	}
	l.Attempts = afterAbandon(l.Attempts, c.Token != "", c.Counts)
	l.Token, l.Holder, l.ExpiresAtMs, l.NotBeforeMs = "", persistence.Holder{}, 0, 0
	if c.DelayMs > 0 {
		l.NotBeforeMs = m.now + c.DelayMs
	}
	if c.Reason != "" {
		before := l.Held
		l.Held = persistence.Held{Reason: c.Reason, Build: c.Build, SinceMs: m.now}
		if before.Reason != "" {
			l.Held.SinceMs = before.SinceMs
		}
		if before.Reason != "" && before.Build == c.Build {
			l.Held.Tries = before.Tries
		}
		if !c.Counts {
			l.Held.Tries++
		}
	}
	m.writeLease(l)
	m.effects.Leases[len(m.effects.Leases)-1].GivenBack = true
	return persistence.Result{}
}

// afterAbandon: a lease has counted its attempt already, a grant has not.
func afterAbandon(attempts uint32, leased, counts bool) uint32 {
	switch {
	case leased && !counts && attempts > 0:
		return attempts - 1
	case !leased && counts:
		return attempts + 1
	}
	return attempts
}

func (m *Model) leaseWork(c *persistence.LeaseWork) persistence.Result {
	w, ok := m.work[c.Key]
	if !ok {
		return refuse(persistence.NotFound)
	}
	if w.Attempts != c.Attempts {
		return refuse(persistence.Conflict)
	}
	if m.live(w.Token, w.Holder, w.ExpiresAtMs) {
		return refuse(persistence.LeaseLost)
	}
	w.Attempts++
	w.Token, w.Holder = persistence.NewWorkToken(m.partition, c.Key, m.index, c.Nonce), c.Holder
	w.ExpiresAtMs, w.NotBeforeMs = m.now+c.TTLMs, 0
	w.Deadlines.ScheduleToStartAtMs = 0
	m.writeWork(w)
	return persistence.Result{Token: w.Token, Attempts: w.Attempts}
}

func (m *Model) writeWork(w persistence.WorkItem) {
	m.work[w.Key] = w
	m.effects.Work = append(m.effects.Work, w)
}

func (m *Model) renewWork(c *persistence.RenewWork) persistence.Result {
	r := persistence.Result{Live: make([]bool, len(c.Tokens))}
	for i, token := range c.Tokens {
		_, key, _ := token.Work()
		w, ok := m.work[key]
		if ok && m.opens(token, w.Token, w.Holder) {
			r.Live[i] = true
			w.ExpiresAtMs = m.now + c.TTLMs
			if len(c.Heartbeats) > 0 && c.Heartbeats[i] != nil {
				w.Heartbeat, w.HeartbeatAtMs = c.Heartbeats[i], m.now
			}
			m.writeWork(w)
		}
	}
	return r
}

// workFence is nil if what is said about the work comes from its holder.
func (m *Model) workFence(w persistence.WorkItem, token persistence.Token, attempts uint32, epoch uint64) error {
	switch {
	case m.opens(token, w.Token, w.Holder):
		return nil
	case token != "", attempts != w.Attempts, m.live(w.Token, w.Holder, w.ExpiresAtMs):
		return &persistence.Refusal{Code: persistence.LeaseLost}
	case !m.granted(epoch):
		return &persistence.Refusal{Code: persistence.Fenced}
	}
	return nil
}

func (m *Model) completeWork(c *persistence.CompleteWork) persistence.Result {
	w, ok := m.work[c.Key]
	if !ok {
		return refuse(persistence.NotFound)
	}
	if err := m.workFence(w, c.Token, c.Attempts, m.epoch); err != nil {
		return persistence.Result{Err: err}
	}
	head := m.heads[c.Key.IID]
	m.deleteWork(head, c.Key)
	var r persistence.Result
	if c.Message != nil {
		r.Seq = m.put(head, persistence.InboxItem{Form: persistence.ItemMessage, Message: c.Message})
	}
	return r
}

func (m *Model) abandonWork(c *persistence.AbandonWork) persistence.Result {
	w, ok := m.work[c.Key]
	if !ok {
		return refuse(persistence.NotFound)
	}
	if err := m.workFence(w, c.Token, c.Attempts, m.epoch); err != nil {
		return persistence.Result{Err: err}
	}
	w.Attempts = afterAbandon(w.Attempts, c.Token != "", c.Counts)
	w.Token, w.Holder, w.ExpiresAtMs, w.NotBeforeMs = "", persistence.Holder{}, 0, m.now+c.DelayMs
	m.writeWork(w)
	return persistence.Result{}
}
