package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// way is how a set of programs is run. Whatever the way, they come to the same end.
type way struct {
	name     string
	cut      bool // the node is killed after each turn that is durable
	evict    bool // nothing stays in memory beyond its turn
	permuted bool // completions take long, and come in any order
}

var ways = []way{
	{name: "straight"},
	{name: "cut at every turn", cut: true},
	{name: "evicted at every turn", evict: true},
	{name: "in another order", permuted: true},
	{name: "in another order, evicted", permuted: true, evict: true},
	{name: "in another order, cut", permuted: true, cut: true},
}

// RunWays runs the settled programs of a seed in each way and compares how they end.
func RunWays(seed uint64, o Options) Result {
	p, err := plant(o.Planted)
	if err != nil {
		return Result{Seed: seed, Failures: []Failure{{Invariant: "options", What: err.Error()}}}
	}
	if p.inside != nil {
		p.inside(true)
		defer p.inside(false)
	}
	total := Result{Seed: seed, Reached: map[string]int{}}
	var first map[string]string
	for i := range ways {
		w := newWorld(seed, p, o.Story)
		w.takeWay(&ways[i], uint64(i))
		w.run(o)
		r := w.result()
		w.close()
		total.Steps += r.Steps
		total.Virtual += r.Virtual
		total.Crashes += r.Crashes
		total.Trace = total.Trace*31 + r.Trace
		for state, times := range r.Reached {
			total.Reached[ways[i].name+": "+state] += times
		}
		switch {
		case len(r.Failures) > 0:
			f := r.Failures[0]
			f.What = ways[i].name + ": " + f.What
			total.Failures = append(total.Failures, f)
			return total
		case first == nil:
			first = w.ended
		default:
			total.Failures = append(total.Failures, differences(ways[i].name, first, w.ended)...)
		}
	}
	return total
}

// takeWay makes a world one in which nothing goes wrong but what the way has.
func (w *World) takeWay(way *way, number uint64) {
	w.way, w.faults, w.lateRegistered = way, faults{}, true
	w.schedule, w.lives = newRandom(w.seed, 100+number), newRandom(w.seed, 200+number)
	c := &w.config
	c.instances, c.busyFor, c.flood = 3, 0, false
	c.maxAttempts, c.backoffBase, c.backoffMax = 10_000, 10*time.Millisecond, 200*time.Millisecond
	c.memoryBytes, c.instancesMax, c.queueMax, c.turnSlots, c.activitySlots = -1, 200_000, 1<<20, 8, 16
	c.residentBytes = 256 << 20
	if way.evict {
		c.residentBytes = -1
	}
}

// planSettled has the client start the programs, and send messages for as long as they run.
func (c *client) planSettled() {
	g := &settled{random: newRandom(c.world.seed, 6), number: int(c.world.seed) * c.world.config.instances}
	for n := range c.world.config.instances {
		s := &startRecord{id: fmt.Sprint("i", n), key: fmt.Sprint("start-", n)}
		s.program = g.program(s.id)
		s.input = s.program.encode()
		c.starts = append(c.starts, s)
		c.byID[s.id] = s
		asked := map[arrivalName]bool{}
		s.program.asks(asked)
		c.world.agenda.in(c.random.duration(0, time.Second), 0, "start", func() { c.start(s) })
		c.settledQueries(s.id)
		for _, name := range arrivalNames() {
			if asked[name] {
				c.feed(s, name, 1)
			}
		}
	}
}

// asks notes what a program waits for.
func (p *Program) asks(found map[arrivalName]bool) {
	if p.Op == "wait" || p.Op == "dequeue" {
		found[arrivalName{queue: p.Op == "dequeue", name: p.Name}] = true
	}
	for _, kid := range p.Kids {
		kid.asks(found)
	}
}

// feed sends messages of one name one after the other until the instance has ended. Which is which is the same in all ways.
func (c *client) feed(s *startRecord, name arrivalName, number int) {
	c.world.agenda.in(c.random.duration(0, 3*time.Second), 0, "message", func() {
		if !s.acked {
			c.feed(s, name, number)
			return
		}
		e := c.event(s.id, name)
		delete(c.byData, e.data)
		e.data = fmt.Sprintf("%v of %s, number %d", name, s.id, number)
		e.key = e.data
		c.byData[e.data] = e
		e.next = func() { c.feed(s, name, number+1) }
		c.deliver(e, 0)
	})
}

// between is what a way does when a turn is durable.
func (w *World) between() {
	if w.way == nil {
		return
	}
	if w.way.cut {
		w.agenda.in(0, 0, "cut", func() { w.crash("a turn is durable") })
	}
	if w.way.evict {
		w.evictAll()
	}
}

func (w *World) evictAll() {
	w.agenda.in(0, 0, "eviction", func() {
		if p := w.newest(); p != nil {
			for range w.config.instances {
				p.engine.EvictOne(w.lives.next())
			}
		}
	})
}

// wayDelay is how long an activity takes.
func (w *World) wayDelay() time.Duration {
	if w.way.permuted {
		return w.lives.duration(0, 2*time.Second)
	}
	return time.Millisecond
}

