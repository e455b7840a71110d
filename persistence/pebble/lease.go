package pebble

import (
	"errors"

	"github.com/turnstone-dev/turnstone/persistence"
)

var (
	errOrphan   = errors.New("its instance does not run or counts no such row")
	errNoLease  = errors.New("the head says that there is such a row, and there is none")
	errNoSuchID = errors.New("the id names an incarnation without a head")
)

// lease returns the L row of an instance; the zero value if there is none.
func (m *machine) lease(h *headRow) persistence.TurnLease {
	if !h.Leased {
		return persistence.TurnLease{ID: h.ID, IID: h.IID}
	}
	m.t.key = appendInstance(m.t.key[:0], m.p, famLease, h.IID)
	row, ok := m.t.get(m.t.key)
	if !ok {
		m.t.corrupt(m.t.key, errNoLease)
		return persistence.TurnLease{}
	}
	l, err := decodeLease(h.IID, row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
	}
	return l
}

// putLease stores an L row, or removes it when all its fields are zero.
func (m *machine) putLease(h *headRow, l *persistence.TurnLease) {
	m.t.key = appendInstance(m.t.key[:0], m.p, famLease, h.IID)
	says := l.Token != "" || l.Attempts > 0 || l.NotBeforeMs != 0 || l.Held.Reason != ""
	switch {
	case says:
		encodeLease(m.t.newValue(), l)
		m.t.put(m.t.key, m.t.value)
	case h.Leased:
		m.t.del(m.t.key)
	}
	if h.Leased != says {
		h.Leased = says
		m.touch(h)
	}
	m.fx().Leases = append(m.fx().Leases, persistence.LeaseEffect{
		ID: l.ID, IID: l.IID, Token: l.Token, Attempts: l.Attempts,
		ExpiresAtMs: l.ExpiresAtMs, NotBeforeMs: l.NotBeforeMs, Through: l.Through,
		Held: l.Held,
	})
}

// hold changes why an instance is held, with its entry in the listing and the partition's count. The caller stores the row.
func (m *machine) hold(h *headRow, l *persistence.TurnLease, held persistence.Held) {
	was, is := l.Held.Reason != "", held.Reason != ""
	if was && (!is || l.Held.SinceMs != held.SinceMs) {
		m.t.key = appendHeld(m.t.key[:0], m.p, persistence.HeldRef{SinceMs: l.Held.SinceMs, IID: h.IID})
		m.t.delBlind(m.t.key)
		m.state.Held--
		was = false
	}
	if is && !was {
		m.t.key = appendHeld(m.t.key[:0], m.p, persistence.HeldRef{SinceMs: held.SinceMs, IID: h.IID})
		encodeMark(m.t.newValue())
		m.t.putBlind(m.t.key, m.t.value)
		m.state.Held++
	}
	l.Held = held
	if h.held != is {
		h.held = is
		m.touch(h)
	}
}

// dropLease removes the L row of an instance whose turn is committed.
func (m *machine) dropLease(h *headRow) {
	if !h.Leased {
		return
	}
	if h.held {
		l := m.lease(h)
		m.hold(h, &l, persistence.Held{})
		m.fx().Unheld = append(m.fx().Unheld, h.IID)
	}
	m.t.key = appendInstance(m.t.key[:0], m.p, famLease, h.IID)
	m.t.del(m.t.key)
	h.Leased = false
}

// runningAt finds a running instance whose next turn is the given one.
func (m *machine) runningAt(iid persistence.Incarnation, execution, turn uint64) (*headRow, error) {
	h := m.head(iid)
	if h == nil {
		return nil, &persistence.Refusal{Code: persistence.NotFound}
	}
	if h.Status.Terminal() || h.Execution != execution || h.Turn != turn {
		return nil, &persistence.Refusal{Code: persistence.Conflict}
	}
	return h, nil
}

