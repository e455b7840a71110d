package dispatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/turnstone-dev/turnstone/persistence"
)

// world plays a journal and everything around one dispatcher: rows that change, effects that come late, pages that show
// some moment between the asking and the answer. It checks what the dispatcher promises.
type world struct {
	fail func(format string, args ...any)
	cfg  Config
	d    *Dispatcher
	now  int64 // elapsed

	ahead  int64 // the wall clock, of now
	latest int64 // the wall clock has shown so much

	index   uint64
	work    map[persistence.WorkKey]persistence.WorkItem
	timers  map[persistence.TimerKey]bool
	starts  map[persistence.Incarnation]bool
	inbox   map[persistence.Incarnation][]persistence.InboxEffect
	outbox  map[persistence.Partition]*stream
	nextSeq uint64

	effects []*persistence.Effects // not yet taken, oldest first
	taken   uint64                 // index of the last one taken
	reads   []*read

	held   map[persistence.WorkKey]bool // in a consumer's hands, or an errand
	told   map[persistence.TimerKey]int
	nudged map[persistence.Incarnation]uint64
	begun  map[persistence.Incarnation]bool

	consumers map[int]string // what each has handlers for: names, joined
	busy      bool           // instances cannot be told
	trace     strings.Builder
	results   []string // of work: what became of it, in order
	maxSizes  Sizes
}

// stream is what goes to another partition.
type stream struct {
	rows              []persistence.OutboxItem
	next, mark, acked uint64
}

// read is a page that was asked for. It is seen at an index, and answered when effects up to there have been taken.
type read struct {
	a     Action
	seen  bool
	index uint64
	give  func()
}

func newWorld(cfg Config, fail func(string, ...any)) *world {
	w := &world{
		fail: fail, cfg: cfg, now: 1_000_000,
		work: map[persistence.WorkKey]persistence.WorkItem{}, timers: map[persistence.TimerKey]bool{},
		starts: map[persistence.Incarnation]bool{}, inbox: map[persistence.Incarnation][]persistence.InboxEffect{},
		outbox: map[persistence.Partition]*stream{}, held: map[persistence.WorkKey]bool{}, told: map[persistence.TimerKey]int{},
		nudged: map[persistence.Incarnation]uint64{}, begun: map[persistence.Incarnation]bool{}, consumers: map[int]string{},
	}
	return w
}

// open makes the dispatcher; what the rows say by then it has to find.
func (w *world) open(careful bool) {
	w.taken, w.effects = w.index, nil
	w.d = New(w.cfg, w.now, careful)
	w.pass(0)
}

// wall is what the wall clock shows.
func (w *world) wall() int64 { return w.now + w.ahead }

// pass lets time go by.
func (w *world) pass(ms int64) {
	w.now += ms
	w.latest = max(w.latest, w.wall())
}

// set sets the wall clock.
func (w *world) set(ahead int64) {
	w.ahead = ahead
	w.pass(0)
	w.d.SetWall(w.now, w.wall())
}

func (w *world) log(format string, args ...any) { fmt.Fprintf(&w.trace, format+"\n", args...) }

// commit is a command's effects.
func (w *world) commit(e persistence.Effects) {
	w.index++
	e.Index = w.index
	w.effects = append(w.effects, &e)
}

// takeEffects gives the dispatcher the oldest n.
func (w *world) takeEffects(n int) {
	for ; n > 0 && len(w.effects) > 0; n-- {
		e := w.effects[0]
		w.effects = w.effects[1:]
		w.d.Effects(w.now, e)
		w.taken = e.Index
	}
}

func (w *world) schedule(event uint64, name string, notBefore int64) persistence.WorkKey {
	key := persistence.WorkKey{IID: persistence.Incarnation(event % 7), Execution: 1, Event: event}
	item := persistence.WorkItem{
		ID: fmt.Sprint("i", key.IID), Key: key, Name: name, Order: persistence.WorkOrder(w.index+1, 0), NotBeforeMs: notBefore,
	}
	w.work[key] = item
	item.Input, item.Orchestration = []byte(name), "o"
	w.commit(persistence.Effects{Work: []persistence.WorkItem{item}})
	return key
}

