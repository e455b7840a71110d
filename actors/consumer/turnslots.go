package consumer

import (
	"slices"
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone/internal/clock"
)

// Turn is what a slot runs. Its methods are called by the slots alone, from any goroutine, and must not block, except
// Execute.
type Turn interface {
	// Begun is called when the turn has got its slot; Execute runs its code there.
	Begun()
	Execute()
	// Ran is called after the turn's code has returned. It is the last call of the turn's goroutine.
	Ran()
	// Unrun is called if the slots were closed before the turn ran.
	Unrun()
	// Blocked reports a turn whose code has not returned for so long.
	Blocked(ran time.Duration)
	// GivenUp is called when the turn loses its slot because its code has not returned: the code still runs, and its outcome
	// is void. Late is called when that code has returned.
	GivenUp()
	Late()
	// Suspect reports whether the turn's instance is a suspect. FreshPauseLeft returns the time until turns that are not
	// suspects may start: it is positive after a heavy suspect has started.
	Suspect() bool
	FreshPauseLeft() time.Duration
}

// TurnConfig configures turn slots.
type TurnConfig struct {
	Clock clock.Clock
	Run   Runner
	// Warn and Abandon are when a turn whose code has not returned is reported, and when it is given up.
	Warn    time.Duration
	Abandon time.Duration
}

// Runner runs user code that may block.
type Runner interface {
	// Run runs code and then calls done, once. It never blocks.
	Run(code func(), done func())
}

// TurnSlots run the turns of one consumer, at most so many at once, in the order in which they came. A slot runs user code on
// a goroutine of the Runner, so code that blocks can be given up, and its slot goes to the next turn.
type TurnSlots struct {
	cfg   TurnConfig
	limit int
	mu    struct {
		sync.Mutex
		running    []runningTurn // oldest first
		queue      []Turn
		closed     bool
		watched    bool
		pauseTimed bool // a timer is set for the end of FreshPauseLeft
	}
}

type runningTurn struct {
	Turn
	began    time.Duration // elapsed time
	reported bool
}

func newTurnSlots(cfg TurnConfig, limit int) *TurnSlots { return &TurnSlots{cfg: cfg, limit: limit} }

// Run queues a turn for a slot: it ends with one of Ran, Unrun and GivenUp. Run never blocks.
func (s *TurnSlots) Run(t Turn) {
	s.mu.Lock()
	switch {
	case s.mu.closed || s.limit <= 0:
		s.mu.Unlock()
		t.Unrun()
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
func (s *TurnSlots) begin(t Turn) {
	s.mu.running = append(s.mu.running, runningTurn{Turn: t, began: s.cfg.Clock.Elapsed()})
	s.watch()
}

func (s *TurnSlots) execute(t Turn) {
	t.Begun()
	s.cfg.Run.Run(t.Execute, func() { s.finished(t) })
}

// finished frees the slot for the next turn, and calls Ran, or Late if the turn was given up before. It is the last call of
// the turn's goroutine.
func (s *TurnSlots) finished(t Turn) {
	s.mu.Lock()
	if !s.release(t) {
		s.mu.Unlock()
		t.Late()
		return
	}
	next := s.next()
	s.mu.Unlock()
	if next != nil {
		s.execute(next)
	}
	t.Ran()
}

// release removes a turn from the running list, with s.mu held; false if it was not there.
func (s *TurnSlots) release(t Turn) bool {
	for i := range s.mu.running {
		if s.mu.running[i].Turn == t {
			s.mu.running = slices.Delete(s.mu.running, i, i+1)
			return true
		}
	}
	return false
}

// next begins the oldest waiting turn that may begin now, if a slot is free. The caller holds s.mu. While FreshPauseLeft is
// positive only suspects may begin.
func (s *TurnSlots) next() Turn {
	if len(s.mu.queue) == 0 || len(s.mu.running) >= s.limit {
		return nil
	}
	i := 0
	if left := s.mu.queue[0].FreshPauseLeft(); left > 0 {
		i = slices.IndexFunc(s.mu.queue, Turn.Suspect)
		s.nextAfter(left)
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

// nextAfter begins turns after d, when FreshPauseLeft has passed. The caller holds s.mu.
func (s *TurnSlots) nextAfter(d time.Duration) {
	if s.mu.pauseTimed {
		return
	}
	s.mu.pauseTimed = true
	s.cfg.Clock.AfterFunc(d, func() {
		s.mu.Lock()
		s.mu.pauseTimed = false
		begun := s.nextAll()
		s.mu.Unlock()
		for _, t := range begun {
			s.execute(t)
		}
	})
}

// nextAll begins all turns that may begin, with s.mu held.
func (s *TurnSlots) nextAll() (begun []Turn) {
	for t := s.next(); t != nil; t = s.next() {
		begun = append(begun, t)
	}
	return begun
}

// Close calls Unrun of the turns that wait for a slot. Turns that run end as usual.
func (s *TurnSlots) Close() {
	s.mu.Lock()
	s.mu.closed = true
	waiting := s.mu.queue
	s.mu.queue = nil
	s.mu.Unlock()
	for _, t := range waiting {
		t.Unrun()
	}
}

// Closed reports whether the slots are closed: no more turns begin here.
func (s *TurnSlots) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closed
}

// warn returns when a turn is reported, which is not later than when it is given up.
func (s *TurnSlots) warn() time.Duration { return min(s.cfg.Warn, s.cfg.Abandon) }

// watch arms the watchdog while turns run, with s.mu held.
func (s *TurnSlots) watch() {
	if s.mu.watched || len(s.mu.running) == 0 {
		return
	}
	s.mu.watched = true
	s.cfg.Clock.AfterFunc(s.warn()/4, s.inspect)
}

// inspect reports turns that have run for longer than warn, and gives up those that have run for longer than Abandon.
func (s *TurnSlots) inspect() {
	now := s.cfg.Clock.Elapsed()
	var report, abandoned []runningTurn
	s.mu.Lock()
	s.mu.watched = false
	for i := range s.mu.running {
		t := &s.mu.running[i]
		ran := now - t.began
		if ran >= s.warn() && !t.reported {
			t.reported = true
			report = append(report, *t)
		}
		if ran >= s.cfg.Abandon {
			abandoned = append(abandoned, *t)
		}
	}
	for _, t := range abandoned {
		s.release(t.Turn)
	}
	begun := s.nextAll()
	s.watch()
	s.mu.Unlock()
	for _, t := range report {
		t.Blocked(now - t.began)
	}
	for _, t := range abandoned {
		t.GivenUp()
	}
	for _, t := range begun {
		s.execute(t)
	}
}
