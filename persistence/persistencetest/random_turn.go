package persistencetest

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// commitTurn makes a turn of a random instance, mostly as an engine would.
func (g *generator) commitTurn(p int) {
	head := pick(g.dice, g.heads(p, g.percent(95)))
	if head == nil {
		g.startInstance(p)
		return
	}
	plan := newPlan(*head, g.nowMs)
	plan.perPart = g.upTo(4)
	if head.Turn == 0 || !g.percent(5) { // the rest are turns without events
		g.consume(p, head, plan)
		g.ask(p, head, plan)
		g.show(plan)
		g.end(p, head, plan)
	}
	g.fence(p, head, plan)
	c := plan.build()
	if g.percent(12) {
		g.spoil(head, c)
	}
	r := g.apply(p, c)
	if r.Err == nil {
		g.count(fmt.Sprintf("outcome %d", c.Outcome))
		g.countIf(len(c.Segment.Parts) > 1, "several parts")
		g.countIf(len(c.Segment.Parts) == 0, "turn without events")
		g.countIf(len(c.ConsumedTimers) > 0, "timer fired")
		g.countIf(len(c.AcceptedResults) > 0, "accepted result")
		g.countIf(len(c.AcceptedMessages) > 0, "accepted message")
		g.countIf(c.Token != "", "turn under a lease")
		g.countIf(c.Status != nil, "custom status")
		g.countIf(len(c.KV) > 0 && c.Outcome == persistence.OutcomeContinued, "key-value store merged")
		g.countIf(len(c.KV) > 0, "key-value store changed")
		g.countIf(slices.ContainsFunc(plan.events, func(e *turnpb.Event) bool { return e.GetAwaitEnded() != nil }), "awaited end")
		g.countIf(slices.ContainsFunc(c.Sends, func(s persistence.Send) bool { return s.Kind == persistence.SendUnawait }), "wait given up")
	}
}

func (g *generator) countIf(yes bool, what string) {
	if yes {
		g.count(what)
	}
}

// consume takes in what waits.
func (g *generator) consume(p int, head *persistence.Head, plan *plan) {
	m := g.models[p]
	if s, ok := m.starts[executionKey{head.IID, head.Execution}]; ok {
		plan.takeStart(s)
	}
	for _, item := range some(g.dice, m.inbox[head.IID], 70) {
		plan.takeItem(item)
	}
	for _, t := range m.sortedTimers() {
		if t.Key.IID == head.IID && t.Key.FireAtMs <= g.nowMs && g.percent(70) {
			plan.takeTimer(persistence.TimerRef{FireAtMs: t.Key.FireAtMs, Event: t.Key.Event})
		}
	}
	if head.Turn > 0 && g.percent(20) {
		plan.acceptMessage(g.request(head.ID), eventMessage("accepted"))
	}
	for _, w := range g.workOf(p, head) {
		if g.percent(12) {
			plan.acceptResult(persistence.AcceptedResult{
				Execution: w.Key.Execution, Event: w.Key.Event, Token: w.Token, Attempts: w.Attempts, Epoch: g.epochs[p],
			})
		}
	}
}

func (g *generator) workOf(p int, head *persistence.Head) (work []persistence.WorkItem) {
	for _, w := range g.models[p].sortedWork() {
		if w.Key.IID == head.IID {
			work = append(work, w)
		}
	}
	return work
}

