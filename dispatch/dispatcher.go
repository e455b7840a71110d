package dispatch

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Config is what a dispatcher is built from. Times are milliseconds.
type Config struct {
	// Node and Process say whose leases are ours: one of another process of this node is dead.
	Node    string
	Process string

	BackoffBaseMs int64
	BackoffMaxMs  int64
	// MaxAttempts: work with so many recorded attempts is recorded as poison instead of being attempted again.
	MaxAttempts uint32
	// WorkLeaseMs is how long an activity's lease lasts. Default 30 s.
	WorkLeaseMs int64
	// CarefulForMs is how long after an open that followed an unclean end new work is suspect, too.
	CarefulForMs int64
	// Draining: at the open, instances have ended whose watchers are not all told.
	Draining bool
	// Probation admits suspects; nil admits all at once.
	Probation Probation

	// Bounds of what is held in memory. Defaults 100,000 rows each, and 64 MiB of inputs.
	WorkMax       int
	TimersMax     int
	TellsMax      int
	InputBytesMax int
	// PageRows is how many rows one read of a scan asks for. Default 1,000.
	PageRows int
	// FirstTell is below the numbers of all tells of this dispatcher, and at least as high as those of the dispatchers
	// before it.
	FirstTell uint64
	// TimerWindowMs is how far ahead timers are held. Default 10 minutes.
	TimerWindowMs int64
}

// Probation lets suspects start; see [ProbationQueue] for the rules. Ask returns a ticket, and whether it was admitted at
// once; if not, the caller of the dispatcher calls [Dispatcher.Admitted] later. Done returns a ticket.
type Probation interface {
	Ask(key persistence.WorkKey, attempts uint32) (ticket uint64, admitted bool)
	Done(ticket uint64)
}

type noProbation struct{}

func (noProbation) Ask(persistence.WorkKey, uint32) (uint64, bool) { return 0, true }
func (noProbation) Done(uint64)                                    {}

func (c Config) withDefaults() Config {
	c.WorkMax = cmp.Or(c.WorkMax, 100_000)
	c.TimersMax = cmp.Or(c.TimersMax, 100_000)
	c.TellsMax = cmp.Or(c.TellsMax, 100_000)
	c.PageRows = cmp.Or(c.PageRows, 1000)
	c.InputBytesMax = cmp.Or(c.InputBytesMax, 64<<20)
	c.TimerWindowMs = cmp.Or(c.TimerWindowMs, 10*60*1000)
	c.WorkLeaseMs = cmp.Or(c.WorkLeaseMs, 30_000)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 10)
	c.BackoffBaseMs = cmp.Or(c.BackoffBaseMs, 1000)
	c.BackoffMaxMs = cmp.Or(c.BackoffMaxMs, 60_000)
	if c.Probation == nil {
		c.Probation = noProbation{}
	}
	return c
}

// dead reports whether a lease's holder cannot be alive: it is a process of this node, and not this one.
func (c *Config) dead(h persistence.Holder) bool { return h.Node == c.Node && h.Process != c.Process }

// own reports whether a lease's holder is this process.
func (c *Config) own(h persistence.Holder) bool {
	return h.Node == c.Node && h.Process == c.Process && h.Process != ""
}

// Dispatcher decides what happens next in one partition. It is not safe for concurrent use. Every input may make
// actions; take them with Actions after it. Each parameter now is elapsed time, which never jumps; times in rows are those
// of the wall clock.
type Dispatcher struct {
	cfg     Config
	wall    *wallClock
	ready   *readyQueue
	work    *work
	timers  *timers
	streams streams
	sweeper sweeper
	drains  drains
	// heldBack are the instances that are held: they do not run before another runtime is attached or their time has come.
	heldBack *heldSet

	turns   int // attached consumers that run turns
	actions []Action
	spare   []Action

	// Careful mode ends for work and for turns separately: each waits, beside the time, until the rows that were there at
	// the open are known.
	carefulUntil int64
	workCareful  bool
	turnsCareful bool
	readsFrom    int64 // no scan before this time
	readPause    int64
}