// end deletes a work row: it was answered or cancelled.
func (w *world) end(key persistence.WorkKey) {
	if _, there := w.work[key]; !there {
		return
	}
	delete(w.work, key)
	delete(w.held, key)
	w.commit(persistence.Effects{WorkDeleted: []persistence.WorkKey{key}})
}

// change changes a row and announces it.
func (w *world) change(key persistence.WorkKey, f func(*persistence.WorkItem)) {
	item, there := w.work[key]
	if !there {
		return
	}
	f(&item)
	w.work[key] = item
	w.commit(persistence.Effects{Work: []persistence.WorkItem{item}})
}

// tick lets the dispatcher act, and does what it wants.
func (w *world) tick() {
	w.d.Tick(w.now)
	for _, a := range slices.Clone(w.d.Actions()) {
		w.do(a)
	}
	s := w.d.Sizes()
	s.Work -= s.WorkBusy
	w.maxSizes.WorkBusy = max(w.maxSizes.WorkBusy, s.WorkBusy)
	w.maxSizes.Work = max(w.maxSizes.Work, s.Work)
	w.maxSizes.Timers = max(w.maxSizes.Timers, s.Timers)
	w.maxSizes.Tells = max(w.maxSizes.Tells, s.Tells)
}

func (w *world) do(a Action) {
	w.log("%d %v id=%s seq=%d timer=%v after=%d,%v,%v", w.now, a.Kind, a.ID, a.Seq, a.Timer, a.After, a.AfterWork, a.AfterTimer)
	switch a.Kind {
	case TellStart, TellNudge, TellRetry, TimerDue:
		if w.busy {
			w.d.Busy(w.now, a)
			return
		}
		w.d.TellAccepted()
		w.hear(a)
	case BackOff, GiveBack, Poison, Expire:
		w.take(*a.Work, a.Kind.String())
	case DeliverOutbox:
		w.deliver(a)
	case AckOutbox:
		w.acknowledge(a)
		w.d.Acked(w.now, a.To, a.Through)
	default:
		w.reads = append(w.reads, &read{a: a})
	}
}

func (w *world) hear(a Action) {
	switch a.Kind {
	case TellStart:
		w.begun[a.IID] = true
		w.nudged[a.IID] = max(w.nudged[a.IID], a.Seq)
	case TellNudge:
		w.nudged[a.IID] = max(w.nudged[a.IID], a.Seq)
	case TimerDue:
		if a.Timer.FireAtMs > max(w.latest, w.wall()) {
			w.fail("timer %v is due at %d, told at %d", a.Timer, a.Timer.FireAtMs, w.wall())
		}
		w.told[a.Timer]++
	}
}

// take checks that the work has no holder, and that it may get one.
func (w *world) take(item persistence.WorkItem, how string) {
	if w.held[item.Key] {
		w.fail("%v was handed out twice", item.Key)
	}
	row, there := w.work[item.Key]
	if there && w.taken == w.index && row.NotBeforeMs > max(w.latest, w.wall()) {
		w.fail("%v is not to be handed out before %d, it is %d", item.Key, row.NotBeforeMs, w.wall())
	}
	w.held[item.Key] = true
	w.results = append(w.results, fmt.Sprintf("%v %s", item.Key, how))
}

// acknowledge deletes what has been delivered.
func (w *world) acknowledge(a Action) {
	s := w.outbox[a.To]
	if a.Through > s.mark {
		w.fail("rows for %d up to %d are deleted, but it has %d", a.To, a.Through, s.mark)
	}
	s.acked = max(s.acked, a.Through)
	s.rows = slices.DeleteFunc(s.rows, func(r persistence.OutboxItem) bool { return r.Seq <= a.Through })
}

func (w *world) deliver(a Action) {
	s := w.outbox[a.To]
	for i, r := range a.Rows {
		if r.Seq > s.mark+1 {
			w.fail("row %d is delivered to %d after row %d", r.Seq, a.To, s.mark)
		}
		if r.To != a.To {
			w.fail("a row for partition %d is delivered to %d", r.To, a.To)
		}
		if i > 0 && r.Seq != a.Rows[i-1].Seq+1 {
			w.fail("rows of one delivery have a gap after %d", a.Rows[i-1].Seq)
		}
		s.mark = max(s.mark, r.Seq)
	}
	w.d.Delivered(w.now, a.To, s.mark)
}

