package sim

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func decode(b []byte, into proto.Message) error { return proto.Unmarshal(b, into) }

func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("encoding a message: %v", err)) // plain data: it cannot fail
	}
	return b
}

// inspect compares the whole store with what was acknowledged: after every start of the node, and at the end.
func (w *World) inspect() {
	dumps := w.dumps()
	if len(w.failures) == 0 {
		w.disk.ledger.compare(dumps)
		w.client.compare(dumps)
	}
}

// compare checks what the client was told.
func (c *client) compare(dumps []*persistence.Dump) {
	w := c.world
	for _, s := range c.starts {
		if (s.acked || s.taken && !s.uncertain) && !w.durable(s.id) {
			w.fail("S1", "the start of %s was acknowledged and it is gone", s.id)
		}
	}
	for _, dump := range dumps {
		for i := range dump.Heads {
			head := &dump.Heads[i]
			shown, ok := c.seen[head.ID]
			if !ok {
				continue
			}
			if head.Execution < shown.execution || head.Execution == shown.execution && head.Turn < shown.turn {
				w.fail("S6", "%s was shown at execution %d turn %d and is at execution %d turn %d",
					head.ID, shown.execution, shown.turn, head.Execution, head.Turn)
			}
			if shown.status.Terminal() && head.Status != shown.status {
				w.fail("S9", "%s was shown as %v and is %v", head.ID, shown.status, head.Status)
			}
		}
	}
	c.compareEvents(dumps)
	c.compareOrder(dumps)
}

// compareEvents looks for every event and every message of a queue: it is in the history once, or waits in the inbox, or came to an instance that
// has ended.
func (c *client) compareEvents(dumps []*persistence.Dump) {
	w := c.world
	recorded, waiting := map[string]int{}, map[string]int{}
	mail := &mail{world: w, letters: map[string]*letter{}}
	for _, key := range w.disk.ledger.keys() {
		rec := w.disk.ledger.known[key]
		executions, err := rec.turns()
		if err != nil {
			w.fail("S3", "%v", err)
			return
		}
		for _, e := range executions {
			for _, t := range e.turns() {
				for _, event := range t.Events {
					mail.take(event)
					if name, data, ok := recordedArrival(event); ok {
						recorded[data]++
						mail.found(rec.id, name, data)
					}
					for _, carried := range event.GetStarted().GetCarried() {
						recorded[string(carried.GetData())]-- // it is recorded again in this execution
					}
				}
			}
		}
	}
	for _, dump := range dumps {
		for _, row := range dump.Inbox {
			message := &turnpb.Message{}
			if row.Form != persistence.ItemMessage || decode(row.Message, message) != nil {
				continue
			}
			if name, data, ok := waitingArrival(message); ok {
				waiting[data]++
				if rec := w.disk.ledger.known[instanceKey{dump.Partition, row.IID}]; rec != nil {
					mail.found(rec.id, name, data)
				}
			}
		}
	}
	mail.compare(func(data string) int { return recorded[data] + waiting[data] })
	for _, e := range c.events {
		n := recorded[e.data] + waiting[e.data]
		rec := w.disk.ledger.of(e.id)
		switch {
		case n > 0 && e.never:
			w.fail("S2", "%s for %s has the request key of another event and is recorded", e.data, e.id)
		case n > 1:
			w.fail("S2", "%s for %s is recorded %d times and waits %d times", e.data, e.id, recorded[e.data], waiting[e.data])
		case n == 0 && e.acked && (rec == nil || rec.terminal == 0):
			w.fail("S1", "%s for %s was acknowledged and is gone", e.data, e.id)
		}
	}
}

// examine checks the histories that are left: form, answers, timers, children, and the oracle.
func (w *World) examine() {
	dumps, times := w.dumps(), w.startTimes()
	for _, key := range w.disk.ledger.keys() {
		rec := w.disk.ledger.known[key]
		executions, err := rec.turns()
		if err != nil {
			w.fail("S3", "%v", err)
			continue
		}
		var kv map[string]replay.KVEntry
		for i := range executions {
			w.examineExecution(rec, &executions[i])
			if i > 0 {
				w.compareCarried(rec, &executions[i-1], &executions[i])
			}
			w.checkLife(rec, &executions[i], times[rec.id])
			w.checkCleanup(rec, &executions[i])
			w.oracle(rec, &executions[i], kv)
			kv = replay.NextKV(kv, executions[i].turns())
		}
		w.compareKV(dumps[key.partition], key.iid, kv)
		w.compareStatus(dumps[key.partition], key.iid, executions)
	}
}