// New makes a dispatcher without any rows: its first actions ask for the scans of an open. careful: the previous epoch did
// not end cleanly.
func New(cfg Config, now int64, careful bool) *Dispatcher {
	cfg = cfg.withDefaults()
	d := &Dispatcher{cfg: cfg, wall: &wallClock{}}
	d.ready = newReadyQueue(d.wall, cfg.TellsMax, cfg.PageRows)
	d.ready.last = cfg.FirstTell
	d.work = newWork(&d.cfg, d.wall)
	d.timers = newTimers(d.wall, &d.cfg)
	d.streams = streams{rows: cfg.PageRows}
	d.drains = drains{rows: cfg.PageRows, unread: cfg.Draining}
	d.heldBack = newHeldSet(cfg.TimersMax, cfg.FirstTell)
	d.sweeper = sweeper{rows: cfg.PageRows, nextAt: now + sweepPauseMs}
	if careful {
		d.carefulUntil = now + cfg.CarefulForMs
		d.workCareful, d.turnsCareful = true, true
		d.work.suspectBelow = noHorizon
	}
	d.work.bounds.laterAt = -Never // the first walk
	return d
}

// Effects takes the effects of a command. Call it in the order of the log.
func (d *Dispatcher) Effects(now int64, e *persistence.Effects) {
	for _, key := range e.WorkDeleted {
		d.work.deleted(key)
	}
	for i := range e.Work {
		d.work.changed(now, &e.Work[i])
	}
	for _, key := range e.TimersDeleted {
		d.timers.deleted(key)
		d.heldBack.deleted(key)
	}
	for _, item := range e.Timers {
		d.timers.added(item)
	}
	for _, end := range e.Ended {
		d.ready.ended(end.IID)
		d.heldBack.remove(end.IID)
		d.notHeld(end.IID)
	}
	for _, iid := range e.Unheld {
		d.releaseTimers(iid)
		d.notHeld(iid)
	}
	for i := range e.Starts {
		s := e.Starts[i]
		d.ready.put(now, tell{id: s.ID, iid: s.IID, start: &s, dueAt: s.NotBeforeMs})
	}
	for _, r := range e.Inbox {
		d.ready.put(now, tell{id: r.ID, iid: r.IID, seq: r.Seq, dueAt: r.NotBeforeMs})
	}
	for _, l := range e.Leases {
		switch {
		case l.Held.Reason == "":
			d.releaseTimers(l.IID)
			d.notHeld(l.IID)
		case l.Token != "":
			d.heldBack.try(l.IID, 0)
			delete(d.heldBack.timersUnacked, l.IID)
			d.releaseTimers(l.IID)
		case d.hold(l.IID, l.NotBeforeMs):
			continue
		}
		d.held(now, l.ID, l.IID, l.Token, l.ExpiresAtMs, l.NotBeforeMs)
	}
	for _, o := range e.Outbox {
		d.streams.pumpTo(o.To).wrote(o.Seq)
	}
	for _, iid := range e.Draining {
		d.drains.add(iid)
	}
}

// held schedules the next try of an instance that its lease row keeps from running.
func (d *Dispatcher) held(now int64, id string, iid persistence.Incarnation, token persistence.Token, expires, notBefore int64) {
	due := notBefore
	if !BacksOff(due, d.wall.at(now), d.cfg.BackoffMaxMs) {
		due = 0
	}
	if token != "" { // a lease without a turn: the tell has the instance's actor in this process give it back
		due = min(max(expires, notBefore), d.wall.at(now)+leaseLongMs)
	}
	d.ready.put(now, tell{id: id, iid: iid, retry: true, dueAt: due, backoff: token == ""})
}

// leaseLongMs bounds how long an instance with a lease waits for its tell, whatever time its row has: the clock may have
// been set back after the lease was taken.
const leaseLongMs = 60_000

// GivenBack drops the retry of an instance that has given its lease back because it has nothing to do.
func (d *Dispatcher) GivenBack(iid persistence.Incarnation) { d.ready.dropLater(laterKey{iid, 0}) }

// AttachTurns and DetachTurns count the consumers that run turns. Without such a consumer no tell is sent.
func (d *Dispatcher) AttachTurns() {
	d.turns++
	d.ready.consumerAttached(d.heldBack.attached())
}

// TryHeld has all instances tried that are held now. Call it after the effects that came together with a consumer that runs
// turns: they may be older than the consumer.
func (d *Dispatcher) TryHeld() {
	if plantedTryHeld {
		return
	}
	d.ready.consumerAttached(d.heldBack.attached())
}

// DetachTurns: see AttachTurns.
func (d *Dispatcher) DetachTurns() { d.turns-- }

