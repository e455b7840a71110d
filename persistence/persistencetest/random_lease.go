package persistencetest

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// someHolder is elsewhere, or one of the two processes that take turns here.
func (g *generator) someHolder() persistence.Holder {
	return pick(g.dice, []persistence.Holder{
		{Node: "elsewhere", Process: "p1", Consumer: "c1"}, {Node: "elsewhere", Process: "p2", Consumer: "c2"},
		{Node: "here", Process: "process 0", Consumer: "c3"}, {Node: "here", Process: "process 1", Consumer: "c4"},
	})
}

func (g *generator) ttl() int64 { return int64(1 + g.upTo(8000)) }

func (g *generator) leaseTurn(p int) {
	head := pick(g.dice, g.heads(p, g.percent(92)))
	c := &persistence.LeaseTurn{IID: 99_999, Holder: g.someHolder(), TTLMs: g.ttl(), Nonce: g.next()}
	if head != nil && g.percent(94) {
		c.IID, c.Execution, c.Turn = head.IID, head.Execution, head.Turn
		for _, t := range g.models[p].sortedTimers() {
			if t.Key.IID == head.IID || g.percent(5) {
				c.Due = append(c.Due, t.Key)
			}
		}
		c.Due = append(c.Due, persistence.TimerKey{IID: head.IID, Execution: 1, Event: 12345})
	}
	if g.percent(6) {
		c.Turn++
	}
	g.apply(p, c)
}

// turnToken is a token of some turn lease: of a live one, of an old one, or none that was ever given.
func (g *generator) turnToken(p int) (persistence.TurnLease, persistence.Token) {
	l := pick(g.dice, g.models[p].sortedLeases())
	if g.percent(12) {
		return l, persistence.NewTurnToken(persistence.Partition(p), l.IID, 1, 1)
	}
	return l, l.Token
}

func (g *generator) renewTurn(p int) {
	_, token := g.turnToken(p)
	g.apply(p, &persistence.RenewTurn{Token: token, TTLMs: g.ttl()})
}

func (g *generator) abandonTurn(p int) {
	l, token := g.turnToken(p)
	head := g.models[p].heads[l.IID]
	if head == nil || g.percent(35) {
		head, token = pick(g.dice, g.heads(p, true)), ""
	}
	if head == nil || g.percent(5) {
		head = &persistence.Head{IID: 99_999}
	}
	c := &persistence.AbandonTurn{
		IID: head.IID, Execution: head.Execution, Turn: head.Turn, Token: token, Counts: g.percent(50),
	}
	if g.percent(50) {
		c.DelayMs = int64(g.upTo(2000))
	}
	if g.percent(40) {
		c.Reason, c.Build = pick(g.dice, []string{"nondeterministic", "no handler"}), pick(g.dice, []string{"b1", "b2"})
	}
	if g.percent(6) {
		c.Turn++
	}
	g.apply(p, c)
}

// someWork is a work row, or one that does not exist.
func (g *generator) someWork(p int) persistence.WorkItem {
	w := pick(g.dice, g.models[p].sortedWork())
	if w.Key.IID == 0 || g.percent(6) {
		return persistence.WorkItem{Key: persistence.WorkKey{IID: persistence.Incarnation(1 + g.upTo(9)), Execution: 1, Event: 4242}}
	}
	if w.Token != "" && g.percent(10) {
		w.Token = persistence.NewWorkToken(persistence.Partition(p), w.Key, 1, 1)
	}
	return w
}

func (g *generator) leaseWork(p int) {
	w := g.someWork(p)
	if g.percent(8) {
		w.Attempts++
	}
	g.apply(p, &persistence.LeaseWork{
		Key: w.Key, Attempts: w.Attempts, Holder: g.someHolder(), TTLMs: g.ttl(), Nonce: g.next(),
	})
}

