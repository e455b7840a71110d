package step

import (
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
)

// arrived takes a counted message.
func (in *Machine) arrived(msg any) {
	in.woken = true
	switch m := msg.(type) {
	case *NudgeMsg:
		in.noteTell(m.iid, 0, m.Mark) // first: one that waits for its try is at work
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
		in.leaveTryQueue()
		in.buffer.add(m)
		if in.buffer.full() {
			in.overflow()
		}
	}
}

// overflow sends what is buffered to the inbox, in arrival order: the oldest first, so that nothing overtakes.
func (in *Machine) overflow() {
	in.acceptStartFirst()
	for _, a := range in.buffer.items {
		if a.State == arrival.Unproposed {
			in.host.Counts.Overflows.Add(1)
			in.accept(a)
		}
	}
}

// acceptsDue accepts what has been held for 10 ms, with what is before it, which the journal may have had no room for: what a
// turn that has not been proposed yet has taken, then what waits.
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

// acceptStartFirst proposes a start that a turn has taken and that is not on its way yet: what waits behind it is for
// an instance that does not exist before it.
func (in *Machine) acceptStartFirst() {
	if in.turn == nil || in.phase == phaseCommitting || !in.turn.FusedStart() {
		return
	}
	if start := in.turn.Arrivals[0]; start.State == arrival.Unproposed {
		in.accept(start)
	}
}

// acceptAll proposes everything that is buffered.
func (in *Machine) acceptAll() {
	for _, a := range in.buffer.items {
		if a.State == arrival.Unproposed {
			in.accept(a)
		}
	}
}
