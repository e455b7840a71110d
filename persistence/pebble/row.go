package pebble

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// rowVersion is the format version in front of every value. Until the store format is 1, another one is refused.
const rowVersion = 1

// headRow is a head as it is stored and cached.
type headRow struct {
	persistence.Head
	// leased says that there is an L row, so that a turn without one does not look for it.
	leased bool
	// dirty heads are written at the end of the batch.
	dirty bool
	// newer and older are the neighbours in the cache's order of use.
	newer, older *headRow
}

func encodeLink(e *rowcode.Enc, l persistence.Link) {
	e.S(l.ID)
	e.U(uint64(l.IID))
	e.U(l.Execution)
	e.U(l.Event)
}

func decodeLink(d *rowcode.Dec) persistence.Link {
	return persistence.Link{ID: d.S(), IID: persistence.Incarnation(d.U()), Execution: d.U(), Event: d.U()}
}

func encodeHolder(e *rowcode.Enc, h persistence.Holder) {
	e.S(h.Node)
	e.S(h.Process)
	e.S(h.Consumer)
}

func decodeHolder(d *rowcode.Dec) persistence.Holder {
	return persistence.Holder{Node: d.S(), Process: d.S(), Consumer: d.S()}
}

func encodeHead(e *rowcode.Enc, h *headRow) {
	e.Version(rowVersion)
	e.S(h.ID)
	e.S(h.Name)
	e.S(h.Version)
	e.S(h.Pin)
	e.U(uint64(h.Status))
	e.U(h.Execution)
	e.U(h.Turn)
	e.U(h.NextEvent)
	e.Raw(h.Chain[:])
	e.U(h.LastPart)
	e.Bool(!h.Parent.IsZero())
	if !h.Parent.IsZero() {
		encodeLink(e, h.Parent)
	}
	e.I(h.CreatedAtMs)
	e.I(h.UpdatedAtMs)
	e.I(h.LastTurnAtMs)
	e.I(h.EndedAtMs)
	for _, v := range [...]uint64{
		h.Inbox, h.Work, h.Timers, h.Children, h.NextSeq, h.HistoryEvents, h.HistoryBytes, h.Dropped,
	} {
		e.U(v)
	}
	e.Bool(h.leased)
}

func decodeHead(iid persistence.Incarnation, row []byte) (*headRow, error) {
	d := rowcode.NewDec(row, rowVersion)
	h := &headRow{}
	h.IID = iid
	h.ID, h.Name, h.Version, h.Pin = d.S(), d.S(), d.S(), d.S()
	h.Status = persistence.Status(d.U())
	h.Execution, h.Turn, h.NextEvent = d.U(), d.U(), d.U()
	d.Raw(h.Chain[:])
	h.LastPart = d.U()
	if d.Bool() {
		h.Parent = decodeLink(d)
	}
	h.CreatedAtMs, h.UpdatedAtMs, h.LastTurnAtMs, h.EndedAtMs = d.I(), d.I(), d.I(), d.I()
	for _, v := range [...]*uint64{
		&h.Inbox, &h.Work, &h.Timers, &h.Children, &h.NextSeq, &h.HistoryEvents, &h.HistoryBytes, &h.Dropped,
	} {
		*v = d.U()
	}
	h.leased = d.Bool()
	if err := d.Done(); err != nil {
		return nil, err
	}
	if h.Status < persistence.StatusPending || h.Status > persistence.StatusFailed {
		return nil, fmt.Errorf("%w: status %d", rowcode.ErrMalformed, h.Status)
	}
	return h, nil
}

func encodeStart(e *rowcode.Enc, s *persistence.PendingStart) {
	e.Version(rowVersion)
	e.S(s.ID)
	e.S(s.Name)
	e.S(s.Version)
	e.B(s.Input)
	e.B(s.Start)
	encodeLink(e, s.Parent)
}

func decodeStart(iid persistence.Incarnation, execution uint64, row []byte) (persistence.PendingStart, error) {
	d := rowcode.NewDec(row, rowVersion)
	s := persistence.PendingStart{IID: iid, Execution: execution}
	s.ID, s.Name, s.Version = d.S(), d.S(), d.S()
	s.Input, s.Start = d.B(), d.B()
	s.Parent = decodeLink(d)
	return s, d.Done()
}

func encodePart(e *rowcode.Enc, p *persistence.StoredPart) {
	e.Version(rowVersion)
	e.U(p.Count)
	e.Raw(p.Chain[:])
	e.B(p.Header)
	e.B(p.Events)
}

func decodePart(execution, first, turn uint64, row []byte) (persistence.StoredPart, error) {
	d := rowcode.NewDec(row, rowVersion)
	p := persistence.StoredPart{Execution: execution, FirstEvent: first, Turn: turn}
	p.Count = d.U()
	d.Raw(p.Chain[:])
	p.Header, p.Events = d.B(), d.B()
	return p, d.Done()
}

func encodeInbox(e *rowcode.Enc, i *persistence.InboxItem) {
	e.Version(rowVersion)
	e.U(uint64(i.Form))
	e.I(i.NotBeforeMs)
	e.B(i.Message)
	e.U(i.Execution)
	e.U(i.Event)
	e.S(i.ChildID)
}

