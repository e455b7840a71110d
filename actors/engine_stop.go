package actors

import (
	"cmp"
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
)

// Stop drains the engine. No new turn starts, activities are told to stop, and proposals are waited for. Messages that no
// turn has consumed are made durable, machines are unwound, and every epoch is ended cleanly, so that a successor takes over
// at once. Then done is called; the journal is still open. Stop is called once.
func (e *Engine) Stop(done func(error)) {
	e.admission.closed.Store(true)
	e.mu.Lock()
	e.draining.Store(true)
	consumers := make([]*consumer.Attached, 0, len(e.mu.consumers))
	for _, c := range e.mu.consumers {
		consumers = append(consumers, c)
	}
	e.mu.Unlock()
	slices.SortFunc(consumers, func(a, b *consumer.Attached) int { return cmp.Compare(a.ID, b.ID) })
	stopped := newGather(len(consumers)+1, func(error) { e.drain(done) })
	for _, c := range consumers {
		c.Turns.Close()
		e.stopConsumer(c, func() { stopped.done(nil) })
	}
	e.sys.Hurry()
	e.probation.End() // the admitted suspects find no slot
	e.memory.end()
	stopped.done(nil)
}

// drain waits until no instance is active and no termination is on its way.
func (e *Engine) drain(done func(error)) {
	e.mu.Lock()
	e.mu.drained = sync.OnceFunc(func() { e.endEpochs(done) })
	e.mu.Unlock()
	e.residents.evictAll()
	for _, id := range e.act.identities() {
		e.act.tellActive(id, step.Wake)
	}
	e.instanceLeft()
}

// instanceLeft is called after an instance has left, or a termination has ended. When none is left, the drain is complete.
func (e *Engine) instanceLeft() {
	if !e.draining.Load() || e.act.count() > 0 || e.terminating.Load() > 0 {
		return
	}
	e.mu.Lock()
	drained := e.mu.drained
	e.mu.Unlock()
	if drained != nil {
		drained()
	}
}

func (e *Engine) endEpochs(done func(error)) {
	e.instances.Stop()
	e.clock.Stop()
	ended := newGather(len(e.parts), func(err error) {
		for _, closeOwned := range e.owned {
			closeOwned()
		}
		done(err)
	})
	for _, p := range e.parts {
		p.Stop(ended.done)
	}
}