// examineExecution checks one execution's events against what really happened.
func (w *World) examineExecution(rec *record, e *execution) {
	answered, awaits := map[uint64]bool{}, map[uint64]string{}
	children := map[uint64]*turnpb.SubOrchestrationScheduled{}
	fires, activities, times := map[uint64]int64{}, map[uint64]*turnpb.ActivityScheduled{}, map[uint64]int64{}
	for _, t := range e.turns() {
		for _, event := range t.Events {
			where := fmt.Sprintf("%s execution %d event %d", rec.id, e.number, event.GetId())
			if answers(event) {
				if answered[event.GetSource()] {
					w.fail("S2", "%s answers event %d a second time", where, event.GetSource())
				}
				answered[event.GetSource()] = true
			}
			switch k := event.GetKind().(type) {
			case *turnpb.Event_ActivityScheduled:
				activities[event.GetId()], times[event.GetId()] = k.ActivityScheduled, t.Header.GetTimeMs()
			case *turnpb.Event_ActivityCompleted:
				w.checkResult(activityKey{rec.id, e.number, event.GetSource()}, k.ActivityCompleted.GetResult(), where)
			case *turnpb.Event_AwaitScheduled:
				awaits[event.GetId()] = k.AwaitScheduled.GetInstance()
			case *turnpb.Event_AwaitEnded:
				w.checkAwaited(awaits[event.GetSource()], k.AwaitEnded, where)
			case *turnpb.Event_Started: // its timer is that of the execution timeout
				fires[event.GetId()] = t.Header.GetTimeMs() + k.Started.GetExecutionTimeoutMs()
			case *turnpb.Event_TimerCreated:
				fires[event.GetId()] = k.TimerCreated.GetFireAtMs()
			case *turnpb.Event_TimerFired:
				w.checkTimer(fires[event.GetSource()], t.Header.GetTimeMs(), where)
			case *turnpb.Event_SubOrchestrationScheduled:
				children[event.GetId()] = k.SubOrchestrationScheduled
			case *turnpb.Event_SubOrchestrationCompleted:
				w.checkChild(rec, event.GetSource(), children[event.GetSource()], k.SubOrchestrationCompleted.GetResult(), where)
			case *turnpb.Event_ActivityFailed:
				w.checkFailure(k.ActivityFailed.GetFailure(), where)
				source := event.GetSource()
				w.checkEnd(activityKey{rec.id, e.number, source}, activities[source], times[source], k.ActivityFailed, &t, where)
			case *turnpb.Event_SubOrchestrationFailed:
				w.checkFailure(k.SubOrchestrationFailed.GetFailure(), where)
			case *turnpb.Event_Failed:
				w.checkFailure(k.Failed.GetFailure(), where)
			}
		}
	}
}

// answers reports whether an event is the result of a schedule event.
func answers(event *turnpb.Event) bool {
	switch event.GetKind().(type) {
	case *turnpb.Event_ActivityCompleted, *turnpb.Event_ActivityFailed, *turnpb.Event_TimerFired,
		*turnpb.Event_SubOrchestrationCompleted, *turnpb.Event_SubOrchestrationFailed, *turnpb.Event_SendEnded, *turnpb.Event_AwaitEnded:
		return true
	default:
		return false
	}
}

// checkFailure: programs fail for reasons of their own, or because they kill. The engine never fails one.
func (w *World) checkFailure(f *turnpb.Failure, where string) {
	switch {
	case f.GetPoison() != nil:
		w.reach("poisoned killer")
		// Without its handler, and in crashes and takeovers, an attempt is counted too.
		if !w.faults.killers && !w.faults.slowTurns && w.crashes+w.cleanRestarts == 0 && !w.faults.twins && !w.faults.takeovers && !w.isLate(f.GetPoison()) {
			w.fail("attempts", "%s is poisoned and nothing killed its process: %s", where, failure.Display(f))
		}
	case failure.IsNondeterminism(f) && w.failsSome:
		w.reach("failed because it does not fit")
	case f.GetApplication() == nil:
		w.fail("S4", "%s is a failure of the engine's: %s", where, failure.Display(f))
	}
}

