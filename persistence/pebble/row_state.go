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
