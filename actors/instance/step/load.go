package step

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// load reads everything that the instance needs to go on. It does not wait until what it reads is durable: the instance's next
// commit comes later in the same log, so it cannot become durable first.
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

// loaded takes the answer to a read.
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
		in.reload() // another activation has consumed rows of the inbox
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
		in.uncharge() // the memory that it was granted is too little, so it asks again for more
	}
	in.become(phaseReady)
	in.reasons.seen = m.Reasons
	in.loadFailures = 0
	in.emit(Effect{Kind: EffectWhole})
	in.giveUpOrphanLease()
}

// The pause before a failed read is repeated. It doubles with each failure, up to loadPauseMax.
const (
	loadPause    = 50 * time.Millisecond
	loadPauseMax = 5 * time.Second
)

// loadFailed repeats a read after a pause. Messages that are buffered meanwhile are accepted after 10 ms, as always. If the
// journal has stopped or the instance is damaged, it answers the buffered messages with the error and leaves: without a view
// it can do nothing for them.
func (in *Machine) loadFailed(err error) {
	switch {
	case errors.Is(err, persistence.ErrBusy):
		in.reasons.add()
		in.pause()
		return
	case errors.Is(err, persistence.ErrStopped): // no buffered message was proposed, so its sender may safely send it again
		err = fmt.Errorf("%w: %w", persistence.ErrNotLeader, err)
	case errors.Is(err, persistence.ErrCorrupt):
		in.emit(Effect{Kind: EffectSetAside, Err: err})
	default:
		if in.loadFailures == 0 {
			in.host.Config.Logger.Error("an instance cannot be loaded now; the read is repeated", logkey.Instance, in.id, logkey.Error, err)
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

// mustRead reports whether rows of the inbox must be read before the next turn.
func (in *Machine) mustRead() bool {
	p := &in.view.Inbox
	if len(p.Rows) == 0 && !p.Gap && p.Nudged <= p.Seen && !p.UnreadUnnamed() {
		return false
	}
	_, must := p.Plan(in.facts.NowMs(), in.host.Config.InboxPage)
	return must
}

// loadInbox reads the inbox rows that the next turn needs.
func (in *Machine) loadInbox() {
	in.become(phaseLoading)
	in.host.Counts.InboxReads.Add(1)
	plan, _ := in.view.Inbox.Plan(in.facts.NowMs(), in.host.Config.InboxPage)
	m := &view.Load{InboxOnly: true, IID: in.view.Head.IID, Inbox: *plan}
	in.awaiting = m
	in.emit(Effect{Kind: EffectLoad, Message: m})
}
