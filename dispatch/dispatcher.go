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
	// MaxAttempts: work with so many attempts is not attempted again; it is recorded as poison.
	MaxAttempts uint32
	// WorkLeaseMs is how long an activity's lease lasts. Default 30 s.
	WorkLeaseMs int64
	// CarefulForMs is how long after an open that followed an unclean end everything new is suspect too.
	CarefulForMs int64
	// Gate admits suspects; nil admits all at once.
	Gate Admission

	// Bounds of what is held in memory. Defaults 100,000 rows each, and 64 MiB of inputs.
	WorkMax       int
	TimersMax     int
	TellsMax      int
	InputBytesMax int
	// PageRows is how many rows one read of a scan asks for. Default 1,000.
	PageRows int
	// FirstTell is below the numbers of all tells of this dispatcher, and not below those of its predecessors.
	FirstTell uint64
	// TimerWindowMs is how far ahead timers are held. Default 10 minutes.
	TimerWindowMs int64
}

// Admission lets suspects start; see [Gate] for the rules. Ask returns a ticket, and whether it was admitted at once;
// if not, Dispatcher.Admitted is to be called later. Done gives a ticket back.
type Admission interface {
	Ask(key persistence.WorkKey, attempts uint32) (ticket uint64, admitted bool)
	Done(ticket uint64)
}

type openAdmission struct{}

func (openAdmission) Ask(persistence.WorkKey, uint32) (uint64, bool) { return 0, true }
func (openAdmission) Done(uint64)                                    {}

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
	if c.Gate == nil {
		c.Gate = openAdmission{}
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
// actions; take them with Actions after it. Every now is elapsed time, which never jumps; what rows say is wall clock.
type Dispatcher struct {
	cfg     Config
	wall    *wallClock
	ready   *readyQueue
	work    *work
	timers  *timers
	streams streams
	sweeper sweeper
	// heldBack are the instances that do not run until other code is there, or until their time.
	heldBack *heldSet

	turns   int // attached consumers that run turns
	actions []Action
	spare   []Action

	// Careful mode ends for work and for turns apart: each also waits until what was found at the open is known.
	carefulUntil int64
	workCareful  bool
	turnsCareful bool
	readsFrom    int64 // no scan before this time
	readPause    int64
}

// New makes a dispatcher that knows nothing yet: its first actions ask for the scans of an open. careful: the previous
// epoch did not end cleanly.
func New(cfg Config, now int64, careful bool) *Dispatcher {
	cfg = cfg.withDefaults()
	d := &Dispatcher{cfg: cfg, wall: &wallClock{}}
	d.ready = newTells(d.wall, cfg.TellsMax, cfg.PageRows)
	d.ready.last = cfg.FirstTell
	d.work = newWork(&d.cfg, d.wall)
	d.timers = newTimers(d.wall, &d.cfg)
	d.streams = streams{rows: cfg.PageRows}
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

// Effects takes what a command did, in index order.
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
		d.heldBack.free(end.IID)
		d.over(end.IID)
	}
	for _, iid := range e.Unheld {
		d.free(iid)
		d.over(iid)
	}
	for i := range e.Starts {
		s := e.Starts[i]
		d.ready.put(now, tell{id: s.ID, iid: s.IID, start: &s})
	}
	for _, r := range e.Inbox {
		d.ready.put(now, tell{id: r.ID, iid: r.IID, seq: r.Seq, dueAt: r.NotBeforeMs})
	}
	for _, l := range e.Leases {
		switch {
		case l.Held.Reason == "":
			d.free(l.IID)
			d.over(l.IID)
		case l.Token != "":
			d.heldBack.try(l.IID, 0)
			delete(d.heldBack.owed, l.IID)
			d.free(l.IID)
		case d.hold(l.IID, l.NotBeforeMs):
			continue
		}
		d.held(now, l.ID, l.IID, l.Token, l.ExpiresAtMs, l.NotBeforeMs)
	}
	for _, o := range e.Outbox {
		d.streams.to(o.To).wrote(o.Seq)
	}
}

// held notes when an instance that is held back by its lease row is to be tried again.
func (d *Dispatcher) held(now int64, id string, iid persistence.Incarnation, token persistence.Token, expires, notBefore int64) {
	due := notBefore
	if !BacksOff(due, d.wall.at(now), d.cfg.BackoffMaxMs) {
		due = 0
	}
	if token != "" { // an instance of this process gives back a lease that no turn has: it is told soon enough for that
		due = min(max(expires, notBefore), d.wall.at(now)+leaseLongMs)
	}
	d.ready.put(now, tell{id: id, iid: iid, retry: true, dueAt: due, backoff: token == ""})
}

