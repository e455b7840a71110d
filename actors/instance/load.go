package instance

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// loadMsg brings what was read. It is written by the journal's read function and read by the instance afterwards.
type loadMsg struct {
	inboxOnly bool
	iid       persistence.Incarnation // of such a one
	inbox     inboxRead
	host      *Host
	part      Partition
	headOnly  bool   // read no more than the head and the lease
	whole     bool   // read it all, though no turn may start now
	fresh     bool   // a runtime was attached since: one that is held is tried
	granted   int64  // what has been taken of the memory for this read; 0: it takes what it can
	taken     int64  // what the read took in addition
	news      uint64 // news.last when the read began

	view view
	err  error
}

// load asks the journal for everything that the instance needs to go on. No wait for durability: its own next commit
// lies behind what it saw in the same log.
func (in *core) load() {
	in.become(phaseLoading)
	in.host.Counts.Loads.Add(1)
	m := &loadMsg{
		inbox: inboxRead{limit: in.host.Config.InboxPage}, news: in.news.last, fresh: in.fresh,
		headOnly: !in.charged && in.headOnly(),
	}
	in.awaiting, in.charged = m, false
	in.emit(effect{kind: effectLoad, message: m})
}

// read fills in the view. An unreadable history is part of the answer; an unreadable head is an error, and so is what
// does not agree with it.
func (m *loadMsg) read(r persistence.Reader, id string) error {
	if m.inboxOnly {
		return m.inbox.read(r, m.iid)
	}
	if err := m.readView(r, id); err != nil {
		return fmt.Errorf("execution %d: %w", m.view.head.Execution, err)
	}
	return nil
}

func (m *loadMsg) readView(r persistence.Reader, id string) error {
	v := &m.view
	v.known = true
	iid, ok, err := r.Resolve(id)
	if err != nil || !ok {
		return err
	}
	if v.head, v.exists, err = r.Head(iid); err != nil || !v.exists {
		return err
	}
	if v.head.Status.Terminal() {
		return nil
	}
	if lease, ok, err := r.TurnLease(iid); err != nil {
		return err
	} else if ok {
		v.attempts, v.notBeforeMs, v.held, v.leased = lease.Attempts, lease.NotBeforeMs, lease.Held, lease.Token != ""
		if h := lease.Holder; h.Process != "" && h.Node == m.host.Config.Node && h.Process == m.host.Config.Process {
			v.stray = lease.Token
		}
	}
	v.inbox = unopened(&v.head)
	if v.head.Inbox > 0 && m.part != nil && (v.held.Reason != "" || !m.part.Consumers().Serves(v.head.Name, v.head.Version, v.head.Pin)) {
		if v.cancel, err = findCancel(r, iid, m.inbox.limit); err != nil {
			return err
		}
	}
	if more, err := m.readStart(r, iid); err != nil || !more {
		return err
	}
	if v.head.Children > 0 {
		if v.children, err = r.Children(iid, v.head.Execution); err != nil {
			return err
		}
	}
	if err := m.openInbox(r, iid); err != nil {
		return err
	}
	if err := m.checkChildren(); err != nil {
		return err
	}
	if v.head.Turn == 0 {
		return nil
	}
	var check persistence.HistoryCheck
	var unreadable error
	v.segments, unreadable, err = ReadSegments(r, iid, v.head.Execution, &check)
	v.unreadable = errors.Join(v.unreadable, unreadable)
	if err == nil && v.unreadable == nil {
		err = check.End(&v.head)
	}
	return err
}

// openInbox reads the first page of the inbox. One with many holes is not read by age: the first turn tells what it wants.
func (m *loadMsg) openInbox(r persistence.Reader, iid persistence.Incarnation) error {
	plan, any := m.view.inbox.plan(0, m.inbox.limit)
	if !any {
		return nil
	}
	m.inbox = *plan
	if err := m.inbox.read(r, iid); err != nil {
		return err
	}
	if err := m.view.inbox.check(&m.inbox); err != nil {
		return err
	}
	m.view.inbox.take(&m.inbox)
	m.view.unreadable = m.inbox.unreadable
	return nil
}

func decodeItem(item persistence.InboxItem) (inboxItem, error) {
	d := inboxItem{seq: item.Seq, notBeforeMs: item.NotBeforeMs, size: len(item.Message), topic: item.Topic}
	if item.Form == persistence.ItemChildExists {
		d.message = childExists(item)
		return d, nil
	}
	d.message = &turnpb.Message{}
	return d, proto.Unmarshal(item.Message, d.message)
}

