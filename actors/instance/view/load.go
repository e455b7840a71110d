package view

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Load is one read of an instance and its result. The journal's read function writes the result; the instance reads it after
// that function has returned.
type Load struct {
	InboxOnly bool                    // read rows of the inbox only
	IID       persistence.Incarnation // with InboxOnly: whose inbox
	Inbox     InboxRead
	Source    *Source
	Consumers *consumer.List // the partition's consumers; nil if none is to run the instance
	HeadOnly  bool           // read no more than the head and the lease
	Whole     bool           // read everything, although no turn may start now
	TryAgain  bool           // a held instance is tried now, because a runtime was attached or an operator released it
	Granted   int64          // bytes of the memory budget granted before the read; 0: the read takes what is free
	Taken     int64          // bytes that the read took in addition; negative: bytes that it gave back
	Reasons   uint64         // the count of reasons to read when the read began

	View View
	Err  error
}

// Read fills in the view. An unreadable history is part of the view (Unreadable). An unreadable head is an error, and so are
// rows that do not agree with the head.
func (m *Load) Read(r persistence.Reader, id string) error {
	if m.InboxOnly {
		return m.Inbox.read(r, m.IID)
	}
	if err := m.readView(r, id); err != nil {
		return fmt.Errorf("execution %d: %w", m.View.Head.Execution, err)
	}
	return nil
}

func (m *Load) readView(r persistence.Reader, id string) error {
	v := &m.View
	v.Known = true
	iid, ok, err := r.Resolve(id)
	if err != nil || !ok {
		return err
	}
	if v.Head, v.Exists, err = r.Head(iid); err != nil || !v.Exists {
		return err
	}
	if v.Head.Status.Terminal() {
		return nil
	}
	if lease, ok, err := r.TurnLease(iid); err != nil {
		return err
	} else if ok {
		v.Attempts, v.NotBeforeMs, v.Held, v.Leased = lease.Attempts, lease.NotBeforeMs, lease.Held, lease.Token != ""
		if h := lease.Holder; h.Process != "" && h.Node == m.Source.Node && h.Process == m.Source.Process {
			v.OrphanLease = lease.Token
		}
	}
	v.Inbox = unopened(&v.Head)
	if v.StartsAtMs, err = startsAt(r, &v.Head); err != nil {
		return err
	}
	if v.Head.Inbox > 0 && m.Consumers != nil && (v.Held.Reason != "" || m.delayed() || !m.Consumers.Serves(v.Head.Name, v.Head.Version, v.Head.Pin)) {
		if v.Cancel, err = findCancel(r, iid, m.Inbox.Limit); err != nil {
			return err
		}
	}
	if more, err := m.readStart(r, iid); err != nil || !more {
		return err
	}
	if v.Head.Children > 0 {
		if v.Children, err = r.Children(iid, v.Head.Execution); err != nil {
			return err
		}
	}
	if err := m.openInbox(r, iid); err != nil {
		return err
	}
	if err := m.checkChildren(); err != nil {
		return err
	}
	if v.Head.KVBase > 0 {
		if err := v.readKV(r, iid); err != nil {
			return err
		}
	}
	if v.Head.Turn == 0 {
		return nil
	}
	var check persistence.HistoryCheck
	var unreadable error
	v.History, unreadable, err = ReadHistory(r, iid, v.Head.Execution, &check)
	v.Unreadable = errors.Join(v.Unreadable, unreadable)
	if err == nil && v.Unreadable == nil {
		err = check.End(&v.Head)
	}
	return err
}

// openInbox reads the first page of the inbox. It does not read an inbox with many holes by age: the first turn tells which
// names it wants.
func (m *Load) openInbox(r persistence.Reader, iid persistence.Incarnation) error {
	plan, any := m.View.Inbox.Plan(0, m.Inbox.Limit)
	if !any {
		return nil
	}
	m.Inbox = *plan
	if err := m.Inbox.read(r, iid); err != nil {
		return err
	}
	if err := m.View.Inbox.Check(&m.Inbox); err != nil {
		return err
	}
	m.View.Inbox.Take(&m.Inbox)
	m.View.Unreadable = m.Inbox.Unreadable
	return nil
}

// decodeItem decodes an inbox row.
func decodeItem(item persistence.InboxItem) (Item, error) {
	d := Item{Seq: item.Seq, NotBeforeMs: item.NotBeforeMs, Size: len(item.Message), Topic: item.Topic}
	switch item.Form {
	case persistence.ItemChildExists:
		d.Message = childExists(item)
		return d, nil
	case persistence.ItemSendEnded:
		d.Message = &turnpb.Message{
			Execution: item.Execution, Event: item.Event,
			Kind: &turnpb.Message_SendEnded{SendEnded: &turnpb.SendEnded{Outcome: turnpb.SendOutcome(item.Outcome)}},
		}
		return d, nil
	case persistence.ItemAwaited:
		return d, awaited(&d, item)
	}
	d.Message = &turnpb.Message{}
	return d, proto.Unmarshal(item.Message, d.Message)
}