func (m *machine) leaseTurn(c *persistence.LeaseTurn) persistence.Result {
	h, refusal := m.runningAt(c.IID, c.Execution, c.Turn)
	if refusal != nil {
		return persistence.Result{Err: refusal}
	}
	l := m.lease(h)
	if m.leaseLive(l.Token, &l.Holder, l.ExpiresAtMs) {
		return refuse(persistence.LeaseLost)
	}
	l.Attempts++
	l.NotBeforeMs = 0
	l.Token = persistence.NewTurnToken(m.p, c.IID, m.index, c.Nonce)
	l.Holder, l.ExpiresAtMs, l.Through = c.Holder, m.now+c.TTLMs, h.NextSeq-1
	m.putLease(h, &l)
	r := persistence.Result{Token: l.Token, Attempts: l.Attempts, Through: l.Through}
	for _, key := range c.Due {
		m.t.key = appendTimer(m.t.key[:0], m.p, key)
		if key.IID == c.IID && m.t.has(m.t.key) {
			r.Due = append(r.Due, key)
		}
	}
	return r
}

func (m *machine) renewTurn(c *persistence.RenewTurn) persistence.Result {
	p, iid, ok := c.Token.Turn()
	if !ok || p != m.p {
		return refuse(persistence.LeaseLost)
	}
	h := m.head(iid)
	if h == nil || !h.Leased {
		return refuse(persistence.LeaseLost)
	}
	l := m.lease(h)
	if !m.tokenFits(c.Token, l.Token, &l.Holder) {
		return refuse(persistence.LeaseLost)
	}
	l.ExpiresAtMs = m.now + c.TTLMs
	m.putLease(h, &l)
	return persistence.Result{}
}

func (m *machine) abandonTurn(c *persistence.AbandonTurn) persistence.Result {
	h, refusal := m.runningAt(c.IID, c.Execution, c.Turn)
	if refusal == nil {
		refusal = m.turnFence(h, c.Token)
	}
	if refusal != nil {
		return persistence.Result{Err: refusal}
	}
	l := m.lease(h)
	if c.Token == "" {
		l.Through = h.NextSeq - 1
	}
	l.Attempts = attemptsAfterAbandon(l.Attempts, c.Token != "", c.Counts)
	l.Token, l.Holder, l.ExpiresAtMs, l.NotBeforeMs = "", persistence.Holder{}, 0, 0
	if c.DelayMs > 0 {
		l.NotBeforeMs = m.now + c.DelayMs
	}
	if c.Reason != "" {
		m.hold(h, &l, heldAfterAbandon(l.Held, c, m.now))
	}
	m.putLease(h, &l)
	m.effects.Leases[len(m.effects.Leases)-1].GivenBack = true
	return persistence.Result{}
}

// heldAfterAbandon returns why an instance is held after an abandon with a reason. It keeps the time of the first such
// abandon, and counts the tries of a build. An abandon that counts as an attempt is no try: the row counts attempts.
func heldAfterAbandon(before persistence.Held, c *persistence.AbandonTurn, now int64) persistence.Held {
	held := persistence.Held{Reason: c.Reason, Build: c.Build, SinceMs: now}
	if before.Reason != "" {
		held.SinceMs = before.SinceMs
		if before.Build == c.Build {
			held.Tries = before.Tries
		}
	}
	if !c.Counts {
		held.Tries++
	}
	return held
}

func (m *machine) releaseTurn(c *persistence.ReleaseTurn) persistence.Result {
	h := m.byID(c.ID)
	switch {
	case h == nil:
		return refuse(persistence.NotFound)
	case h.Status.Terminal():
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Ended, IID: h.IID}}
	case !h.held:
		return persistence.Result{IID: h.IID}
	}
	l := m.lease(h)
	m.hold(h, &l, persistence.Held{})
	if l.Token == "" {
		l.Attempts, l.NotBeforeMs, l.Through = 0, 0, 0
	}
	m.putLease(h, &l)
	return persistence.Result{IID: h.IID, Released: true}
}
