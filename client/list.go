package client

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
)

// ListRequest asks for a page of instances.
type ListRequest struct {
	// States: only instances in one of them. Empty: all.
	States []State
	// Cursor is the Next of the page before; empty starts at the newest.
	Cursor string
	// Max is how many instances a page has at most. 0 means 100; more than 1,000 is 1,000.
	Max int
}

// Page is a part of a listing: the most recently updated instances first. It is not one moment's picture: each
// partition is read on its own, and what changes between two pages may appear twice or be missed.
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
	var mu sync.Mutex
	left := len(l.cursors)
	var first error
	for p := range l.cursors {
		var heads []persistence.Head
		c.journal.View(persistence.Partition(p), func(r persistence.Reader) error {
			var err error
			heads, err = r.List(l.statuses, l.cursors[p], l.max)
			return err
		}, func(err error) {
			mu.Lock()
			if err == nil { // else the read may still run
				l.heads[p] = heads
			} else if first == nil {
				first = clientError(err)
			}
			left--
			last := left == 0
			mu.Unlock()
			switch {
			case !last:
			case first != nil:
				done(Page{}, first)
			default:
				done(l.page(), nil)
			}
		})
	}
}

// listing merges the partitions' heads.
type listing struct {
	statuses []persistence.Status
	max      int
	cursors  []persistence.ListCursor
	heads    [][]persistence.Head
}

func newListing(q ListRequest, partitions int) (*listing, error) {
	l := &listing{max: q.Max, cursors: make([]persistence.ListCursor, partitions), heads: make([][]persistence.Head, partitions)}
	switch {
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
			return nil, fmt.Errorf("%w: no instance can be listed in the state %q", turnstone.ErrInvalidInput, s)
		}
		if !slices.Contains(l.statuses, status) {
			l.statuses = append(l.statuses, status)
		}
	}
	return l, l.decodeCursor(q.Cursor)
}

// page takes the newest of all partitions.
func (l *listing) page() Page {
	var page Page
	taken := make([]int, len(l.heads))
	for len(page.Instances) < l.max {
		best := -1
		for p, heads := range l.heads {
			if taken[p] == len(heads) {
				continue
			}
			if best < 0 || heads[taken[p]].UpdatedAtMs > l.heads[best][taken[best]].UpdatedAtMs {
				best = p
			}
		}
		if best < 0 {
			return page
		}
		head := l.heads[best][taken[best]]
		taken[best]++
		l.cursors[best] = persistence.ListCursor{UpdatedAtMs: head.UpdatedAtMs, IID: head.IID}
		page.Instances = append(page.Instances, describe(head))
	}
	page.Next = l.encodeCursor()
	return page
}

const cursorForm = 1

func (l *listing) encodeCursor() string {
	b := []byte{cursorForm}
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
	if err != nil || len(b) == 0 || b[0] != cursorForm {
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