// childExists is the answer to a parent whose child could not be started.
func childExists(item persistence.InboxItem) *turnpb.Message {
	failure := &turnpb.ApplicationFailure{
		Kind:      turnpb.ApplicationKind_APPLICATION_KIND_ALREADY_EXISTS,
		Message:   fmt.Sprintf("an instance with the id %q already exists", item.ChildID),
		ErrorKind: "AlreadyExists",
	}
	return &turnpb.Message{
		Execution: item.Execution, Event: item.Event,
		Kind: &turnpb.Message_ChildFailure{ChildFailure: &turnpb.ChildFailure{
			Failure: &turnpb.Failure{Category: &turnpb.Failure_Application{Application: failure}},
		}},
	}
}

// ReadSegments reads a history: a part with a header begins a turn, one without continues it. unreadable is of a part
// that is there and cannot be read; damage, of one that is not there.
func ReadSegments(
	r persistence.Reader, iid persistence.Incarnation, execution uint64, check *persistence.HistoryCheck,
) (segments []replay.Segment, unreadable, damage error) {
	var decoder history.Decoder
	var bad error
	err := r.Parts(iid, execution, 1, func(p persistence.StoredPart) bool {
		if damage = check.Part(&p); damage != nil {
			return false
		}
		bad = decoder.Part(p.FirstEvent, p.Header, p.Events)
		return bad == nil
	})
	if err = errors.Join(err, bad); err != nil {
		return nil, err, nil
	}
	return decoder.Turns(), nil, damage
}

// loaded takes the answer of a read.
func (in *core) loaded(m *loadMsg) {
	if in.awaiting != m {
		in.emit(effect{kind: effectReturn, number: uint64(m.taken)})
		return
	}
	in.awaiting = nil
	in.become(phaseUnknown)
	if m.inbox.full {
		in.host.Counts.FullPages.Add(1)
	}
	v := &in.view
	if h := &m.inbox.head; m.err == nil && m.inboxOnly && (h.Turn != v.head.Turn || h.Execution != v.head.Execution) {
		in.reload() // another activation has consumed of it
		return
	}
	if m.err == nil && m.inboxOnly {
		m.err = v.inbox.check(&m.inbox)
	}
	if m.err != nil {
		in.uncharge()
		in.loadFailed(m.err)
		return
	}
	if m.inboxOnly {
		in.become(phaseReady)
		v.inbox.take(&m.inbox)
		if m.inbox.unreadable != nil {
			v.unreadable = m.inbox.unreadable
		}
		return
	}
	nudged, due := v.inbox.nudged, v.due
	*v = m.view
	v.inbox.nudged, v.due = max(v.inbox.nudged, nudged), due
	v.keepOwnTimers()
	if v.partial {
		in.uncharge() // what it waited for was too little
	}
	in.become(phaseReady)
	in.news.seen = m.news
	in.loadFailures = 0
	in.emit(effect{kind: effectWhole})
	in.giveUpStray()
}

// The pause before a read that failed is made again, doubled each time up to the most.
const (
	loadPause    = 50 * time.Millisecond
	loadPauseMax = 5 * time.Second
)

// loadFailed makes a read again after a pause. What is held meanwhile is accepted after 10 ms, as ever. Only a journal
// that has stopped, and damage, end it: without a view nothing can be done for what is held.
func (in *core) loadFailed(err error) {
	switch {
	case errors.Is(err, persistence.ErrBusy):
		in.news.add()
		in.pause()
		return
	case errors.Is(err, persistence.ErrStopped): // what is held has not been proposed
		err = fmt.Errorf("%w: %w", persistence.ErrNotLeader, err)
	case errors.Is(err, persistence.ErrCorrupt):
		in.emit(effect{kind: effectSetAside, err: err})
	default:
		if in.loadFailures == 0 {
			in.host.Config.Logger.Error("an instance cannot be loaded now; it is tried again", logkey.Instance, in.id, logkey.Error, err)
		}
		in.news.add()
		in.pauseFor(min(loadPause<<min(in.loadFailures, 10), loadPauseMax))
		in.loadFailures++
		return
	}
	in.unpark()
	in.answerUnproposed(fmt.Errorf("load instance %q: %w", in.id, err))
	in.retreat()
}
