package pebble

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// instances checks each head with all rows of its instance, and that each row has an instance.
func (v *verifier) instances() {
	var last persistence.Incarnation
	v.each(famHead, func(key []byte, k *keyReader, value []byte) {
		iid := k.iid()
		h, err := decodeHead(iid, value)
		if err != nil {
			return // named by decodeAll; its rows are not blamed
		}
		v.orphans(last, iid)
		last = iid
		v.counts[h.Status]++
		v.rep.Instances++
		i := &instanceCheck{v: v, h: h, key: slices.Clone(key)}
		i.run()
	})
	v.orphans(last, ^persistence.Incarnation(0))
}

// orphans names the rows of instances between two heads.
func (v *verifier) orphans(after, before persistence.Incarnation) {
	if before <= after+1 {
		return
	}
	for _, f := range []family{famStart, famSegment, famInbox, famLease, famWork, famTimerOf, famChild,
		famTopic, famOrdinal, famWatcher, famStatus, famKV} {
		prefix := appendPrefix(nil, v.p, f)
		end := appendInstance(nil, v.p, f, before)
		v.unreadable(prefix, v.r.scanRows(prefix, appendInstance(nil, v.p, f, after+1),
			func(key, _ []byte) (bool, error) {
				if slices.Compare(key, end) >= 0 {
					return false, nil
				}
				_, _, k := splitKey(key)
				if ok, err := v.r.get(appendInstance(nil, v.p, famHead, k.iid()), func([]byte) error { return nil }); err == nil && !ok {
					v.damage(key, "its instance has no head")
				}
				return true, nil
			}))
	}
}

// instanceCheck checks one instance.
type instanceCheck struct {
	v   *verifier
	h   *headRow
	key []byte
	// open has the open operations of the current execution's history.
	open openEvents
}

// openEvents are schedule events without a completion, by event.
type openEvents struct {
	activities map[uint64]string
	timers     map[uint64]int64
	children   map[uint64]bool
	// cleanup is the event that lets undo steps run; 0 if there is none.
	cleanup uint64
	turnMs  int64 // the time of the turn that is read
}

func newOpenEvents() openEvents {
	return openEvents{activities: map[uint64]string{}, timers: map[uint64]int64{}, children: map[uint64]bool{}}
}

func (i *instanceCheck) damage(format string, args ...any) { i.v.damage(i.key, format, args...) }

func (i *instanceCheck) run() {
	h := i.h
	i.open = newOpenEvents()
	if h.IID >= i.v.state.NextIID {
		i.damage("the next incarnation to be given out is %d", i.v.state.NextIID)
	}
	if iid, ok, err := i.v.r.Resolve(h.ID); err == nil && (!ok || iid != h.IID) {
		i.damage("the id %q names incarnation %d", h.ID, iid)
	}
	x := appendIndex(nil, i.v.p, h.Status, h.UpdatedAtMs, h.IID)
	if ok, err := i.v.r.get(x, func([]byte) error { return nil }); err == nil && !ok {
		i.damage("it is missing from the listing index")
	}
	_, starts, err := i.v.r.Start(h.IID, h.Execution)
	if err == nil && starts != (h.Status == persistence.StatusPending) {
		i.damage("it is %v, and a start for execution %d: %t", h.Status, h.Execution, starts)
	}
	i.lease()
	i.parent()
	i.history()
	i.inbox()
	i.work()
	i.timers()
	i.children()
	i.watchers()
	i.status()
	i.kv()
	i.cleanup()
	if h.Status.Terminal() && (h.Inbox|h.Work|h.Timers|h.Children != 0 || h.Leased) {
		i.damage("it has ended and still counts inbox %d, work %d, timers %d, children %d, leased %t",
			h.Inbox, h.Work, h.Timers, h.Children, h.Leased)
	}
}

// rows calls row with the instance's rows of a family and compares their number with the head's counter.
func (i *instanceCheck) rows(f family, counter uint64, row func(key []byte, k *keyReader, value []byte)) {
	prefix := appendInstance(nil, i.v.p, f, i.h.IID)
	var n uint64
	i.v.unreadable(prefix, i.v.r.scanRows(prefix, prefix, func(key, value []byte) (bool, error) {
		n++
		_, _, k := splitKey(key)
		row(key, k, value)
		return true, nil
	}))
	if n != counter {
		i.damage("it counts %d rows of %v; there are %d", counter, f, n)
	}
}

func (i *instanceCheck) work() {
	i.rows(famWork, i.h.Work, func(key []byte, k *keyReader, value []byte) {
		w, err := decodeWork(k.workKey(), value)
		if err != nil {
			return
		}
		name, open := i.open.activities[w.Key.Event]
		switch {
		case w.Key.Execution != i.h.Execution:
			i.v.damage(key, "the instance is at execution %d", i.h.Execution)
		case !open:
			i.v.damage(key, "history has no open activity with this event")
		case name != w.Name || w.ID != i.h.ID:
			i.v.damage(key, "it is %q of %q; history has %q of %q", w.Name, w.ID, name, i.h.ID)
		}
	})
}

func (i *instanceCheck) timers() {
	i.rows(famTimerOf, i.h.Timers, func(key []byte, k *keyReader, value []byte) {
		w := k.workKey()
		ms, err := decodeTime(value)
		if err != nil {
			return
		}
		if fire, open := i.open.timers[w.Event]; !open || w.Execution != i.h.Execution {
			i.v.damage(key, "history has no open timer with this event")
		} else if fire != ms {
			i.v.damage(key, "it is for %d; history has %d", ms, fire)
		}
		t := persistence.TimerKey{FireAtMs: ms, IID: w.IID, Execution: w.Execution, Event: w.Event}
		var owner string
		ok, err := i.v.r.get(appendTimer(nil, i.v.p, t), func(b []byte) (err error) { owner, err = decodeOwner(b); return err })
		switch {
		case err != nil:
		case !ok:
			i.v.damage(key, "there is no timer at %d", ms)
		case owner != i.h.ID:
			i.v.damage(appendTimer(nil, i.v.p, t), "it names %q; its instance is %q", owner, i.h.ID)
		}
	})
}

func (i *instanceCheck) children() {
	i.rows(famChild, i.h.Children, func(key []byte, k *keyReader, value []byte) {
		if w := k.workKey(); !i.open.children[w.Event] || w.Execution != i.h.Execution {
			i.v.damage(key, "history has no open child with this event")
		}
	})
}
