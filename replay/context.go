package replay

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/system"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The system activities, under the reserved prefix. SystemNewGUID and SystemUTCNow are inline: the turn answers them itself.
// Others, such as system.GetKV, are carried out by the host, and need no handler.
const (
	SystemPrefix  = system.Prefix
	SystemNewGUID = SystemPrefix + "new_guid"
	SystemUTCNow  = SystemPrefix + "utc_now_ms"
)

// Context is what orchestration code asks the engine through. It belongs to one coroutine: the handler has one, and
// each function of Go gets its own. Every method may be called by that coroutine only; a call from anywhere else ends
// the caller and spoils the machine (Decision.Spoiled). All results are deterministic.
type Context struct {
	m  *Machine
	co *coroutine
}

// ActivityOptions are the optional parts of an activity. A nil tag is not the same as an empty one.
type ActivityOptions struct {
	Session *string
	Tag     *string
	// Attempt is which attempt of a call this is, from 1; 0 is the first. First is the schedule event of the call's first
	// attempt: 0 for that one itself. They are recorded, and no part of the replay match.
	Attempt uint32
	First   uint64
	// Timeouts bound the activity; nil: nothing does. LastHeartbeat has the details of the last heartbeat of the attempt before;
	// nil if there was none. Both are recorded, and no part of the replay match.
	Timeouts      *turnpb.ActivityTimeouts
	LastHeartbeat []byte
}

// ChildOptions are the optional parts of a sub-orchestration.
type ChildOptions struct {
	// ID is the child's instance id, used as it is. Empty: made from the parent's id and the event.
	ID string
	// Attempt is which attempt of a call this is, from 1; 0 is the first. A later one that has an ID gets one of its own:
	// the ID with the attempt behind it.
	Attempt uint32
	// Version is the version to start. Empty: the registry's policy decides. It is not part of the replay match.
	Version string
	// Policy says what happens to the child when the parent ends first. Unspecified: cancel.
	Policy turnpb.ChildPolicy
	Life   Life
}

// DetachedOptions are the optional parts of a detached start.
type DetachedOptions struct {
	// Version is the version to start. Empty: the registry's policy decides. It is not part of the replay match.
	Version string
	Life    Life
}

// Check does nothing but what every method does first: a caller that is not the context's coroutine ends here.
func (c *Context) Check() { c.m.enter(c.co) }

// Instance is the id of the instance.
func (c *Context) Instance() string { c.m.look(c.co); return c.m.cfg.Instance }

// Execution counts the executions of the instance from 1; continue-as-new starts the next one.
func (c *Context) Execution() uint64 { c.m.look(c.co); return c.m.cfg.Execution }

// Name is the name under which the orchestration was started.
func (c *Context) Name() string { c.m.look(c.co); return c.m.name() }

// Version is the resolved semantic version.
func (c *Context) Version() string { c.m.look(c.co); return c.m.version() }

// Now is the time of the turn, in UTC with millisecond resolution. It never goes back within an execution, and is the
// same when the turn is replayed.
func (c *Context) Now() time.Time { c.m.look(c.co); return time.UnixMilli(c.m.nowMs).UTC() }

// Replaying reports whether the code repeats what an earlier turn has already done. Use it to keep quiet, never to
// decide.
func (c *Context) Replaying() bool { c.m.look(c.co); return c.m.replaying && !c.m.current.asks() }

// Random is the next number of the turn's deterministic stream. It is not fit for secrets.
func (c *Context) Random() uint64 { c.m.enter(c.co); return c.m.random.next() }

// Activity schedules an activity. The future gives its result.
func (c *Context) Activity(name string, input []byte, o ActivityOptions) *Future {
	m := c.m
	m.enter(c.co)
	m.checkName("activity name", name)
	m.checkPayload("activity input", input)
	if o.Session != nil {
		m.checkID("session id", *o.Session)
	}
	if o.Tag != nil {
		checkText("tag", *o.Tag)
		m.checkLimit("tag", len(*o.Tag), m.cfg.Limits.TagBytes, "IDBytes")
		m.checkShape("tag", *o.Tag)
	}
	f := &Future{kind: opActivity, name: name, input: bytes.Clone(input)}
	if call := callOf(&o); call != nil || o.Session != nil || o.Tag != nil {
		f.more = &details{session: copied(o.Session), tag: copied(o.Tag), call: call}
	}
	f.inline = isInline(name)
	return m.emit(c.co, f)
}

// copied is a text that its caller cannot change any more; nil stays nil.
func copied(text *string) *string {
	if text == nil {
		return nil
	}
	return new(*text)
}

