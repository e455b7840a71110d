package client

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/replay"
)

// Execution is one run of an instance's code.
type Execution struct {
	Number uint64
	State  State
	// Started is the time of its first turn; zero if that is not recorded yet.
	Started time.Time
}

// History gives the recorded turns of an execution, in order; execution 0 means the current one. An unknown id:
// turnstone.ErrInstanceNotFound. An execution that has no turn yet, or does not exist, has none. Of a long history
// [Reader.Turns] needs less memory.
func (r *Reader) History(ctx context.Context, id string, execution uint64) ([]Turn, error) {
	var turns []Turn
	for turn, err := range r.Turns(ctx, id, execution) {
		if err != nil {
			return nil, err
		}
		turns = append(turns, turn)
	}
	return turns, nil
}

// Turns iterates over the recorded turns of an execution as [Reader.History] returns them. It reads them in pages of about
// 1 MiB, so that a history of any length needs little memory. Turns that are recorded meanwhile are included. An error is
// the last value that it yields.
func (r *Reader) Turns(ctx context.Context, id string, execution uint64) iter.Seq2[Turn, error] {
	return func(yield func(Turn, error) bool) {
		for s, err := range r.segments(ctx, id, execution) {
			var t Turn
			if err == nil {
				t = turnOf(id, s, r.codec)
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// segments iterates over the turns of an execution in their recorded form; see [Reader.Turns].
func (r *Reader) segments(ctx context.Context, id string, execution uint64) iter.Seq2[replay.Segment, error] {
	return func(yield func(replay.Segment, error) bool) {
		var decoder history.Decoder
		give := func(turns []replay.Segment) bool {
			for _, t := range turns {
				if !yield(t, nil) {
					return false
				}
			}
			return true
		}
		for q := (api.HistoryRequest{ID: id, Execution: execution}); ; {
			next, err := r.page(ctx, q, &decoder)
			if err != nil {
				yield(replay.Segment{}, err)
				return
			}
			if next == "" {
				give(decoder.Turns())
				return
			}
			if !give(decoder.TakeWhole()) {
				return
			}
			q.Cursor = next
		}
	}
}

// page reads a page of a history into the decoder. An empty next is the end.
func (r *Reader) page(ctx context.Context, q api.HistoryRequest, d *history.Decoder) (next string, err error) {
	page, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.HistoryPage, error)) { r.port.History(q, done) })
	if err != nil {
		return "", err
	}
	for i := range page.Parts {
		p := &page.Parts[i]
		if err := d.Part(p.FirstEvent, p.Header, p.Events); err != nil {
			return "", fmt.Errorf("instance %q: %w: %w", q.ID, turnstone.ErrDamaged, err)
		}
	}
	return page.Next, nil
}

// Executions lists the executions of an instance, ascending. An unknown id: turnstone.ErrInstanceNotFound.
func (r *Reader) Executions(ctx context.Context, id string) ([]Execution, error) {
	var all []Execution
	for q := (api.ExecutionsRequest{ID: id}); ; {
		page, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.ExecutionsPage, error)) { r.port.Executions(q, done) })
		if err != nil {
			return nil, err
		}
		for _, e := range page.Executions {
			all = append(all, Execution{Number: e.Number, State: State(e.State), Started: moment(e.StartedMs)})
		}
		if page.Next == 0 {
			return all, nil
		}
		q.After = page.Next
	}
}
