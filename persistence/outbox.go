package persistence

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

const outboxVersion = 2 // 2: the times of life of a start

// OutboxMessage is what an outbox row carries from one partition to another: a send of a turn with its link filled in,
// or the answer to a child start whose id was taken.
type OutboxMessage struct {
	Kind    SendKind
	To      string
	Link    Link
	Name    string
	Version string
	Input   []byte
	Message []byte
	// ChildID is the id that was taken; only with SendChildExists.
	ChildID string
	// NotBeforeMs and ExecutionTimeoutMs of a start are those of its PendingStart.
	NotBeforeMs, ExecutionTimeoutMs int64
	// Topic, InboxMax and InboxBytesMax of a SendMessage are those of its Send; Outcome is that of a SendEnded or SendAwaited.
	Topic                   Topic
	InboxMax, InboxBytesMax uint64
	Outcome                 SendOutcome
}

// Encode gives the bytes of an outbox row. The same message gives the same bytes on every build.
func (m *OutboxMessage) Encode() []byte {
	e := make(rowcode.Enc, 0, 64+len(m.Input)+len(m.Message))
	timed := m.NotBeforeMs != 0 || m.ExecutionTimeoutMs != 0
	if timed {
		e.Version(outboxVersion)
	} else {
		e.Version(1)
	}
	e.U(uint64(m.Kind))
	e.S(m.To)
	e.S(m.Link.ID)
	e.U(uint64(m.Link.IID))
	e.U(m.Link.Execution)
	e.U(m.Link.Event)
	e.S(m.Name)
	e.S(m.Version)
	e.B(m.Input)
	e.B(m.Message)
	e.S(m.ChildID)
	if timed {
		e.I(m.NotBeforeMs)
		e.I(m.ExecutionTimeoutMs)
	}
	switch m.Kind {
	case SendMessage:
		e.U(uint64(m.Topic))
		e.U(m.InboxMax)
		e.U(m.InboxBytesMax)
	case SendEnded, SendAwaited:
		e.U(uint64(m.Outcome))
	}
	return e
}

// DecodeOutboxMessage reads an outbox row back. What is malformed wraps ErrCorrupt.
func DecodeOutboxMessage(row []byte) (OutboxMessage, error) {
	d := rowcode.NewDec(row, outboxVersion)
	m := OutboxMessage{Kind: SendKind(d.U()), To: d.S()}
	m.Link = Link{ID: d.S(), IID: Incarnation(d.U()), Execution: d.U(), Event: d.U()}
	m.Name, m.Version = d.S(), d.S()
	m.Input, m.Message = d.B(), d.B()
	m.ChildID = d.S()
	if d.Version() >= 2 {
		m.NotBeforeMs, m.ExecutionTimeoutMs = d.I(), d.I()
	}
	switch m.Kind {
	case SendMessage:
		m.Topic, m.InboxMax, m.InboxBytesMax = Topic(d.U()), d.U(), d.U()
	case SendEnded, SendAwaited:
		m.Outcome = SendOutcome(d.U())
	}
	if err := d.Done(); err != nil {
		return OutboxMessage{}, fmt.Errorf("%w: outbox message: %w", ErrCorrupt, err)
	}
	if m.Kind < SendStartChild || m.Kind > SendAwaited {
		return OutboxMessage{}, fmt.Errorf("%w: outbox message of unknown kind %d", ErrCorrupt, m.Kind)
	}
	return m, nil
}
