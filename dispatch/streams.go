package dispatch

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// streams has a pump for each partition that something is to be moved to, and none for the others: what a partition
// costs follows the partitions that it sends to, not those that the store has.
type streams struct {
	rows  int     // of a page
	pumps []*pump // by receiving partition
	// known: what had rows at the open has been read. Nothing is moved before.
	known   bool
	reading bool
}

func (s *streams) find(to persistence.Partition) (i int, ok bool) {
	return slices.BinarySearchFunc(s.pumps, to, func(p *pump, to persistence.Partition) int { return cmp.Compare(p.to, to) })
}

// to is the pump of a partition, which is made if there is none.
func (s *streams) to(to persistence.Partition) *pump {
	i, ok := s.find(to)
	if !ok {
		s.pumps = slices.Insert(s.pumps, i, newPump(to, s.rows))
	}
	return s.pumps[i]
}

// open asks for what has rows.
func (s *streams) open(emit func(Action)) {
	if !s.known && !s.reading {
		s.reading = true
		emit(Action{Kind: ScanStreams})
	}
}

// page takes what has rows. All of them are durable.
func (s *streams) page(found []persistence.OutboxStream) {
	s.known, s.reading = true, false
	for _, f := range found {
		p := s.to(f.To)
		p.mark, p.acked = f.Acked, f.Acked
		p.wrote(f.Next)
	}
}

// step lets the pumps act, and lets those go that have nothing left to do.
func (s *streams) step(now int64, emit func(Action)) {
	if !s.known {
		return
	}
	for _, p := range s.pumps {
		p.step(now, emit)
	}
	s.pumps = slices.DeleteFunc(s.pumps, (*pump).idle)
}

// wake is when step or open has something to do; readsFrom is when reads may be made.
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

// StreamsPage takes what ScanStreams asked for: the streams to other partitions that have rows, all of them durable.
func (d *Dispatcher) StreamsPage(found []persistence.OutboxStream) {
	d.readPause = 0
	d.streams.page(found)
}

// OutboxPage takes the rows that ReadOutbox asked for.
func (d *Dispatcher) OutboxPage(to persistence.Partition, rows []persistence.OutboxItem) {
	d.readPause = 0
	d.streams.to(to).page(rows, d.emit)
}

// Delivered takes the receiver's mark after a delivery.
func (d *Dispatcher) Delivered(now int64, to persistence.Partition, mark uint64) {
	d.streams.to(to).delivered(now, mark)
}

// DeliverFailed says that a delivery could not be made now.
func (d *Dispatcher) DeliverFailed(now int64, to persistence.Partition) { d.streams.to(to).failed(now) }

// Acked says that rows up to through have been deleted.
func (d *Dispatcher) Acked(now int64, to persistence.Partition, through uint64) {
	d.streams.to(to).acknowledged(now, through)
}

// AckFailed says that rows could not be deleted now.
func (d *Dispatcher) AckFailed(now int64, to persistence.Partition) { d.streams.to(to).ackFailed(now) }
