package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

func encodeStatus(e *rowcode.Enc, s *persistence.CustomStatus) {
	e.Version(statusVersion)
	e.U(s.Version)
	e.OptS(s.Value)
}

func decodeStatus(iid persistence.Incarnation, row []byte) (persistence.CustomStatus, error) {
	d := rowcode.NewDec(row, statusVersion)
	s := persistence.CustomStatus{IID: iid, Version: d.U(), Value: d.OptS()}
	return s, d.Done()
}

func encodeKV(e *rowcode.Enc, k *persistence.KVItem) {
	e.Version(kvVersion)
	e.Bool(k.Cleared)
	e.I(k.UpdatedMs)
	e.B(k.Value)
}

// decodeKV reads a row into what its key says.
func decodeKV(k persistence.KVItem, row []byte) (persistence.KVItem, error) {
	d := rowcode.NewDec(row, kvVersion)
	k.Cleared, k.UpdatedMs, k.Value = d.Bool(), d.I(), d.B()
	return k, d.Done()
}