// leaseLongMs is after how long an instance with a lease is told at most, whatever its row says: the clock may have been
// set back since the lease was taken.
const leaseLongMs = 60_000

// GivenBack says that an instance has given its lease back and has nothing to do: it is not tried again for that.
func (d *Dispatcher) GivenBack(iid persistence.Incarnation) { d.ready.forget(laterKey{iid, 0}) }

// AttachTurns and DetachTurns say that a consumer that runs turns came or went. Without any, no instance is told.
func (d *Dispatcher) AttachTurns() {
	d.turns++
	d.ready.served(d.heldBack.attached())
}

// DetachTurns: see AttachTurns.
func (d *Dispatcher) DetachTurns() { d.turns-- }

// AttachActivities takes a consumer of activities, and returns the number by which it is known; false if ConsumersMax
// are attached. handles reports whether it has a handler of a name; it may come to have more.
func (d *Dispatcher) AttachActivities(now int64, handles func(name string) bool) (int, bool) {
	n, ok := d.work.consumers.attach(handles)
	if ok {
		d.work.reroute(now)
	}
	return n, ok
}

// DetachActivities lets a consumer go. What it holds stays its own until it is released.
func (d *Dispatcher) DetachActivities(now int64, consumer int) {
	d.work.consumers.detach(consumer)
	d.work.reroute(now)
}

// Tick lets time pass, and makes the actions that every input leads to. Call it after all other inputs.
func (d *Dispatcher) Tick(now int64) {
	d.tick(now)
	if invariants.Enabled {
		d.verify()
	}
}

func (d *Dispatcher) tick(now int64) {
	d.endCareful(now)
	d.work.wakeUp(now)
	d.work.errandsDue(d.emit)
	if d.turns > 0 {
		d.tellDue(now)
	}
	d.streams.step(now, d.emit)
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
		d.work.careful(now, d.work.newest+1)
	}
}

// tellsMaxAtOnce bounds what one Tick tells; the rest is due at once again.
const tellsMaxAtOnce = 512

func (d *Dispatcher) tellDue(now int64) {
	for range tellsMaxAtOnce {
		t := d.ready.due(now)
		if t == nil {
			break
		}
		again := d.ready.tell(now, t)
		if t.retry {
			d.heldBack.try(t.iid, t.fresh)
			d.free(t.iid) // if it is held after that, its row says so again
		}
		// One action says all: an answer to a number is an answer to everything that was told under it.
		kind := TellRetry
		switch {
		case t.start != nil:
			kind = TellStart
		case t.seq != 0:
			kind = TellNudge
		}
		d.emit(Action{
			Kind: kind, ID: t.id, IID: t.iid, Start: t.start, Seq: t.seq, Number: t.number, Owed: t.owed, Again: again, Fresh: t.fresh,
		})
	}
	for now >= d.ready.pausedUntil && d.heldBack.known {
		item, again, ok := d.timers.due(now)
		if !ok {
			break
		}
		if d.heldBack.park(item) {
			d.timers.forget(item.Key)
			continue
		}
		x := d.timers.table[item.Key]
		x.fresh = max(x.fresh, d.heldBack.timer(item.Key.IID))
		d.emit(Action{Kind: TimerDue, ID: item.ID, IID: item.Key.IID, Timer: item.Key, Again: again, Fresh: x.fresh})
	}
}

// Busy says that an action could not be delivered because the node is full. No instance is told anything for a while;
// then this action comes again.
func (d *Dispatcher) Busy(now int64, a Action) {
	d.ready.busy(now)
	until := d.ready.pausedUntil
	switch a.Kind {
	case TimerDue:
		d.timers.busy(a.Timer, until)
	default:
		d.ready.untold(a.IID)
		d.ready.put(now, tell{
			id: a.ID, iid: a.IID, start: a.Start, seq: a.Seq, retry: a.Kind == TellRetry || a.Fresh != 0, fresh: a.Fresh,
		})
	}
}

// Acknowledged says that an instance has dealt with what it was told up to the action with this number. until, if it is
// not 0, is when it must be told again.
func (d *Dispatcher) Acknowledged(now int64, iid persistence.Incarnation, number uint64, until int64) {
	d.ready.acknowledged(now, iid, number, until)
	if until == 0 && len(d.heldBack.trying) > 0 {
		delete(d.heldBack.trying, iid) // one that is still held leaves with LeftHeld
	}
}