// AttachActivities adds a consumer of activities and returns its number; false if ConsumersMax are attached. handles
// reports whether the consumer has a handler of a name; handlers may be added later.
func (d *Dispatcher) AttachActivities(now int64, handles func(name string) bool) (int, bool) {
	n, ok := d.work.consumers.attach(handles)
	if ok {
		d.work.reroute(now)
	}
	return n, ok
}

// AttachBuiltin adds the consumer of the system activities and returns its number. Call it once, before all other inputs.
func (d *Dispatcher) AttachBuiltin(handles func(name string) bool) int {
	d.work.consumers.handles[builtin] = handles
	d.work.consumers.present |= 1 << builtin
	return builtin
}

// DetachActivities removes a consumer. Work that it has stays with it until [Dispatcher.Release].
func (d *Dispatcher) DetachActivities(now int64, consumer int) {
	d.work.consumers.detach(consumer)
	d.work.reroute(now)
}

// Tick moves the time on, and makes the actions that follow from all inputs before it. Call it after all other inputs.
func (d *Dispatcher) Tick(now int64) {
	d.tick(now)
	if invariants.Enabled {
		d.verify()
	}
}

func (d *Dispatcher) tick(now int64) {
	d.endCareful(now)
	d.work.expireDue(now, d.emit)
	d.work.wakeUp(now)
	d.work.settleDue(d.emit)
	if d.turns > 0 {
		d.tellDue(now)
	}
	d.streams.step(now, d.emit)
	d.drains.step(now, d.emit)
	if now < d.readsFrom {
		return
	}
	if d.turns > 0 {
		if d.ready.walkStep(now, d.emit) {
			d.heldBack.walkBegins()
		}
	}
	if d.timers.scanAt(now) <= now {
		d.emit(Action{Kind: ScanTimers, Max: d.cfg.PageRows, AfterTimer: d.timers.startScan()})
	}
	d.streams.open(d.emit)
	d.drains.scan(d.emit)
	d.work.walkStep(now, d.emit)
	d.sweeper.step(now, d.wall.at(now), d.emit)
}

func (d *Dispatcher) endCareful(now int64) {
	if now < d.carefulUntil {
		return
	}
	if d.turnsCareful && d.ready.walked() {
		d.turnsCareful = false
	}
	if d.workCareful && d.work.opened() {
		d.workCareful = false
		d.work.careful(now, d.work.newestOrder+1)
	}
}

// tellsMaxAtOnce bounds the tells of one Tick; the rest is due in the next Tick, at once.
const tellsMaxAtOnce = 512

func (d *Dispatcher) tellDue(now int64) {
	for range tellsMaxAtOnce {
		t := d.ready.due(now)
		if t == nil {
			break
		}
		again := d.ready.sent(now, t)
		if t.retry {
			d.heldBack.try(t.iid, t.fresh)
			d.releaseTimers(t.iid) // if the instance is held again after the try, the effect of its row says so
		}
		// One action has all that is known, because the acknowledgement of a number covers everything told under it.
		kind := TellRetry
		switch {
		case t.start != nil:
			kind = TellStart
		case t.seq != 0:
			kind = TellNudge
		}
		d.emit(Action{
			Kind: kind, ID: t.id, IID: t.iid, Start: t.start, Seq: t.seq, Number: t.number, Unacked: t.unacked, Again: again, Fresh: t.fresh,
		})
	}
	for now >= d.ready.pausedUntil && d.heldBack.known {
		item, again, ok := d.timers.due(now)
		if !ok {
			break
		}
		if d.heldBack.park(item) {
			d.timers.remove(item.Key)
			continue
		}
		x := d.timers.table[item.Key]
		x.fresh = max(x.fresh, d.heldBack.takeUnacked(item.Key.IID))
		d.emit(Action{Kind: TimerDue, ID: item.ID, IID: item.Key.IID, Timer: item.Key, Again: again, Fresh: x.fresh})
	}
}

// Busy says that an action could not be delivered because the node is full. The dispatcher pauses all tells, and then
// repeats this one.
func (d *Dispatcher) Busy(now int64, a Action) {
	d.ready.busy(now)
	until := d.ready.pausedUntil
	switch a.Kind {
	case TimerDue:
		d.timers.postpone(a.Timer, until)
	default:
		d.ready.dropUnacked(a.IID)
		d.ready.put(now, tell{
			id: a.ID, iid: a.IID, start: a.Start, seq: a.Seq, retry: a.Kind == TellRetry || a.Fresh != 0, fresh: a.Fresh,
		})
	}
}

