package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/catalogue"
)

// members calls f with every instance of the catalogue's tree, its root included.
func members(ctx context.Context, r *client.Reader, id string, f func(client.Description) error) error {
	request := client.ListRequest{Max: 1000}
	for {
		page, err := r.List(ctx, request)
		if err != nil {
			return err
		}
		for _, i := range page.Instances {
			if i.ID != id && !strings.HasPrefix(i.ID, id+"::sub::") {
				continue
			}
			if err := f(i); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		request.Cursor = page.Next
	}
}

// countRecorded counts the entries whose measures are in histories already.
func (d *demo) countRecorded(ctx context.Context, id string) (int, error) {
	count := 0
	err := members(ctx, d.client.Reader, id, func(i client.Description) error {
		if i.Name != catalogue.NameBatch {
			return nil
		}
		for t, err := range d.client.Turns(ctx, i.ID, 0) {
			if err != nil {
				return err
			}
			for _, e := range t.Events {
				if e.Kind == client.EventActivityCompleted {
					count++
				}
			}
		}
		return nil
	})
	return count, err
}

// writeReport joins the results of all batches, prints the table and writes the report.
func (d *demo) writeReport(ctx context.Context, dir, id string) error {
	var found []catalogue.File
	err := members(ctx, d.client.Reader, id, func(i client.Description) error {
		if i.Name != catalogue.NameBatch {
			return nil
		}
		batch, err := client.Attach[catalogue.Batch](d.client, i.ID).Wait(ctx)
		if err != nil {
			return fmt.Errorf("batch %s: %w", i.ID, err)
		}
		found = append(found, batch.Files...)
		return nil
	})
	if err != nil {
		return err
	}
	report := catalogue.NewReport(catalogue.Escape(dir), found)
	if err := report.WriteFile(d.report); err != nil {
		return reportError(d.report, err)
	}
	d.screen.Say("The report of %d entries is in %s.", len(report.Files), d.report)
	return report.WriteTable(d.out, d.rows, d.screen.Width())
}
