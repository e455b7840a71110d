package sim

import (
	"fmt"
	"time"
)

// boot opens the store and starts a process on it. A store that was left by a crash is checked before anything else.
func (w *World) boot() {
	seldom := 4
	if w.way != nil { // which has hundreds of crashes
		seldom = 40
	}
	if w.processes > 0 && w.lives.chance(seldom) {
		w.disk.verify()
	}
	if err := w.disk.open(); err != nil {
		w.fail("disk", "the store could not be opened: %v", err)
		return
	}
	w.inspect()
	if len(w.failures) == 0 {
		w.launch(nil)
	}
}

// crash ends every process and everything that was not synced, and has the node start again after a while.
func (w *World) crash(why string) {
	if w.disk.store == nil {
		return // down already
	}
	w.crashes++
	w.reach("crash")
	w.trace.add('X', nil, func() string { return "crash: " + why })
	w.down(w.disk.cut)
	w.agenda.in(w.lives.duration(time.Millisecond, 3*time.Second), 0, "boot", w.boot)
}

// down ends all processes; leave does with the store what is to be done.
func (w *World) down(leave func()) {
	for len(w.live) > 0 {
		w.live[len(w.live)-1].kill()
	}
	leave()
	w.disk.store = nil
}

// twin starts a second process in the epoch of the first, for a while: every instance may be active twice.
func (w *World) twin() {
	first := w.newest()
	if w.healing || first == nil || len(w.live) > 1 || !first.ready || first.stopping {
		return
	}
	w.reach("second activation")
	first.doubled = true
	second := w.launch(first)
	w.agenda.in(w.lives.duration(10*time.Millisecond, 5*time.Second), 0, "end of the second activation", func() {
		// Either one goes; the other stays. A twin that stays answers for the epoch as the first one did.
		if second.dead || first.dead {
			return
		}
		w.trace.add('X', []uint64{second.number}, func() string { return fmt.Sprintf("process %d is killed", second.number) })
		second.kill()
	})
}

// takeover starts a process that opens newer epochs while the old one goes on: it must be fenced.
func (w *World) takeover() {
	first := w.newest()
	if w.healing || first == nil || len(w.live) > 1 || !first.ready || first.stopping {
		return
	}
	w.reach("takeover")
	first.doubled = true
	w.launch(nil)
	w.agenda.in(w.lives.duration(10*time.Millisecond, 5*time.Second), 0, "end of the takeover", func() {
		if !first.dead {
			w.trace.add('X', []uint64{first.number}, func() string { return fmt.Sprintf("process %d is killed", first.number) })
			first.kill()
		}
	})
}

// restart shuts the node down as a person would, and starts it again.
func (w *World) restart() {
	p := w.newest()
	if w.healing || p == nil || len(w.live) > 1 || !p.ready || p.stopping {
		return
	}
	p.stopping = true
	w.trace.add('X', nil, func() string { return "clean shutdown begins" })
	p.engine.Stop(func(err error) {
		w.claim(func() {
			if p.dead || w.disk.failed {
				return
			}
			if err != nil {
				w.fail("L1", "a clean shutdown failed: %v", err)
				return
			}
			w.reach("clean restart")
			w.cleanRestarts++
			w.trace.add('X', nil, func() string { return "clean shutdown ends" })
			w.down(w.closeStore)
			w.agenda.in(w.lives.duration(0, time.Second), 0, "boot", w.boot)
		})
	})
}

// evict tells residents to leave, a burst of them: most lose nothing by it but time.
func (w *World) evict() {
	for range w.lives.between(1, 20) {
		w.agenda.in(w.lives.duration(0, 200*time.Millisecond), 0, "eviction", func() {
			if p := w.newest(); p != nil && !w.healing {
				p.engine.EvictOne(w.lives.next())
			}
		})
	}
}

// stepClock sets the wall clock: by seconds, by an hour forward or back, or by ten years. Timers that were set before the
// clock was set back are due later by as much; nothing else may notice.
func (w *World) stepClock() {
	step := pick(w.lives, w.lives.duration(0, 10*time.Second)-5*time.Second, time.Hour, -time.Hour, 10*365*24*time.Hour)
	w.clockOffset += step
	w.setBack = w.setBack || step < 0
	switch {
	case step == time.Hour:
		w.reach("clock step of an hour forward")
	case step == -time.Hour:
		w.reach("clock step of an hour back")
	case step > time.Hour:
		w.reach("clock step of ten years")
	default:
		w.reach("clock step")
	}
}

// loseTell draws whether something is lost that a dispatcher tells an instance.
func (w *World) loseTell() bool {
	if !w.faults.lostTells || w.healing || !w.lives.chance(15) {
		return false
	}
	w.reach("lost nudge")
	return true
}

// closeStore ends the store as a shutdown does.
func (w *World) closeStore() {
	if err := w.disk.store.Close(); err != nil {
		w.fail("disk", "closing the store: %v", err)
	}
}
