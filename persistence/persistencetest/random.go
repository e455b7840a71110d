package persistencetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// generator makes random commands, most of which fit the state and some of which do not. It reads the models to know
// what would fit, and applies what it made to them.
type generator struct {
	*dice
	lives  *dice // times of life of children and detached starts; apart, too
	waits  *dice // waits for the ends of others; apart, too
	shows  *dice // what instances show to others; apart, so that it changes no other draw
	trace  *Trace
	models []*Model
	nowMs  int64
	epochs []uint64
	ids    []string
	keys   []keptRequest
	fresh  int
	// live bounds how many instances are unfinished at a time.
	live int
}

// keptRequest is a request that was made with a key.
type keptRequest struct {
	id string
	persistence.Request
}

// Generate makes a trace of so many commands. live is about how many instances are unfinished at a time: a store with
// few of them is more often in odd states. With an even seed, what is left is as an engine could leave it: every activity
// that history waits for has work or a result.
func Generate(seed uint64, partitions, length, live int) *Trace {
	g := &generator{
		dice: newDice(seed), shows: newDice(seed + 1<<32), lives: newDice(seed + 2<<32), waits: newDice(seed + 3<<32), nowMs: 1_700_000_000_000, epochs: make([]uint64, partitions), live: live,
		trace: &Trace{
			Seed: seed, Partitions: partitions, Coverage: map[string]int{}, own: make([][]int, partitions),
			at: make([]*Model, partitions),
		},
	}
	for p := range partitions {
		g.models = append(g.models, NewModel(persistence.Partition(p), partitions, placement(partitions)))
		g.trace.states = append(g.trace.states, map[uint64]state{})
		g.beginEpoch(p)
	}
	for len(g.trace.Steps) < length {
		g.moveClock()
		p := g.upTo(partitions)
		if g.models[p].state.Clean && g.percent(50) {
			g.beginEpoch(p)
			continue
		}
		g.command(p)
		g.drain(p)
	}
	for _, m := range g.models {
		g.trace.final = append(g.trace.final, m.Dump().String())
	}
	return g.trace
}

// drain answers watchers of an instance that has ended, sometimes, and of one that may not have.
func (g *generator) drain(p int) {
	if !g.waits.percent(4) {
		return
	}
	iid := persistence.Incarnation(g.waits.upTo(20))
	if ended := g.models[p].sortedDraining(); len(ended) > 0 {
		iid = pick(g.waits, ended)
	}
	g.apply(p, &persistence.DrainWatchers{IID: iid})
}

// moveClock moves mostly a little, sometimes a day, and sometimes back: proposers' clocks are not clamped.
func (g *generator) moveClock() {
	switch n := g.upTo(1000); {
	case n < 1:
		g.nowMs += persistence.RequestTTLMs
	case n < 40:
		g.nowMs -= int64(g.upTo(300))
	case n < 340:
		g.nowMs += int64(g.upTo(400))
	}
}

// apply gives a command to a partition's model and writes the step down.
func (g *generator) apply(p int, c persistence.Command) persistence.Result {
	proposal := persistence.Proposal{TimeMs: g.nowMs, Epoch: g.epochs[p], Command: c}
	if g.percent(4) && proposal.Epoch > 0 {
		proposal.Epoch -= uint64(1 + g.upTo(2))
	}
	m := g.models[p]
	index := m.state.Applied + 1
	applied := m.Apply(index, proposal)
	g.trace.own[p] = append(g.trace.own[p], len(g.trace.Steps))
	g.trace.Steps = append(g.trace.Steps, Step{
		Partition: persistence.Partition(p), Proposal: proposal, Index: index,
		Result: ResultText(applied.Result), Effects: EffectsText(applied.Effects),
	})
	g.count(fmt.Sprintf("%T", c))
	var refusal *persistence.Refusal
	if errors.As(applied.Result.Err, &refusal) {
		g.count("refused " + codeNames[refusal.Code])
		g.count(fmt.Sprintf("%T refused %s", c, codeNames[refusal.Code]))
		for _, s := range refusal.Stale {
			g.count(fmt.Sprintf("stale part %d", s.Part))
		}
	}
	if applied.Result.Repeated {
		g.count("repeated")
	}
	return applied.Result
}

var codeNames = [...]string{
	persistence.Conflict: "Conflict", persistence.Fenced: "Fenced", persistence.LeaseLost: "LeaseLost",
	persistence.NotFound: "NotFound", persistence.AlreadyExists: "AlreadyExists", persistence.Limit: "Limit",
	persistence.Stale: "Stale", persistence.Ended: "Ended", persistence.KeyReused: "KeyReused",
	persistence.Spread: "Spread",
}

