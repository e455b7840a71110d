package step

import (
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
)

// arrived takes a message that the activator counts: a tell, an arrival, or a wake-up.
func (in *Machine) arrived(msg any) {
	in.woken = true
	switch m := msg.(type) {
	case *NudgeMsg:
		in.noteTell(m.iid, 0, m.Mark) // before leaveTryQueue: an instance in the try queue counts as at work
		in.leaveTryQueue()
		in.nudge(m.iid, m.seq)
	case *PendingMsg:
		in.noteTell(m.start.IID, m.start.Execution, m.Mark)
		in.leaveTryQueue()
		in.nudge(m.start.IID, m.seq)
	case *RetryMsg:
		in.noteTell(m.iid, 0, m.Mark)
		in.leaveTryQueue()
	case *TimerMsg:
		in.noteDueTimer(m)
	case *WakeMsg:
		in.endPause()
	case *Freed:
		in.tryAgain = true
	case *Moved:
		in.moved = true
		in.leaveTryQueue()
	case *arrival.Arrival:
		if m.Query != nil {
			in.takeQuery(m)
			return
		}
		in.leaveTryQueue()
		in.buffer.add(m)
		if in.buffer.full() {
			in.overflow()
		}
	}
}

// overflow accepts all buffered messages into the inbox, the oldest first, so that none overtakes another.
func (in *Machine) overflow() {
	in.acceptStartFirst()
	for _, a := range in.buffer.items {
		if a.State == arrival.Unproposed {
			in.host.Counts.Overflows.Add(1)
			in.accept(a)
		}
	}
}

// acceptsDue accepts each message that has waited for 10 ms, and each unproposed message before it, to keep the order: a
// message may be young because the journal had no room for it and its wait began again. The messages of the turn in flight
// come first, unless its commit is proposed already, then the buffered ones.
func (in *Machine) acceptsDue() {
	now := in.facts.Elapsed()
	lists := [2][]*arrival.Arrival{nil, in.buffer.items}
	if in.turn != nil && in.phase != phaseCommitting {
		lists[0] = in.turn.Arrivals
	}
	old := 0
	for _, list := range lists {
		for _, a := range list {
			if a.State == arrival.Unproposed && now-a.Since >= AcceptAfter {
				old++
			}
		}
	}
	for _, list := range lists {
		for _, a := range list {
			if old == 0 {
				return
			}
			if a.State != arrival.Unproposed {
				continue
			}
			if now-a.Since >= AcceptAfter {
				old--
			}
			in.host.Counts.SlowAccepts.Add(1)
			in.accept(a)
		}
	}
}

// acceptStartFirst proposes the start that the turn in flight has taken, unless it is proposed already. The messages behind it
// are for an instance that does not exist before the start.
func (in *Machine) acceptStartFirst() {
	if in.turn == nil || in.phase == phaseCommitting || !in.turn.FusedStart() {
		return
	}
	if start := in.turn.Arrivals[0]; start.State == arrival.Unproposed {
		in.accept(start)
	}
}

// acceptAll proposes each buffered message on its own.
func (in *Machine) acceptAll() {
	for _, a := range in.buffer.items {
		if a.State == arrival.Unproposed {
			in.accept(a)
		}
	}
}
