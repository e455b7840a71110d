package localport

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/persistence"
)

const (
	pageDefault = 100
	pageMax     = 1000
)

// listable are the statuses that a listing may ask for.
var listable = []persistence.Status{
	persistence.StatusPending, persistence.StatusRunning, persistence.StatusCompleted, persistence.StatusFailed,
}

// List implements api.Reader.
func (r *Reader) List(q api.ListRequest, done func(api.ListPage, error)) {
	l, err := newListing(q, r.journal.Info().Partitions)
	if err != nil {
		done(api.ListPage{}, err)
		return
	}
	viewAll(r.journal, l.read, func(rows [][]listed, err error) {
		if err != nil {
			done(api.ListPage{}, err)
			return
		}
		done(l.page(r, rows), nil)
	})
}

// listing merges the partitions' instances.
type listing struct {
	held     bool
	statuses []persistence.Status
	max      int
	// cursors are the places where each partition goes on; in a listing of held instances, their time is that of the hold.
	cursors []persistence.ListCursor
}

// listed is an instance that may come into the page.
type listed struct {
	at    persistence.ListCursor
	head  persistence.Head
	lease persistence.TurnLease
}

func newListing(q api.ListRequest, partitions int) (*listing, error) {
	l := &listing{held: q.Held, max: q.Max, cursors: make([]persistence.ListCursor, partitions)}
	switch {
	case q.Held && len(q.States) > 0:
		return nil, invalid("a listing of held instances cannot be one of states, too: each of them is Pending or Running")
	case l.max < 0:
		return nil, invalid("ListRequest.Max is %d; it cannot be negative (0 means %d)", q.Max, pageDefault)
	case l.max == 0:
		l.max = pageDefault
	case l.max > pageMax:
		l.max = pageMax
	}
	if len(q.States) == 0 {
		l.statuses = listable
	}
	for _, state := range q.States {
		i := slices.IndexFunc(listable, func(s persistence.Status) bool { return s.String() == state })
		if i < 0 {
			return nil, invalid("no instance can be listed in the state %q; the states are Pending, Running, Completed and Failed", state)
		}
		if !slices.Contains(l.statuses, listable[i]) {
			l.statuses = append(l.statuses, listable[i])
		}
	}
	if !l.decodeCursor(q.Cursor) {
		return nil, invalid("the cursor is not one of this store's listings")
	}
	return l, nil
}

// read reads the rows of a partition that the page may need.
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

// readHeld reads only held instances.
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

// before reports whether a comes before b.
func (l *listing) before(a, b persistence.ListCursor) bool {
	if l.held {
		return a.UpdatedAtMs < b.UpdatedAtMs
	}
	return a.UpdatedAtMs > b.UpdatedAtMs
}

// page takes the first rows of all partitions.
func (l *listing) page(r *Reader, rows [][]listed) api.ListPage {
	var page api.ListPage
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
		page.Instances = append(page.Instances, r.describe(&row.head, &row.lease))
	}
	page.Next = l.encodeCursor()
	return page
}

// The first byte of a cursor names the kind of its listing.
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

// decodeCursor sets the cursors from a text, and returns false if that is no cursor of this store's listings.
func (l *listing) decodeCursor(text string) bool {
	if text == "" {
		return true
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != l.cursorForm() {
		return false
	}
	b = b[1:]
	for i := range l.cursors {
		ms, n := binary.Varint(b)
		if n <= 0 {
			return false
		}
		b = b[n:]
		iid, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		b = b[n:]
		l.cursors[i] = persistence.ListCursor{UpdatedAtMs: ms, IID: persistence.Incarnation(iid)}
	}
	return len(b) == 0
}
