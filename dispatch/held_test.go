package dispatch

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// holding is a dispatcher with one consumer of turns, whose scans have been answered with what there is.
type holding struct {
	t    *testing.T
	d    *Dispatcher
	now  int64
	rows []persistence.TurnLease
	// timers are the rows that a scan finds.
	timers []persistence.TimerItem
	fail   int  // so many scans of leases fail
	silent bool // no instance acknowledges what it is told
}

func newHolding(t *testing.T, cfg Config, rows ...persistence.TurnLease) *holding {
	h := &holding{t: t, d: New(cfg, 1_000_000, false), now: 1_000_000, rows: rows}
	h.d.SetWall(h.now, h.now)
	return h
}

// tells lets time pass, answers all scans, and gives what instances are told.
func (h *holding) tells(ms int64) (told []Action) {
	h.t.Helper()
	h.now += ms
	h.d.SetWall(h.now, h.now)
	for again := true; again; {
		again = false
		h.d.Tick(h.now)
		for _, a := range append([]Action(nil), h.d.Actions()...) {
			again = true
			switch a.Kind {
			case ScanLeases:
				if h.fail > 0 {
					h.fail--
					h.d.ReadFailed(h.now, a)
					continue
				}
				var page []persistence.TurnLease
				for _, r := range h.rows {
					if r.IID > a.After && len(page) < a.Max {
						page = append(page, r)
					}
				}
				h.d.LeasesPage(h.now, page)
			case ScanStarts:
				h.d.StartsPage(h.now, nil)
			case ScanInbox:
				h.d.InboxPage(h.now, nil)
			case ScanWork:
				h.d.WorkPage(h.now, nil)
			case ScanTimers:
				var page []persistence.TimerItem
				for _, r := range h.timers {
					if r.Key.Compare(a.AfterTimer) > 0 && len(page) < a.Max {
						page = append(page, r)
					}
				}
				h.d.TimersPage(h.now, page)
			case ScanRequests: // no request is to be swept
				h.d.RequestsPage(h.now, nil)
			case ScanStreams:
				h.d.StreamsPage(nil)
			case TellRetry, TimerDue, TellNudge, TellStart:
				told = append(told, a)
				if a.Kind != TimerDue && !h.silent {
					h.d.Acknowledged(h.now, a.IID, a.Number, 0)
				}
			default:
				h.t.Fatalf("an action of kind %d", a.Kind)
			}
		}
	}
	return told
}

// want checks what was told: kinds and instances, and whether a retry is fresh.
func (h *holding) want(what string, told []Action, want ...string) {
	h.t.Helper()
	var got []string
	for _, a := range told {
		kind := map[ActionKind]string{TellRetry: "retry", TimerDue: "timer", TellNudge: "nudge"}[a.Kind]
		if a.Fresh != 0 {
			kind = "fresh"
		}
		got = append(got, fmt.Sprint(kind, " ", a.IID))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("%s: told %v, want %v", what, got, want)
	}
}

func heldRow(iid persistence.Incarnation, notBefore int64) persistence.TurnLease {
	return persistence.TurnLease{ID: fmt.Sprint("i", iid), IID: iid, NotBeforeMs: notBefore, Held: persistence.Held{Reason: "no", Build: "1"}}
}

// heldNow has the dispatcher hear that an instance is held.
func (h *holding) heldNow(iid persistence.Incarnation, notBefore int64) {
	h.effect(persistence.LeaseEffect{ID: fmt.Sprint("i", iid), IID: iid, NotBeforeMs: notBefore, Held: persistence.Held{Reason: "no", Build: "1"}})
}

func (h *holding) effect(l persistence.LeaseEffect) {
	h.d.Effects(h.now, &persistence.Effects{Leases: []persistence.LeaseEffect{l}})
}

func (h *holding) timer(iid persistence.Incarnation, at int64) persistence.TimerItem {
	item := persistence.TimerItem{ID: fmt.Sprint("i", iid), Key: persistence.TimerKey{FireAtMs: at, IID: iid, Execution: 1, Event: uint64(at)}}
	h.d.Effects(h.now, &persistence.Effects{Timers: []persistence.TimerItem{item}})
	return item
}