// ends describes how everything ended, by instance. Instances whose id comes from an event's number are described together:
// the number depends on the order.
func (w *World) ends() map[string]string {
	ends := map[string]string{}
	statuses := map[instanceKey]string{}
	for _, d := range w.dumps() {
		for _, s := range d.Statuses {
			if s.Value != nil {
				statuses[instanceKey{d.Partition, s.IID}] = *s.Value
			}
		}
	}
	var numbered []string
	for _, key := range w.disk.ledger.keys() {
		rec := w.disk.ledger.known[key]
		executions, err := rec.turns()
		if err != nil {
			w.fail("S3", "%v", err)
			return nil
		}
		end := describe(executions)
		if s, ok := statuses[key]; ok {
			end += "status " + s + "\n"
		}
		if strings.Contains(rec.id, "sub::") {
			numbered = append(numbered, end)
		} else {
			ends[rec.id] = end
		}
	}
	slices.Sort(numbered)
	ends["the children without an id"] = strings.Join(numbered, "\n")
	return ends
}

// describe says what an instance did and how it ended, in an order that is no matter of time.
func describe(executions []execution) string {
	var b strings.Builder
	var kv map[string]replay.KVEntry
	for i := range executions {
		e := &executions[i]
		var did []string
		for _, t := range e.turns() {
			for _, event := range t.Events {
				if what := deed(event); what != "" {
					did = append(did, what)
				}
			}
		}
		kv = replay.NextKV(kv, e.turns())
		slices.Sort(did)
		fmt.Fprintf(&b, "execution %d\n  %s\n", e.number, strings.Join(did, "\n  "))
	}
	for _, key := range slices.Sorted(maps.Keys(kv)) {
		fmt.Fprintf(&b, "key %q is %s\n", key, kv[key].Value)
	}
	return b.String()
}

// deed is what an event says that code did, without numbers of events and times; empty for what came from outside.
func deed(event *turnpb.Event) string {
	switch k := event.GetKind().(type) {
	case *turnpb.Event_Started:
		return fmt.Sprintf("started %s %s", k.Started.GetName(), k.Started.GetInput())
	case *turnpb.Event_ActivityScheduled:
		input, label, _ := strings.Cut(string(k.ActivityScheduled.GetInput()), `"label"`)
		label, _, _ = strings.Cut(label, `,"first"`)
		return fmt.Sprintf("activity %s %s %s", k.ActivityScheduled.GetName(), input, strings.TrimSuffix(label, "}"))
	case *turnpb.Event_TimerCreated:
		return "timer"
	case *turnpb.Event_ExternalSubscribed:
		return "waits for " + k.ExternalSubscribed.GetName()
	case *turnpb.Event_QueueSubscribed:
		return "takes from " + k.QueueSubscribed.GetName()
	case *turnpb.Event_SubOrchestrationScheduled:
		return fmt.Sprintf("child %s %v", k.SubOrchestrationScheduled.GetInput(), k.SubOrchestrationScheduled.GetPolicy())
	case *turnpb.Event_OrchestrationChained:
		return fmt.Sprintf("starts %s %s", k.OrchestrationChained.GetInstance(), k.OrchestrationChained.GetInput())
	case *turnpb.Event_SendScheduled:
		return fmt.Sprintf("sends %s to %s", k.SendScheduled.GetData(), k.SendScheduled.GetInstance())
	case *turnpb.Event_AwaitScheduled:
		return "waits for the end of " + k.AwaitScheduled.GetInstance()
	case *turnpb.Event_AwaitEnded:
		return fmt.Sprintf("is told of the end %s %s", k.AwaitEnded.GetCompleted().GetOutput(), failure.Display(k.AwaitEnded.GetFailed().GetFailure()))
	case *turnpb.Event_SendEnded:
		return k.SendEnded.GetOutcome().String()
	case *turnpb.Event_PatchMarked:
		return "patch " + k.PatchMarked.GetId()
	case *turnpb.Event_SideEffectRecorded:
		return "side effect"
	case *turnpb.Event_CompensationPushed:
		return "an undo step"
	case *turnpb.Event_CompensationStarted:
		return "undoes " + failure.Display(k.CompensationStarted.GetFailure())
	case *turnpb.Event_CompensationFailed:
		return "does not undo: " + failure.Display(k.CompensationFailed.GetFailure())
	case *turnpb.Event_Completed:
		return fmt.Sprintf("completed %s", k.Completed.GetOutput())
	case *turnpb.Event_Failed:
		return "failed " + failure.Display(k.Failed.GetFailure())
	case *turnpb.Event_ContinuedAsNew:
		return fmt.Sprintf("continued %s", k.ContinuedAsNew.GetInput())
	default:
		return ""
	}
}

// differences lists what ended otherwise than in the first way.
func differences(name string, first, second map[string]string) (found []Failure) {
	ids := maps.Clone(first)
	maps.Copy(ids, second)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if first[id] != second[id] {
			found = append(found, Failure{Invariant: "ways", What: fmt.Sprintf("%s: %s ends otherwise than %s:\n%s\n---\n%s",
				name, id, ways[0].name, first[id], second[id])})
		}
	}
	return found
}
