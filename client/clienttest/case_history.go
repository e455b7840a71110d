package clienttest

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// What a page of a history has at most, and one of executions.
const (
	pageParts      = 1000
	pageBytes      = 1 << 20
	pageExecutions = 1000
)

// page asks for a page of a history.
func (w *world) page(q api.HistoryRequest) (page api.HistoryPage, err error) {
	answered := make(chan struct{})
	w.port.History(q, func(p api.HistoryPage, failed error) {
		page, err = p, failed
		close(answered)
	})
	<-answered
	return page, err
}

// pages asks for all pages of a history, and tells how many parts each has.
func (w *world) pages(q api.HistoryRequest) (parts []int) {
	w.t.Helper()
	for {
		page, err := w.page(q)
		if err != nil {
			w.t.Fatal(err)
		}
		parts = append(parts, len(page.Parts))
		if q.Cursor = page.Next; q.Cursor == "" {
			return parts
		}
	}
}

// sized commits a turn whose stored parts have so many bytes each, its header included.
func (w *world) sized(id string, bytes ...int) {
	w.t.Helper()
	w.turnWith(id, persistence.OutcomeRunning, func(c *persistence.CommitTurn) {
		first := c.Segment.Parts[0].FirstEvent
		c.Segment.Parts = nil
		for i, size := range bytes {
			if i == 0 {
				size -= len(c.Segment.Header)
			}
			c.Segment.Parts = append(c.Segment.Parts, persistence.SegmentPart{
				FirstEvent: first + uint64(i), Count: 1, Events: w.events(first+uint64(i), size),
			})
		}
	})
}

// events is an encoded list of one event that has so many bytes.
func (w *world) events(id uint64, size int) []byte {
	w.t.Helper()
	for data := size; data > 0; data-- {
		event := &turnpb.ExternalEvent{Name: "e", Data: make([]byte, data)}
		list := &turnpb.EventList{Events: []*turnpb.Event{{Id: id, Kind: &turnpb.Event_ExternalEvent{ExternalEvent: event}}}}
		if n := proto.Size(list); n > size {
			data -= (n - size) / 2 // its lengths take bytes, too
			continue
		}
		encoded, err := proto.Marshal(list)
		if err != nil || len(encoded) != size {
			w.t.Fatalf("%d bytes, want %d; %v", len(encoded), size, err)
		}
		return encoded
	}
	w.t.Fatalf("no event has %d bytes", size)
	return nil
}