// TestHeldInstancesAreTriedAtTheOpenAndAtEachAttach, though the first page of leases cannot be read at first.
func TestHeldInstancesAreTriedAtTheOpenAndAtEachAttach(t *testing.T) {
	h := newHolding(t, Config{PageRows: 2}, heldRow(1, 0), heldRow(2, 1_050_000), heldRow(3, 0))
	h.fail = 1
	h.d.AttachTurns()
	h.want("while the page cannot be read", h.tells(0))
	h.want("at the open", h.tells(100), "fresh 1", "fresh 2", "fresh 3")
	h.heldNow(1, 0)
	h.heldNow(2, 1_050_000)
	h.want("nothing new", h.tells(40_000))
	h.fail = 1
	h.d.AttachTurns()
	h.tells(0)
	h.want("at an attach", h.tells(1000), "fresh 1", "fresh 2", "fresh 3")
	if n := h.d.Held(); n != 0 {
		t.Errorf("%d held, and all are tried", n)
	}
}

// TestHeldInstancesThatFindNoRoomAreTriedToo: a few fit into the queue at a time.
func TestHeldInstancesThatFindNoRoomAreTriedToo(t *testing.T) {
	var rows []persistence.TurnLease
	for iid := range persistence.Incarnation(50) {
		rows = append(rows, heldRow(iid+1, 0))
	}
	h := newHolding(t, Config{PageRows: 4, TellsMax: 5}, rows...)
	h.d.AttachTurns()
	told := map[persistence.Incarnation]bool{}
	for range 60 {
		for _, a := range h.tells(1) {
			told[a.IID] = true
			h.heldNow(a.IID, 0)
		}
	}
	if len(told) != len(rows) || h.d.Held() != len(rows) {
		t.Errorf("%d of %d were tried, %d are held", len(told), len(rows), h.d.Held())
	}
}

// TestTimersOfAHeldInstanceWait until it is tried, released or has ended; those of others do not.
func TestTimersOfAHeldInstanceWait(t *testing.T) {
	h := newHolding(t, Config{})
	h.d.AttachTurns()
	h.tells(0)
	told := h.timer(1, h.now)
	h.want("before it is held", h.tells(0), "timer 1")
	h.heldNow(1, h.now+5000)
	h.d.LeftHeld(h.now, 1, 0, h.now+5000, []persistence.TimerKey{told.Key})
	gone := h.timer(1, h.now+10)
	h.timer(2, h.now+20)
	h.want("while it is held", h.tells(4000), "timer 2")
	if s := h.d.Sizes(); s.Held != 1 || s.Parked != 2 {
		t.Errorf("sizes %+v", s)
	}
	h.d.Effects(h.now, &persistence.Effects{TimersDeleted: []persistence.TimerKey{gone.Key}})
	h.want("when its time has come", h.tells(1000), "retry 1", "timer 1")
	h.heldNow(1, 0)
	h.d.LeftHeld(h.now, 1, 0, 0, []persistence.TimerKey{told.Key})
	h.want("after the last try", h.tells(0))
	h.effect(persistence.LeaseEffect{ID: "i1", IID: 1})
	h.want("at its release", h.tells(0), "retry 1", "timer 1")
	h.heldNow(1, 0)
	h.d.LeftHeld(h.now, 1, 0, 0, []persistence.TimerKey{told.Key})
	h.d.Effects(h.now, &persistence.Effects{Ended: []persistence.EndEffect{{IID: 1}}, TimersDeleted: []persistence.TimerKey{told.Key}})
	if s := h.d.Sizes(); s.Held != 0 || s.Parked != 0 {
		t.Errorf("sizes after its end %+v", s)
	}
}

// TestATimerThatAHeldInstanceLeavesIsNotLost: it has been told to try again since, and does not know it yet.
func TestATimerThatAHeldInstanceLeavesIsNotLost(t *testing.T) {
	h := newHolding(t, Config{})
	h.d.AttachTurns()
	h.tells(0)
	item := h.timer(1, h.now)
	h.want("before", h.tells(0), "timer 1")
	h.effect(persistence.LeaseEffect{ID: "i1", IID: 1})
	h.d.Tick(h.now) // the retry is on its way
	h.d.Actions()
	h.d.LeftHeld(h.now, 1, 0, 0, []persistence.TimerKey{item.Key})
	told := h.tells(leftPauseMs)
	h.want("afterwards", told, "timer 1")
	if len(told) > 0 && told[0].Again {
		t.Error("it is told as one that was lost")
	}
}

