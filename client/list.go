package client

import (
	"context"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// ListRequest asks for a page of instances.
type ListRequest struct {
	// States: only instances in one of them. Empty: all.
	States []State
	// Held: only instances that are held, the longest held first. It reads no other rows, and excludes States.
	Held bool
	// Cursor is the Next of the page before, of the same listing; empty starts at its first instance.
	Cursor string
	// Max is how many instances a page has at most. 0 means 100; more than 1,000 is 1,000.
	Max int
}

// Page is a part of a listing: first the instances whose state changed last ([Description].Updated), unless
// ListRequest.Held says otherwise. It is not a snapshot: each partition is read on its own, and instances that change
// between two pages may appear twice or be missed.
type Page struct {
	Instances []Description
	// Next continues the listing; empty at its end.
	Next string
}

// List gives a page of instances, first those whose state changed last; with ListRequest.Held those that are held.
func (r *Reader) List(ctx context.Context, q ListRequest) (Page, error) {
	request := api.ListRequest{Held: q.Held, Cursor: q.Cursor, Max: q.Max}
	for _, s := range q.States {
		request.States = append(request.States, string(s))
	}
	answer, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.ListPage, error)) { r.port.List(request, done) })
	if err != nil {
		return Page{}, err
	}
	page := Page{Next: answer.Next}
	for i := range answer.Instances {
		d, err := descriptionOf(&answer.Instances[i], r.codec)
		if err != nil {
			return Page{}, err
		}
		page.Instances = append(page.Instances, d)
	}
	return page, nil
}

// Counts are how many instances there are, by state. Those that are held are Pending or Running, too.
type Counts struct {
	Pending, Running, Completed, Failed int
	Held                                int
}

// Counts counts the instances of the store. The numbers of each partition are exact, and their cost does not grow with the
// instances. The partitions are not read at one moment, so the sum may include a change that comes meanwhile or not.
func (r *Reader) Counts(ctx context.Context) (Counts, error) {
	counts, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.Counts, error)) { r.port.Count(api.CountRequest{}, done) })
	return Counts(counts), err
}