// Timer makes a durable timer that fires when d has passed since the turn, or at once in a later turn if d is not
// positive. Its future gives nothing. d is rounded up to a millisecond. It is counted from the turn's own time: Now may be
// ahead of that if the clock was set back since an earlier turn.
func (c *Context) Timer(d time.Duration) *Future {
	m := c.m
	m.enter(c.co)
	return m.emit(c.co, &Future{kind: opTimer, fireAtMs: m.fireAt(d)})
}

// fireAt is the time of a timer that is made now.
func (m *Machine) fireAt(d time.Duration) int64 {
	if d <= 0 {
		return m.turnMs
	}
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond != 0 {
		ms++
	}
	if m.turnMs > math.MaxInt64-ms {
		return math.MaxInt64
	}
	return m.turnMs + ms
}

// WaitEvent waits for an event that is raised under this name. Unspecified mode: buffered.
func (c *Context) WaitEvent(name string, mode turnpb.WaitMode) *Future {
	m := c.m
	m.enter(c.co)
	m.checkID("event name", name)
	if mode != turnpb.WaitMode_WAIT_MODE_POSITIONAL {
		mode = turnpb.WaitMode_WAIT_MODE_BUFFERED
	}
	return m.emit(c.co, &Future{kind: opWait, name: name, mode: mode})
}

// Dequeue waits for the next message of a queue.
func (c *Context) Dequeue(queue string) *Future {
	m := c.m
	m.enter(c.co)
	m.checkID("queue name", queue)
	return m.emit(c.co, &Future{kind: opQueue, name: queue})
}

// Child starts a sub-orchestration. The future gives its output.
func (c *Context) Child(name string, input []byte, o ChildOptions) *Future {
	m := c.m
	m.enter(c.co)
	m.checkName("orchestration name", name)
	m.checkPayload("sub-orchestration input", input)
	if o.ID != "" {
		m.checkID("sub-orchestration id", o.ID)
	}
	checkText("version", o.Version)
	more := &details{instance: o.ID, own: o.ID != "", version: o.Version, policy: o.Policy, life: given(o.Life)}
	if more.policy == turnpb.ChildPolicy_CHILD_POLICY_UNSPECIFIED {
		more.policy = turnpb.ChildPolicy_CHILD_POLICY_CANCEL
	}
	if more.own && o.Attempt > 1 {
		more.instance += "::attempt::" + strconv.FormatUint(uint64(o.Attempt), 10)
	}
	return m.emit(c.co, &Future{kind: opChild, name: name, input: bytes.Clone(input), more: more})
}

// Detached starts an orchestration that this one does not wait for and that outlives it. instance is its id as it is.
func (c *Context) Detached(name, instance string, input []byte, o DetachedOptions) {
	m := c.m
	m.enter(c.co)
	m.checkName("orchestration name", name)
	m.checkID("instance id", instance)
	m.checkPayload("orchestration input", input)
	checkText("version", o.Version)
	m.emit(c.co, &Future{kind: opDetached, name: name, input: bytes.Clone(input),
		more: &details{instance: instance, version: o.Version, life: given(o.Life)}})
}

// ContinueAsNew ends this execution at the end of the turn and starts the next one with this input. Empty version: the
// registry's policy decides. The future never resolves; of several calls the first counts.
func (c *Context) ContinueAsNew(input []byte, version string) *Future {
	m := c.m
	m.enter(c.co)
	if m.cleanup != nil {
		panic("an undo step cannot continue as new")
	}
	m.checkPayload("orchestration input", input)
	checkText("version", version)
	m.continuing = true
	f := &Future{kind: opContinue, input: bytes.Clone(input)}
	if version != "" {
		f.more = &details{version: version}
	}
	return m.emit(c.co, f)
}

// NewGUID gives a UUIDv7 that is recorded: the same when the turn is replayed.
func (c *Context) NewGUID() string {
	v, err := c.Activity(SystemNewGUID, nil, ActivityOptions{}).Await()
	if err != nil {
		panic(err)
	}
	b, _ := v.([]byte)
	return string(b)
}

// UTCNow gives the turn's time as recorded milliseconds since the Unix epoch. Now is free; this one costs two events.
func (c *Context) UTCNow() int64 {
	v, err := c.Activity(SystemUTCNow, nil, ActivityOptions{}).Await()
	if err != nil {
		panic(err)
	}
	b, _ := v.([]byte)
	ms, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		panic(fmt.Errorf("history has a time that is not a number of milliseconds: %w", err))
	}
	return ms
}

