package replay

// Go queues a function as a coroutine of its own, in this turn. It does not run before the calling coroutine blocks.
// The future gives what it returns; cancelling the future unwinds it. A panic in it fails the orchestration. When it
// returns, what it started and did not wait for passes to the coroutine that called Go.
func (c *Context) Go(fn func(*Context) (any, error)) *Future {
	m := c.m
	m.enter(c.co)
	m.calls += spawnCalls
	if len(m.stops) > 0 {
		m.stopCall(c.co, true)
	}
	f := &Future{m: m, kind: opGo}
	m.seq++
	m.asked++
	f.seq = m.seq
	f.link(c.co)
	f.site = callSite(c.co, 3)
	f.co = m.spawn(fn, f)
	f.co.site = f.site
	m.checkPending(c.co)
	return f
}

// spawnCalls is what a coroutine counts for in Limits.Calls: about as many times the work of a plain call.
const spawnCalls = 32

// Scope runs a function on the same coroutine and, when it returns, cancels everything that was started inside and is
// unresolved, in creation order. What a coroutine that began before the scope starts meanwhile was not started inside. It
// returns the function's error.
func (c *Context) Scope(fn func(*Context) error) error {
	m := c.m
	m.enter(c.co)
	from := m.seq + 1
	err := fn(c)
	m.enter(c.co)
	m.cancelFrom(c.co, from, false)
	m.exitIfOver(c.co)
	return err
}

// exitIfOver ends the running coroutine if what it just cancelled was itself, or ended the code.
func (m *Machine) exitIfOver(co *coroutine) {
	if co.exiting || m.code != codeRunning {
		co.exit()
	}
}

// Select waits until one of the futures is ready and gives its position; the leftmost if several are. It cancels
// nothing. Without futures it gives -1.
func (c *Context) Select(fs ...*Future) int {
	m := c.m
	m.enter(c.co)
	if len(fs) == 0 {
		return -1
	}
	m.own(fs)
	for {
		for i, f := range fs {
			if f.state != pending {
				return i
			}
		}
		for _, f := range fs {
			f.wait(c.co)
		}
		c.co.waitsForAny = fs
		c.co.block()
		c.co.waitsForAny = nil
		for _, f := range fs {
			if f.state == pending {
				f.unwait(c.co)
			}
		}
	}
}

// Race is Select, and then cancels the futures that are unresolved, from left to right.
func (c *Context) Race(fs ...*Future) int {
	m := c.m
	won := c.Select(fs...)
	for _, f := range fs {
		if f.state == pending {
			m.cancel(f, false)
		}
	}
	m.exitIfOver(c.co)
	return won
}

// All waits until every future is ready. One that fails does not stop the others.
func (c *Context) All(fs ...*Future) {
	m := c.m
	m.enter(c.co)
	m.own(fs)
	for _, f := range fs {
		for f.state == pending {
			f.wait(c.co)
			c.co.waitsFor = f
			c.co.block()
			c.co.waitsFor = nil
		}
	}
}

// own panics, as for any programming error, on a future of another instance.
func (m *Machine) own(fs []*Future) {
	for _, f := range fs {
		if f.m != m {
			panic("a future of another instance, or of another run of this one, was waited for")
		}
	}
}

// cancel gives up an unresolved future. final is set when the handler has returned: children then follow their
// policy.
func (m *Machine) cancel(f *Future, final bool) {
	if f.state != pending {
		return
	}
	switch f.kind {
	case opContinue:
		return
	case opGo:
		m.cancelCoroutine(f, final)
		return
	case opChild:
		if final && f.details().policy != policyCancel {
			f.unlink()
			return
		}
	case opWait:
		if f.event != 0 {
			m.events.unsubscribe(f)
		}
	case opQueue:
		if f.event != 0 {
			m.queues.unsubscribe(f)
		}
	}
	f.drop()
	if f.event != 0 {
		m.dropBound(f)
	}
}

// dropBound notes that a bound operation was given up: its breadcrumb and its side effect are due at the end of the
// turn.
func (m *Machine) dropBound(f *Future) {
	m.ledger.add(f.event, markCancelled)
	m.open.take(f.event)
	m.dropped = append(m.dropped, f)
}

// cancelCoroutine cancels what a coroutine started, in creation order, and unwinds it. If it is the one that runs, or
// is among those that wait for this call to return, its end waits until control is back in it.
func (m *Machine) cancelCoroutine(f *Future, final bool) {
	co := f.co
	f.drop()
	m.cancelFrom(co, 0, final)
	if co == m.current {
		co.exiting = true
		return
	}
	m.unwind(co)
}

// cancelFrom cancels the unresolved futures that a coroutine has had from a point on, in creation order.
func (m *Machine) cancelFrom(co *coroutine, from uint64, final bool) {
	f := co.last
	for f != nil && f.seq >= from {
		f = f.prev
	}
	if f == nil {
		f = co.first
	} else {
		f = f.next
	}
	for f != nil {
		// Cancelling changes no other part of this list: deferred functions that it runs cannot use the context.
		next := f.next
		if f.since >= from {
			m.cancel(f, final)
		}
		f = next
	}
}

// adopt hands the unresolved futures of a coroutine that returned to another one. Both lists are in creation order
// and stay so.
func (co *coroutine) adopt(from *coroutine) {
	for from.first != nil {
		f := from.first
		f.unlink()
		f.since = min(f.since, from.future.since)
		at := co.last
		for at != nil && at.seq > f.seq {
			at = at.prev
		}
		f.insert(co, at)
	}
}

// insert puts a future into a list behind another one; nil: in front.
func (f *Future) insert(co *coroutine, at *Future) {
	f.owner, f.prev = co, at
	if at == nil {
		f.next = co.first
		co.first = f
	} else {
		f.next = at.next
		at.next = f
	}
	if f.next == nil {
		co.last = f
	} else {
		f.next.prev = f
	}
	f.count(1)
}
