package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

const (
	healTick = 2 * time.Second
	// patience is how long after the faults everything must be over. A program may have a timer of 20 s in loops, and the
	// clock may have been set back by an hour, three times.
	patience = 5 * time.Hour
)

// heal ends the faults. From now on everything must come to its end.
func (w *World) heal() {
	w.healing, w.healedAt, w.crashesAtHeal = true, w.agenda.now, w.crashes
	w.lateRegistered = true
	w.faults.failNextSync = false
	w.trace.add('H', nil, func() string { return "the faults end" })
	for len(w.live) > 1 {
		// The one that stays is the one whose epochs are current.
		if last := w.newest(); last.twinOf != nil {
			last.kill()
		} else {
			w.live[0].kill()
		}
	}
	if len(w.live) == 1 && (w.live[0].twinOf != nil || w.disk.failed) {
		w.crash("a twin is left alone")
	}
	// A second activation whose code did not fit may have used up the tries of the build, which has nothing new attached since.
	if len(w.live) == 1 && (w.live[0].misfits() || w.live[0].doubled && w.faults.deploys) {
		w.crash("the build that fits is deployed")
	}
	w.agenda.in(forgottenAfter, 0, "healing", w.noteWaiting)
}

// forgottenAfter is how long a message may wait, longer than any backoff and than any turn, before its instance counts as
// forgotten.
const forgottenAfter = 5 * time.Minute

// noteWaiting finds what must be taken up by itself: tend gives every instance a message, and with it what it was not
// told.
func (w *World) noteWaiting() {
	before := w.waiting()
	w.agenda.in(forgottenAfter, 0, "healing", func() {
		for _, what := range slices.Sorted(maps.Keys(w.waiting())) {
			if before[what] {
				w.fail("L1", "%s has waited for %v since the faults ended, and nothing takes it up", what, forgottenAfter)
			}
		}
		w.tend()
	})
}

// waiting lists the starts and the messages that nothing keeps from being consumed: no lease or backoff of the instance,
// and they are no events or messages of queues, which may wait for code that asks for them. What a process has left to its double it is not
// told of again when the double is gone: there is one engine to a journal.
func (w *World) waiting() map[string]bool {
	found := map[string]bool{}
	if w.disk.store == nil {
		return found
	}
	for _, d := range w.dumps() {
		heldBack := map[persistence.Incarnation]bool{}
		for _, l := range d.Leases {
			heldBack[l.IID] = true
		}
		for key := range w.leftToDouble {
			heldBack[key.iid] = heldBack[key.iid] || key.partition == d.Partition
		}
		for i := range d.Leases {
			if l := &d.Leases[i]; w.waitsForCode(l) {
				found[fmt.Sprintf("%s, held after %d tries without a time for the next one,", l.ID, l.Held.Tries)] = true
			}
		}
		for _, s := range d.Starts {
			if !heldBack[s.IID] && s.NotBeforeMs <= w.wallMs() { // a clock that was set back makes a start delay longer
				found[fmt.Sprintf("the start of incarnation %d, execution %d", s.IID, s.Execution)] = true
			}
		}
		for _, i := range d.Inbox {
			var m turnpb.Message
			if decode(i.Message, &m) != nil || heldBack[i.IID] {
				continue
			}
			if _, _, arrival := waitingArrival(&m); !arrival {
				found[fmt.Sprintf("message %d of incarnation %d", i.Seq, i.IID)] = true
			}
		}
	}
	return found
}

// waitsForCode reports whether an instance is held until other code comes. Code that blocks waits for an operator.
func (w *World) waitsForCode(l *persistence.TurnLease) bool {
	return l.Held.Reason != "" && l.Token == "" && l.NotBeforeMs == 0 && !strings.Contains(l.Held.Reason, "blocks")
}

// tend gives every instance what it may wait for, and ends the run when nothing is left.
func (w *World) tend() {
	if w.done() {
		return
	}
	since := w.agenda.now - w.healedAt
	open := w.unfinished()
	switch {
	case since > patience:
		w.giveUp(open, since)
		return
	case w.newest() == nil, w.way != nil: // its client sends all that is waited for
	default:
		for _, id := range open {
			for _, name := range arrivalNames() {
				w.client.raiseNamed(id, name)
			}
		}
		if since > blockedAfter {
			w.releaseBlocked()
		}
	}
	// The longer it takes, the less often: what is left then waits for timers.
	w.agenda.in(min(healTick+since/8, 30*time.Second), 0, "healing", w.tend)
}

// blockedAfter is when an operator looks for code that has blocked too often: here it was a machine that was slow.
const blockedAfter = time.Hour

// releaseBlocked releases instances that only an operator can have tried again. All others must be tried by themselves.
func (w *World) releaseBlocked() {
	for _, d := range w.dumps() {
		for _, l := range d.Leases {
			if l.Token == "" && l.NotBeforeMs == 0 && strings.Contains(l.Held.Reason, "blocks") {
				w.reach("blocked and released")
				w.client.release(l.ID)
			}
		}
	}
}

// giveUp says what has not come to its end.
func (w *World) giveUp(open []string, since time.Duration) {
	for _, id := range open {
		w.fail("L1", "%s has not ended %v after the faults did", id, since)
	}
	for _, s := range w.client.starts {
		if !s.acked && !s.taken {
			w.fail("L1", "the start of %s was never answered", s.id)
		}
	}
	if len(w.client.open) > 0 {
		w.fail("answers", "%d requests were never answered", len(w.client.open))
	}
	if len(open) == 0 && len(w.live) > 0 {
		w.fail("L3", "the queues do not drain: %s; %d instances are active",
			w.leftovers(w.dumps()), w.newest().engine.Counters().Active)
	}
}

// unfinished lists the instances that exist and have not ended, in order.
func (w *World) unfinished() (ids []string) {
	for _, key := range w.disk.ledger.keys() {
		if rec := w.disk.ledger.known[key]; rec.terminal == 0 {
			ids = append(ids, rec.id)
		}
	}
	return ids
}

// done reports whether everything has come to its end, and checks that nothing is left lying about.
func (w *World) done() bool {
	if w.newest() == nil || len(w.unfinished()) > 0 || len(w.client.open) > 0 {
		return false
	}
	for _, s := range w.client.starts {
		if !s.acked && !s.taken {
			return false
		}
	}
	if w.leftovers(w.dumps()) != "" || w.newest().engine.Counters().Active > 0 {
		return false
	}
	w.checkWaits()
	w.over = true
	return true
}

func (w *World) dumps() (dumps []*persistence.Dump) {
	for n := range w.disk.store.Info().Partitions {
		dump, err := w.disk.store.Dump(persistence.Partition(n))
		if err != nil {
			w.fail("disk", "partition %d cannot be read: %v", n, err)
			continue
		}
		dumps = append(dumps, dump)
	}
	return dumps
}

// leftovers says which queues still hold something.
func (w *World) leftovers(dumps []*persistence.Dump) string {
	var left string
	for _, d := range dumps {
		for _, queue := range []struct {
			name string
			rows int
		}{
			{"starts", len(d.Starts)}, {"inbox", len(d.Inbox)}, {"leases", len(d.Leases)}, {"work", len(d.Work)},
			{"timers", len(d.Timers)}, {"children", len(d.Children)}, {"outbox", len(d.Outbox)}, {"watchers", len(d.Watchers)},
		} {
			if queue.rows > 0 {
				left += fmt.Sprintf("partition %d has %d rows of %s; ", d.Partition, queue.rows, queue.name)
			}
		}
	}
	return left
}