// Acknowledged says that an instance has dealt with all tells up to this number. until, if it is not 0, is when the
// instance must be told again.
func (d *Dispatcher) Acknowledged(now int64, iid persistence.Incarnation, number uint64, until int64) {
	d.ready.acknowledged(now, iid, number, until)
	if until == 0 && len(d.heldBack.trying) > 0 {
		delete(d.heldBack.trying, iid) // an instance that is still held answers with LeftHeld
	}
}

// LeftHeld says that a held instance ignores the tells up to this number (0: only timers), and has dropped these timers
// from its memory. until, if it is not 0, is when the instance may be tried again.
func (d *Dispatcher) LeftHeld(now int64, iid persistence.Incarnation, number uint64, until int64, timers []persistence.TimerKey) {
	d.ready.acknowledged(now, iid, number, until)
	if d.heldBack.tries(iid) && d.ready.unacked[iid] == nil {
		d.heldBack.hold(iid) // it was not tried, so no effect of its row will say again that it is held
	}
	for _, key := range timers {
		switch x := d.timers.table[key]; {
		case x == nil:
		case d.ready.unacked[iid] != nil: // a later tell is on its way, so the instance may no longer be held
			d.timers.postpone(key, now+leftPauseMs)
		default:
			d.heldBack.hold(iid)
			d.timers.remove(key)
			d.heldBack.park(x.item)
			if until > 0 && d.ready.inLater[laterKey{iid, 0}] == nil {
				d.ready.put(now, tell{id: x.item.ID, iid: iid, retry: true, dueAt: until}) // the tells were timers only
			}
		}
	}
}

// leftPauseMs is the pause before a timer that a held instance dropped is sent again, if the instance may no longer be
// held.
const leftPauseMs = 1000

// Waits says that an instance is still at work on a repeated tell: the next repetition comes later.
func (d *Dispatcher) Waits(now int64, iid persistence.Incarnation) { d.ready.postpone(now, iid) }

// Lost says that an instance does not know the tell with a number. It returns the instance's id, and true if that number
// has not been acknowledged: then a wake-up was lost.
func (d *Dispatcher) Lost(iid persistence.Incarnation, number uint64) (id string, lost bool) {
	return d.ready.lost(iid, number)
}

// LostTimer says that an instance does not know a timer that was sent again. It returns the instance's id, and true if the
// instance should know the timer: it was sent before, and was neither consumed nor dropped with [Dispatcher.LeftHeld].
func (d *Dispatcher) LostTimer(key persistence.TimerKey) (id string, lost bool) {
	x := d.timers.table[key]
	if x == nil || !x.isSent || x.repeats < 2 {
		return "", false
	}
	return x.item.ID, true
}

// Unserved says that an instance ignores the tells up to this number because no consumer is attached. If one was attached
// after the instance looked, the tell is repeated at once.
func (d *Dispatcher) Unserved(iid persistence.Incarnation, number uint64) {
	if d.turns > 0 {
		d.ready.requeue(iid, number)
		return
	}
	d.ready.unserved(iid, number)
}

// TellAccepted says that a tell could be sent: the node is not full.
func (d *Dispatcher) TellAccepted() { d.ready.accepted() }

// Careful reports whether every message must be accepted first and every turn leased.
func (d *Dispatcher) Careful() bool { return d.turnsCareful }

// Release takes back work that was granted or named in an action, and whose row still exists: the work was given back, or
// its result was refused. It is not granted again before notBefore, in elapsed time (0: as soon as its row allows).
func (d *Dispatcher) Release(now int64, key persistence.WorkKey, notBefore int64) {
	d.work.release(now, key, notBefore)
}

// Opened reports whether the activities and timers that existed at the open have been read.
func (d *Dispatcher) Opened() bool {
	return d.work.opened() && (d.timers.complete || d.timers.through.FireAtMs > 0)
}

// PauseFresh keeps all activities that are not suspects from starting before a time.
func (d *Dispatcher) PauseFresh(until int64) { d.work.freshPausedUntil = until }

// Actions returns what must be done, oldest first, and forgets it. The slice is valid until the next call of Actions.
func (d *Dispatcher) Actions() []Action {
	actions := d.actions
	clear(d.spare)
	d.actions, d.spare = d.spare[:0], actions
	return actions
}

func (d *Dispatcher) emit(a Action) { d.actions = append(d.actions, a) }

