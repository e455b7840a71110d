package mailbox

import (
	"runtime/debug"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox replaces the library's mailboxes: two rings under one mutex. The library's lose messages silently around a stop,
// block an actor for ever after runtime.Goexit, spin on nil, and let a sender reach an actor that has no handlers yet.
//
// Invariants: nothing runs before Start; at most one run is scheduled or running at any time; once the actor has left the
// registry, every message, queued or later, goes to the dead letters.
type mailbox struct {
	system *System

	mu        sync.Mutex
	user      ring
	control   ring // system messages; they come before user messages
	started   bool
	scheduled bool
	suspended bool
	closed    bool

	// Set once by RegisterHandlers, before Start.
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	self       *actor.PID
	process    actor.Process
	runOnce    func() // m.run, made once: a method value would be allocated for each run
	failures   int    // of runs, in a row, without a message that was handled; only the run touches it
}

var _ actor.Mailbox = (*mailbox)(nil)

func newMailbox(s *System) *mailbox {
	m := &mailbox{system: s}
	m.runOnce = m.run
	return m
}

// PostUserMessage queues a message. Nil panics, here at the sender: the library would mistake it for an empty queue.
func (m *mailbox) PostUserMessage(msg any) {
	if msg == nil {
		panic("mailbox: a nil message was sent; send a pointer")
	}
	last, _ := msg.(*lastMessage)
	if last != nil {
		msg = last.msg
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.system.deadLetter(m.self, msg)
		return
	}
	m.user.push(msg)
	wake := m.claim()
	m.mu.Unlock()
	switch {
	case wake && last != nil:
		last.run = m.runOnce
	case wake:
		m.dispatcher.Schedule(m.runOnce)
	}
}

// PostSystemMessage queues one of the library's own messages.
func (m *mailbox) PostSystemMessage(msg any) {
	if msg == nil {
		panic("mailbox: a nil system message was sent")
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.system.deadControl(m.self, msg)
		return
	}
	m.control.push(msg)
	wake := m.claim()
	m.mu.Unlock()
	if wake {
		m.dispatcher.Schedule(m.runOnce)
	}
}

// RegisterHandlers is called once by the library, after the actor is in the registry and before Start.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
	if s, ok := invoker.(interface{ Self() *actor.PID }); ok {
		m.self = s.Self()
		m.process, _ = m.system.library.ProcessRegistry.GetLocal(m.self.Id)
	}
}

// Start lets the mailbox handle messages, also those that came before.
func (m *mailbox) Start() {
	m.mu.Lock()
	m.started = true
	wake := m.claim()
	m.mu.Unlock()
	if wake {
		m.dispatcher.Schedule(m.runOnce)
	}
}

// UserMessageCount returns how many user messages wait.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.n
}

// claim reports whether the caller must schedule a run, and notes that it will. Called with the lock held.
func (m *mailbox) claim() bool {
	if !m.started || m.scheduled || m.closed || !m.ready() {
		return false
	}
	m.scheduled = true
	return true
}

// ready reports whether there is a message to handle. Called with the lock held.
func (m *mailbox) ready() bool { return m.control.n > 0 || (!m.suspended && m.user.n > 0) }

// run handles messages until none is left or its share is used up. A panic and a runtime.Goexit both end the run, not
// the actor: the failure goes to the supervisor and the queue survives.
func (m *mailbox) run() {
	var current any
	finished := false
	defer func() {
		if !finished {
			m.failed(recover(), current)
		}
		m.settle()
	}()
	for share := m.dispatcher.Throughput(); share > 0; {
		msg, control, ok := m.take()
		if !ok {
			break
		}
		current = msg
		if !control {
			share--
			m.invoker.InvokeUserMessage(msg)
			m.failures = 0
			continue
		}
		m.invoker.InvokeSystemMessage(msg)
		switch msg.(type) {
		case *actor.Stop, *actor.Terminated:
			m.closeIfStopped()
		}
	}
	finished = true
}

// take removes the next message. It handles the mailbox's own two messages itself.
func (m *mailbox) take() (msg any, control, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.control.n > 0 {
		msg = m.control.pop()
		switch msg.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			return msg, true, true
		}
	}
	if m.suspended || m.user.n == 0 {
		return nil, false, false
	}
	return m.user.pop(), false, true
}

// failed passes a panic (or a Goexit, when value is nil) to the supervisor.
func (m *mailbox) failed(value, msg any) {
	if m.closeIfStopped() {
		// The actor failed in its own Stopped handler: it has stopped and cannot be restarted.
		m.system.strategy.note(m.self, &crash{value: value, stack: debug.Stack(), after: "it had stopped"})
		return
	}
	m.failures++
	m.invoker.EscalateFailure(&crash{value: value, stack: debug.Stack(), row: m.failures}, msg)
}

// settle ends a run, and schedules the next one if a message waits.
func (m *mailbox) settle() {
	m.mu.Lock()
	again := !m.closed && m.ready()
	m.scheduled = again
	m.mu.Unlock()
	if again {
		m.dispatcher.Schedule(m.runOnce)
	}
}

// closeIfStopped closes the mailbox if the actor has left the registry: the queued messages become dead letters, which are
// counted.
func (m *mailbox) closeIfStopped() bool {
	if now, _ := m.system.library.ProcessRegistry.GetLocal(m.self.Id); now == m.process {
		return false
	}
	m.mu.Lock()
	m.closed = true
	user, control := m.user, m.control
	m.user, m.control = ring{}, ring{}
	m.mu.Unlock()
	for control.n > 0 {
		m.system.deadControl(m.self, control.pop())
	}
	for user.n > 0 {
		m.system.deadLetter(m.self, user.pop())
	}
	return true
}

// ring is a first-in-first-out queue that grows by doubling and frees a large array when it is empty.
type ring struct {
	items []any
	head  int
	n     int
}

const (
	ringFirst = 4
	ringKept  = 256
)

func (r *ring) push(msg any) {
	if r.n == len(r.items) {
		grown := make([]any, max(ringFirst, 2*len(r.items)))
		for i := range r.n {
			grown[i] = r.items[(r.head+i)&(len(r.items)-1)]
		}
		r.items, r.head = grown, 0
	}
	r.items[(r.head+r.n)&(len(r.items)-1)] = msg
	r.n++
}

func (r *ring) pop() any {
	msg := r.items[r.head]
	r.items[r.head] = nil
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.n--
	if r.n == 0 && len(r.items) > ringKept {
		r.items, r.head = nil, 0
	}
	return msg
}
