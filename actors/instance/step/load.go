package step

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// load asks the journal for everything that the instance needs to go on. No wait for durability: its own next commit
// lies behind what it saw in the same log.
func (in *Machine) load() {
	in.become(phaseLoading)
	in.host.Counts.Loads.Add(1)
	m := &view.Load{
		Inbox: view.InboxRead{Limit: in.host.Config.InboxPage}, Reasons: in.reasons.last, TryAgain: in.tryAgain,
		HeadOnly: !in.charged && in.headOnly(),
	}
	in.awaiting, in.charged = m, false
	in.emit(Effect{Kind: EffectLoad, Message: m})
}

// loaded takes the answer of a read.
func (in *Machine) loaded(m *view.Load) {
	if in.awaiting != m {
		in.emit(Effect{Kind: EffectReturn, Number: uint64(m.Taken)})
		return
	}
	in.awaiting = nil
	in.become(phaseUnknown)
	if m.Inbox.Full {
		in.host.Counts.FullPages.Add(1)
	}
	v := &in.view
	if h := &m.Inbox.Head; m.Err == nil && m.InboxOnly && (h.Turn != v.Head.Turn || h.Execution != v.Head.Execution) {
		in.reload() // another activation has consumed of it
		return
	}
	if m.Err == nil && m.InboxOnly {
		m.Err = v.Inbox.Check(&m.Inbox)
	}
	if m.Err != nil {
		in.uncharge()
		in.loadFailed(m.Err)
		return
	}
	if m.InboxOnly {
		in.become(phaseReady)
		v.Inbox.Take(&m.Inbox)
		if m.Inbox.Unreadable != nil {
			v.Unreadable = m.Inbox.Unreadable
		}
		return
	}
	nudged, due := v.Inbox.Nudged, v.Due
	*v = m.View
	v.Inbox.Nudged, v.Due = max(v.Inbox.Nudged, nudged), due
	v.KeepOwnTimers()
	if v.Partial {
		in.uncharge() // what it waited for was too little
	}
	in.become(phaseReady)
	in.reasons.seen = m.Reasons
	in.loadFailures = 0
	in.emit(Effect{Kind: EffectWhole})
	in.giveUpOrphanLease()
}

// The pause before a read that failed is made again, doubled each time up to the most.
const (
	loadPause    = 50 * time.Millisecond
	loadPauseMax = 5 * time.Second
)

// loadFailed makes a read again after a pause. What is held meanwhile is accepted after 10 ms, as ever. Only a journal
// that has stopped, and damage, end it: without a view nothing can be done for what is held.
func (in *Machine) loadFailed(err error) {
	switch {
	case errors.Is(err, persistence.ErrBusy):
		in.reasons.add()
		in.pause()
		return
	case errors.Is(err, persistence.ErrStopped): // what is held has not been proposed
		err = fmt.Errorf("%w: %w", persistence.ErrNotLeader, err)
	case errors.Is(err, persistence.ErrCorrupt):
		in.emit(Effect{Kind: EffectSetAside, Err: err})
	default:
		if in.loadFailures == 0 {
			in.host.Config.Logger.Error("an instance cannot be loaded now; it is tried again", logkey.Instance, in.id, logkey.Error, err)
		}
		in.reasons.add()
		in.pauseFor(min(loadPause<<min(in.loadFailures, 10), loadPauseMax))
		in.loadFailures++
		return
	}
	in.unpark()
	in.answerUnproposed(fmt.Errorf("load instance %q: %w", in.id, err))
	in.dropAndLeave()
}

// mustRead says that rows of the inbox are to be read before the next turn.
func (in *Machine) mustRead() bool {
	p := &in.view.Inbox
	if len(p.Rows) == 0 && !p.Gap && p.Nudged <= p.Seen && !p.UnreadUnnamed() {
		return false
	}
	_, must := p.Plan(in.facts.NowMs(), in.host.Config.InboxPage)
	return must
}

// loadInbox reads them.
func (in *Machine) loadInbox() {
	in.become(phaseLoading)
	in.host.Counts.InboxReads.Add(1)
	plan, _ := in.view.Inbox.Plan(in.facts.NowMs(), in.host.Config.InboxPage)
	m := &view.Load{InboxOnly: true, IID: in.view.Head.IID, Inbox: *plan}
	in.awaiting = m
	in.emit(Effect{Kind: EffectLoad, Message: m})
}
