package pebble

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// The format version at the start of each kind of value. Each is raised on its own. A decoder accepts its version and all
// before, and reads a newer field only from a value that has it (Dec.Version), so that a new field does not make old stores
// unreadable. A higher version is refused: a newer build wrote it.
const (
	partitionVersion = 2 // 2: instances whose watchers are being answered
	nameVersion      = 1
	headVersion      = 4 // 2: custom status, key-value store; 3: watchers; 4: cleanup
	startVersion     = 1
	partVersion      = 1
	inboxVersion     = 2 // 2: the outcome of a send
	topicVersion     = 1
	ordinalVersion   = 1
	leaseVersion     = 1
	workVersion      = 1
	timerVersion     = 1
	timerOfVersion   = 1
	childVersion     = 1
	requestVersion   = 1
	outboxVersion    = 1
	watcherVersion   = 1
	markVersion      = 1
	statusVersion    = 1
	kvVersion        = 1
)

// headRow is a head as it is stored and cached.
type headRow struct {
	persistence.Head
	// held: the L row says that the instance is held.
	held bool
	// dirty: the head is written at the end of the batch.
	dirty bool
	// deleted: it is not written, because the instance was deleted.
	deleted bool
	// ends: the batch under construction has the end, and last is the last part of the history, which no read finds yet.
	ends bool
	last []byte
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

// The flags of a head.
const (
	flagParent = 1 << iota
	flagLeased
	flagHeld
	flagFamily
	flagSpread
	flagPrevious
	flagFirst
	flagStatus
	flagKV
	flagKVCleared
	flagWatchers
	flagCleanup
)

// flagsSince2 are the flags of fields that came with version 2, flagWatchers that of version 3, and flagCleanup that of
// version 4. A head that has none of
// them is written as version 1, as before: what an instance does not use does not change its row.
const flagsSince2 = flagStatus | flagKV | flagKVCleared

func (h *headRow) flags() (f uint64) {
	for _, is := range [...]struct {
		set  bool
		flag uint64
	}{
		{!h.Parent.IsZero(), flagParent}, {h.Leased, flagLeased}, {h.held, flagHeld}, {h.Family, flagFamily}, {h.Spread, flagSpread},
		{h.Previous != persistence.Chain{}, flagPrevious}, {h.FirstChain != persistence.Chain{}, flagFirst},
		{h.StatusVersion > 0, flagStatus},
		{h.KVBase|h.KVBaseBytes|h.KVCurrent != 0, flagKV}, {h.KVCleared, flagKVCleared},
		{h.Watchers > 0, flagWatchers}, {h.Cleanup.Event > 0, flagCleanup},
	} {
		if is.set {
			f |= is.flag
		}
	}
	return f
}

func encodeHead(e *rowcode.Enc, h *headRow) {
	flags := h.flags()
	switch {
	case flags&flagCleanup != 0:
		e.Version(headVersion)
	case flags&flagWatchers != 0:
		e.Version(3)
	case flags&flagsSince2 != 0:
		e.Version(2)
	default:
		e.Version(1)
	}
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
	e.U(flags)
	if flags&flagParent != 0 {
		encodeLink(e, h.Parent)
	}
	if flags&flagPrevious != 0 {
		e.Raw(h.Previous[:])
	}
	if flags&flagFirst != 0 {
		e.Raw(h.FirstChain[:])
	}
	e.I(h.CreatedAtMs)
	e.I(h.UpdatedAtMs)
	e.I(h.LastTurnAtMs)
	e.I(h.EndedAtMs)
	for _, v := range h.numbers() {
		e.U(*v)
	}
	if flags&flagStatus != 0 {
		e.U(h.StatusVersion)
	}
	if flags&flagKV != 0 {
		e.U(h.KVBase)
		e.U(h.KVBaseBytes)
		e.U(h.KVCurrent)
	}
	if flags&flagWatchers != 0 {
		e.U(h.Watchers)
	}
	if flags&flagCleanup != 0 {
		encodeCleanup(e, &h.Cleanup)
	}
}

func encodeCleanup(e *rowcode.Enc, c *persistence.Cleanup) {
	e.U(c.Event)
	e.U(c.Part)
	e.I(c.SinceMs)
	e.I(c.DeadlineMs)
	e.U(c.Left)
}

func decodeCleanup(d *rowcode.Dec) persistence.Cleanup {
	return persistence.Cleanup{Event: d.U(), Part: d.U(), SinceMs: d.I(), DeadlineMs: d.I(), Left: d.U()}
}

// numbers lists the head's numbers, in the order in which they are stored.
func (h *headRow) numbers() [12]*uint64 {
	return [...]*uint64{
		&h.Inbox, &h.Work, &h.Timers, &h.Children, &h.NextSeq, &h.HistoryEvents, &h.HistoryBytes, &h.Dropped,
		&h.FirstExecution, &h.Topics, &h.InboxBytes, &h.FirstSeq,
	}
}

func decodeHead(iid persistence.Incarnation, row []byte) (*headRow, error) {
	d := rowcode.NewDec(row, headVersion)
	h := &headRow{}
	h.IID = iid
	h.ID, h.Name, h.Version, h.Pin = d.S(), d.S(), d.S(), d.S()
	h.Status = persistence.Status(d.U())
	h.Execution, h.Turn, h.NextEvent = d.U(), d.U(), d.U()
	d.Raw(h.Chain[:])
	h.LastPart = d.U()
	flags := d.U()
	h.Leased, h.held = flags&flagLeased != 0, flags&flagHeld != 0
	h.Family, h.Spread = flags&flagFamily != 0, flags&flagSpread != 0
	if flags&flagParent != 0 {
		h.Parent = decodeLink(d)
	}
	if flags&flagPrevious != 0 {
		d.Raw(h.Previous[:])
	}
	if flags&flagFirst != 0 {
		d.Raw(h.FirstChain[:])
	}
	h.CreatedAtMs, h.UpdatedAtMs, h.LastTurnAtMs, h.EndedAtMs = d.I(), d.I(), d.I(), d.I()
	for _, v := range h.numbers() {
		*v = d.U()
	}
	if flags&flagStatus != 0 {
		h.StatusVersion = d.U()
	}
	if flags&flagKV != 0 {
		h.KVBase, h.KVBaseBytes, h.KVCurrent = d.U(), d.U(), d.U()
	}
	if flags&flagWatchers != 0 {
		h.Watchers = d.U()
	}
	if flags&flagCleanup != 0 {
		h.Cleanup = decodeCleanup(d)
	}
	h.KVCleared = flags&flagKVCleared != 0
	if err := d.Done(); err != nil {
		return nil, err
	}
	if h.Status < persistence.StatusPending || h.Status > persistence.StatusFailed {
		return nil, fmt.Errorf("%w: status %d", rowcode.ErrMalformed, h.Status)
	}
	return h, nil
}

func encodeStart(e *rowcode.Enc, s *persistence.PendingStart) {
	e.Version(startVersion)
	e.S(s.ID)
	e.S(s.Name)
	e.S(s.Version)
	e.B(s.Input)
	e.B(s.Start)
	encodeLink(e, s.Parent)
	e.I(s.NotBeforeMs)
	e.I(s.ExecutionTimeoutMs)
}

func decodeStart(iid persistence.Incarnation, execution uint64, row []byte) (persistence.PendingStart, error) {
	d := rowcode.NewDec(row, startVersion)
	s := persistence.PendingStart{IID: iid, Execution: execution}
	s.ID, s.Name, s.Version = d.S(), d.S(), d.S()
	s.Input, s.Start = d.B(), d.B()
	s.Parent = decodeLink(d)
	s.NotBeforeMs, s.ExecutionTimeoutMs = d.I(), d.I()
	return s, d.Done()
}

// decodeStartEffect reads a start without the data that it carries over.
func decodeStartEffect(iid persistence.Incarnation, execution uint64, row []byte) (persistence.StartEffect, error) {
	d := rowcode.NewDec(row, startVersion)
	s := persistence.StartEffect{IID: iid, Execution: execution}
	s.ID, s.Name, s.Version = d.S(), d.S(), d.S()
	d.Skip()
	d.Skip()
	decodeLink(d)
	s.NotBeforeMs = d.I()
	d.I()
	return s, d.Done()
}

func encodePart(e *rowcode.Enc, p *persistence.StoredPart) {
	e.Version(partVersion)
	e.U(p.Count)
	e.Raw(p.Chain[:])
	e.Bool(p.Previous != persistence.Chain{})
	if p.Previous != (persistence.Chain{}) {
		e.Raw(p.Previous[:])
	}
	e.B(p.Header)
	e.B(p.Events)
}

// decodePart reads a part. Its header and its events are part of the row's memory.
func decodePart(execution, first, turn uint64, row []byte) (persistence.StoredPart, error) {
	d := rowcode.NewDec(row, partVersion)
	p := persistence.StoredPart{Execution: execution, FirstEvent: first, Turn: turn}
	p.Count = d.U()
	d.Raw(p.Chain[:])
	if d.Bool() {
		d.Raw(p.Previous[:])
	}
	p.Header, p.Events = d.View(), d.View()
	return p, d.Done()
}

func encodeInbox(e *rowcode.Enc, i *persistence.InboxItem) {
	version := byte(1)
	if i.Outcome != 0 {
		version = inboxVersion
	}
	e.Version(version)
	e.U(uint64(i.Form))
	e.I(i.NotBeforeMs)
	e.U(uint64(i.Topic))
	e.U(i.Ordinal)
	e.B(i.Message)
	e.U(i.Execution)
	e.U(i.Event)
	e.S(i.ChildID)
	if version >= 2 {
		e.U(uint64(i.Outcome))
	}
}

func decodeInbox(seq uint64, row []byte) (persistence.InboxItem, error) {
	d := rowcode.NewDec(row, inboxVersion)
	i := persistence.InboxItem{Seq: seq, Form: persistence.ItemForm(d.U()), NotBeforeMs: d.I()}
	i.Topic, i.Ordinal = persistence.Topic(d.U()), d.U()
	i.Message = d.B()
	i.Execution, i.Event, i.ChildID = d.U(), d.U(), d.S()
	if d.Version() >= 2 {
		i.Outcome = persistence.SendOutcome(d.U())
	}
	return i, d.Done()
}

func encodeLease(e *rowcode.Enc, l *persistence.TurnLease) {
	e.Version(leaseVersion)
	e.S(l.ID)
	e.U(uint64(l.Attempts))
	e.I(l.NotBeforeMs)
	e.S(string(l.Token))
	encodeHolder(e, l.Holder)
	e.I(l.ExpiresAtMs)
	e.U(l.Through)
	e.S(l.Held.Reason)
	e.S(l.Held.Build)
	e.U(uint64(l.Held.Tries))
	e.I(l.Held.SinceMs)
}

func decodeLease(iid persistence.Incarnation, row []byte) (persistence.TurnLease, error) {
	d := rowcode.NewDec(row, leaseVersion)
	l := persistence.TurnLease{IID: iid, ID: d.S()}
	l.Attempts, l.NotBeforeMs, l.Token = uint32(d.U()), d.I(), persistence.Token(d.S())
	l.Holder = decodeHolder(d)
	l.ExpiresAtMs, l.Through = d.I(), d.U()
	l.Held = persistence.Held{Reason: d.S(), Build: d.S(), Tries: uint32(d.U()), SinceMs: d.I()}
	return l, d.Done()
}

// encodeOwner is the value of a T row: the instance's id.
func encodeOwner(e *rowcode.Enc, id string) {
	e.Version(timerVersion)
	e.S(id)
}

func decodeOwner(row []byte) (string, error) {
	d := rowcode.NewDec(row, timerVersion)
	id := d.S()
	return id, d.Done()
}

// encodeTime is the value of a t row: the fire time.
func encodeTime(e *rowcode.Enc, ms int64) {
	e.Version(timerOfVersion)
	e.I(ms)
}

func decodeTime(row []byte) (int64, error) {
	d := rowcode.NewDec(row, timerOfVersion)
	ms := d.I()
	return ms, d.Done()
}

func encodeChild(e *rowcode.Enc, c *persistence.ChildItem) {
	e.Version(childVersion)
	e.S(c.ID)
	e.U(uint64(c.Policy))
}

func decodeChild(key persistence.WorkKey, row []byte) (persistence.ChildItem, error) {
	d := rowcode.NewDec(row, childVersion)
	c := persistence.ChildItem{Execution: key.Execution, Event: key.Event, ID: d.S(), Policy: uint8(d.U())}
	return c, d.Done()
}

func encodeRequest(e *rowcode.Enc, r *persistence.RequestItem) {
	e.Version(requestVersion)
	e.U(uint64(r.Kind))
	e.Raw(r.Digest[:])
	e.U(uint64(r.IID))
	e.U(r.Seq)
	e.I(r.ExpiresAtMs)
}

func decodeRequest(id, key string, row []byte) (persistence.RequestItem, error) {
	d := rowcode.NewDec(row, requestVersion)
	r := persistence.RequestItem{ID: id, Key: key, Kind: persistence.RequestKind(d.U())}
	d.Raw(r.Digest[:])
	r.IID, r.Seq, r.ExpiresAtMs = persistence.Incarnation(d.U()), d.U(), d.I()
	return r, d.Done()
}

// encodeIID is the value of an N row.
func encodeIID(e *rowcode.Enc, iid persistence.Incarnation) {
	e.Version(nameVersion)
	e.U(uint64(iid))
}

func decodeIID(row []byte) (persistence.Incarnation, error) {
	d := rowcode.NewDec(row, nameVersion)
	iid := persistence.Incarnation(d.U())
	return iid, d.Done()
}

// encodeOutbox puts a format version in front of an encoded message.
func encodeOutbox(e *rowcode.Enc, message []byte) {
	e.Version(outboxVersion)
	e.B(message)
}

func decodeOutbox(to persistence.Partition, seq uint64, row []byte) (persistence.OutboxItem, error) {
	d := rowcode.NewDec(row, outboxVersion)
	o := persistence.OutboxItem{To: to, Seq: seq, Message: d.B()}
	return o, d.Done()
}

// encodeMark is the value of a row whose key says all.
func encodeMark(e *rowcode.Enc) { e.Version(markVersion) }

func decodeMark(row []byte) error { return rowcode.NewDec(row, markVersion).Done() }