// awaited makes the message that says how an instance ended which this one waits for.
func awaited(d *Item, item persistence.InboxItem) error {
	ended := &turnpb.AwaitEnded{}
	d.Message = &turnpb.Message{
		Execution: item.Execution, Event: item.Event, Kind: &turnpb.Message_AwaitEnded{AwaitEnded: ended},
	}
	if item.Outcome == persistence.SendNotFound {
		return nil
	}
	last, err := history.Last(item.Message)
	switch k := last.GetKind().(type) {
	case *turnpb.Event_Completed:
		ended.End = &turnpb.AwaitEnded_Completed{Completed: k.Completed}
	case *turnpb.Event_Failed:
		ended.End = &turnpb.AwaitEnded_Failed{Failed: k.Failed}
	default:
		err = errors.Join(err, fmt.Errorf("the end that event %d waits for: the last event is no end", item.Event))
	}
	return err
}

// childExists returns the answer to a parent whose child could not be started, because another instance has the child's id.
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

// ReadHistory reads a history. A part with a header begins a turn; a part without one continues it. unreadable says that a
// part is there and cannot be read; damage says that a part is missing.
func ReadHistory(
	r persistence.Reader, iid persistence.Incarnation, execution uint64, check *persistence.HistoryCheck,
) (loaded replay.History, unreadable, damage error) {
	stored := &history.Stored{}
	var bad error
	err := r.Parts(iid, execution, 1, func(p persistence.StoredPart) bool {
		if damage = check.Part(&p); damage != nil {
			return false
		}
		bad = stored.Part(p.FirstEvent, p.Header, p.Events)
		return bad == nil
	})
	if err = errors.Join(err, bad); err != nil {
		return nil, err, nil
	}
	return stored, nil, damage
}

// readStart reads the start of an execution without turns, and takes from the memory budget what the rest of the instance
// needs. It returns false if that memory is not free now or the rest is not wanted: then the view is partial, and Size is
// what to ask for. Size leaves out a start that has not been read: a start may end the process that reads it, so in careful
// mode it is first read under a lease.
func (m *Load) readStart(r persistence.Reader, iid persistence.Incarnation) (more bool, err error) {
	v := &m.View
	if v.Cancel == nil && (m.HeadOnly || !m.Whole && m.Granted == 0 && m.waits()) {
		v.Partial, v.Size = true, historyBytes(&v.Head, nil)
		return false, nil
	}
	if v.Head.Turn == 0 {
		start, ok, err := r.Start(iid, v.Head.Execution)
		if err == nil && !ok {
			err = fmt.Errorf("%w: instance %q (%d) waits for its first turn of execution %d and has no start row",
				persistence.ErrCorrupt, v.Head.ID, iid, v.Head.Execution)
		}
		if err != nil {
			return false, err
		}
		v.Start = &start
	}
	v.Size = historyBytes(&v.Head, v.Start)
	switch more := v.Size - m.Granted; {
	case more <= 0:
		m.Taken = more
		m.Source.Memory.Back(-more)
	case m.Source.Memory.Take(more):
		m.Taken = more
	default: // the size that was granted lacked the start, or more has come since: the instance asks again, for all of it
		v.Partial, v.Start = true, nil
		return false, nil
	}
	return true, nil
}

// waits reports whether the lease row lets no turn start now, or only once no other held instance is being tried.
func (m *Load) waits() bool {
	v := &m.View
	if m.delayed() {
		return true
	}
	if v.Held.Reason != "" {
		return !m.TryAgain && v.Held.Build == m.Source.Build
	}
	return dispatch.BacksOff(v.NotBeforeMs, clock.WallMs(m.Source.Clock), m.Source.BackoffMax.Milliseconds())
}

// BufferBytes bounds the bytes of messages that an instance buffers, and the bytes that one turn takes.
const BufferBytes = 4 << 20

// historyBytes estimates the memory that a loaded instance takes. It counts the live bytes twice, because the collector lets
// the heap grow to twice what lives, and the encoded bytes once, which are garbage as soon as they are decoded.
func historyBytes(h *persistence.Head, start *persistence.PendingStart) int64 {
	bytes := int64(h.HistoryBytes + min(h.InboxBytes, BufferBytes) + h.KVBaseBytes)
	if start != nil {
		bytes += int64(len(start.Input) + len(start.Start))
	}
	return 3*bytes + 2*OverheadBytes
}

// OverheadBytes is what an idle instance takes beside its replay machine: actor, carryover, table entries, view. All of it
// is counted twice, because the collector lets the heap grow to twice what lives. Measured: 6.2 KB live for a machine that
// waits for one event, 3.8 KB of them on the heap.
const OverheadBytes = 3 << 9

// Source is what reads use of the engine.
type Source struct {
	Node, Process, Build string
	Clock                clock.Clock
	BackoffMax           time.Duration
	Memory               budget
}

// budget is the memory budget that reads take from. Take returns false if the bytes are not free now.
type budget interface {
	Take(bytes int64) bool
	Back(bytes int64)
}