// emit queues an action. It is bound to an event before the turn ends, in the order of emission.
func (m *Machine) emit(co *coroutine, f *Future) *Future {
	if len(m.stops) > 0 && f.kind != opPatch {
		m.stopCall(co, true)
	}
	f.m = m
	m.seq++
	f.seq = m.seq
	if f.kind != opPatch { // of which a replay asks for none that history has
		m.asked++
	}
	// What history has no site of is only named in the report of a divergence, which a fresh turn cannot have.
	if f.sited() || !m.fresh {
		f.site = callSite(co, 4)
	}
	if f.kind <= opAwait || f.kind == opContinue {
		f.link(co)
	}
	m.queue = append(m.queue, f)
	m.checkPending(co)
	return f
}

// checkPending ends the turn if code has more operations unresolved than an instance may have.
func (m *Machine) checkPending(co *coroutine) {
	if !m.fresh || max(m.pending-m.pendingGo, m.pendingGo, len(m.queue)-m.head) <= m.cfg.Limits.Pending {
		return
	}
	text := "the instance has more than %d operations pending: wait for some before asking for more, or raise Config.Limits.Pending"
	if m.pendingGo > m.cfg.Limits.Pending {
		text = "the instance has more than %d coroutines: wait for some before starting more, or raise Config.Limits.Pending"
	}
	m.takeBack()
	m.failLimit(failure.Limit(fmt.Sprintf(text, m.cfg.Limits.Pending)))
	co.exit()
}

// takeBack undoes that code has asked for something: the call that ends it asks for nothing.
func (m *Machine) takeBack() {
	n := len(m.queue)
	if n == m.head || m.queue[n-1].seq != m.seq { // a coroutine
		m.asked--
		return
	}
	if m.queue[n-1].kind != opPatch {
		m.asked--
	}
	m.queue = m.queue[:n-1]
}

// checkLimit ends the turn if something that code gives is larger than allowed. What history already has is not
// checked. field names the limit among those of the host.
func (m *Machine) checkLimit(what string, size, limit int, field string) {
	if !m.fresh || size <= limit {
		return
	}
	m.failLimit(failureLimit(what, size, limit, field))
	m.current.exit()
}

func (m *Machine) checkName(what, name string) {
	checkText(what, name)
	m.checkLimit(what, len(name), m.cfg.Limits.NameBytes, "NameBytes")
	m.checkShape(what, name)
}

func (m *Machine) checkID(what, id string) {
	checkText(what, id)
	m.checkLimit(what, len(id), m.cfg.Limits.IDBytes, "IDBytes")
	m.checkShape(what, id)
}

// checkShape ends the turn if code gives a name that a client could not use. As with a limit, names that history already
// has are not checked, and no name is if the host sets no limits.
func (m *Machine) checkShape(what, name string) {
	if !m.fresh || m.cfg.Limits.IDBytes == noLimit {
		return
	}
	problem := ""
	switch i := strings.IndexFunc(name, unicode.IsControl); {
	case name == "":
		problem = "is empty"
	case i >= 0:
		problem = fmt.Sprintf("has a control character at byte %d", i)
	default:
		return
	}
	m.failLimit(failure.Limit("invalid " + what + ": it " + problem))
	m.current.exit()
}

func (m *Machine) checkPayload(what string, b []byte) {
	m.checkLimit(what, len(b), m.cfg.Limits.PayloadBytes, "PayloadBytes")
}

// checkText panics, as for any programming error, on a text that could not be recorded.
func checkText(what, s string) {
	if !utf8.ValidString(s) {
		panic(fmt.Sprintf("%s %q is not valid UTF-8", what, s))
	}
}

// overrun ends a turn whose code never comes to rest.
func (m *Machine) overrun(co *coroutine) {
	m.failLimit(failure.Infrastructure("quiescence_loop", fmt.Sprintf(
		"the code made more than %d calls of its context without waiting for anything", m.cfg.Limits.Calls), false))
	co.exit()
}

// failLimit decides the turn: it fails, whatever else the code does.
func (m *Machine) failLimit(why *turnpb.Failure) {
	m.failLimitAt(why, m.here())
	if m.verifying {
		m.passStop()
	}
}

// failLimitAt does the same for code that was stopped at a place. An undo step ends there, and the others run.
func (m *Machine) failLimitAt(why *turnpb.Failure, at *turnpb.CodeStop) {
	if m.cleanup != nil {
		m.stopStep(why, at)
		return
	}
	if m.fatal == nil {
		m.fatal, m.stopped = why, at
		m.overLimit = true
	}
	m.halt()
}
