package dispatch

// pageScan is a read of a page that is under way, with the changes that effects brought meanwhile. A page shows the rows at
// some moment between the request and the answer. A change in between is newer than the page or already in it, so the
// change wins in both cases.
type pageScan[K comparable, R any] struct {
	running bool
	notes   map[K]*R
	order   []K // of the notes
}

// start begins a read.
func (s *pageScan[K, R]) start() { s.running = true }

// note takes the change of a row by an effect; nil is a deletion.
func (s *pageScan[K, R]) note(key K, row *R) {
	if !s.running {
		return
	}
	if s.notes == nil {
		s.notes = map[K]*R{}
	}
	if _, there := s.notes[key]; !there {
		s.order = append(s.order, key)
	}
	s.notes[key] = row
}

// finish ends the read. It returns the page's rows as they are now, in the page's order, and the rows that only effects
// had, in the order of the effects.
func (s *pageScan[K, R]) finish(page []R, key func(*R) K) (rows, more []R) {
	notes, order := s.notes, s.order
	*s = pageScan[K, R]{}
	for i := range page {
		k := key(&page[i])
		note, noted := notes[k]
		switch {
		case !noted:
			rows = append(rows, page[i])
		case note != nil:
			rows = append(rows, *note)
		}
		if noted {
			notes[k] = nil
		}
	}
	for _, k := range order {
		if note := notes[k]; note != nil {
			more = append(more, *note)
		}
	}
	return rows, more
}
