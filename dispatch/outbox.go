package dispatch

import "github.com/turnstone-dev/turnstone/persistence"

// pump moves the outbox rows for one receiving partition: read, deliver, and, later, delete. One delivery is under way
// at a time, so order holds; the receiver's mark makes it exactly once.
type pump struct {
	to   persistence.Partition
	rows int // of a page
	// mark <= written: rows up to mark are at the receiver; rows up to written are known to be durable here.
	mark    uint64
	written uint64
	// acked <= mark: rows up to acked have been deleted here. A new pump learns that from its first page.
	acked    uint64
	readUpTo uint64 // written, when the read under way was asked for
	state    pumpState
	acking   bool
	ackAt    int64 // when the delivered rows are to be deleted; Never: there are none

	notBefore int64 // after a failure
	pause     int64
}

type pumpState uint8

const (
	pumpIdle pumpState = iota
	pumpReading
	pumpDelivering
)

// Delivered rows are deleted together: when there are ackRows of them, or the first has waited for ackAfterMs.
const (
	ackRows    = 256
	ackAfterMs = 1000
)

// The bounds of one page. It ends with the row that reaches one of them. One page is one delivery, so that each row is read
// once.
const (
	deliverRows  = 256
	deliverBytes = 1 << 20
)

func newPump(to persistence.Partition, rows int) *pump {
	return &pump{to: to, rows: min(rows, deliverRows), ackAt: Never}
}

// reads reports whether there are rows to read.
func (p *pump) reads() bool { return p.state == pumpIdle && p.written > p.mark }

// idle reports whether the pump has nothing under way and nothing left to do: it can be dropped, and a new pump takes the
// next row.
func (p *pump) idle() bool {
	return p.state == pumpIdle && !p.acking && p.written <= p.mark && p.mark <= p.acked
}

// wrote takes a new row.
func (p *pump) wrote(seq uint64) { p.written = max(p.written, seq) }

// step asks for what comes next.
func (p *pump) step(now int64, emit func(Action)) {
	if now < p.notBefore {
		return
	}
	if p.reads() {
		p.state, p.readUpTo = pumpReading, p.written
		emit(Action{Kind: ReadOutbox, Max: p.rows, MaxBytes: deliverBytes, To: p.to, Through: p.mark})
	}
	if !p.acking && p.mark > p.acked && (now >= p.ackAt || p.mark-p.acked >= ackRows) {
		p.acking = true
		emit(Action{Kind: AckOutbox, To: p.to, Through: p.mark})
	}
}

// page takes the rows after the mark. It ignores rows that are not known to be durable: they must not be delivered yet.
func (p *pump) page(rows []persistence.OutboxItem, emit func(Action)) {
	for i := range rows {
		if rows[i].Seq > p.written {
			rows = rows[:i]
			break
		}
	}
	if len(rows) == 0 {
		p.state, p.pause = pumpIdle, 0
		if p.readUpTo > p.mark { // all rows written by then have been delivered and deleted already
			p.mark, p.acked = p.readUpTo, p.readUpTo
		}
		return
	}
	if before := rows[0].Seq - 1; before > p.mark { // rows up to there have been delivered and deleted
		p.mark, p.acked = before, before
	}
	p.state = pumpDelivering
	emit(Action{Kind: DeliverOutbox, To: p.to, Rows: rows})
}

// delivered takes the receiver's mark.
func (p *pump) delivered(now int64, mark uint64) {
	if mark <= p.mark {
		p.failed(now) // the receiver took no row: pause, so that the delivery is not repeated in a loop
		return
	}
	p.state, p.pause = pumpIdle, 0
	p.mark = mark
	p.written = max(p.written, mark)
	if p.ackAt == Never {
		p.ackAt = now + ackAfterMs
	}
}

// acknowledged says that the rows up to through have been deleted.
func (p *pump) acknowledged(now int64, through uint64) {
	p.acking = false
	p.acked = max(p.acked, through)
	p.ackAt = Never
	if p.mark > p.acked {
		p.ackAt = now + ackAfterMs
	}
}

// failed pauses after a read or a delivery that failed.
func (p *pump) failed(now int64) {
	p.state = pumpIdle
	p.wait(now)
}

func (p *pump) ackFailed(now int64) {
	p.acking = false
	p.wait(now)
}

func (p *pump) wait(now int64) {
	p.pause = min(max(2*p.pause, busyPauseMs), busyPauseMaxMs)
	p.notBefore = now + p.pause
}

func (p *pump) wake() int64 {
	wake := Never
	if p.reads() {
		wake = p.notBefore
	}
	if !p.acking && p.mark > p.acked {
		wake = min(wake, max(p.ackAt, p.notBefore))
	}
	return wake
}
