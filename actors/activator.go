package actors

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// activator maps identities to actors that are started on demand. It is the only address that senders use, and the
// only one that sends an instance the messages that count, so equal counts mean that nothing is on its way:
//
//	tell   no entry: start an actor with a new carryover. Then sent++ and send, both under the shard's lock.
//	actor  Received++ first thing for every message of the activator. When nothing is outstanding it calls
//	       idle(id, self, received) and then does nothing: it is woken by a message or leaves.
//	idle   the entry's address equals, and sent == received: delete the entry and send Leave. Else ignore.
//	leave  the actor stops itself. Its successor has another address, and its last commit is done.
//
// The table is outside any actor, so a restart cannot lose it.
type activator struct {
	system *mailbox.System
	make   func(id string, c *mailbox.Carryover) actor.Actor
	max    int64
	active atomic.Int64
	seed   maphash.Seed
	shards [activatorShards]activatorShard
}

const activatorShards = 64

type activatorShard struct {
	mu      sync.Mutex
	entries map[string]*activation
}

type activation struct {
	pid       *actor.PID
	carryover *mailbox.Carryover
	sent      uint64
}

var leave = &mailbox.Leave{}

// newActivator makes an empty table. make builds the actor of an identity, at its start and after every restart, with
// the same carryover; it runs under a lock and must be quick, send nothing, and not panic. max bounds the identities that
// are active at once; 0 or less means no bound.
func newActivator(sys *mailbox.System, make func(id string, c *mailbox.Carryover) actor.Actor, max int) *activator {
	a := &activator{system: sys, make: make, max: int64(max), seed: maphash.MakeSeed()}
	for i := range a.shards {
		a.shards[i].entries = map[string]*activation{}
	}
	return a
}

func (a *activator) shard(id string) *activatorShard {
	return &a.shards[maphash.String(a.seed, id)%activatorShards]
}

// tell sends msg to the identity's actor, and starts one if there is none. It wraps persistence.ErrBusy, and has sent
// nothing, if that would be one more than the most that may be active.
func (a *activator) tell(id string, msg any) error {
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil {
		if n := a.active.Add(1); a.max > 0 && n > a.max {
			a.active.Add(-1)
			return fmt.Errorf("%w: %d instances are active, the most that this node takes at once", persistence.ErrBusy, a.max)
		}
		e = a.start(id)
		s.entries[id] = e
	}
	e.sent++
	a.system.Send(e.pid, msg)
	return nil
}

// start spawns the actor of an identity.
func (a *activator) start(id string) *activation {
	c := new(mailbox.Carryover)
	return &activation{pid: a.system.Spawn("instance", func() actor.Actor { return a.make(id, c) }), carryover: c}
}

// open says whether the identity has an actor, which knows that its instance exists, and whose end is yet to be told.
func (a *activator) open(id string) bool {
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	return e != nil && e.carryover.Open.Load() && !e.carryover.Over.Load()
}

// over notes that the identity's end is about to be told.
func (a *activator) over(id string) {
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[id]; e != nil {
		e.carryover.Over.Store(true)
	}
}

// tellActive is tell for an identity that has an actor; otherwise it does nothing and returns false.
func (a *activator) tellActive(id string, msg any) bool {
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil {
		return false
	}
	e.sent++
	a.system.Send(e.pid, msg)
	return true
}

// idle is called by an actor that has nothing outstanding, with its own address and how many messages of the activator
// it has received. True: the identity has been taken from the table and Leave sent. False: another message is on its
// way, or the actor is no longer the identity's; it does nothing.
func (a *activator) idle(id string, pid *actor.PID, received uint64) bool {
	if invariants.Enabled {
		defer a.verify() // without the lock
	}
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil || e.pid.Id != pid.Id {
		return false
	}
	if invariants.Enabled {
		invariants.Check(received <= e.sent, "instance %q has received %d messages, %d were sent", id, received, e.sent)
	}
	if e.sent != received && !plantedLeave {
		return false
	}
	delete(s.entries, id)
	a.active.Add(-1)
	a.system.Send(pid, leave)
	return true
}

// count is how many identities are active.
func (a *activator) count() int { return int(a.active.Load()) }

// identities lists the active identities in order.
func (a *activator) identities() []string {
	var ids []string
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		for id := range s.entries {
			ids = append(ids, id)
		}
		s.mu.Unlock()
	}
	slices.Sort(ids)
	return ids
}
