package dispatch

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// streams has a pump for each partition that has rows in the outbox, and none for the others. So the cost of a partition
// grows with the partitions that it sends to, and not with those of the store.
type streams struct {
	rows  int     // of a page
	pumps []*pump // by receiving partition
	// known: the streams that had rows at the open have been read. No row is delivered before.
	known   bool
	reading bool
}

func (s *streams) find(to persistence.Partition) (i int, ok bool) {
	return slices.BinarySearchFunc(s.pumps, to, func(p *pump, to persistence.Partition) int { return cmp.Compare(p.to, to) })
}

// pumpTo returns the pump of a partition, and makes it if there is none.
func (s *streams) pumpTo(to persistence.Partition) *pump {
	i, ok := s.find(to)
	if !ok {
		s.pumps = slices.Insert(s.pumps, i, newPump(to, s.rows))
	}
	return s.pumps[i]
}

// open asks for the streams that have rows.
func (s *streams) open(emit func(Action)) {
	if !s.known && !s.reading {
		s.reading = true
		emit(Action{Kind: ScanStreams})
	}
}

// page takes the streams that have rows. All these rows are durable.
func (s *streams) page(found []persistence.OutboxStream) {
	s.known, s.reading = true, false
	for _, f := range found {
		p := s.pumpTo(f.To)
		p.mark, p.acked = f.Acked, f.Acked
		p.wrote(f.Next)
	}
}

// step lets the pumps act, and drops those that have nothing left to do.
func (s *streams) step(now int64, emit func(Action)) {
	if !s.known {
		return
	}
	for _, p := range s.pumps {
		p.step(now, emit)
	}
	s.pumps = slices.DeleteFunc(s.pumps, (*pump).idle)
}

// wake returns when step or open has something to do; readsFrom is when reads are allowed again.
func (s *streams) wake(readsFrom int64) int64 {
	if !s.known {
		if s.reading {
			return Never
		}
		return readsFrom
	}
	wake := Never
	for _, p := range s.pumps {
		wake = min(wake, p.wake())
	}
	return wake
}

// StreamsPage takes the answer to ScanStreams: the streams to other partitions that have rows, all of them durable.
func (d *Dispatcher) StreamsPage(found []persistence.OutboxStream) {
	d.readPause = 0
	d.streams.page(found)
}

// OutboxPage takes the answer to ReadOutbox.
func (d *Dispatcher) OutboxPage(to persistence.Partition, rows []persistence.OutboxItem) {
	d.readPause = 0
	d.streams.pumpTo(to).page(rows, d.emit)
}

// Delivered takes the receiver's mark after a delivery.
func (d *Dispatcher) Delivered(now int64, to persistence.Partition, mark uint64) {
	d.streams.pumpTo(to).delivered(now, mark)
}

// DeliverFailed says that a delivery failed; it is repeated after a pause.
func (d *Dispatcher) DeliverFailed(now int64, to persistence.Partition) {
	d.streams.pumpTo(to).failed(now)
}

// Acked says that rows up to through have been deleted.
func (d *Dispatcher) Acked(now int64, to persistence.Partition, through uint64) {
	d.streams.pumpTo(to).acknowledged(now, through)
}

// AckFailed says that a deletion of rows failed; it is repeated after a pause.
func (d *Dispatcher) AckFailed(now int64, to persistence.Partition) {
	d.streams.pumpTo(to).ackFailed(now)
}