func decodeInbox(seq uint64, row []byte) (persistence.InboxItem, error) {
	d := rowcode.NewDec(row, rowVersion)
	i := persistence.InboxItem{Seq: seq, Form: persistence.ItemForm(d.U()), NotBeforeMs: d.I()}
	i.Message = d.B()
	i.Execution, i.Event, i.ChildID = d.U(), d.U(), d.S()
	return i, d.Done()
}

func encodeLease(e *rowcode.Enc, l *persistence.TurnLease) {
	e.Version(rowVersion)
	e.S(l.ID)
	e.U(uint64(l.Attempts))
	e.I(l.NotBeforeMs)
	e.S(string(l.Token))
	encodeHolder(e, l.Holder)
	e.I(l.ExpiresAtMs)
	e.U(l.Through)
}

func decodeLease(iid persistence.Incarnation, row []byte) (persistence.TurnLease, error) {
	d := rowcode.NewDec(row, rowVersion)
	l := persistence.TurnLease{IID: iid, ID: d.S()}
	l.Attempts, l.NotBeforeMs, l.Token = uint32(d.U()), d.I(), persistence.Token(d.S())
	l.Holder = decodeHolder(d)
	l.ExpiresAtMs, l.Through = d.I(), d.U()
	return l, d.Done()
}

func encodeWork(e *rowcode.Enc, w *persistence.WorkItem) {
	e.Version(rowVersion)
	e.S(w.ID)
	e.S(w.Name)
	e.U(w.Order)
	e.OptS(w.Tag)
	e.OptS(w.Session)
	e.U(uint64(w.Attempts))
	e.I(w.NotBeforeMs)
	e.U(w.Part)
	e.S(string(w.Token))
	if w.Token != "" {
		encodeHolder(e, w.Holder)
		e.I(w.ExpiresAtMs)
	}
}

func decodeWork(key persistence.WorkKey, row []byte) (persistence.WorkItem, error) {
	d := rowcode.NewDec(row, rowVersion)
	w := persistence.WorkItem{Key: key, ID: d.S(), Name: d.S(), Order: d.U()}
	w.Tag, w.Session = d.OptS(), d.OptS()
	w.Attempts, w.NotBeforeMs, w.Part = uint32(d.U()), d.I(), d.U()
	w.Token = persistence.Token(d.S())
	if w.Token != "" {
		w.Holder = decodeHolder(d)
		w.ExpiresAtMs = d.I()
	}
	return w, d.Done()
}

// encodeOwner is the value of a T row: the instance's id.
func encodeOwner(e *rowcode.Enc, id string) {
	e.Version(rowVersion)
	e.S(id)
}

func decodeOwner(row []byte) (string, error) {
	d := rowcode.NewDec(row, rowVersion)
	id := d.S()
	return id, d.Done()
}

// encodeTime is the value of a t row: the fire time.
func encodeTime(e *rowcode.Enc, ms int64) {
	e.Version(rowVersion)
	e.I(ms)
}

func decodeTime(row []byte) (int64, error) {
	d := rowcode.NewDec(row, rowVersion)
	ms := d.I()
	return ms, d.Done()
}

func encodeChild(e *rowcode.Enc, c *persistence.ChildItem) {
	e.Version(rowVersion)
	e.S(c.ID)
	e.U(uint64(c.Policy))
}

func decodeChild(key persistence.WorkKey, row []byte) (persistence.ChildItem, error) {
	d := rowcode.NewDec(row, rowVersion)
	c := persistence.ChildItem{Execution: key.Execution, Event: key.Event, ID: d.S(), Policy: uint8(d.U())}
	return c, d.Done()
}

func encodeRequest(e *rowcode.Enc, r *persistence.RequestItem) {
	e.Version(rowVersion)
	e.U(uint64(r.IID))
	e.U(r.Seq)
	e.I(r.ExpiresAtMs)
}

func decodeRequest(id, key string, row []byte) (persistence.RequestItem, error) {
	d := rowcode.NewDec(row, rowVersion)
	r := persistence.RequestItem{ID: id, Key: key, IID: persistence.Incarnation(d.U()), Seq: d.U(), ExpiresAtMs: d.I()}
	return r, d.Done()
}

// encodeIID is the value of an N row.
func encodeIID(e *rowcode.Enc, iid persistence.Incarnation) {
	e.Version(rowVersion)
	e.U(uint64(iid))
}

func decodeIID(row []byte) (persistence.Incarnation, error) {
	d := rowcode.NewDec(row, rowVersion)
	iid := persistence.Incarnation(d.U())
	return iid, d.Done()
}

// encodeOutbox wraps a message as it is, so that its row has a format version of its own.
func encodeOutbox(e *rowcode.Enc, message []byte) {
	e.Version(rowVersion)
	e.B(message)
}

func decodeOutbox(to persistence.Partition, seq uint64, row []byte) (persistence.OutboxItem, error) {
	d := rowcode.NewDec(row, rowVersion)
	o := persistence.OutboxItem{To: to, Seq: seq, Message: d.B()}
	return o, d.Done()
}

// encodeMark is the value of a row that says all in its key.
func encodeMark(e *rowcode.Enc) { e.Version(rowVersion) }

func decodeMark(row []byte) error { return rowcode.NewDec(row, rowVersion).Done() }
