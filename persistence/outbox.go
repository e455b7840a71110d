package persistence

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

const outboxVersion = 1

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
}

// Encode gives the bytes of an outbox row. The same message gives the same bytes on every build.
func (m *OutboxMessage) Encode() []byte {
	e := make(rowcode.Enc, 0, 64+len(m.Input)+len(m.Message))
	e.Version(outboxVersion)
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
	if err := d.Done(); err != nil {
		return OutboxMessage{}, fmt.Errorf("%w: outbox message: %w", ErrCorrupt, err)
	}
	if m.Kind < SendStartChild || m.Kind > SendChildExists {
		return OutboxMessage{}, fmt.Errorf("%w: outbox message of unknown kind %d", ErrCorrupt, m.Kind)
	}
	return m, nil
}