// Wake returns when the next Tick has something to do without another input; Never if there is nothing.
func (d *Dispatcher) Wake(now int64) int64 {
	wake := d.work.wake(now)
	if !d.sweeper.running {
		wake = min(wake, max(d.sweeper.nextAt, d.readsFrom))
	}
	wake = min(wake, d.streams.wake(d.readsFrom), d.drains.wake(d.readsFrom))
	if d.turns > 0 {
		wake = min(wake, d.ready.wake(now))
		if d.heldBack.known {
			wake = min(wake, max(d.timers.wake(now, d.readsFrom), d.ready.pausedUntil))
		}
	}
	if d.carefulUntil > now {
		wake = min(wake, d.carefulUntil)
	}
	if d.readsFrom > now {
		wake = min(wake, d.readsFrom)
	}
	return wake
}

// ReadFailed says that a scan or an outbox read failed; the dispatcher asks for it again after a pause.
func (d *Dispatcher) ReadFailed(now int64, a Action) {
	d.readPause = min(max(2*d.readPause, busyPauseMs), busyPauseMaxMs)
	d.readsFrom = now + d.readPause
	switch a.Kind {
	case ScanLeases:
		d.ready.leases.running = false
	case ScanStarts:
		d.ready.starts.running = false
	case ScanInbox:
		d.ready.inbox.running = false
	case ScanTimers:
		d.timers.failed()
	case ScanWork:
		d.work.refill.failed()
	case ScanRequests:
		d.sweeper.running = false
	case ScanStreams:
		d.streams.reading = false
	case ScanDraining:
		d.drains.reading = false
	case ReadOutbox:
		d.streams.pumpTo(a.To).failed(now)
	}
}

// LeasesPage, StartsPage, InboxPage, WorkPage, TimersPage and RequestsPage take the page that an action requested.
func (d *Dispatcher) LeasesPage(now int64, rows []persistence.TurnLease) {
	d.readPause = 0
	d.ready.page(&d.ready.leases, len(rows))
	for i := range rows {
		r := &rows[i]
		d.ready.leases.after = r.IID
		token := r.Token
		if d.cfg.dead(r.Holder) {
			token = ""
		}
		if token == "" && r.Held.Reason != "" {
			if _, gone := d.heldBack.freed[r.IID]; !gone {
				d.heldPage(now, r)
			}
			continue
		}
		if token != "" || r.NotBeforeMs > d.wall.at(now) {
			d.held(now, r.ID, r.IID, token, r.ExpiresAtMs, r.NotBeforeMs)
		}
	}
	clear(d.heldBack.freed)
	if d.ready.leases.done {
		d.heldBack.walkEnds()
	}
}

// StartsPage: see LeasesPage.
func (d *Dispatcher) StartsPage(now int64, rows []persistence.StartEffect) {
	d.readPause = 0
	d.ready.startsPage(now, rows)
}

// InboxPage: see LeasesPage.
func (d *Dispatcher) InboxPage(now int64, rows []persistence.InboxEffect) {
	d.readPause = 0
	d.ready.inboxPage(now, rows)
}

// WorkPage: see LeasesPage.
func (d *Dispatcher) WorkPage(now int64, rows []persistence.WorkItem) {
	d.readPause = 0
	d.work.page(now, rows)
}

// TimersPage: see LeasesPage.
func (d *Dispatcher) TimersPage(now int64, rows []persistence.TimerItem) {
	d.readPause = 0
	d.timers.page(now, rows)
}

// RequestsPage: see LeasesPage.
func (d *Dispatcher) RequestsPage(now int64, rows []persistence.ExpiryRef) {
	d.readPause = 0
	d.sweeper.page(now, rows, d.emit)
}

// Sizes are counts of what is held in memory, for metrics and tests.
type Sizes struct {
	Work, WorkBusy, Timers, Tells int
	// Held counts held instances, Parked their due timers.
	Held, Parked int
}

// Sizes counts what is held in memory.
func (d *Dispatcher) Sizes() Sizes {
	return Sizes{
		Work: len(d.work.entries), WorkBusy: d.work.busy, Timers: len(d.timers.table), Tells: d.ready.len(),
		Held: d.Held(), Parked: d.heldBack.count,
	}
}

// sortByOrder puts work into its order.
func sortByOrder(items []*candidate) {
	slices.SortFunc(items, func(a, b *candidate) int { return cmp.Compare(a.item.Order, b.item.Order) })
}
