package localport

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The bounds of a page. A history page has at least one part, even if that is larger.
const (
	historyPageParts = 1000
	historyPageBytes = 1 << 20
	executionsPage   = 1000
)

// History implements api.Reader.
func (r *Reader) History(q api.HistoryRequest, done func(api.HistoryPage, error)) {
	page, err := newHistoryPage(q)
	if err != nil {
		done(api.HistoryPage{}, err)
		return
	}
	view(r, q.ID, page.read, done)
}

// historyPage reads one page.
type historyPage struct {
	id string
	// goesOn: this is not the first page; the one before ended at from.
	goesOn    bool
	iid       persistence.Incarnation
	execution uint64
	from      persistence.HistoryPlace
}

func newHistoryPage(q api.HistoryRequest) (*historyPage, error) {
	p := &historyPage{id: q.ID, execution: q.Execution}
	if q.Cursor == "" {
		return p, nil
	}
	p.goesOn = true
	execution := p.execution
	if !p.decodeCursor(q.Cursor) || execution != 0 && execution != p.execution {
		return nil, invalid("the cursor is not one of this history")
	}
	return p, nil
}

// read reads the parts that follow the page before. A history that is not whole is an error, never a shorter one.
func (p *historyPage) read(r persistence.Reader) (page api.HistoryPage, err error) {
	head, err := p.head(r)
	if err != nil {
		return page, err
	}
	check, read := persistence.ResumeHistory(p.from), 0
	var damage error
	more := false
	err = r.Parts(head.IID, p.execution, p.from.Events+1, func(stored persistence.StoredPart) bool {
		if p.seen(&stored) {
			return true
		}
		size := len(stored.Header) + len(stored.Events)
		if n := len(page.Parts); n == historyPageParts || n > 0 && read+size > historyPageBytes {
			more = true
			return false
		}
		if damage = check.Part(&stored); damage != nil {
			return false
		}
		read += size
		page.Parts = append(page.Parts, api.HistoryPart{
			FirstEvent: stored.FirstEvent, Header: bytes.Clone(stored.Header), Events: bytes.Clone(stored.Events),
		})
		return true
	})
	if err = errors.Join(err, damage); err == nil && !more {
		err = p.end(&head, &check, len(page.Parts))
	}
	if err != nil {
		return api.HistoryPage{}, fmt.Errorf("execution %d: %w", p.execution, err)
	}
	if more {
		page.Next = p.cursor(head.IID, check.Place())
	}
	return page, nil
}

// seen reports whether the page before has the part: a turn without events is stored at the same event as the turn behind it.
func (p *historyPage) seen(s *persistence.StoredPart) bool {
	return s.Count == 0 && s.Turn <= p.from.Turn
}

// head reads the head of the instance, and determines the execution.
func (p *historyPage) head(r persistence.Reader) (persistence.Head, error) {
	head, err := mustHead(r, p.id)
	switch {
	case err != nil:
		return head, err
	case p.goesOn && head.IID != p.iid:
		return head, fmt.Errorf("%w: the instance of the page before has been deleted, and another one has its id", persistence.ErrNotFound)
	case p.execution == 0:
		p.execution = head.Execution
	}
	return head, nil
}

// end checks that no part is missing behind the last one.
func (p *historyPage) end(head *persistence.Head, check *persistence.HistoryCheck, parts int) error {
	switch {
	case p.goesOn && parts == 0:
		if p.execution < head.FirstExecution {
			return fmt.Errorf("%w: its history was removed after the page before was read", persistence.ErrNotFound)
		}
		return errMissing
	case p.execution == head.Execution:
		return check.End(head)
	case p.execution >= head.FirstExecution && p.execution < head.Execution && parts == 0:
		return errMissing
	}
	return nil
}

var errMissing = fmt.Errorf("%w: it has no turn, and another execution follows it", persistence.ErrCorrupt)

// cursorHistory is the first byte of a cursor of a history; those of listings begin with others.
const cursorHistory = 3

func (p *historyPage) cursor(iid persistence.Incarnation, at persistence.HistoryPlace) string {
	b := []byte{cursorHistory}
	for _, n := range []uint64{uint64(iid), p.execution, at.Turn, at.Events, at.Bytes} {
		b = binary.AppendUvarint(b, n)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor sets the page's start from a cursor, and returns false if the text is no cursor.
func (p *historyPage) decodeCursor(text string) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != cursorHistory {
		return false
	}
	b = b[1:]
	for _, field := range []*uint64{(*uint64)(&p.iid), &p.execution, &p.from.Turn, &p.from.Events, &p.from.Bytes} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		*field, b = v, b[n:]
	}
	return len(b) == 0 && p.execution > 0
}

// Executions implements api.Reader.
func (r *Reader) Executions(q api.ExecutionsRequest, done func(api.ExecutionsPage, error)) {
	view(r, q.ID, func(r persistence.Reader) (page api.ExecutionsPage, err error) {
		head, err := mustHead(r, q.ID)
		if err != nil {
			return page, err
		}
		for n := q.After; n < head.Execution; {
			if len(page.Executions) == executionsPage {
				page.Next = n
				break
			}
			n++
			e, err := executionOf(r, &head, n)
			if err != nil {
				return api.ExecutionsPage{}, err
			}
			page.Executions = append(page.Executions, e)
		}
		return page, nil
	}, done)
}

func executionOf(r persistence.Reader, head *persistence.Head, n uint64) (api.Execution, error) {
	e := api.Execution{Number: n, State: stateContinuedAsNew}
	if n == head.Execution {
		e.State = head.Status.String()
	}
	var first *turnpb.SegmentHeader
	var bad error
	err := r.Parts(head.IID, n, 1, func(p persistence.StoredPart) bool {
		first, bad = history.Header(p.FirstEvent, p.Header)
		return false
	})
	if err == nil && bad != nil {
		err = fmt.Errorf("%w: execution %d: %w", persistence.ErrCorrupt, n, bad)
	}
	if err == nil && first == nil && n >= head.FirstExecution && n < head.Execution {
		err = fmt.Errorf("execution %d: %w", n, errMissing)
	}
	if err != nil || first == nil {
		return e, err
	}
	e.StartedMs = first.GetTimeMs()
	return e, nil
}
