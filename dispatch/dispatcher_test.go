package dispatch

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone/persistence"
)

// script is a random run of a world: the same choices, made again, must give the same trace.
type script struct {
	kind, arg int
	ms        int64
}

func drawScript(t *rapid.T) []script {
	step := rapid.Custom(func(t *rapid.T) script {
		return script{
			kind: rapid.IntRange(0, 21).Draw(t, "kind"), arg: rapid.IntRange(0, 1000).Draw(t, "arg"),
			ms: rapid.Int64Range(0, 5000).Draw(t, "ms"),
		}
	})
	return rapid.SliceOfN(step, 1, 150).Draw(t, "script")
}

// smallConfig has bounds that a short script goes beyond.
func smallConfig() Config {
	return Config{
		Node: "n", Process: "p", MaxAttempts: 3, BackoffBaseMs: 100, BackoffMaxMs: 1000,
		WorkMax: 8, TimersMax: 6, TellsMax: 6, PageRows: 3, TimerWindowMs: 4000, CarefulForMs: 3000, InputBytesMax: 16,
	}
}

var names = []string{"alpha", "beta", "gamma"}

// play runs a script on a world that had some rows before it was opened.
func play(w *world, before int, careful bool, steps []script) {
	for i := range before {
		w.step(script{kind: []int{0, 1, 2, 3, 4, 5, 17}[i%7], arg: i, ms: int64(i * 700)})
	}
	for to, s := range w.outbox { // some of it has been delivered, and some of that deleted
		s.mark = s.next * uint64(to) / 3
		w.acknowledge(Action{To: to, Through: s.mark * uint64(before%3) / 2})
	}
	w.open(careful)
	w.set(7_000_000)
	w.d.AttachTurns()
	w.attach("alpha")
	w.attach("alpha beta")
	for _, s := range steps {
		w.step(s)
		if s.kind != 9 {
			w.tick()
		}
	}
}

func (w *world) attach(handlers string) {
	n, ok := w.d.AttachActivities(w.now, func(name string) bool {
		for _, h := range names {
			if h == name {
				return handlers == "all" || len(name) > 0 && containsWord(handlers, name)
			}
		}
		return false
	})
	if !ok {
		w.fail("no place for a consumer")
	}
	w.consumers[n] = handlers
	if handlers == "all" {
		w.consumers[n] = fmt.Sprint(names)
	}
}

func containsWord(list, word string) bool {
	for i := 0; i+len(word) <= len(list); i++ {
		if list[i:i+len(word)] == word {
			return true
		}
	}
	return false
}

// step does one thing of a script. Before the open only rows change.
func (w *world) step(s script) {
	switch s.kind {
	case 0, 1:
		w.schedule(w.index+1, names[s.arg%3], 0)
	case 2:
		w.schedule(w.index+1, names[s.arg%3], w.wall()+s.ms)
	case 3, 4:
		key := persistence.TimerKey{FireAtMs: w.wall() + 2*s.ms, IID: 1, Execution: 1, Event: w.index + 1}
		w.timers[key] = true
		w.commit(persistence.Effects{Timers: []persistence.TimerItem{{ID: "i", Key: key}}})
	case 5:
		w.message(s)
	case 6:
		if keys := pageOf(w.work, persistence.WorkKey{}, 1000, persistence.WorkKey.Compare); len(keys) > 0 {
			w.end(keys[s.arg%len(keys)])
		}
	case 7:
		if keys := pageOf(w.timers, persistence.TimerKey{}, 1000, persistence.TimerKey.Compare); len(keys) > 0 {
			delete(w.timers, keys[s.arg%len(keys)])
			w.commit(persistence.Effects{TimersDeleted: keys[s.arg%len(keys) : s.arg%len(keys)+1]})
		}
	case 8:
		w.pass(s.ms)
	case 9:
		w.takeEffects(s.arg % 3)
	case 10, 11:
		if len(w.reads) > 0 {
			w.answer(s.arg % len(w.reads))
		}
	case 12:
		if len(w.reads) > 0 {
			i := s.arg % len(w.reads)
			w.d.ReadFailed(w.now, w.reads[i].a)
			w.reads = slices.Delete(w.reads, i, i+1)
		}
	case 13, 14, 15:
		w.takeEffects(len(w.effects))
		w.next(s.arg % len(w.consumers))
	case 16:
		w.giveBack(s)
	case 17:
		w.outboxRow(persistence.Partition(1 + s.arg%3))
	case 21: // what the epoch before has proposed is applied
		for _, s := range w.streams() {
			w.acknowledge(Action{To: s.To, Through: s.Acked + (w.outbox[s.To].mark-s.Acked)/2})
		}
	case 18:
		w.busy = s.arg%3 == 0
	case 20:
		w.set(7_000_000 + []int64{0, 3_600_000, -3_600_000, 10 * 365 * 86_400_000}[s.arg%4])
	default:
		w.takeEffects(len(w.effects))
	}
}