// TestTimersThatFindNoRoomAreReadAgain: also those before a page that is being read when their instance is released.
func TestTimersThatFindNoRoomAreReadAgain(t *testing.T) {
	h := newHolding(t, Config{TimersMax: 8, PageRows: 3}, heldRow(1, 0))
	for i := range int64(40) {
		h.timers = append(h.timers, persistence.TimerItem{
			ID: "i1", Key: persistence.TimerKey{FireAtMs: h.now - 100 + i, IID: 1, Execution: 1, Event: uint64(i + 1)},
		})
	}
	h.d.AttachTurns()
	h.heldNow(1, 0)
	h.tells(0)
	for range 100 {
		h.tells(100)
	}
	if s := h.d.Sizes(); s.Parked > 8 || s.Timers > 8 {
		t.Errorf("sizes %+v", s)
	}
	h.rows = nil
	h.effect(persistence.LeaseEffect{ID: "i1", IID: 1})
	told := map[persistence.TimerKey]bool{}
	for range 100 {
		for _, a := range h.tells(100) {
			if a.Kind == TimerDue {
				told[a.Timer] = true
				h.d.Effects(h.now, &persistence.Effects{TimersDeleted: []persistence.TimerKey{a.Timer}})
				for i := range h.timers {
					if h.timers[i].Key == a.Timer {
						h.timers = append(h.timers[:i], h.timers[i+1:]...)
						break
					}
				}
			}
		}
	}
	if len(told) != 40 {
		t.Errorf("%d of 40 timers were told", len(told))
	}
}

// TestAMillionHeldInstancesAreSmall: a deploy that fits nothing may hold every instance of a store.
func TestAMillionHeldInstancesAreSmall(t *testing.T) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h := newHeldSet(1000, 0)
	for iid := range persistence.Incarnation(n) {
		h.hold(iid)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if bytes := int64(after.HeapAlloc) - int64(before.HeapAlloc); bytes > 48*n {
		t.Errorf("%d bytes each", bytes/n)
	} else {
		t.Logf("%d bytes each", bytes/n)
	}
	runtime.KeepAlive(h)
}

// A runtime is attached before the time of an instance that is held. It is told, and, before its timers come to it, finds
// nothing to do and acknowledges. The timers come; the row still holds it back. At its time it must be tried.
func TestWhatAHeldInstanceLeavesBeforeItsTimeIsTriedThen(t *testing.T) {
	h := newHolding(t, Config{})
	h.d.AttachTurns()
	h.tells(0)
	item := h.timer(1, h.now)
	h.want("before it is held", h.tells(0), "timer 1")
	until := h.now + 60_000
	h.heldNow(1, until)
	h.d.LeftHeld(h.now, 1, 0, until, []persistence.TimerKey{item.Key})
	h.rows = []persistence.TurnLease{heldRow(1, until)}
	h.d.AttachTurns()
	h.want("at the attach", h.tells(0), "fresh 1", "fresh 1") // the retry, then the timer; the helper acknowledges the retry
	h.d.LeftHeld(h.now, 1, 0, until, []persistence.TimerKey{item.Key})
	h.want("at its time", h.tells(60_000), "retry 1", "timer 1")
}

// The node has no room for the timer that says that a runtime was attached: it says so when it is told again.
func TestATimerThatFindsANodeFullIsStillFresh(t *testing.T) {
	h := newHolding(t, Config{})
	h.d.AttachTurns()
	h.tells(0)
	item := h.timer(1, h.now)
	h.want("before it is held", h.tells(0), "timer 1")
	h.heldNow(1, 0)
	h.d.LeftHeld(h.now, 1, 0, 0, []persistence.TimerKey{item.Key})
	h.rows = []persistence.TurnLease{heldRow(1, 0)}
	h.d.AttachTurns()
	told := h.tells(0)
	h.want("at the attach", told, "fresh 1", "fresh 1") // the retry, which is acknowledged: its instance has found nothing; then the timer
	h.d.Busy(h.now, told[1])
	h.want("when the node has room", h.tells(busyPauseMs), "fresh 1")
}