func (g *generator) renewWork(p int) {
	c := &persistence.RenewWork{TTLMs: g.ttl()}
	for range g.upTo(4) {
		c.Tokens = append(c.Tokens, g.someWork(p).Token)
	}
	if len(c.Tokens) > 0 && g.percent(10) {
		c.Tokens = append(c.Tokens, c.Tokens[0])
	}
	if n := c.TTLMs; n%5 < 2 {
		for i := range c.Tokens {
			c.Heartbeats = append(c.Heartbeats, nil)
			if (n+int64(i))%3 > 0 {
				c.Heartbeats[i] = fmt.Appendf(nil, "beat %d", n)
			}
		}
	}
	for _, live := range g.apply(p, c).Live {
		g.countIf(live, "renewed work")
		g.countIf(!live, "work not renewed")
	}
}

func (g *generator) completeWork(p int) {
	w := g.someWork(p)
	if g.percent(8) {
		w.Attempts++
	}
	c := &persistence.CompleteWork{Key: w.Key, Token: w.Token, Attempts: w.Attempts}
	if w.Token != "" && g.percent(15) {
		c.Token = "" // as if it had been granted
	}
	// In half of the traces some activities end without a result, which leaves their instance waiting for ever.
	if g.trace.Seed%2 == 0 || g.percent(92) {
		c.Message = resultMessage(w.Key, "done")
	}
	g.apply(p, c)
}

func (g *generator) abandonWork(p int) {
	w := g.someWork(p)
	c := &persistence.AbandonWork{Key: w.Key, Token: w.Token, Attempts: w.Attempts, Counts: g.percent(50)}
	if g.percent(50) {
		c.DelayMs = int64(g.upTo(2000))
	}
	g.apply(p, c)
}

// releaseTurn lets an instance go that is held, or another one.
func (g *generator) releaseTurn(p int) {
	id := g.oldID(p)
	if held := pick(g.dice, g.models[p].sortedHeld()); held.IID != 0 && g.percent(80) {
		id = g.models[p].heads[held.IID].ID
	} else if g.percent(10) {
		id = "missing"
	}
	r := g.apply(p, &persistence.ReleaseTurn{ID: id})
	g.countIf(r.Released, "released")
	g.countIf(r.Err == nil && !r.Released, "not held")
}

// deadlines bound an activity in some ways.
func (g *generator) deadlines() (d persistence.Deadlines) {
	for _, bound := range []*int64{&d.StartToCloseMs, &d.ScheduleToStartAtMs, &d.ScheduleToCloseAtMs, &d.HeartbeatMs} {
		if g.percent(60) {
			*bound = int64(1 + g.upTo(5000))
		}
	}
	return d
}

func (g *generator) expireWork(p int) {
	w := g.someWork(p)
	if g.percent(8) {
		w.Attempts++
	}
	kind := persistence.ExpiryKind(g.upTo(5))
	r := g.apply(p, &persistence.ExpireWork{
		Key: w.Key, Kind: kind, Attempts: w.Attempts, Message: timeoutMessage(w.Key, kind),
	})
	g.countIf(r.Err == nil, "expired work")
}

// terminate ends an instance that runs, or tries to with one that has ended or stands elsewhere.
func (g *generator) terminate(p int) {
	head := pick(g.dice, g.heads(p, g.percent(90)))
	if head == nil {
		return
	}
	plan := newPlan(*head, g.nowMs)
	if s, ok := g.models[p].starts[executionKey{head.IID, head.Execution}]; ok {
		plan.takeStart(s)
	}
	plan.fail(head.Parent)
	t := plan.build()
	c := &persistence.Terminate{
		ID: t.ID, IID: t.IID, Execution: t.Execution, Turn: t.Turn, Segment: t.Segment, Sends: t.Sends,
		Name: t.Name, Version: t.Version, Pin: t.Pin, Request: g.request(t.ID),
	}
	switch g.upTo(20) {
	case 0:
		c.Turn++
	case 1:
		c.IID += 1000
	}
	g.countIf(g.apply(p, c).Err == nil, "terminated")
}