func equal(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

// F14_a_history_comes_in_pages_of_so_many_parts tests the limit, and one above. Some of the turns have no events.
func (s suite) F14_a_history_comes_in_pages_of_so_many_parts(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	for turn := range pageParts {
		if turn%7 == 0 || turn > pageParts-4 {
			w.turn("i", persistence.OutcomeRunning)
		} else {
			w.turn("i", persistence.OutcomeRunning, started())
		}
	}
	q := api.HistoryRequest{ID: "i"}
	equal(t, "at the limit", w.pages(q), pageParts)
	w.turn("i", persistence.OutcomeRunning)
	equal(t, "one above", w.pages(q), pageParts, 1)
	w.turn("i", persistence.OutcomeContinued, started(), continued())
	w.turn("i", persistence.OutcomeRunning, started())
	equal(t, "of the execution before", w.pages(api.HistoryRequest{ID: "i", Execution: 1}), pageParts, 2)
	equal(t, "of the current one", w.pages(q), 1)

	turns, err := w.c.History(t.Context(), "i", 1)
	if err != nil || len(turns) != pageParts+2 {
		t.Fatalf("%d turns, %v", len(turns), err)
	}
	next := uint64(1)
	for i, turn := range turns {
		if turn.Number != uint64(i)+1 {
			t.Fatalf("number %d is turn %d", i+1, turn.Number)
		}
		for _, e := range turn.Events {
			if e.ID != next {
				t.Fatalf("event %d of turn %d, want %d", e.ID, i+1, next)
			}
			next++
		}
	}
}

func (s suite) F14_a_history_comes_in_pages_of_so_many_bytes(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	for _, id := range []string{"at", "above", "large", "split"} {
		w.start(id)
	}
	w.sized("at", pageBytes-1000)
	w.sized("at", 1000)
	equal(t, "at the limit", w.pages(api.HistoryRequest{ID: "at"}), 2)
	w.sized("above", pageBytes-1000)
	w.sized("above", 1001)
	equal(t, "one above", w.pages(api.HistoryRequest{ID: "above"}), 1, 1)
	w.sized("large", 100)
	w.sized("large", pageBytes+1)
	w.sized("large", 100)
	equal(t, "a part that is larger than a page", w.pages(api.HistoryRequest{ID: "large"}), 1, 1, 1)
	w.sized("split", 700<<10, 700<<10, 700<<10)
	w.sized("split", 100)
	equal(t, "a turn of several parts", w.pages(api.HistoryRequest{ID: "split"}), 1, 1, 2)
	turns, err := w.c.History(t.Context(), "split", 0)
	if err != nil || len(turns) != 2 || len(turns[0].Events) != 3 || len(turns[1].Events) != 1 {
		t.Errorf("%d turns, %v", len(turns), err)
	}
}

// F14_a_page_goes_on_where_the_one_before_ended has the instance move on between two pages.
func (s suite) F14_a_page_goes_on_where_the_one_before_ended(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	w.sized("i", pageBytes)
	w.sized("i", pageBytes)
	first, err := w.page(api.HistoryRequest{ID: "i"})
	if err != nil || first.Next == "" {
		t.Fatalf("%q, %v", first.Next, err)
	}
	q := api.HistoryRequest{ID: "i", Cursor: first.Next}
	w.turn("i", persistence.OutcomeContinued, started(), continued())
	w.turn("i", persistence.OutcomeRunning, started())
	equal(t, "when it has continued as new", w.pages(q), 1, 1)
	equal(t, "when the execution is named", w.pages(api.HistoryRequest{ID: "i", Execution: 1, Cursor: first.Next}), 1, 1)
	w.turn("i", persistence.OutcomeCompleted, completed("1"))
	if r := w.propose(0, &persistence.StartInstance{ID: "i", Name: "O", Reuse: persistence.AllowIfTerminal}); r.Err != nil {
		t.Fatal(r.Err)
	}
	var failed *api.Error
	if _, err := w.page(q); !errors.As(err, &failed) || failed.Code != api.NotFound {
		t.Errorf("when another instance has its id: %v", err)
	}
	list, err := w.c.List(t.Context(), client.ListRequest{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]api.HistoryRequest{
		"of another execution": {ID: "i", Execution: 2, Cursor: first.Next}, "of a listing": {ID: "i", Cursor: list.Next},
		"that is no text of ours": {ID: "i", Cursor: "?"}, "that is cut": {ID: "i", Cursor: first.Next[:len(first.Next)-2]},
	} {
		if _, err := w.page(q); !errors.As(err, &failed) || failed.Code != api.Invalid || !strings.Contains(err.Error(), "cursor") {
			t.Errorf("a cursor %s: %v", name, err)
		}
	}
}

// F14_a_hole_is_found_on_every_page loses a turn of each of three pages.
func (s suite) F14_a_hole_is_found_on_every_page(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	const turns = 6
	for range turns {
		w.sized("i", pageBytes/2)
	}
	for lost := range uint64(turns + 1) {
		r := s.reads(t, w, holes{w.journal, func(p persistence.StoredPart) bool { return p.Turn == lost }})
		_, err := r.History(t.Context(), "i", 0)
		if lost == 0 && err != nil || lost > 0 && (!errors.Is(err, turnstone.ErrDamaged) || !strings.Contains(err.Error(), "execution 1: ")) {
			t.Errorf("without turn %d: %v", lost, err)
		}
	}
}

// F14_turns_are_read_as_they_are_asked_for stops after the first turn.
func (s suite) F14_turns_are_read_as_they_are_asked_for(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	for range 4 {
		w.sized("i", pageBytes)
	}
	j := &counting{Journal: w.journal}
	r := s.reads(t, w, j)
	for turn, err := range r.Turns(t.Context(), "i", 0) {
		if err != nil || turn.Number != 1 {
			t.Fatalf("%+v, %v", turn, err)
		}
		break
	}
	if j.reads != 2 { // the first turn is whole when the second has begun
		t.Errorf("%d pages were read for one turn", j.reads)
	}
	seen := 0
	for range r.Turns(t.Context(), "i", 0) {
		seen++
	}
	if seen != 4 || j.reads != 2+4 {
		t.Errorf("%d turns in %d pages", seen, j.reads-2)
	}
	for _, err := range r.Turns(t.Context(), "nobody", 0) {
		if !errors.Is(err, turnstone.ErrInstanceNotFound) {
			t.Errorf("an unknown instance: %v", err)
		}
	}
}

func (s suite) F14_executions_come_in_pages(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	list := func() (pages []int) {
		for q := (api.ExecutionsRequest{ID: "i"}); ; {
			answered := make(chan api.ExecutionsPage, 1)
			w.port.Executions(q, func(p api.ExecutionsPage, err error) {
				if err != nil {
					t.Error(err)
				}
				answered <- p
			})
			page := <-answered
			pages = append(pages, len(page.Executions))
			if q.After = page.Next; q.After == 0 {
				return pages
			}
		}
	}
	for range pageExecutions - 1 {
		w.turn("i", persistence.OutcomeContinued, started(), continued())
	}
	equal(t, "at the limit", list(), pageExecutions)
	w.turn("i", persistence.OutcomeContinued, started(), continued())
	equal(t, "one above", list(), pageExecutions, 1)
	all, err := w.c.Executions(t.Context(), "i")
	if err != nil || len(all) != pageExecutions+1 {
		t.Fatalf("%d executions, %v", len(all), err)
	}
	for i, e := range all {
		if e.Number != uint64(i)+1 || (e.State == client.StateContinuedAsNew) != (i < pageExecutions) {
			t.Fatalf("number %d is %+v", i+1, e)
		}
	}
}