// ask schedules, cancels and sends.
func (g *generator) ask(p int, head *persistence.Head, plan *plan) {
	accepted := map[uint64]bool{}
	for _, a := range plan.commit.AcceptedResults {
		accepted[a.Event] = true
	}
	for range g.upTo(3) {
		w := persistence.NewWork{Name: fmt.Sprintf("w%d", g.upTo(5)), Input: []byte("in")}
		if g.percent(25) {
			tag, session := "tag", "session"
			w.Tag, w.Session = &tag, &session
		}
		if g.percent(20) {
			w.NotBeforeMs = g.nowMs + int64(g.upTo(2000))
		}
		if g.percent(40) {
			w.Attempt, w.FirstEvent, w.Deadlines = uint32(g.upTo(3)), uint64(g.upTo(9)), g.deadlines()
			if w.Attempt == 2 {
				w.Heartbeat = []byte("of the attempt before")
			}
		}
		if event := plan.scheduleAs(w); g.percent(10) {
			plan.cancelWork(event)
		}
	}
	for range g.upTo(2) {
		if ref := plan.timer(g.nowMs + int64(g.upTo(4000)) - 500); g.percent(10) {
			plan.commit.CancelledTimers = append(plan.commit.CancelledTimers, ref)
		}
	}
	for _, w := range g.workOf(p, head) {
		if !accepted[w.Key.Event] && g.percent(10) {
			plan.cancelWork(w.Key.Event)
		}
	}
	for _, t := range g.models[p].sortedTimers() {
		ref := persistence.TimerRef{FireAtMs: t.Key.FireAtMs, Event: t.Key.Event}
		if t.Key.IID == head.IID && !slices.Contains(plan.commit.ConsumedTimers, ref) && g.percent(10) {
			plan.commit.CancelledTimers = append(plan.commit.CancelledTimers, ref)
		}
	}
	g.family(p, head, plan)
	plan.note(fmt.Sprintf("note %d", g.upTo(100)))
}

// family starts children near and far, some with an id that is taken, cancels some, and sends unexpected messages.
func (g *generator) family(p int, head *persistence.Head, plan *plan) {
	if g.percent(30) && !g.crowded(p) {
		id := fmt.Sprintf("%s::sub::%d", head.ID, plan.next)
		switch n := g.upTo(10); {
		case n < 4:
			g.fresh++
			id = fmt.Sprintf("c%d", g.fresh)
		case n < 6:
			id = pick(g.dice, append(slices.Clone(g.ids), "c0"))
		}
		plan.child(id, "child of "+head.ID, pick(g.dice, []string{"", "1.0.0"}))
		g.bound(plan)
	}
	for _, c := range g.models[p].sortedChildren() {
		if c.IID == head.IID && g.percent(8) {
			plan.cancelChild(c.ChildItem)
		}
	}
	if g.percent(8) && !g.crowded(p) {
		g.fresh++
		plan.detach(pick(g.dice, append(slices.Clone(g.ids), fmt.Sprintf("d%d", g.fresh))), "detached")
		g.bound(plan)
	}
	if g.lives.percent(8) {
		plan.message(pick(g.lives, append(slices.Clone(g.ids), "nobody", head.ID)), "sent", uint64(g.lives.upTo(6)))
	}
	g.awaits(head, plan)
	if g.percent(6) {
		to := pick(g.dice, append(slices.Clone(g.ids), "nobody"))
		plan.commit.Sends = append(plan.commit.Sends, persistence.Send{
			Kind: persistence.SendKind(1 + g.upTo(4)), To: to, Name: "stray", Message: eventMessage("stray"),
			Link: persistence.Link{ID: to, IID: persistence.Incarnation(g.upTo(20)), Execution: 1, Event: uint64(g.upTo(5))},
		})
	}
}

// awaits waits for the ends of others, and gives some of that up.
func (g *generator) awaits(head *persistence.Head, plan *plan) {
	switch n := g.waits.upTo(100); {
	case n < 8:
		plan.await(pick(g.waits, append(slices.Clone(g.ids), "nobody", head.ID)))
	case n < 16:
		if live := g.heads(g.waits.upTo(len(g.models)), true); len(live) > 0 {
			plan.await(pick(g.waits, live).ID)
		}
	}
	for _, m := range g.models {
		for _, w := range m.sortedWatchers() {
			if w.Link.IID == head.IID && w.Link.ID == head.ID && g.waits.percent(40) {
				plan.unawait(m.heads[w.Target].ID, w.Link.Event)
			}
		}
	}
}

// bound gives the last start of a turn times of life, sometimes.
func (g *generator) bound(plan *plan) {
	send := &plan.commit.Sends[len(plan.commit.Sends)-1]
	if g.lives.percent(20) {
		send.DelayMs = int64(g.lives.upTo(3000))
	}
	if g.lives.percent(20) {
		send.ExecutionTimeoutMs = int64(g.lives.upTo(9000))
	}
}

