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

// activator maps identities to actors that are started on demand. It is the only address that senders use. Only it sends an
// instance messages that are counted, so equal counts mean that no message is on its way:
//
//	tell   no entry: start an actor with a new carryover. Then sent++ and send, both under the shard's lock.
//	actor  Received++ first for every message of the activator. When the actor waits for no answer it calls
//	       idle(id, self, received) and then does nothing: the next message wakes it, or it leaves.
//	idle   if the entry's address is the caller's, and sent == received: delete the entry and send Leave. Else ignore it.
//	leave  the actor stops itself. Its successor has another address, and its last commit has ended.
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
// the same carryover; it runs under a lock and must be quick, send nothing, and not panic. max bounds the active identities;
// 0 or less means no bound.
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

// tell sends msg to the identity's actor, and starts one if there is none. If no further identity may be active, it sends
// nothing and returns an error that wraps persistence.ErrBusy.
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

// isOpen reports whether the identity has an actor that knows that its instance exists, and whose end is not reported yet.
func (a *activator) isOpen(id string) bool {
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	return e != nil && e.carryover.Open.Load() && !e.carryover.Over.Load()
}

// noteEnd notes that the identity's end is about to be reported.
func (a *activator) noteEnd(id string) {
	s := a.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[id]; e != nil {
		e.carryover.Over.Store(true)
	}
}

// tellActive sends msg to the identity's actor; if there is none, it does nothing and returns false.
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

// idle is called by an actor that waits for no answer, with its own address and the number of the activator's messages that
// it has received. It returns true if it has removed the identity from the table and sent Leave. It does nothing and returns
// false if another message is on its way, or if the actor is no longer that of the identity.
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

// count returns how many identities are active.
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
