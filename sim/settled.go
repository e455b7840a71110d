package sim

import "fmt"

// settled draws programs whose end does not depend on the order in which what they wait for is completed: a race has one
// side that cannot win, a value has one writer, and messages are counted and not told apart by who took them.
type settled struct {
	random   *random
	number   int // of the next program: some things come in turn, so that few programs have them all
	instance string
	tags     int // given to nodes, so that each has inputs, keys and results of its own
	left     int // nodes that may still be drawn
	children int
	// outer is true in the programs of clients, outside of loops: the client feeds only these with messages, and a loop
	// would use an id twice.
	outer bool
}

// anHour is a time that nothing else in a settled program takes.
const anHour = 3600_000

var (
	settledLeaves = []string{"activity", "activity", "activity", "timer", "wait", "dequeue", "child", "set", "effect", "deprecate"}
	settledBlocks = []string{"seq", "all", "all", "go", "scope", "catch", "retry", "loop", "race", "select", "linger", "cancel", "patched", "detached", "undo"}
)

// program draws a whole orchestration for an instance.
func (g *settled) program(instance string) *Program {
	g.instance, g.children, g.outer = instance, 0, true
	g.left = g.random.between(6, 16)
	p, whole := g.tidy(g.spine())
	defer func() { g.number++ }()
	switch g.number % 6 {
	case 0:
		p.Kids = append(p.Kids, g.undo(), &Program{Op: "fail"})
	case 1:
		p.Kids = append(p.Kids, g.late(whole), &Program{Op: "panic"})
	case 2, 3: // with messages on their way
		p.Kids = append(p.Kids, &Program{Op: "dequeue", Name: eventName(0)}, &Program{Op: "timer", N: 3000})
		g.left = 6
		p.Kids = append(p.Kids, &Program{Op: "again", Flag: g.random.chance(2), Kids: []*Program{g.spine()}})
	}
	return whole
}

// tidy gives every second program an undo step from its start on.
func (g *settled) tidy(p *Program) (body, whole *Program) {
	if g.random.chance(2) {
		return p, p
	}
	g.tags++
	return p, &Program{Op: "tidy", Tag: g.tags, Kids: []*Program{p, g.undo().Kids[0]}}
}

// undo draws an undo step. It takes no messages: it may never run.
func (g *settled) undo() *Program {
	g.tags++
	p, outer := &Program{Op: "undo", Tag: g.tags}, g.outer
	g.outer = false
	body := &Program{Op: "seq", Kids: []*Program{g.node(1)}}
	g.outer = outer
	if g.random.chance(4) {
		body.Kids = append(body.Kids, &Program{Op: "fail"})
	}
	p.Kids = []*Program{body}
	return p
}

// late draws an undo step that has no time left, and so have none that were added before it: it is the first one that runs.
func (g *settled) late(whole *Program) *Program {
	if whole.Op != "tidy" {
		return g.undo()
	}
	whole.N = 3000
	g.tags++
	return &Program{Op: "undo", Tag: g.tags, Kids: []*Program{{Op: "timer", N: anHour}}}
}

// spine draws what the handler itself does, one after the other. Only there the order of two changes of one thing is sure.
func (g *settled) spine() *Program {
	p := &Program{Op: "seq", Kids: []*Program{g.sure()}}
	for range g.random.between(2, 5) {
		p.Kids = append(p.Kids, g.node(3))
		g.tags++
		switch g.random.below(6) {
		case 0:
			p.Kids = append(p.Kids, &Program{Op: "status", N: g.tags, Flag: g.random.chance(4)})
		case 1:
			p.Kids = append(p.Kids, &Program{Op: "set", Name: "spine", N: g.tags})
		case 2:
			p.Kids = append(p.Kids, &Program{Op: "clear", Name: "spine", N: g.tags, Flag: g.random.chance(4)})
		}
	}
	return p
}

// sure is what comes in turn, each in one program of several.
func (g *settled) sure() *Program {
	of := []func() *Program{
		func() *Program { return g.tried(boundStartToClose) },
		func() *Program { return g.tried(boundHeartbeat) },
		g.post, g.watch, g.lives,
		g.leaf,
	}
	return of[g.number%len(of)]()
}

func (g *settled) node(depth int) *Program {
	g.left--
	if depth == 0 || g.left <= 0 || g.random.chance(3) {
		return g.leaf()
	}
	p := &Program{Op: pick(g.random, settledBlocks...)}
	switch p.Op {
	case "retry":
		p.N, p.Kids = g.random.between(1, 4), []*Program{g.activity()}
	case "cancel": // at once, before anything can come
		p.Kids = []*Program{pick(g.random, g.activity(), &Program{Op: "timer", N: anHour})}
	case "race", "select": // who wins is sure
		p.Kids = []*Program{g.node(depth - 1), {Op: "timer", N: anHour}}
	case "linger":
		p.N, p.Kids = anHour, []*Program{g.node(depth - 1)}
	case "scope", "catch":
		p.Kids = []*Program{g.node(depth - 1)}
		if p.Op == "catch" && g.random.chance(2) {
			p.Kids = append(p.Kids, &Program{Op: "fail"})
		}
	case "patched":
		p.Name, p.Kids = patchName("patched", g.random.below(patchNames)), []*Program{{Op: "fail"}, g.node(depth - 1)}
	case "loop":
		outer := g.outer
		g.outer = false
		p.N, p.Kids = g.random.between(2, 3), []*Program{g.node(depth - 1)}
		g.outer = outer
	case "detached":
		return g.start("detached")
	case "undo":
		return g.undo()
	default: // seq, all, go
		for range g.random.between(2, 4) {
			p.Kids = append(p.Kids, g.node(depth-1))
		}
	}
	return p
}

func (g *settled) leaf() *Program {
	g.tags++
	switch op := pick(g.random, settledLeaves...); op {
	case "timer":
		return &Program{Op: op, N: pick(g.random, 0, 1, 50, 400, 3000)}
	case "wait", "dequeue":
		if g.outer {
			return &Program{Op: op, Name: eventName(g.random.below(queueNames))}
		}
	case "child":
		return g.start(op)
	case "set":
		return &Program{Op: op, Name: fmt.Sprint("key-", g.tags), N: g.tags}
	case "effect":
		return &Program{Op: op}
	case "deprecate":
		return &Program{Op: op, Name: patchName(op, g.random.below(patchNames))}
	}
	return g.activity()
}

func (g *settled) activity() *Program {
	g.tags++
	p := &Program{Op: "activity", Tag: g.tags, Name: pick(g.random, activityCommon, activityFirst, activitySecond)}
	if g.random.chance(4) {
		p.N = g.random.between(1, 3) // fails as often, then works
	}
	if g.random.chance(3) {
		g.bound(p)
	}
	p.Beats = g.random.chance(2)
	return p
}

// start draws a child or a detached orchestration. In a loop a child has no id of its own.
func (g *settled) start(op string) *Program {
	if op == "detached" && !g.outer {
		op = "child"
	}
	g.children++
	p := &Program{Op: op, N: g.random.between(0, 3), Flag: g.random.chance(2)}
	if g.outer && (op == "detached" || g.random.chance(2)) {
		p.Name = fmt.Sprintf("%s/%d", g.instance, g.children)
	}
	outer := g.outer
	g.outer = false
	body := &Program{Op: "seq", Kids: []*Program{g.node(1)}}
	g.outer = outer
	if op == "child" && p.Name != "" && g.random.chance(4) {
		body.Kids = append(body.Kids, &Program{Op: "fail"})
	}
	p.Kids = []*Program{body}
	return p
}
