package sim

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Program is a random orchestration as data: the input of the one orchestration that is registered, which interprets
// it. So the same code runs every program, and a history says which one it was.
type Program struct {
	// Op says what the node does; see the interpreter for each.
	Op string `json:"o"`
	// N is a count, or a duration in milliseconds.
	N int `json:"n,omitempty"`
	// Name is an event, an activity or an instance; To is the instance that a letter is for.
	Name string `json:"s,omitempty"`
	To   string `json:"l,omitempty"`
	// Flag is the node's variant.
	Flag bool `json:"f,omitempty"`
	// Tag tells an activity of a settled program from the others.
	Tag  int        `json:"t,omitempty"`
	Kids []*Program `json:"k,omitempty"`
	// Bound is what bounds an activity, and Ms for how long. One that hangs does so where it would fail.
	Bound string `json:"b,omitempty"`
	Ms    int    `json:"m,omitempty"`
	Hangs bool   `json:"h,omitempty"`
	Beats bool   `json:"p,omitempty"` // it gives heartbeats
	// Delay is how long the first turn of what is started waits, in milliseconds, and Life how long each execution may take.
	Delay int `json:"d,omitempty"`
	Life  int `json:"x,omitempty"`
}

// The names that programs use.
const (
	orchestrationName = "program"
	lateOrchestration = "late-program"
	activityCommon    = "common"  // both consumers
	activityFirst     = "first"   // the first consumer only
	activitySecond    = "second"  // the second consumer only
	activityLate      = "late"    // registered after a while
	activityNowhere   = "nowhere" // never
	eventNames        = 3
	queueNames        = 2
	patchNames        = 3
)

func eventName(n int) string { return fmt.Sprint("event-", n) }

// patchName is the id of a patch: one that code branches on is never deprecated, or code of before would not fit.
func patchName(op string, n int) string { return fmt.Sprint(op, "-", n) }

func (p *Program) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("encoding a program: %v", err)) // plain data: it cannot fail
	}
	return b
}

func decodeProgram(b []byte) (*Program, error) {
	p := new(Program)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("the input is not a program: %w", err)
	}
	return p, nil
}

// generator draws programs. What a seed allows is drawn once, so that seeds differ in kind and not only in order.
type generator struct {
	random *random
	// allowed are the operations of this seed.
	allowed  []string
	killers  bool
	instance string
	children int
	left     int  // nodes that may still be drawn
	taken    bool // the program is for an id that another one may have
}

// leafOps begin one durable operation; blockOps hold other nodes; plainOps finish in their own turn.
var (
	leafOps  = []string{"activity", "activity", "activity", "timer", "wait", "dequeue", "child", "read", "send", "await"}
	blockOps = []string{"seq", "seq", "all", "all", "race", "select", "scope", "go", "retry", "loop", "catch", "cancel", "linger", "patched", "undo"}
	plainOps = []string{"guid", "now", "random", "detached", "effect", "deprecate", "status", "set", "set", "clear", "keys", "prune"}
)

// newGenerator draws which operations the seed uses: each kind is left out by one seed in four.
func newGenerator(r *random, killers bool) *generator {
	g := &generator{random: r, killers: killers}
	for _, ops := range [][]string{blockOps, plainOps} {
		for _, op := range ops {
			if !r.chance(4) {
				g.allowed = append(g.allowed, op)
			}
		}
	}
	return g
}

// program draws a whole orchestration for an instance.
func (g *generator) program(instance string) *Program {
	g.instance, g.children = instance, 0
	g.left = pick(g.random, 4, 8, 8, 14, 24)
	p := &Program{Op: "seq"}
	for range g.random.between(1, 4) {
		p.Kids = append(p.Kids, g.node(3))
	}
	late := g.random.chance(6)
	if late { // the time for all undo steps is over before the first one ends
		p.Kids = append(p.Kids, &Program{Op: "undo", Kids: []*Program{{Op: "timer", N: 20000}}})
	}
	switch {
	case !late && g.random.chance(4):
		next := &Program{Op: "seq", Kids: []*Program{g.node(2)}}
		if g.random.chance(3) {
			next.Kids = append(next.Kids, &Program{Op: "again", Kids: []*Program{{Op: "seq", Kids: []*Program{g.leaf()}}}})
		}
		p.Kids = append(p.Kids, &Program{Op: "again", Flag: g.random.chance(3), Kids: []*Program{next}})
	case late && g.random.chance(2), g.random.chance(12):
		p.Kids = append(p.Kids, &Program{Op: "fail"})
	case g.random.chance(16):
		p.Kids = append(p.Kids, &Program{Op: "panic"})
	}
	if late || g.random.chance(6) {
		undo := g.undo(2)
		return &Program{Op: "tidy", N: pick(g.random, -1, 0, 50, 3000), Kids: []*Program{p, undo.Kids[0]}}
	}
	return p
}

