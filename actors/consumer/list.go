package consumer

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/replay"
)

// List is the consumers that a partition knows, in the order in which they were attached. Its methods are safe for
// concurrent use, and reading takes no lock.
type List struct {
	turn  atomic.Uint64 // so that consumers with the same handlers take turns
	write sync.Mutex
	now   atomic.Pointer[members]
}

// members is one state of a list. It never changes.
type members struct {
	all   []*Attached
	added uint64
}

var none members

func (l *List) members() *members {
	if m := l.now.Load(); m != nil {
		return m
	}
	return &none
}

// All returns the present list, which never changes: Add and Remove make a new one, at another address.
func (l *List) All() *[]*Attached { return &l.members().all }

// Added counts the consumers that Add has put into the list. The count and the list change together: a Find that begins
// after this count was read, and while it stays the same, has looked at all consumers that the count includes.
func (l *List) Added() uint64 { return l.members().added }

// AnyTurns reports whether a consumer runs turns.
func (l *List) AnyTurns() bool { return slices.ContainsFunc(*l.All(), (*Attached).RunsTurns) }

// Add puts a consumer at the end.
func (l *List) Add(c *Attached) {
	l.write.Lock()
	defer l.write.Unlock()
	m := l.members()
	l.now.Store(&members{all: append(slices.Clone(m.all), c), added: m.added + 1})
}

// Remove takes a consumer out.
func (l *List) Remove(c *Attached) {
	l.write.Lock()
	defer l.write.Unlock()
	m := l.members()
	all := slices.DeleteFunc(slices.Clone(m.all), func(other *Attached) bool { return other == c })
	l.now.Store(&members{all: all, added: m.added})
}

// Find returns a consumer that can run an orchestration: it has the handler, may replay executions with this pin, and has
// slots for turns. Consumers that can run it equally well take turns. tries is negative unless the instance is held; then
// the consumer that was attached last gets the first try, and each further try goes to the one attached before it.
func (l *List) Find(name, version, pin string, tries int) (*Attached, string, replay.Func, bool) {
	all := *l.All()
	if len(all) == 0 {
		return nil, "", nil, false
	}
	first := l.turn.Add(1)
	for i := range all {
		c := all[(first+uint64(i))%uint64(len(all))]
		if tries >= 0 {
			c = all[len(all)-1-(tries+i)%len(all)]
		}
		if !c.RunsTurns() || !c.Handlers.Replays(pin) {
			continue
		}
		if resolved, fn, ok := c.Handlers.Orchestration(name, version); ok {
			return c, resolved, fn, true
		}
	}
	return nil, "", nil, false
}

// Serves reports whether a consumer can run an orchestration whose execution has this pin.
func (l *List) Serves(name, version, pin string) bool {
	return l.any(name, version, func(c *Attached) bool { return c.RunsTurns() && c.Handlers.Replays(pin) })
}

// Pinned reports whether a consumer that runs turns has the handler, for any pin of the execution.
func (l *List) Pinned(name, version string) bool {
	return l.any(name, version, (*Attached).RunsTurns)
}

// Idle reports whether a consumer has the handler but no slots for turns: then a consumer that runs turns is about to be
// attached.
func (l *List) Idle(name, version string) bool {
	return l.any(name, version, func(c *Attached) bool { return c.TurnSlots <= 0 })
}

// any reports whether a consumer for which passes is true has the handler.
func (l *List) any(name, version string, passes func(*Attached) bool) bool {
	for _, c := range *l.All() {
		if !passes(c) {
			continue
		}
		if _, _, ok := c.Handlers.Orchestration(name, version); ok {
			return true
		}
	}
	return false
}
