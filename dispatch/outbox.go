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
	// acked <= mark: rows up to acked have been deleted here. A new pump does not know that: its first page says it.
	acked    uint64
	asked    uint64 // written, when the read under way was asked for
	state    pumpState
	ackGoing bool
	ackAt    int64 // when what is delivered is to be deleted; Never: nothing is

	notBefore int64 // after a failure
	pause     int64
}

type pumpState uint8

const (
	pumpIdle pumpState = iota
	pumpReading
	pumpDelivering
)

// Delivered rows are deleted together: when there are so many, or the first has waited so long.
const (
	ackRows    = 256
	ackAfterMs = 1000
)

// One page has at most so many rows, and ends with the one that brings its bytes there. It is one delivery, so that each
// row is read once.
const (
	deliverRows  = 256
	deliverBytes = 1 << 20
)

func newPump(to persistence.Partition, rows int) *pump {
	return &pump{to: to, rows: min(rows, deliverRows), ackAt: Never}
}

// reads reports whether there are rows to read.
func (p *pump) reads() bool { return p.state == pumpIdle && p.written > p.mark }

// idle reports whether nothing is under way or left to do: another pump could take the next row as well.
func (p *pump) idle() bool {
	return p.state == pumpIdle && !p.ackGoing && p.written <= p.mark && p.mark <= p.acked
}

// wrote takes a new row.
func (p *pump) wrote(seq uint64) { p.written = max(p.written, seq) }

// step asks for what comes next.
func (p *pump) step(now int64, emit func(Action)) {
	if now < p.notBefore {
		return
	}
	if p.reads() {
		p.state, p.asked = pumpReading, p.written
		emit(Action{Kind: ReadOutbox, Max: p.rows, MaxBytes: deliverBytes, To: p.to, Through: p.mark})
	}
	if !p.ackGoing && p.mark > p.acked && (now >= p.ackAt || p.mark-p.acked >= ackRows) {
		p.ackGoing = true
		emit(Action{Kind: AckOutbox, To: p.to, Through: p.mark})
	}
}

// page takes the rows after the mark. Rows that are not known to be durable are left: they must not leave yet.
func (p *pump) page(rows []persistence.OutboxItem, emit func(Action)) {
	for i := range rows {
		if rows[i].Seq > p.written {
			rows = rows[:i]
			break
		}
	}
	if len(rows) == 0 {
		p.state, p.pause = pumpIdle, 0
		if p.asked > p.mark { // all that was written then has been delivered and deleted already
			p.mark, p.acked = p.asked, p.asked
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
		p.failed(now) // the receiver took nothing; do not ask it in a loop
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
	p.ackGoing = false
	p.acked = max(p.acked, through)
	p.ackAt = Never
	if p.mark > p.acked {
		p.ackAt = now + ackAfterMs
	}
}

// failed pauses after a read, a delivery or a deletion that could not be made.
func (p *pump) failed(now int64) {
	p.state = pumpIdle
	p.wait(now)
}

func (p *pump) ackFailed(now int64) {
	p.ackGoing = false
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
	if !p.ackGoing && p.mark > p.acked {
		wake = min(wake, max(p.ackAt, p.notBefore))
	}
	return wake
}
