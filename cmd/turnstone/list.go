package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/terminal"
)

func listCommand() *cobra.Command {
	var states []string
	var limit int
	var held bool
	c := &cobra.Command{
		Use:   "list DIR",
		Short: "list the instances in a store, first those whose state changed last, and count them",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 0 {
				return fmt.Errorf("--limit is %d: give how many instances to show, or 0 for all", limit)
			}
			if held && len(states) > 0 {
				return fmt.Errorf("--held and --state cannot be given together: a held instance is Pending or Running")
			}
			request := client.ListRequest{Max: 1000, Held: held}
			for _, s := range states {
				request.States = append(request.States, stateOf(s))
			}
			return reading(c, args[0], func(r *client.Reader) error { return list(c, r, request, limit) })
		},
	}
	c.Flags().StringSliceVar(&states, "state", nil, "only these: Pending, Running, Completed, Failed, in any case")
	c.Flags().BoolVar(&held, "held", false, "only those that are held, those first that have been held longest, and why; an instance whose handler is missing fails after the node's MaxAttempts")
	c.Flags().IntVar(&limit, "limit", 1000, "how many at most; 0 means all")
	return c
}

// column is one of a listing.
type column struct {
	title string
	text  func(d *client.Description) string
}

var (
	naming = []column{
		{"INSTANCE", func(d *client.Description) string { return terminal.Text(d.ID) }},
		{"NAME", func(d *client.Description) string { return terminal.Text(d.Name) }},
		{"VERSION", func(d *client.Description) string { return terminal.Text(d.Version) }},
		{"STATE", stateText},
		{"EXECUTION", func(d *client.Description) string { return fmt.Sprint(d.Execution) }},
		{"TURN", func(d *client.Description) string { return fmt.Sprint(d.Turn) }},
	}
	anyColumns = append(naming[:len(naming):len(naming)],
		column{"EVENTS", func(d *client.Description) string { return fmt.Sprint(d.HistoryEvents) }},
		column{"UPDATED", func(d *client.Description) string { return d.Updated.UTC().Format(time.RFC3339) }},
	)
	heldColumns = append(naming[:len(naming):len(naming)],
		column{"SINCE", func(d *client.Description) string { return d.Held.Since.UTC().Format(time.RFC3339) }},
		column{"TRIES", func(d *client.Description) string { return fmt.Sprint(d.Held.Attempts) }},
		column{"BUILD", func(d *client.Description) string { return terminal.Text(d.Held.Build) }},
		column{"REASON", reasonText},
	)
)

// stateOf is the state that is meant by a text in any case. One that there is not is refused by the listing.
func stateOf(text string) client.State {
	for _, s := range []client.State{client.StatePending, client.StateRunning, client.StateCompleted, client.StateFailed} {
		if strings.EqualFold(string(s), text) {
			return s
		}
	}
	return client.State(text)
}

func reasonText(d *client.Description) string {
	if d.Held.End == "" {
		return terminal.Text(d.Held.Reason)
	}
	return terminal.Text(d.Held.Reason + "; " + d.Held.End)
}

func stateText(d *client.Description) string {
	if d.Held != nil {
		return string(d.State) + " HELD"
	}
	if d.Cleanup != nil {
		return string(d.State) + " CLEANUP"
	}
	return string(d.State)
}

func list(c *cobra.Command, r *client.Reader, request client.ListRequest, limit int) error {
	columns := anyColumns
	if request.Held {
		columns = heldColumns
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	row(w, columns, func(c *column) string { return c.title })
	shown := 0
	for more := true; more; more = request.Cursor != "" {
		page, err := r.List(c.Context(), request)
		if err != nil {
			return err
		}
		request.Cursor = page.Next
		for i := range page.Instances {
			if limit > 0 && shown == limit {
				fmt.Fprintf(w, "(more; --limit 0 shows all)\n")
				request.Cursor = ""
				break
			}
			shown++
			row(w, columns, func(c *column) string { return c.text(&page.Instances[i]) })
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	n, err := r.Counts(c.Context())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s in the store: %d Pending, %d Running, %d Completed, %d Failed; %s held\n",
		counted(n.Pending+n.Running+n.Completed+n.Failed, "instance", "instances"), n.Pending, n.Running, n.Completed, n.Failed,
		counted(n.Held, "is", "are"))
	return err
}

// counted is a number with the word that goes with it.
func counted(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func row(w *tabwriter.Writer, columns []column, text func(c *column) string) {
	for i := range columns {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, text(&columns[i]))
	}
	fmt.Fprintln(w)
}
