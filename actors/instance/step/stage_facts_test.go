package step

import (
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/replay"
)

// startMs is when each script begins. Times are shown from there.
const startMs = 3_600_000

// facts are those that a script sets. A fact that is not said stays as it is.
type facts struct {
	clock      *scriptClock
	epoch      uint64
	careful    bool
	freshPause time.Duration
	mayExist   string // true or false; empty: what the journal has
	consumers  *consumer.List
	attached   []*consumer.Attached
	attaches   uint64
	draining   bool
	full       bool  // there is no place among the residents
	memory     int64 // bytes that are free for reads
	nonces     uint64
}

// setFacts sets those that are named.
func (s *stage) setFacts(l *line) string {
	f := &s.facts
	f.epoch = l.number("epoch", f.epoch)
	f.freshPause = l.length("fresh-pause", f.freshPause)
	f.memory = int64(l.number("memory", uint64(f.memory)))
	f.mayExist = l.text("may-exist", f.mayExist)
	for key, fact := range map[string]*bool{"careful": &f.careful, "draining": &f.draining, "residents-full": &f.full} {
		if l.has(key) {
			*fact = l.flag(key)
		}
	}
	return ""
}

// attach attaches a consumer: its name, and what it runs, each perhaps with the name of other code.
func (s *stage) attach(l *line) string {
	handlers := &code{version: l.text("version", "1.0.0"), funcs: map[string]replay.Func{}, replays: l.text("replays", "")}
	names, _ := l.values("code")
	for _, name := range names {
		name, other, is := strings.Cut(name, ":")
		if !is {
			other = name
		}
		fn := orchestrations[other]
		if fn == nil {
			l.fail("there is no orchestration %q", other)
		}
		handlers.funcs[name] = fn
	}
	c := consumer.Attach(consumer.Consumer{
		ID: l.word(0), Handlers: handlers, TurnSlots: int(l.number("slots", 1)), EngineVersion: l.text("engine", "1.0.0"),
	}, consumer.TurnConfig{Clock: s.clock})
	s.consumers.Add(c)
	s.attached = append(s.attached, c)
	s.attaches++
	return ""
}

// detach takes a consumer away: its slots are closed.
func (s *stage) detach(l *line) string {
	name := l.word(0)
	for _, c := range s.attached {
		if c.ID == name {
			s.consumers.Remove(c)
			c.Close(func() {})
			return ""
		}
	}
	l.fail("no consumer %q is attached", name)
	return ""
}

// passTime moves both clocks on; with wall only the wall clock is set.
func (s *stage) passTime(l *line) string {
	d := l.length("wall", 0)
	s.clock.wallMs += d.Milliseconds()
	if d == 0 {
		s.clock.pass(l.length("passes", 0))
	}
	return ""
}

// scriptClock is the clocks of a script.
type scriptClock struct {
	wallMs  int64
	elapsed time.Duration
}

func (c *scriptClock) pass(d time.Duration) {
	c.wallMs += d.Milliseconds()
	c.elapsed += d
}

// Now implements clock.Clock.
func (c *scriptClock) Now() time.Time { return time.UnixMilli(c.wallMs) }

// Elapsed implements clock.Clock.
func (c *scriptClock) Elapsed() time.Duration { return c.elapsed }

// AfterFunc implements clock.Clock.
func (c *scriptClock) AfterFunc(time.Duration, func()) clock.Timer {
	panic("a script has no timers but those that it ticks")
}

// counting gives numbers instead of random bytes.
type counting byte

// Entropy implements ids.Source.
func (c *counting) Entropy() (e [16]byte) {
	*c++
	e[15] = byte(*c)
	return e
}

// NowMs implements Facts, and so do the methods below.
func (s *stage) NowMs() int64 { return s.clock.wallMs }

func (s *stage) Elapsed() time.Duration { return s.clock.elapsed }

func (s *stage) MayExist() bool {
	if s.mayExist != "" {
		return s.mayExist == "true"
	}
	_, exists, _ := s.model.Resolve(instanceID)
	return exists
}

func (s *stage) Epoch() uint64 { return s.epoch }

func (s *stage) Careful() bool { return s.careful }

func (s *stage) FreshPauseLeft() time.Duration { return s.freshPause }

func (s *stage) Find(name, version, pin string, tries int) (*consumer.Attached, string, replay.Func, bool) {
	return s.consumers.Find(name, version, pin, tries)
}

func (s *stage) Idle(name, version string) bool { return s.consumers.Idle(name, version) }

func (s *stage) Pinned(name, version string) bool { return s.consumers.Pinned(name, version) }

func (s *stage) AnyConsumer() bool {
	for _, c := range *s.consumers.All() {
		if c.RunsTurns() {
			return true
		}
	}
	return false
}

func (s *stage) Attaches() uint64 { return s.attaches }

func (s *stage) Draining() bool { return s.draining }

func (s *stage) Outstanding() int { return s.outstanding }

func (s *stage) Ticking() bool { return s.acceptTimer && !s.acceptSent }

func (s *stage) TryBegun() bool {
	a := s.find("try")
	return a != nil && a.sent
}

func (s *stage) Nonce() uint64 {
	s.nonces++
	return s.nonces
}

func (s *stage) Entropy() [16]byte { return s.host.Config.IDs.Entropy() }

// Take implements the budget of reads.
func (f *facts) Take(bytes int64) bool {
	if bytes > f.memory {
		return false
	}
	f.memory -= bytes
	return true
}

// Back implements the budget of reads.
func (f *facts) Back(bytes int64) { f.memory += bytes }