// isLate reports whether what is poisoned waited for a handler.
func (w *World) isLate(p *turnpb.PoisonFailure) bool {
	s := w.client.byID[p.GetInstance()]
	return p.GetActivityName() == activityLate || p.GetActivityName() == activityNowhere || s != nil && s.late
}

// checkResult: a recorded result is one that the activity really gave, for this very event.
func (w *World) checkResult(key activityKey, result []byte, where string) {
	given, ours := w.given[key]
	if ours && !slices.Contains(given, string(result)) || !ours && len(result) > 7 && string(result[:7]) == "result-" {
		w.fail("S2", "%s records %q, the activity gave %v", where, result, given)
	}
}

// checkTimer: no timer fires early, nor long after the world has healed.
func (w *World) checkTimer(fireAt, turnAt int64, where string) {
	if turnAt < fireAt { // not even when the clock has gone back between the moment it was due and the turn
		w.fail("L2", "%s: a timer fired %d ms early", where, fireAt-turnAt)
	}
	healed := start.Add(w.healedAt + w.clockOffset).UnixMilli()
	if w.setBack {
		return // the turns before the clock was set back have later times than the turns after it
	}
	most := int64(timerLateMs)
	if w.faults.lostTells {
		most = timerLostMs
	}
	if late := turnAt - max(fireAt, healed); w.healing && w.crashes == w.crashesAtHeal && late > most {
		w.fail("L2", "%s: a timer fired %d ms late", where, late)
	}
}

// timerLostMs is how late a timer may be that its instance was not told of several times.
const timerLostMs = 300_000

// timerLateMs is how late a timer may be when nothing goes wrong any more.
const timerLateMs = 15_000

// checkChild: what the parent recorded is what the child ended with.
func (w *World) checkChild(parent *record, source uint64, scheduled *turnpb.SubOrchestrationScheduled, result []byte, where string) {
	if scheduled == nil {
		w.fail("S7", "%s answers event %d, which scheduled no child", where, source)
		return
	}
	id := scheduled.GetInstance()
	if !scheduled.GetOwnId() && strings.HasPrefix(id, "sub::") {
		id = parent.id + "::" + id
	}
	child := w.disk.ledger.of(id)
	if child == nil {
		w.fail("S7", "%s has an answer of %s, which does not exist", where, id)
		return
	}
	executions, err := child.turns()
	if err != nil || len(executions) == 0 {
		w.fail("S7", "%s has an answer of %s, which has no history: %v", where, id, err)
		return
	}
	last := executions[len(executions)-1]
	turns := last.turns()
	events := turns[len(turns)-1].Events
	ended := events[len(events)-1].GetCompleted()
	if ended == nil || string(ended.GetOutput()) != string(result) {
		w.fail("S7", "%s records %q of %s, which ended with %v", where, result, id, events[len(events)-1])
	}
}

// oracle replays an execution with a fresh machine, turn by turn: it must decide the same bytes. kv is what it began with.
func (w *World) oracle(rec *record, e *execution, kv map[string]replay.KVEntry) {
	started := e.turns()[0].Events
	if len(started) == 0 || started[0].GetStarted() == nil {
		return // it was ended before any code ran
	}
	program := &interpreter{took: w.took, given: w.givenTo, settled: w.way != nil}
	segments := e.turns()
	if last := &segments[len(segments)-1]; w.failsSome && failure.IsNondeterminism(failed(last.Events)) {
		segments = segments[:len(segments)-1] // code that does not fit ended it
	}
	var err error
	w.await(func() {
		err = replay.Verify(replay.Config{
			Instance: rec.id, Execution: e.number, Name: started[0].GetStarted().GetName(),
			Version: started[0].GetStarted().GetVersion(), Func: program.orchestration, Unwind: w.unwind, KV: kv,
		}, segments)
	})
	if err != nil {
		w.fail("S4", "%v", err)
	}
}

// failed is the failure that ends an execution, or nil.
func failed(events []*turnpb.Event) *turnpb.Failure {
	if len(events) == 0 {
		return nil
	}
	return events[len(events)-1].GetFailed().GetFailure()
}

// unwind runs a function on a goroutine of its own and waits for it.
func (w *World) unwind(f func()) {
	ended := make(chan struct{})
	w.code.Go(func() {
		defer close(ended)
		f()
	})
	<-ended
}