// undo draws an undo step. Some fail.
func (g *generator) undo(depth int) *Program {
	body := &Program{Op: "seq", Kids: []*Program{g.node(depth - 1)}}
	if g.random.chance(4) {
		body.Kids = append(body.Kids, &Program{Op: pick(g.random, "fail", "panic")})
	}
	return &Program{Op: "undo", Kids: []*Program{body}}
}

// node draws any node.
func (g *generator) node(depth int) *Program {
	g.left--
	if depth == 0 || g.left <= 0 || len(g.allowed) == 0 || g.random.chance(3) {
		return g.leaf()
	}
	switch op := pick(g.random, g.allowed...); op {
	case "guid", "now", "random", "effect", "keys":
		return &Program{Op: op}
	case "deprecate":
		return &Program{Op: op, Name: patchName(op, g.random.below(patchNames))}
	case "patched": // the old way and the new one
		return g.with(&Program{Op: op, Name: patchName(op, g.random.below(patchNames))}, 2, depth)
	case "status", "set", "clear", "prune": // Flag: reset, or clear all
		return &Program{Op: op, Name: g.key(), N: g.random.between(0, 2000), Flag: g.random.chance(5)}
	case "undo":
		return g.undo(depth)
	case "detached":
		return g.start(op, depth)
	case "scope", "catch", "cancel", "linger":
		p := &Program{Op: op, N: g.random.between(0, 2000), Flag: g.random.chance(2)}
		return g.with(p, 1, depth)
	case "retry":
		p := g.activity()
		if p.Op == "kill" || g.random.chance(4) {
			p = g.start("child", 1)
		}
		return &Program{Op: op, N: g.random.between(1, 4), Flag: g.random.chance(4), Kids: []*Program{p}}
	case "loop":
		p := &Program{Op: op, N: g.random.between(2, 6)}
		return g.with(p, 1, depth)
	case "go":
		return g.with(&Program{Op: op, Flag: g.random.chance(4)}, g.random.between(1, 3), depth)
	default: // seq, all, race, select
		return g.with(&Program{Op: op, Flag: g.random.chance(2)}, g.random.between(2, 4), depth)
	}
}

func (g *generator) with(p *Program, kids, depth int) *Program {
	for range kids {
		p.Kids = append(p.Kids, g.node(depth-1))
	}
	return p
}

// leaf draws one durable operation.
func (g *generator) leaf() *Program {
	switch op := pick(g.random, leafOps...); op {
	case "timer":
		return &Program{Op: op, N: pick(g.random, 0, 1, 5, 50, 400, 3000, 20000)}
	case "wait":
		return &Program{Op: op, Name: eventName(g.random.below(eventNames)), Flag: g.random.chance(4)}
	case "dequeue":
		return &Program{Op: op, Name: eventName(g.random.below(queueNames))}
	case "child":
		return g.start(op, 1)
	case "send":
		return g.send()
	case "await":
		return g.await()
	case "read":
		return &Program{Op: op, Name: fmt.Sprintf("i%d", g.random.below(4)) + "/" + g.key()}
	default:
		return g.activity()
	}
}

// key draws a key of a key-value store.
func (g *generator) key() string { return pick(g.random, "a", "b", "c", "") }

// activity draws an activity: its consumer, how often it fails, whether it kills its process.
func (g *generator) activity() *Program {
	p := &Program{Op: "activity", Name: pick(g.random, activityCommon, activityCommon, activityFirst, activitySecond)}
	switch {
	case g.killers && g.random.chance(10):
		p.Op, p.Flag = pick(g.random, "activity", "activity", "kill"), true
	case g.random.chance(16):
		p.Name = activityLate
	case g.random.chance(5):
		p.N = g.random.between(1, 5) // fails as often, then works
	}
	if p.Op == "activity" && !p.Flag && g.random.chance(3) {
		g.bound(p)
	}
	p.Beats = p.Op == "activity" && g.random.chance(3)
	return p
}

// start draws a child or a detached orchestration. Some have an id of their own, and so live in another partition.
func (g *generator) start(op string, depth int) *Program {
	g.children++
	p := &Program{Op: op, Flag: g.random.chance(4), N: g.random.between(0, 3)} // a version is asked for; the child's policy
	if op == "detached" || g.random.chance(2) {
		p.Name = fmt.Sprintf("%s/%d", g.instance, g.children)
	}
	if g.random.chance(12) {
		p.Name = fmt.Sprintf("i%d", g.random.below(4)) // may be taken
	}
	mine, taken := g.instance, g.taken
	g.taken = g.taken || p.Name != "" && !strings.HasPrefix(p.Name, g.instance)
	if p.Name != "" {
		g.instance = p.Name
	}
	body := &Program{Op: "seq"}
	for range g.random.between(1, 2) {
		if depth > 1 && g.left > 0 {
			body.Kids = append(body.Kids, g.node(depth-1))
		} else {
			body.Kids = append(body.Kids, g.activity())
		}
	}
	if op == "child" && g.random.chance(6) {
		body.Kids = append(body.Kids, &Program{Op: "fail"})
	}
	g.instance, g.taken = mine, taken
	p.Kids = []*Program{body}
	g.life(p)
	body.Delay = p.Delay
	return p
}