// show changes what the instance shows to others.
func (g *generator) show(plan *plan) {
	d := g.shows
	if d.percent(8) {
		plan.resetStatus()
	} else if d.percent(15) {
		plan.setStatus(fmt.Sprintf("status %d", d.upTo(100)))
	}
	for range d.upTo(12) / 4 {
		key := pick(d, []string{"", "a", "a\x00", "a\x00b", "ab", "b", "é"})
		switch n := d.upTo(10); {
		case n < 6:
			plan.setKV(key, fmt.Sprint("value", d.upTo(1000)))
		case n < 9:
			plan.clearKV(key)
		default:
			plan.clearAllKV()
		}
	}
}

// end ends a part of the executions.
func (g *generator) end(p int, head *persistence.Head, plan *plan) {
	switch n := g.upTo(100); {
	case n < 12, n < 40 && g.crowded(p):
		plan.complete(head.Parent)
	case n < 46:
		plan.fail(head.Parent)
	case n < 56:
		plan.continueAsNew(head.Name, pick(g.dice, []string{"", "2.0.0"}))
	}
}

// fence gives the turn the token that it needs, mostly.
func (g *generator) fence(p int, head *persistence.Head, plan *plan) {
	m := g.models[p]
	l, leased := m.leases[head.IID]
	m.now = g.nowMs
	switch held := leased && m.live(l.Token, l.Holder, l.ExpiresAtMs); {
	case held && g.percent(90), leased && g.percent(30):
		plan.commit.Token = l.Token
	case g.percent(2):
		plan.commit.Token = "forged"
	}
}

// spoil makes one thing wrong.
func (g *generator) spoil(head *persistence.Head, c *persistence.CommitTurn) {
	switch g.upTo(12) {
	case 0:
		c.Turn++
	case 1:
		c.Execution++
	case 2:
		c.IID += 1000
	case 3:
		c.ConsumedInbox = append(c.ConsumedInbox, head.NextSeq+uint64(g.upTo(3)))
	case 4:
		c.ConsumedInbox = append(c.ConsumedInbox, c.ConsumedInbox...)
	case 5, 6:
		c.ConsumedTimers = append(c.ConsumedTimers, persistence.TimerRef{FireAtMs: g.nowMs, Event: 1})
	case 7:
		c.AcceptedResults = append(c.AcceptedResults, persistence.AcceptedResult{Execution: c.Execution, Event: 9999})
	case 8:
		for i := range c.Segment.Parts {
			c.Segment.Parts[i].FirstEvent++
		}
	case 9: // no outcome that is another one's: history would not end as the instance does
		c.Outcome = pick(g.dice, []persistence.TurnOutcome{0, persistence.OutcomeContinued + 1})
	case 10:
		c.AcceptedMessages = append(c.AcceptedMessages, c.AcceptedMessages...)
	case 11:
		c.ConsumesStart = !c.ConsumesStart
	}
}

// fusedStart makes an instance and its first turn in one.
func (g *generator) fusedStart(p int) {
	id := g.oldID(p)
	if !g.crowded(p) && g.percent(70) {
		id = g.newID(p)
	} else if of := slices.DeleteFunc(slices.Clone(g.keys), func(r keptRequest) bool { return int(g.models[0].home(r.id)) != p }); len(of) > 0 {
		id = pick(g.dice, of).id
	}
	plan := newFusedPlan(persistence.StartInstance{
		ID: id, Name: "n" + id, Version: "1.0.0", Input: []byte(id), Request: g.request(id),
	}, g.nowMs)
	plan.perPart = g.upTo(4)
	if g.percent(15) {
		plan.acceptMessage(g.request(id), eventMessage("with the start"))
	}
	g.ask(p, &persistence.Head{ID: id}, plan)
	g.end(p, &persistence.Head{Name: "n" + id}, plan)
	c := plan.build()
	if g.percent(5) {
		g.spoil(&persistence.Head{NextSeq: 1}, c)
	}
	if r := g.apply(p, c); r.Err == nil {
		g.count("fused start")
	}
}