// A held instance goes on although it was not told to try: a turn of it is committed, and its timers are told.
func TestACommitEndsAHold(t *testing.T) {
	h := newHolding(t, Config{})
	h.d.AttachTurns()
	h.tells(0)
	h.heldNow(1, 0)
	h.timer(1, h.now)
	h.want("while it is held", h.tells(0))
	h.d.Effects(h.now, &persistence.Effects{Unheld: []persistence.Incarnation{1}})
	h.want("after the commit", h.tells(0), "timer 1")
	if s := h.d.Sizes(); s.Held != 0 || s.Parked != 0 || len(h.d.heldBack.timersUnacked) != 0 {
		t.Errorf("sizes %+v, %d unacknowledged", s, len(h.d.heldBack.timersUnacked))
	}
	h.heldNow(2, 0)
	h.rows = []persistence.TurnLease{heldRow(2, 0)}
	h.d.AttachTurns()
	h.want("at the attach", h.tells(0), "fresh 2")
	h.d.Effects(h.now, &persistence.Effects{Unheld: []persistence.Incarnation{2}})
	if n := len(h.d.heldBack.timersUnacked); n != 0 {
		t.Errorf("%d have an unacknowledged timer", n)
	}
}

// A held instance is released while the page that has its row is on its way, and finds no room.
func TestAPageMarksNothingThatFindsNoRoom(t *testing.T) {
	h := newHolding(t, Config{TellsMax: 1, PageRows: 1})
	h.d.AttachTurns()
	h.tells(0)
	h.heldNow(1, 0)
	h.heldNow(2, 0)
	h.d.AttachTurns()
	h.d.Tick(h.now) // the walk begins
	h.d.Actions()
	h.effect(persistence.LeaseEffect{ID: "i2", IID: 2}) // is told soon: the queue is full
	h.effect(persistence.LeaseEffect{ID: "i1", IID: 1})
	h.d.LeasesPage(h.now, []persistence.TurnLease{heldRow(1, 0)})
	for range 10 {
		h.tells(1000)
	}
	if n := h.d.Held(); n != 0 {
		t.Errorf("%d held, and both are released", n)
	}
	h.timer(1, h.now)
	h.want("of one that is released", h.tells(0), "timer 1")
}

// A runtime that was attached has a number. An instance that is held hears it with all that it is told until it answers, so
// none that is lost matters, and it is tried for it once.
func TestARuntimeThatWasAttachedIsNamedUntilItIsAnswered(t *testing.T) {
	h := newHolding(t, Config{})
	h.d.AttachTurns()
	h.tells(0)
	h.heldNow(1, 0)
	h.rows, h.silent = []persistence.TurnLease{heldRow(1, 0)}, true
	last := func(what string, told []Action) Action {
		t.Helper()
		if len(told) != 1 {
			t.Fatalf("%s it is told %+v", what, told)
		}
		return told[0]
	}
	nudge := func() {
		h.d.Effects(h.now, &persistence.Effects{Inbox: []persistence.InboxEffect{{ID: "i1", IID: 1, Seq: 1}}})
	}
	h.d.AttachTurns()
	first := last("at the attach", h.tells(0)).Fresh
	if first == 0 {
		t.Fatal("no runtime is named")
	}
	nudge()
	a := last("with a nudge", h.tells(0))
	again := last("without an answer", h.tells(tellAgainMs))
	h.d.Busy(h.now, again)
	busy := last("when the node has room", h.tells(busyPauseMs))
	if a.Fresh != first || again.Fresh != first || busy.Fresh != first {
		t.Errorf("runtime %d is named as %d with a nudge, %d when it is told again, %d when the node has room", first, a.Fresh, again.Fresh, busy.Fresh)
	}
	h.d.LeftHeld(h.now, 1, busy.Number, 0, nil)
	h.heldNow(1, 0)
	nudge()
	if a := last("after the answer", h.tells(0)); a.Fresh != 0 {
		t.Errorf("after the answer runtime %d is named", a.Fresh)
	} else {
		h.d.LeftHeld(h.now, 1, a.Number, 0, nil)
	}
	h.d.AttachTurns()
	if a := last("at the next attach", h.tells(0)); a.Fresh <= first {
		t.Errorf("the next runtime is named %d, the first was %d", a.Fresh, first)
	}
}
