package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// drains has the instances that have ended and whose watchers are not all told. One batch of them is under way at a time.
type drains struct {
	rows  int // of a page
	queue []persistence.Incarnation
	busy  bool
	// unread: of those that were there at the open some may be unknown; after is the last one that was read.
	unread  bool
	reading bool
	after   persistence.Incarnation

	notBefore int64 // after a failure
	pause     int64
}

func (s *drains) add(iid persistence.Incarnation) {
	if !slices.Contains(s.queue, iid) {
		s.queue = append(s.queue, iid)
	}
}

// step asks for the next batch.
func (s *drains) step(now int64, emit func(Action)) {
	if s.busy || len(s.queue) == 0 || now < s.notBefore {
		return
	}
	s.busy = true
	emit(Action{Kind: DrainWatchers, IID: s.queue[0]})
	s.queue = s.queue[1:]
}

// scans reports whether a page is to be read: when all that are known have been dealt with.
func (s *drains) scans() bool { return s.unread && !s.reading && len(s.queue) == 0 }

// scan asks for the next page of those that were there at the open.
func (s *drains) scan(emit func(Action)) {
	if s.scans() {
		s.reading = true
		emit(Action{Kind: ScanDraining, Max: s.rows, After: s.after})
	}
}

func (s *drains) page(ended []persistence.Incarnation) {
	s.reading, s.unread = false, len(ended) == s.rows
	for _, iid := range ended {
		s.add(iid)
		s.after = iid
	}
}

// wake returns when step or scan has something to do; readsFrom is when reads are allowed again.
func (s *drains) wake(readsFrom int64) int64 {
	wake := Never
	if s.scans() {
		wake = readsFrom
	}
	if !s.busy && len(s.queue) > 0 {
		wake = min(wake, s.notBefore)
	}
	return wake
}

// DrainingPage takes the answer to ScanDraining.
func (d *Dispatcher) DrainingPage(ended []persistence.Incarnation) {
	d.readPause = 0
	d.drains.page(ended)
}

// Drained takes the answer to DrainWatchers. If watchers are left, an effect says so.
func (d *Dispatcher) Drained() { d.drains.busy, d.drains.pause = false, 0 }

// DrainFailed says that a batch of watchers could not be told; it is tried again after a pause.
func (d *Dispatcher) DrainFailed(now int64, iid persistence.Incarnation) {
	s := &d.drains
	s.busy = false
	s.add(iid)
	s.pause = min(max(2*s.pause, busyPauseMs), busyPauseMaxMs)
	s.notBefore = now + s.pause
}