func (g *generator) count(what string) { g.trace.Coverage[what]++ }

// command makes one random command for a partition.
func (g *generator) command(p int) {
	choices := []struct {
		weight int
		make   func(p int)
	}{
		{60, g.startInstance}, {90, g.enqueue}, {230, g.commitTurn}, {50, g.fusedStart}, {60, g.leaseTurn},
		{30, g.renewTurn}, {30, g.abandonTurn}, {60, g.leaseWork}, {30, g.renewWork}, {60, g.completeWork},
		{35, g.abandonWork}, {80, g.deliver}, {35, g.outboxAck}, {25, g.sweep}, {16, g.beginEpoch}, {18, g.endEpoch},
		{25, g.releaseTurn}, {40, g.expireWork}, {20, g.terminate},
	}
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	n := g.upTo(total)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			c.make(p)
			return
		}
	}
}

func (g *generator) beginEpoch(p int) {
	epoch := g.models[p].state.Epoch + 1 + uint64(g.upTo(2))
	if g.percent(30) && g.models[p].state.Epoch > 0 {
		epoch = g.models[p].state.Epoch - uint64(g.upTo(2))
	}
	// Two processes take turns, so that leases of the one before are found dead and later alive again; and now and then
	// another node has the partition.
	c := persistence.BeginEpoch{Epoch: epoch, Node: "here", Process: fmt.Sprintf("process %d", epoch%2)}
	if g.percent(12) {
		c.Node, c.Process = pick(g.dice, []string{"elsewhere", "third"}), fmt.Sprintf("p%d", 1+g.upTo(2))
	}
	r := g.apply(p, c)
	if r.Err == nil {
		g.epochs[p] = epoch
	}
}

func (g *generator) endEpoch(p int) { g.apply(p, persistence.EndEpoch{}) }

// newID is an id that was never used: in the partition, anywhere, or that of a child.
func (g *generator) newID(p int) string {
	for {
		g.fresh++
		id := fmt.Sprintf("i%d", g.fresh)
		if g.percent(20) && len(g.ids) > 0 {
			id = fmt.Sprintf("%s::sub::%d", pick(g.dice, g.ids), g.fresh)
		}
		if int(g.models[0].home(id)) == p {
			g.ids = append(g.ids, id)
			return id
		}
	}
}

// oldID is an id of this partition that was used; a new one if there is none.
func (g *generator) oldID(p int) string {
	head := pick(g.dice, g.heads(p, false))
	if head == nil {
		return g.newID(p)
	}
	return head.ID
}

// heads are a partition's instances in order: all, or those that run.
func (g *generator) heads(p int, unfinished bool) []*persistence.Head {
	m := g.models[p]
	var heads []*persistence.Head
	for _, iid := range sortedKeys(m.heads) {
		if h := m.heads[iid]; !unfinished || !h.Status.Terminal() {
			heads = append(heads, h)
		}
	}
	return heads
}

func (g *generator) crowded(p int) bool { return len(g.heads(p, true)) >= g.live/g.trace.Partitions+1 }

// request sometimes has a key: one that was used for this very id, if there is one, mostly for the same request; or a
// new one.
func (g *generator) request(id string) persistence.Request {
	of := slices.DeleteFunc(slices.Clone(g.keys), func(r keptRequest) bool { return r.id != id })
	switch n := g.upTo(10); {
	case n < 4 && len(of) > 0:
		r := pick(g.dice, of).Request
		switch g.upTo(6) {
		case 0:
			r.Kind++
		case 1:
			r.Digest[3]++
		}
		return r
	case n < 7:
		return persistence.Request{}
	}
	g.fresh++
	r := persistence.Request{
		Key: fmt.Sprintf("k%d", g.fresh), Kind: persistence.RequestKind(1 + g.upTo(3)),
		Digest: persistence.RequestDigest{0: byte(g.fresh), 15: byte(g.upTo(256))},
	}
	if g.percent(12) {
		r.TTLMs = int64(g.upTo(3000))
	}
	g.keys = append(g.keys, keptRequest{id, r})
	return r
}

