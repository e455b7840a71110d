package client

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
)

// ListRequest asks for a page of instances.
type ListRequest struct {
	// States: only instances in one of them. Empty: all.
	States []State
	// Held: only instances that are held, those first that have been held longest. It looks at no others, and excludes
	// States.
	Held bool
	// Cursor is the Next of the page before, of the same listing; empty starts at its first instance.
	Cursor string
	// Max is how many instances a page has at most. 0 means 100; more than 1,000 is 1,000.
	Max int
}

// Page is a part of a listing: first the instances whose state changed last ([Description].Updated), unless
// ListRequest.Held says otherwise. It is not one moment's picture: each partition is read on its own, and what changes
// between two pages may appear twice or be missed.
type Page struct {
	Instances []Description
	// Next continues the listing; empty at its end.
	Next string
}

const (
	pageDefault = 100
	pageMax     = 1000
)

var states = map[State]persistence.Status{
	StatePending: persistence.StatusPending, StateRunning: persistence.StatusRunning,
	StateCompleted: persistence.StatusCompleted, StateFailed: persistence.StatusFailed,
}

// List gives a page of instances.
func (c *reads) List(q ListRequest, done func(Page, error)) {
	l, err := newListing(q, c.journal.Info().Partitions)
	if err != nil {
		done(Page{}, err)
		return
	}
	viewAll(c.journal, l.read, func(rows [][]listed, err error) {
		if err != nil {
			done(Page{}, err)
			return
		}
		done(l.page(c, rows), nil)
	})
}

// listing merges the partitions' instances.
type listing struct {
	held     bool
	statuses []persistence.Status
	max      int
	// cursors are where each partition goes on; of a listing of held ones, the time is that since when.
	cursors []persistence.ListCursor
}

// listed is an instance that may come into the page.
type listed struct {
	at    persistence.ListCursor
	head  persistence.Head
	lease persistence.TurnLease
}

func newListing(q ListRequest, partitions int) (*listing, error) {
	l := &listing{held: q.Held, max: q.Max, cursors: make([]persistence.ListCursor, partitions)}
	switch {
	case q.Held && len(q.States) > 0:
		return nil, fmt.Errorf("%w: a listing of held instances cannot be one of states, too: each of them is Pending or Running",
			turnstone.ErrInvalidInput)
	case l.max < 0:
		return nil, fmt.Errorf("%w: a page of %d instances", turnstone.ErrInvalidInput, q.Max)
	case l.max == 0:
		l.max = pageDefault
	case l.max > pageMax:
		l.max = pageMax
	}
	wanted := q.States
	if len(wanted) == 0 {
		wanted = []State{StatePending, StateRunning, StateCompleted, StateFailed}
	}
	for _, s := range wanted {
		status, ok := states[s]
		if !ok {
			return nil, fmt.Errorf("%w: no instance can be listed in the state %q; the states are Pending, Running, Completed and Failed",
				turnstone.ErrInvalidInput, s)
		}
		if !slices.Contains(l.statuses, status) {
			l.statuses = append(l.statuses, status)
		}
	}
	return l, l.decodeCursor(q.Cursor)
}

// read reads what a partition may have in the page.
func (l *listing) read(p int, r persistence.Reader) (rows []listed, err error) {
	if l.held {
		return l.readHeld(p, r)
	}
	heads, err := r.List(l.statuses, l.cursors[p], l.max)
	for i := range heads {
		lease, err := leaseOf(r, &heads[i])
		if err != nil {
			return nil, err
		}
		rows = append(rows, listed{
			at: persistence.ListCursor{UpdatedAtMs: heads[i].UpdatedAtMs, IID: heads[i].IID}, head: heads[i], lease: lease,
		})
	}
	return rows, err
}

// readHeld looks only at those that are held.
func (l *listing) readHeld(p int, r persistence.Reader) (rows []listed, err error) {
	after := l.cursors[p]
	refs, err := r.ScanHeld(persistence.HeldRef{SinceMs: after.UpdatedAtMs, IID: after.IID}, l.max)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		head, ok, err := r.Head(ref.IID)
		if err == nil && !ok {
			err = fmt.Errorf("%w: incarnation %d is listed as held, and there is no such instance", persistence.ErrCorrupt, ref.IID)
		}
		if err != nil {
			return nil, err
		}
		lease, err := leaseOf(r, &head)
		if err != nil {
			return nil, err
		}
		rows = append(rows, listed{at: persistence.ListCursor{UpdatedAtMs: ref.SinceMs, IID: ref.IID}, head: head, lease: lease})
	}
	return rows, nil
}

// before says which of two comes first.
func (l *listing) before(a, b persistence.ListCursor) bool {
	if l.held {
		return a.UpdatedAtMs < b.UpdatedAtMs
	}
	return a.UpdatedAtMs > b.UpdatedAtMs
}

// page takes the first of all partitions.
func (l *listing) page(c *reads, rows [][]listed) Page {
	var page Page
	taken := make([]int, len(rows))
	for len(page.Instances) < l.max {
		best := -1
		for p := range rows {
			if taken[p] < len(rows[p]) && (best < 0 || l.before(rows[p][taken[p]].at, rows[best][taken[best]].at)) {
				best = p
			}
		}
		if best < 0 {
			return page
		}
		row := &rows[best][taken[best]]
		taken[best]++
		l.cursors[best] = row.at
		page.Instances = append(page.Instances, c.describe(&row.head, &row.lease))
	}
	page.Next = l.encodeCursor()
	return page
}

// The first byte of a cursor says of which listing it is.
const (
	cursorUpdated = 1
	cursorHeld    = 2
)

func (l *listing) cursorForm() byte {
	if l.held {
		return cursorHeld
	}
	return cursorUpdated
}

func (l *listing) encodeCursor() string {
	b := []byte{l.cursorForm()}
	for _, c := range l.cursors {
		b = binary.AppendVarint(b, c.UpdatedAtMs)
		b = binary.AppendUvarint(b, uint64(c.IID))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func (l *listing) decodeCursor(text string) error {
	if text == "" {
		return nil
	}
	wrong := fmt.Errorf("%w: the cursor is not one of this store's listings", turnstone.ErrInvalidInput)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != l.cursorForm() {
		return wrong
	}
	b = b[1:]
	for i := range l.cursors {
		ms, n := binary.Varint(b)
		if n <= 0 {
			return wrong
		}
		b = b[n:]
		iid, n := binary.Uvarint(b)
		if n <= 0 {
			return wrong
		}
		b = b[n:]
		l.cursors[i] = persistence.ListCursor{UpdatedAtMs: ms, IID: persistence.Incarnation(iid)}
	}
	if len(b) != 0 {
		return wrong
	}
	return nil
}
