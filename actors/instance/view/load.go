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

// Load brings what was read. It is written by the journal's read function and read by the instance afterwards.
type Load struct {
	InboxOnly bool
	IID       persistence.Incarnation // of such a one
	Inbox     InboxRead
	Source    *Source
	Consumers *consumer.List // those of the partition, if a consumer is to run it
	HeadOnly  bool           // read no more than the head and the lease
	Whole     bool           // read it all, though no turn may start now
	TryAgain  bool           // a runtime was attached since: one that is held is tried
	Granted   int64          // what has been taken of the memory for this read; 0: it takes what it can
	Taken     int64          // what the read took in addition
	Reasons   uint64         // what Machine.reasons had counted when the read began

	View View
	Err  error
}

// Read fills in the view. An unreadable history is part of the answer; an unreadable head is an error, and so is what
// does not agree with it.
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
	if v.Head.Inbox > 0 && m.Consumers != nil && (v.Held.Reason != "" || !m.Consumers.Serves(v.Head.Name, v.Head.Version, v.Head.Pin)) {
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
	if v.Head.Turn == 0 {
		return nil
	}
	var check persistence.HistoryCheck
	var unreadable error
	v.Segments, unreadable, err = ReadSegments(r, iid, v.Head.Execution, &check)
	v.Unreadable = errors.Join(v.Unreadable, unreadable)
	if err == nil && v.Unreadable == nil {
		err = check.End(&v.Head)
	}
	return err
}

// openInbox reads the first page of the inbox. One with many holes is not read by age: the first turn tells what it wants.
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

func decodeItem(item persistence.InboxItem) (Item, error) {
	d := Item{Seq: item.Seq, NotBeforeMs: item.NotBeforeMs, Size: len(item.Message), Topic: item.Topic}
	if item.Form == persistence.ItemChildExists {
		d.Message = childExists(item)
		return d, nil
	}
	d.Message = &turnpb.Message{}
	return d, proto.Unmarshal(item.Message, d.Message)
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

// readStart reads the start, if the instance has not begun, and takes what the rest of the instance needs. False: that is
// not free now, or is not wanted, and nothing but the head and the lease is in the view. Then size is what to ask for. It
// leaves out a start that has not been read: one that ends its process is read under a lease first.
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
	default: // its head did not tell of the start, or more has come meanwhile: it asks again, for all of it
		v.Partial, v.Start = true, nil
		return false, nil
	}
	return true, nil
}

// waits says that the lease row lets no turn start now, or lets it start when no other instance that is held is tried.
func (m *Load) waits() bool {
	v := &m.View
	if v.Held.Reason != "" {
		return !m.TryAgain && v.Held.Build == m.Source.Build
	}
	return dispatch.BacksOff(v.NotBeforeMs, clock.WallMs(m.Source.Clock), m.Source.BackoffMax.Milliseconds())
}

// BufferBytes bounds the bytes of messages that an instance buffers, and that one of its turns takes.
const BufferBytes = 4 << 20

// historyBytes is what an instance takes that is read: twice what lives, since the collector lets the heap grow so far,
// and once what is garbage as soon as it is decoded.
func historyBytes(h *persistence.Head, start *persistence.PendingStart) int64 {
	bytes := int64(h.HistoryBytes + min(h.InboxBytes, BufferBytes))
	if start != nil {
		bytes += int64(len(start.Input) + len(start.Start))
	}
	return 3*bytes + 2*OverheadBytes
}

// What an idle instance costs beside its machine: actor, carryover, table entries, view. All of it is counted twice, since
// the collector lets the heap grow to twice what lives. Measured: 6.2 KB live for a machine that waits for one event,
// 3.8 of them on the heap.
const OverheadBytes = 3 << 9

// Source is what reads need to know of the engine.
type Source struct {
	Node, Process, Build string
	Clock                clock.Clock
	BackoffMax           time.Duration
	Memory               budget
}

// budget is the memory that reads may take.
type budget interface {
	Take(bytes int64) bool
	Back(bytes int64)
}