// message is a start or an inbox row of some instance.
func (w *world) message(s script) {
	iid := persistence.Incarnation(s.arg%9 + 1)
	id := fmt.Sprint("i", iid)
	if s.arg%2 == 0 && !w.starts[iid] {
		w.starts[iid] = true
		w.commit(persistence.Effects{Starts: []persistence.StartEffect{{ID: id, IID: iid, Execution: 1}}})
		return
	}
	w.nextSeq++
	e := persistence.InboxEffect{ID: id, IID: iid, Seq: w.nextSeq}
	w.inbox[iid] = append(w.inbox[iid], e)
	w.commit(persistence.Effects{Inbox: []persistence.InboxEffect{e}})
}

// giveBack ends the holding of some work: its row changes, and it is released.
func (w *world) giveBack(s script) {
	keys := pageOf(w.held, persistence.WorkKey{}, 1000, persistence.WorkKey.Compare)
	if len(keys) == 0 {
		return
	}
	key := keys[s.arg%len(keys)]
	w.change(key, func(i *persistence.WorkItem) {
		i.NotBeforeMs = w.wall() + s.ms/10
		if s.arg%2 == 0 {
			i.Attempts++
		}
	})
	w.takeEffects(len(w.effects))
	delete(w.held, key)
	w.d.Release(w.now, key, 0)
}

func (w *world) outboxRow(to persistence.Partition) {
	s := w.outbox[to]
	if s == nil {
		s = &stream{}
		w.outbox[to] = s
	}
	s.next++
	s.rows = append(s.rows, persistence.OutboxItem{To: to, Seq: s.next})
	w.commit(persistence.Effects{Outbox: []persistence.OutboxEffect{{To: to, Seq: s.next}}})
}

// heal lets everything go well until nothing is left to do.
func (w *world) heal() {
	w.busy = false
	w.set(w.latest - w.now) // or what was due when the clock showed that is years ahead
	w.attach("all")
	for round := range 5000 {
		w.settle()
		progress := false
		for n := range len(w.consumers) {
			for {
				g, ok := w.next(n)
				if !ok {
					break
				}
				progress = true
				w.end(g.Item.Key)
			}
		}
		for _, key := range pageOf(w.held, persistence.WorkKey{}, 1000, persistence.WorkKey.Compare) {
			w.end(key) // errands, and what the script took
		}
		for _, key := range pageOf(w.told, persistence.TimerKey{}, 1000, persistence.TimerKey.Compare) {
			if w.timers[key] {
				delete(w.timers, key)
				w.commit(persistence.Effects{TimersDeleted: []persistence.TimerKey{key}})
			}
		}
		if w.finished() && round > 3 {
			w.settle()
			return
		}
		if !progress {
			w.later()
		}
	}
	w.fail("after healing: work %v, timers %v, starts %v told %v, inbox told %v, streams %v, wake %d now %d",
		w.work, w.timers, w.starts, w.begun, w.nudged, w.streams(), w.d.Wake(w.now), w.now)
}

func (w *world) finished() bool {
	for iid := range w.starts {
		if !w.begun[iid] {
			return false
		}
	}
	for iid, rows := range w.inbox {
		if w.nudged[iid] < rows[0].Seq {
			return false
		}
	}
	return len(w.work) == 0 && len(w.timers) == 0 && len(w.streams()) == 0
}

// TestDispatcher: whatever comes in whatever order, nothing is handed out twice or early, nothing is lost, memory is
// bounded, and the same inputs give the same actions.
func TestDispatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, careful := rapid.IntRange(0, 40).Draw(t, "before"), rapid.Bool().Draw(t, "careful")
		steps := drawScript(t)
		run := func() *world {
			w := newWorld(smallConfig(), t.Fatalf)
			play(w, before, careful, steps)
			return w
		}
		w, again := run(), run()
		if w.trace.String() != again.trace.String() {
			t.Fatalf("the same inputs gave other actions:\n%s\n--- and\n%s", w.trace.String(), again.trace.String())
		}
		w.heal()
		// Work that a consumer gives back is kept, so the bound is exceeded by at most as much as consumers had.
		if m := w.maxSizes; m.Work > w.cfg.WorkMax+m.WorkBusy || m.Timers > w.cfg.TimersMax || m.Tells > w.cfg.TellsMax {
			t.Fatalf("more was held than the bounds allow: %+v", m)
		}
		if end := w.d.Sizes(); end != (Sizes{}) {
			t.Fatalf("after all is done %+v is left", end)
		}
		w.settle()
		w.tick()
		if len(w.d.streams.pumps) != 0 {
			t.Fatalf("after all is done there are pumps for %d partitions", len(w.d.streams.pumps))
		}
	})
}
