package replay

// mark is what the ledger knows of one event id: the kind of operation that it scheduled, and what became of it.
type mark uint8

const (
	// markKind are the bits that hold the opKind; 0 for an event that schedules nothing.
	markKind mark = 0x0f
	// markSystem: an inline system activity. It has no work item, so there is never anything to cancel.
	markSystem mark = 0x10
	// markClosed: its completion is in history. Another one is refused.
	markClosed mark = 0x20
	// markCancelled: the code gave it up, or the execution ended. A late completion is legal and resolves no future.
	markCancelled mark = 0x40
	// markCrumb: its breadcrumb is in history. It gets no second one.
	markCrumb mark = 0x80
)

func (k mark) kind() opKind { return opKind(k & markKind) }

// ledger remembers one byte for each event id, for as long as the execution lives: it is what duplicates and
// orphans are told apart by, without keeping history. Ids that leave a wide gap go to a map.
type ledger struct {
	dense  []mark
	sparse map[uint64]mark
}

// ledgerGapMax is the widest gap that is filled; a wider one would let a damaged history take any amount of memory.
const ledgerGapMax = 1024

func (l *ledger) get(id uint64) mark {
	if id < uint64(len(l.dense)) {
		return l.dense[id]
	}
	return l.sparse[id]
}

func (l *ledger) set(id uint64, k mark) {
	n := uint64(len(l.dense))
	switch {
	case id < n:
		l.dense[id] = k
	case id-n <= ledgerGapMax && len(l.sparse) == 0:
		for ; n < id; n++ {
			l.dense = append(l.dense, 0)
		}
		l.dense = append(l.dense, k)
	default:
		if l.sparse == nil {
			l.sparse = make(map[uint64]mark)
		}
		l.sparse[id] = k
	}
}

func (l *ledger) add(id uint64, bits mark) { l.set(id, l.get(id)|bits) }

// openSet holds the bound operations that nothing has answered yet, by event id. Ids almost always rise, so it is a
// sorted slice: no allocation for the few operations that most instances have open at a time.
type openSet struct {
	all  []openEntry // sorted by event; f is nil where one was taken
	gone int
}

type openEntry struct {
	event uint64
	f     *Future
}

func (s *openSet) add(f *Future) {
	if n := len(s.all); n == 0 || s.all[n-1].event < f.event {
		s.all = append(s.all, openEntry{f.event, f})
		return
	}
	i := s.search(f.event)
	if s.all[i].event == f.event {
		if s.all[i].f == nil {
			s.gone--
		}
		s.all[i].f = f
		return
	}
	s.all = append(s.all, openEntry{})
	copy(s.all[i+1:], s.all[i:])
	s.all[i] = openEntry{f.event, f}
}

// search finds the first position whose event is not below id.
func (s *openSet) search(id uint64) int {
	lo, hi := 0, len(s.all)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.all[mid].event < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// get gives an operation; nil if it is not open.
func (s *openSet) get(id uint64) *Future {
	if i := s.search(id); i < len(s.all) && s.all[i].event == id {
		return s.all[i].f
	}
	return nil
}

// take removes an operation and gives it; nil if it is not open.
func (s *openSet) take(id uint64) *Future {
	i := s.search(id)
	if i == len(s.all) || s.all[i].event != id || s.all[i].f == nil {
		return nil
	}
	f := s.takeAt(i)
	switch {
	case s.gone == len(s.all):
		s.all, s.gone = s.all[:0], 0
	case s.gone > 32 && s.gone*2 > len(s.all):
		s.compact()
	}
	return f
}

// takeAt removes the operation at a position that holds one, and moves nothing.
func (s *openSet) takeAt(i int) *Future {
	f := s.all[i].f
	s.all[i].f = nil
	s.gone++
	return f
}

func (s *openSet) compact() {
	kept := s.all[:0]
	for _, e := range s.all {
		if e.f != nil {
			kept = append(kept, e)
		}
	}
	clear(s.all[len(kept):])
	s.all, s.gone = kept, 0
}
