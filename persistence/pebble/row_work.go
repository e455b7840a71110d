package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// The flags of a work row name its optional fields; most rows have none.
const (
	flagLease = 1 << iota
	flagBounds
	flagHeartbeat
)

func workFlags(w *persistence.WorkItem) (f uint64) {
	if w.Token != "" {
		f |= flagLease
	}
	if w.Deadlines != (persistence.Deadlines{}) {
		f |= flagBounds
	}
	if w.HeartbeatAtMs != 0 || len(w.Heartbeat) > 0 {
		f |= flagHeartbeat
	}
	return f
}

func encodeWork(e *rowcode.Enc, w *persistence.WorkItem) {
	e.Version(workVersion)
	e.S(w.ID)
	e.S(w.Name)
	e.U(w.Order)
	e.OptS(w.Tag)
	e.OptS(w.Session)
	e.U(uint64(w.Attempts))
	e.I(w.NotBeforeMs)
	e.U(w.Part)
	e.U(uint64(w.Attempt))
	e.U(w.FirstEvent)
	e.U(w.FromExecution)
	flags := workFlags(w)
	e.U(flags)
	if flags&flagLease != 0 {
		e.S(string(w.Token))
		encodeHolder(e, w.Holder)
		e.I(w.ExpiresAtMs)
	}
	if flags&flagBounds != 0 {
		e.I(w.Deadlines.StartToCloseMs)
		e.I(w.Deadlines.ScheduleToStartAtMs)
		e.I(w.Deadlines.ScheduleToCloseAtMs)
		e.I(w.Deadlines.HeartbeatMs)
	}
	if flags&flagHeartbeat != 0 {
		e.B(w.Heartbeat)
		e.I(w.HeartbeatAtMs)
	}
}

func decodeWork(key persistence.WorkKey, row []byte) (persistence.WorkItem, error) {
	d := rowcode.NewDec(row, workVersion)
	w := persistence.WorkItem{Key: key, ID: d.S(), Name: d.S(), Order: d.U()}
	w.Tag, w.Session = d.OptS(), d.OptS()
	w.Attempts, w.NotBeforeMs, w.Part = uint32(d.U()), d.I(), d.U()
	w.Attempt, w.FirstEvent, w.FromExecution = uint32(d.U()), d.U(), d.U()
	flags := d.U()
	if flags&flagLease != 0 {
		w.Token = persistence.Token(d.S())
		w.Holder = decodeHolder(d)
		w.ExpiresAtMs = d.I()
	}
	if flags&flagBounds != 0 {
		w.Deadlines = persistence.Deadlines{
			StartToCloseMs: d.I(), ScheduleToStartAtMs: d.I(), ScheduleToCloseAtMs: d.I(), HeartbeatMs: d.I(),
		}
	}
	if flags&flagHeartbeat != 0 {
		w.Heartbeat, w.HeartbeatAtMs = d.B(), d.I()
	}
	return w, d.Done()
}
