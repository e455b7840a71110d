package actors

import (
	"slices"
	"sync"
	"time"
)

// turnSlots run the turns of one consumer, at most so many at once, in the order in which they were asked for. A slot
// runs user code on a goroutine of the CodeRunner, so code that blocks can be given up: its slot is given to the next.
type turnSlots struct {
	e     *engine
	limit int
	mu    struct {
		sync.Mutex
		running []*turn // oldest first
		queue   []*turn
		closed  bool
		watched bool
		hushed  bool // a timer goes on when the hush is over
	}
}

func newTurnSlots(e *engine, limit int) *turnSlots { return &turnSlots{e: e, limit: limit} }

// run queues a turn for a slot. The turn's instance is told with turnMsg when the turn has ended, has been given up, or
// has been returned unrun because the slots closed. run never blocks.
func (s *turnSlots) run(t *turn) {
	s.mu.Lock()
	switch {
	case s.mu.closed || s.limit <= 0:
		s.mu.Unlock()
		t.end = turnUnrun
		t.giveBack()
	case len(s.mu.running) < s.limit:
		s.begin(t)
		s.mu.Unlock()
		s.execute(t)
	default:
		s.mu.queue = append(s.mu.queue, t)
		s.mu.Unlock()
	}
}

// begin takes a slot, with s.mu held.
func (s *turnSlots) begin(t *turn) {
	t.began = s.e.elapsed()
	s.mu.running = append(s.mu.running, t)
	s.watch()
}

func (s *turnSlots) execute(t *turn) {
	s.e.counts.turns.Add(1)
	s.e.turnsRun.Run(t.execute, func() { s.finished(t) })
}

// finished gives the slot to the next turn, and its turn back; it is the last thing that its goroutine does. Code that
// comes back after it was given up finds its slot gone: what it decided is worthless, and its machine is closed here,
// where it ran.
func (s *turnSlots) finished(t *turn) {
	s.mu.Lock()
	if !s.release(t) {
		s.mu.Unlock()
		s.e.closeMachine(t.machine)
		return
	}
	next := s.next()
	s.mu.Unlock()
	if next != nil {
		s.execute(next)
	}
	t.end = turnRan
	s.e.sys.sendLast(t.in.pid, &t.back)
}

// release takes a turn off the running list, with s.mu held; false if it was not there.
func (s *turnSlots) release(t *turn) bool {
	for i, r := range s.mu.running {
		if r == t {
			s.mu.running = append(s.mu.running[:i], s.mu.running[i+1:]...)
			return true
		}
	}
	return false
}

// next begins the oldest waiting turn that may begin now if a slot is free, with s.mu held. While it is hushed, as long
// as a heavy suspect has just started, only suspects may: those that have a lease.
func (s *turnSlots) next() *turn {
	if len(s.mu.queue) == 0 || len(s.mu.running) >= s.limit {
		return nil
	}
	i := 0
	if left := s.mu.queue[0].in.part.gate.hushLeft(); left > 0 {
		i = slices.IndexFunc(s.mu.queue, func(t *turn) bool { return t.token != "" })
		s.goOnAfter(left)
	}
	if i < 0 {
		return nil
	}
	t := s.mu.queue[i]
	if i == 0 {
		s.mu.queue[0] = nil
		s.mu.queue = s.mu.queue[1:]
	} else {
		s.mu.queue = slices.Delete(s.mu.queue, i, i+1)
	}
	s.begin(t)
	return t
}

// goOnAfter looks for turns to begin when the hush is over, with s.mu held.
func (s *turnSlots) goOnAfter(d time.Duration) {
	if s.mu.hushed {
		return
	}
	s.mu.hushed = true
	s.e.cfg.Clock.AfterFunc(d, func() {
		s.mu.Lock()
		s.mu.hushed = false
		begun := s.nextAll()
		s.mu.Unlock()
		for _, t := range begun {
			s.execute(t)
		}
	})
}

// nextAll begins what may begin, with s.mu held.
func (s *turnSlots) nextAll() (begun []*turn) {
	for t := s.next(); t != nil; t = s.next() {
		begun = append(begun, t)
	}
	return begun
}

// close returns what waits for a slot, unrun. Turns that run end as usual.
func (s *turnSlots) close() {
	s.mu.Lock()
	s.mu.closed = true
	waiting := s.mu.queue
	s.mu.queue = nil
	s.mu.Unlock()
	for _, t := range waiting {
		t.end = turnUnrun
		t.giveBack()
	}
}

// closed says that no more turns run here.
func (s *turnSlots) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closed
}

// watch arms the watchdog while turns run, with s.mu held.
func (s *turnSlots) watch() {
	if s.mu.watched || len(s.mu.running) == 0 {
		return
	}
	s.mu.watched = true
	s.e.cfg.Clock.AfterFunc(min(s.e.cfg.WatchdogWarn, s.e.cfg.WatchdogAbandon)/4, s.inspect)
}

// inspect reports turns that have run for too long, and gives up those that have run for far too long.
func (s *turnSlots) inspect() {
	now := s.e.elapsed()
	var report, abandoned []*turn
	s.mu.Lock()
	s.mu.watched = false
	for _, t := range s.mu.running {
		ran := now - t.began
		if ran >= min(s.e.cfg.WatchdogWarn, s.e.cfg.WatchdogAbandon) && !t.reported {
			t.reported = true
			report = append(report, t)
		}
		if ran >= s.e.cfg.WatchdogAbandon {
			abandoned = append(abandoned, t)
		}
	}
	for _, t := range abandoned {
		s.release(t)
	}
	begun := s.nextAll()
	s.watch()
	s.mu.Unlock()
	for _, t := range report {
		s.e.reportBlocked(t, now-t.began)
	}
	for _, t := range abandoned {
		s.e.counts.abandonedTurns.Add(1)
		s.e.counts.leakedCoroutines.Add(1)
		t.in.send(&turnMsg{turn: t, abandoned: true})
	}
	for _, t := range begun {
		s.execute(t)
	}
}

// turnMsg brings a turn back to its instance.
type turnMsg struct {
	turn *turn
	// abandoned: the code still runs and its slot has been taken away. The turn's fields but the instance's own must not
	// be touched: the code may be writing them.
	abandoned bool
}

// turnEnd says how a turn came back.
type turnEnd uint8

const (
	turnRan   turnEnd = iota
	turnUnrun         // no code ran
)
