package sim

import (
	"time"

	"github.com/turnstone-dev/turnstone/internal/clock"
)

// start is when every simulation begins.
var start = time.Date(2031, 5, 17, 11, 0, 0, 0, time.UTC)

// agenda is what is to happen at a moment of virtual time, the earliest first, in order of entry at equal times.
type agenda struct {
	now   time.Duration // since start
	seq   uint64
	items []*appointment
}

type appointment struct {
	at      time.Duration
	seq     uint64
	process uint64 // the process that it belongs to; 0 is the world outside
	what    string
	do      func()
	gone    bool
}

var _ clock.Timer = (*appointment)(nil)

// Stop prevents the appointment.
func (a *appointment) Stop() bool {
	was := !a.gone
	a.gone = true
	return was
}

func (a *appointment) before(b *appointment) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (g *agenda) in(d time.Duration, process uint64, what string, do func()) *appointment {
	g.seq++
	a := &appointment{at: g.now + max(d, 0), seq: g.seq, process: process, what: what, do: do}
	g.items = append(g.items, a)
	for i := len(g.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !g.items[i].before(g.items[up]) {
			break
		}
		g.items[i], g.items[up] = g.items[up], g.items[i]
		i = up
	}
	return a
}

// next is the earliest appointment that still stands, or nil.
func (g *agenda) next() *appointment {
	for len(g.items) > 0 && g.items[0].gone {
		g.pop()
	}
	if len(g.items) == 0 {
		return nil
	}
	return g.items[0]
}

func (g *agenda) pop() *appointment {
	top, last := g.items[0], len(g.items)-1
	g.items[0] = g.items[last]
	g.items[last] = nil
	g.items = g.items[:last]
	for i := 0; ; {
		least := 2*i + 1
		if least >= last {
			break
		}
		if r := least + 1; r < last && g.items[r].before(g.items[least]) {
			least = r
		}
		if !g.items[least].before(g.items[i]) {
			break
		}
		g.items[i], g.items[least] = g.items[least], g.items[i]
		i = least
	}
	return top
}

// processClock is the clock of one process: its timers die with it.
type processClock struct {
	world   *World
	process uint64
}

var _ clock.Clock = (*processClock)(nil)

// Now is the virtual time, as the machine's clock shows it.
func (c *processClock) Now() time.Time { return start.Add(c.world.agenda.now + c.world.clockOffset) }

// Elapsed is the virtual time, whatever the machine's clock shows.
func (c *processClock) Elapsed() time.Duration {
	if c.world.planted.wallElapsed {
		return c.world.agenda.now + c.world.clockOffset
	}
	return c.world.agenda.now
}

// AfterFunc has f called as a step of the schedule.
func (c *processClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return c.world.agenda.in(d, c.process, "timer", f)
}

// entropy is a process's source of random numbers.
type entropy struct{ random *random }

// Entropy draws 16 bytes.
func (e *entropy) Entropy() (b [16]byte) {
	for i := 0; i < 16; i += 8 {
		v := e.random.next()
		for j := range 8 {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return b
}