// next has a consumer with a free slot take work.
func (w *world) next(consumer int) (Grant, bool) {
	wants := w.d.Wants(w.now, consumer)
	g, ok := w.d.Next(w.now, consumer)
	w.log("%d next %d: %v %v", w.now, consumer, g.Item.Key, ok)
	if ok && !wants {
		w.fail("consumer %d does not want work, and gets %v", consumer, g.Item.Key)
	}
	if ok {
		if !strings.Contains(w.consumers[consumer], g.Item.Name) {
			w.fail("consumer %d has no handler for %s", consumer, g.Item.Name)
		}
		w.take(g.Item, "granted")
	}
	return g, ok
}

// look takes the page's rows as they are now.
func (w *world) look(r *read) {
	r.seen, r.index = true, w.index
	a, d := r.a, w.d
	switch a.Kind {
	case ScanWork:
		rows := pageOf(w.work, a.AfterWork, a.Max, persistence.WorkKey.Compare)
		var page []persistence.WorkItem
		for _, k := range rows {
			page = append(page, w.work[k])
		}
		r.give = func() { d.WorkPage(w.now, page) }
	case ScanTimers:
		var page []persistence.TimerItem
		for _, k := range pageOf(w.timers, a.AfterTimer, a.Max, persistence.TimerKey.Compare) {
			page = append(page, persistence.TimerItem{ID: "i", Key: k})
		}
		r.give = func() { d.TimersPage(w.now, page) }
	case ScanStarts:
		var page []persistence.StartEffect
		for _, k := range pageOf(w.starts, a.After, a.Max, cmp.Compare[persistence.Incarnation]) {
			page = append(page, persistence.StartEffect{ID: fmt.Sprint("i", k), IID: k, Execution: 1})
		}
		r.give = func() { d.StartsPage(w.now, page) }
	case ScanInbox:
		var page []persistence.InboxEffect
		for _, k := range pageOf(w.inbox, a.After, a.Max, cmp.Compare[persistence.Incarnation]) {
			page = append(page, w.inbox[k][0])
		}
		r.give = func() { d.InboxPage(w.now, page) }
	case ScanLeases:
		r.give = func() { d.LeasesPage(w.now, nil) }
	case ScanRequests:
		r.give = func() { d.RequestsPage(w.now, nil) }
	case ScanStreams:
		page := w.streams()
		r.give = func() { d.StreamsPage(page) }
	case ReadOutbox:
		var page []persistence.OutboxItem
		for _, row := range w.outbox[a.To].rows {
			if row.Seq > a.Through && len(page) < a.Max {
				page = append(page, row)
			}
		}
		r.give = func() { d.OutboxPage(a.To, page) }
	}
}

// streams are those that have rows, by partition.
func (w *world) streams() (found []persistence.OutboxStream) {
	for _, to := range slices.Sorted(maps.Keys(w.outbox)) {
		if s := w.outbox[to]; len(s.rows) > 0 {
			found = append(found, persistence.OutboxStream{To: to, Acked: s.acked, Next: s.next})
		}
	}
	return found
}

func pageOf[K comparable, V any](rows map[K]V, after K, most int, compare func(a, b K) int) []K {
	var keys []K
	for k := range rows {
		if compare(k, after) > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compare)
	return keys[:min(most, len(keys))]
}

// answer gives the i-th read its page, if it has been seen and all effects up to there have been taken.
func (w *world) answer(i int) {
	r := w.reads[i]
	if !r.seen {
		w.look(r)
		return
	}
	if r.index > w.taken {
		w.takeEffects(int(r.index - w.taken))
	}
	w.reads = slices.Delete(w.reads, i, i+1)
	r.give()
}

// settle lets everything come that is on its way.
func (w *world) settle() {
	for range 1000 {
		w.takeEffects(len(w.effects))
		w.tick()
		if len(w.reads) == 0 && len(w.effects) == 0 && len(w.d.Actions()) == 0 {
			return
		}
		for len(w.reads) > 0 {
			w.answer(0)
		}
	}
	w.fail("the dispatcher does not come to rest")
}

// later lets time pass up to the next moment at which the dispatcher has something to do.
func (w *world) later() {
	wake := w.d.Wake(w.now)
	if wake <= w.now {
		wake = w.now + 1
	}
	w.pass(min(wake-w.now, 120_000))
}