func (g *generator) startInstance(p int) {
	id := g.oldID(p)
	if !g.crowded(p) && g.percent(75) {
		id = g.newID(p)
	} else if running := pick(g.dice, g.heads(p, true)); running != nil && g.percent(60) {
		id = running.ID
	}
	c := &persistence.StartInstance{
		ID: id, Name: "n" + id, Version: pick(g.dice, []string{"", "1.0.0", "2.0.0"}), Input: []byte(id), Request: g.request(id),
	}
	for range g.upTo(12) / 8 * g.upTo(4) {
		msg, topic := g.event()
		c.Messages = append(c.Messages, persistence.StartMessage{Message: msg, Topic: topic})
	}
	if g.percent(30) {
		c.InboxMax, c.InboxBytesMax = uint64(g.upTo(5)), uint64(g.upTo(60))
	}
	if g.percent(15) {
		c.DelayMs, c.ExecutionTimeoutMs = int64(g.upTo(3000)), int64(g.upTo(9000))
	}
	_, there := g.models[p].names[id]
	if g.percent(40) {
		c.Reuse = persistence.AllowIfTerminal
	}
	ended := slices.DeleteFunc(g.heads(p, false), func(h *persistence.Head) bool { return !h.Status.Terminal() || !h.Spread })
	if h := pick(g.dice, ended); h != nil && g.percent(12) {
		c.ID, c.Reuse, c.Request = h.ID, persistence.AllowIfTerminal, g.request(h.ID)
		there = true
	}
	r := g.apply(p, c)
	g.countIf(r.Joined, "joined start")
	g.countIf(r.Err == nil && there && !r.Joined && !r.Repeated, "replaced instance")
}

func (g *generator) enqueue(p int) {
	id := g.oldID(p)
	if g.percent(12) {
		id = fmt.Sprintf("missing%d", g.upTo(100))
	} else if running := pick(g.dice, g.heads(p, true)); running != nil && g.percent(80) {
		id = running.ID
	}
	c := &persistence.Enqueue{ID: id, Request: g.request(id)}
	c.Message, c.Topic = g.event()
	if g.percent(20) {
		c.NotBeforeMs = g.nowMs + int64(g.upTo(3000))
	}
	if g.percent(60) {
		c.InboxMax, c.InboxBytesMax = uint64(1+g.upTo(4)), uint64(g.upTo(100))
	}
	g.apply(p, c)
}

// event is a message that is about one of few names, or about none.
func (g *generator) event() ([]byte, persistence.Topic) {
	name := fmt.Sprintf("m%d", g.upTo(5))
	if g.percent(30) {
		return eventMessage(name), 0
	}
	return eventMessage(name), persistence.TopicOf(1, name)
}

// sweep names what has expired, as a sweeper does, and what has not.
func (g *generator) sweep(p int) {
	c := &persistence.Sweep{Requests: []persistence.RequestRef{{ID: "i1", Key: "none"}}}
	for _, r := range some(g.dice, g.keys, 10) {
		c.Requests = append(c.Requests, persistence.RequestRef{ID: r.id, Key: r.Key})
	}
	due, _ := g.models[p].ScanExpired(persistence.ExpiryRef{}, g.nowMs, g.upTo(4))
	for _, r := range due {
		c.Requests = append(c.Requests, r.RequestRef)
	}
	g.apply(p, c)
}

// deliver carries messages from some partition to this one: what comes next, what came already, with a gap, or damaged.
func (g *generator) deliver(p int) {
	from := g.upTo(g.trace.Partitions)
	for i := range g.trace.Partitions { // the first that has something
		if other := (from + i) % g.trace.Partitions; len(g.models[other].outbox[persistence.Partition(p)]) > 0 {
			from = other
			break
		}
	}
	items := g.models[from].outbox[persistence.Partition(p)]
	if len(items) == 0 {
		g.apply(p, &persistence.Deliver{From: persistence.Partition(from), FirstSeq: g.models[p].received[persistence.Partition(from)] + 1})
		return
	}
	first, n := g.upTo(len(items)), 1+g.upTo(len(items))
	if g.percent(80) {
		first = 0
	}
	items = items[first:min(len(items), first+n)]
	d := &persistence.Deliver{From: persistence.Partition(from), FirstSeq: items[0].Seq}
	for _, item := range items {
		d.Messages = append(d.Messages, item.Message)
	}
	if g.percent(5) {
		d.Messages[len(d.Messages)-1] = []byte("damaged")
	}
	g.apply(p, d)
}

// outboxAck takes back what was delivered, or part of it.
func (g *generator) outboxAck(p int) {
	for to := range g.trace.Partitions {
		through := g.models[to].received[persistence.Partition(p)]
		if len(g.models[p].outbox[persistence.Partition(to)]) > 0 && through > 0 && g.percent(60) {
			g.apply(p, &persistence.OutboxAck{To: persistence.Partition(to), Through: through - uint64(g.upTo(2))})
			return
		}
	}
	g.apply(p, &persistence.OutboxAck{To: persistence.Partition(g.upTo(g.trace.Partitions)), Through: 0})
}