// LeftHeld says that an instance which is held leaves what it was told up to the action with this number (0: nothing but
// timers), and has forgotten these timers. until, if it is not 0, is when it may be tried again.
func (d *Dispatcher) LeftHeld(now int64, iid persistence.Incarnation, number uint64, until int64, timers []persistence.TimerKey) {
	d.ready.acknowledged(now, iid, number, until)
	if d.heldBack.tries(iid) && d.ready.told[iid] == nil {
		d.heldBack.hold(iid) // it was not tried, so its row does not say so again
	}
	for _, key := range timers {
		switch x := d.timers.table[key]; {
		case x == nil:
		case d.ready.told[iid] != nil: // it has been told something since, so it may not be held any more
			d.timers.busy(key, now+leftPauseMs)
		default:
			d.heldBack.hold(iid)
			d.timers.forget(key)
			d.heldBack.park(x.item)
			if until > 0 && d.ready.inLtr[laterKey{iid, 0}] == nil {
				d.ready.put(now, tell{id: x.item.ID, iid: iid, retry: true, dueAt: until}) // it was told of its timers only
			}
		}
	}
}

// leftPauseMs is when a timer that a held instance has left is told again, if the instance may not be held any more.
const leftPauseMs = 1000

// Waits says that an instance which was told again is at work on it: it is told again later.
func (d *Dispatcher) Waits(now int64, iid persistence.Incarnation) { d.ready.waits(now, iid) }

// Lost says that an instance knows nothing of what it was told under a number. It returns the instance's id, and true if
// that number has not been acknowledged: then a wake-up was lost.
func (d *Dispatcher) Lost(iid persistence.Incarnation, number uint64) (id string, lost bool) {
	return d.ready.lost(iid, number)
}

// LostTimer says that an instance knows nothing of a timer that it was told again. It reports whether it should: it has
// been told before, and has neither consumed it nor left it. It is the instance's id that it returns.
func (d *Dispatcher) LostTimer(key persistence.TimerKey) (id string, lost bool) {
	x := d.timers.table[key]
	if x == nil || !x.isTold || x.repeats < 2 {
		return "", false
	}
	return x.item.ID, true
}

// Unserved says that an instance leaves what it was told, up to the action with this number, until a consumer is attached.
// One may have been attached since the instance looked: then it is told again at once.
func (d *Dispatcher) Unserved(iid persistence.Incarnation, number uint64) {
	if d.turns > 0 {
		d.ready.tooEarly(iid, number)
		return
	}
	d.ready.unserved(iid, number)
}

// Told says that an instance could be told.
func (d *Dispatcher) Told() { d.ready.calm() }

// Careful reports whether every message must be accepted first and every turn leased.
func (d *Dispatcher) Careful() bool { return d.turnsCareful }

// Release takes back work that was granted or named in an action and whose row was not deleted: it has been given back,
// or its result was refused. It is not handed out again before notBefore, in elapsed time (0: as soon as its row allows).
func (d *Dispatcher) Release(now int64, key persistence.WorkKey, notBefore int64) {
	d.work.release(now, key, notBefore)
}

// Opened reports whether the activities and timers that were there at the open are known.
func (d *Dispatcher) Opened() bool {
	return d.work.opened() && (d.timers.complete || d.timers.through.FireAtMs > 0)
}

// Hush keeps all that is not suspect from starting before a time.
func (d *Dispatcher) Hush(until int64) { d.work.hushUntil = until }

// Actions returns what must be done, oldest first, and forgets it. The slice is valid until the next call of Actions.
func (d *Dispatcher) Actions() []Action {
	actions := d.actions
	clear(d.spare)
	d.actions, d.spare = d.spare[:0], actions
	return actions
}

func (d *Dispatcher) emit(a Action) { d.actions = append(d.actions, a) }

// Wake is when Tick has something to do although nothing else happened; Never if not.
func (d *Dispatcher) Wake(now int64) int64 {
	wake := d.work.wake(now)
	if !d.sweeper.running {
		wake = min(wake, max(d.sweeper.nextAt, d.readsFrom))
	}
	wake = min(wake, d.streams.wake(d.readsFrom))
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

// ReadFailed says that a scan or an outbox read could not be made now; it is asked for again after a pause.
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
	case ReadOutbox:
		d.streams.to(a.To).failed(now)
	}
}

// LeasesPage, StartsPage, InboxPage, WorkPage, TimersPage and RequestsPage take the page that an action asked for.
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
			if _, gone := d.heldBack.gone[r.IID]; !gone {
				d.heldPage(now, r)
			}
			continue
		}
		if token != "" || r.NotBeforeMs > d.wall.at(now) {
			d.held(now, r.ID, r.IID, token, r.ExpiresAtMs, r.NotBeforeMs)
		}
	}
	clear(d.heldBack.gone)
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
	// Held instances, and timers of theirs that have come due.
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
