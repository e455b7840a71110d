package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// letterPrefix begins what instances send to each other.
const letterPrefix = "sent by "

// send has an instance raise an event at another one, or put a message into a queue of it. Each letter has data of its own.
func (r *run) send(ctx *replay.Context, p *Program) *replay.Future {
	r.sent++
	data := fmt.Appendf(nil, letterPrefix+"%s as %d of %d", ctx.Instance(), r.sent, ctx.Execution())
	if r.settled {
		data = fmt.Appendf(nil, letterPrefix+"%s with tag %d", ctx.Instance(), p.Tag)
	}
	if p.Op == "enqueue" {
		return ctx.Enqueue(p.To, p.Name, data)
	}
	return ctx.Raise(p.To, p.Name, data)
}

// send draws a letter to one that is there, was there, will be there, or never is.
func (g *generator) send() *Program {
	p := &Program{Op: "raise", Name: eventName(g.random.below(eventNames)), To: fmt.Sprintf("i%d", g.random.below(4))}
	if g.random.chance(2) {
		p.Op, p.Name = "enqueue", eventName(g.random.below(queueNames))
	}
	switch g.random.below(6) {
	case 0:
		p.To = g.instance
	case 1:
		p.To = fmt.Sprintf("%s/%d", g.instance, g.random.between(1, g.children+1))
	case 2:
		p.To = noInstance
	}
	return p
}

// noInstance is an id that no instance ever has.
const noInstance = "none-such"

// post draws a child that waits for a letter of its parent and answers it; when it has ended, it is sent another one.
func (g *settled) post() *Program {
	g.tags++
	g.children++
	id, name := fmt.Sprintf("%s/%d", g.instance, g.children), fmt.Sprint("mail-", g.tags)
	receive, send := "wait", "raise"
	if g.random.chance(2) {
		receive, send = "dequeue", "enqueue"
	}
	letter := func(to string) *Program {
		g.tags++
		return &Program{Op: send, Name: name, To: to, Tag: g.tags}
	}
	answer := &Program{Op: "seq", Kids: []*Program{{Op: receive, Name: name}, letter(g.instance)}}
	return &Program{Op: "seq", Kids: []*Program{
		{Op: "all", Kids: []*Program{{Op: "child", Name: id, Kids: []*Program{answer}}, letter(id), {Op: receive, Name: name}}},
		letter(id), letter(noInstance),
	}}
}

// letter is what an instance has sent to another one.
type letter struct {
	to      string
	name    arrivalName
	outcome turnpb.SendOutcome // unspecified: it is not answered yet
}

// arrived is a letter where it has come to.
type arrived struct {
	id   string
	name arrivalName
	data string
}

// mail is all letters, by their data.
type mail struct {
	world   *World
	letters map[string]*letter
	arrived []arrived
	open    map[uint64]*letter // of the execution that is read, by their events
}

// take takes the next event of a history.
func (m *mail) take(event *turnpb.Event) {
	switch k := event.GetKind().(type) {
	case *turnpb.Event_Started:
		m.open = map[uint64]*letter{}
	case *turnpb.Event_SendScheduled:
		s := k.SendScheduled
		l := &letter{to: s.GetInstance(), name: arrivalName{queue: s.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, name: s.GetName()}}
		if m.letters[string(s.GetData())] != nil {
			m.world.fail("S2", "%q is sent by two events", s.GetData())
		}
		m.letters[string(s.GetData())], m.open[event.GetId()] = l, l
	case *turnpb.Event_SendEnded:
		if l := m.open[event.GetSource()]; l != nil {
			l.outcome = k.SendEnded.GetOutcome()
		}
	}
}

// found notes where data is that an instance may have sent.
func (m *mail) found(id string, name arrivalName, data string) {
	if strings.HasPrefix(data, letterPrefix) {
		m.arrived = append(m.arrived, arrived{id, name, data})
	}
}

// compare checks that each letter came once, and that its answer says whether it came. count says how often data came.
func (m *mail) compare(count func(data string) int) {
	w := m.world
	for _, a := range m.arrived {
		switch l := m.letters[a.data]; {
		case l == nil:
			w.fail("S6", "%q came to %s before it was durable that it was sent", a.data, a.id)
		case l.to != a.id || l.name != a.name:
			w.fail("S2", "%q was sent to %v of %s and came to %v of %s", a.data, l.name, l.to, a.name, a.id)
		}
	}
	for _, data := range slices.Sorted(maps.Keys(m.letters)) {
		l, n := m.letters[data], count(data)
		answered, delivered := l.outcome != turnpb.SendOutcome_SEND_OUTCOME_UNSPECIFIED, l.outcome == turnpb.SendOutcome_SEND_OUTCOME_DELIVERED
		switch rec := w.disk.ledger.of(l.to); {
		case n > 1:
			w.fail("S2", "%q came to %s %d times", data, l.to, n)
		case n > 0 && answered && !delivered:
			w.fail("S2", "%q came to %s, and its sender was told %v", data, l.to, l.outcome)
		case n == 0 && delivered && (rec == nil || rec.terminal == 0):
			w.fail("S1", "%q was delivered to %s and is gone", data, l.to)
		case answered && w.over:
			w.reach("send: " + strings.ToLower(strings.TrimPrefix(l.outcome.String(), "SEND_OUTCOME_")))
		}
	}
}

// sentOrder is the order of the letters of one sender to one name of one receiver.
type sentOrder struct {
	sender string
	to     orderKey
}

// letter checks that letters come in the order in which they were sent.
func (l *events) letter(to orderKey, data string) {
	head, number, ok := strings.Cut(data, " as ")
	var n, execution int
	if _, err := fmt.Sscanf(number, "%d of %d", &n, &execution); !ok || err != nil || !strings.HasPrefix(head, letterPrefix) {
		return
	}
	key, now := sentOrder{head, to}, [2]int{execution, n}
	if before := l.letters[key]; now[0] < before[0] || now[0] == before[0] && now[1] < before[1] {
		l.client.world.fail("S11", "%q came to %s after the one of execution %d, number %d", data, to.id, before[0], before[1])
	}
	l.letters[key] = now
}
