package persistence

import (
	"encoding/binary"
	"fmt"
)

// Token is the opaque proof of a lease: partition, row, index of the lease command, nonce. Empty means no lease.
type Token string

const (
	turnTokenForm byte = 1
	workTokenForm byte = 2
)

// NewTurnToken makes the token of a turn lease taken by the command with this index.
func NewTurnToken(p Partition, iid Incarnation, index, nonce uint64) Token {
	b := make([]byte, 0, 27)
	b = append(b, turnTokenForm)
	b = binary.BigEndian.AppendUint16(b, uint16(p))
	for _, v := range []uint64{uint64(iid), index, nonce} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return Token(b)
}

// NewWorkToken makes the token of a work lease taken by the command with this index.
func NewWorkToken(p Partition, k WorkKey, index, nonce uint64) Token {
	b := make([]byte, 0, 43)
	b = append(b, workTokenForm)
	b = binary.BigEndian.AppendUint16(b, uint16(p))
	for _, v := range []uint64{uint64(k.IID), k.Execution, k.Event, index, nonce} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return Token(b)
}

// Turn returns the partition and instance that a turn token names; ok is false for any other bytes.
func (t Token) Turn() (p Partition, iid Incarnation, ok bool) {
	if len(t) != 27 || t[0] != turnTokenForm {
		return 0, 0, false
	}
	b := []byte(t)
	return Partition(binary.BigEndian.Uint16(b[1:])), Incarnation(binary.BigEndian.Uint64(b[3:])), true
}

// Work returns the partition and row that a work token names; ok is false for any other bytes.
func (t Token) Work() (p Partition, k WorkKey, ok bool) {
	if len(t) != 43 || t[0] != workTokenForm {
		return 0, WorkKey{}, false
	}
	b := []byte(t)
	k = WorkKey{
		IID:       Incarnation(binary.BigEndian.Uint64(b[3:])),
		Execution: binary.BigEndian.Uint64(b[11:]),
		Event:     binary.BigEndian.Uint64(b[19:]),
	}
	return Partition(binary.BigEndian.Uint16(b[1:])), k, true
}

// String shows the token in hexadecimal, for logs.
func (t Token) String() string { return fmt.Sprintf("%x", string(t)) }
