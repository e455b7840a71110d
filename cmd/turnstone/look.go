package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/internal/story"
	"github.com/turnstone-dev/turnstone/internal/terminal"
	"github.com/turnstone-dev/turnstone/node"
)

// recorded reads histories as they are recorded: a story tells all of it.
var recorded = seam.Take[seam.History[*client.Reader]]()

func inspectCommand() *cobra.Command {
	var execution uint64
	c := &cobra.Command{
		Use:   "inspect DIR INSTANCE",
		Short: "print an instance's history as a story",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return reading(c, args[0], func(r *client.Reader) error { return inspect(c, r, args[1], execution) })
		},
	}
	c.Flags().Uint64Var(&execution, "execution", 0, "which execution; 0 means all of them")
	return c
}

func inspect(c *cobra.Command, r *client.Reader, id string, execution uint64) error {
	ctx, out := c.Context(), c.OutOrStdout()
	d, err := r.Describe(ctx, id)
	if errors.Is(err, turnstone.ErrInstanceNotFound) {
		return fmt.Errorf("there is no instance %q in this store; turnstone list shows those that are", id)
	}
	if err != nil {
		return err
	}
	first, last := execution, execution
	switch {
	case execution == 0:
		first, last = 1, d.Execution
	case execution > d.Execution && d.Execution == 1:
		return fmt.Errorf("instance %q has no execution %d: it has had one only, number 1", id, execution)
	case execution > d.Execution:
		return fmt.Errorf("instance %q has no execution %d: it has had those from 1 to %d", id, execution, d.Execution)
	}
	fmt.Fprintf(out, "instance %s: %s %s, %s, execution %d, turn %d\n", terminal.Text(d.ID), terminal.Text(d.Name),
		terminal.Text(d.Version), stateText(&d), d.Execution, d.Turn)
	if open := d.OpenActivities + d.OpenTimers + d.OpenChildren + d.Inbox; open > 0 {
		fmt.Fprintf(out, "open: %s, %s, %s; %s for it\n", counted(d.OpenActivities, "activity", "activities"),
			counted(d.OpenTimers, "timer", "timers"), counted(d.OpenChildren, "child", "children"),
			counted(d.Inbox, "message waits", "messages wait"))
	}
	if d.CustomStatus != nil {
		fmt.Fprintf(out, "status: %s\n", terminal.Text(*d.CustomStatus))
	}
	if d.Cleanup != nil {
		fmt.Fprintln(out, cleanupText(d.Cleanup))
	}
	if d.Why != "" {
		fmt.Fprintf(out, "why: %s\n", terminal.Text(d.Why))
	}
	for n := first; n <= last; n++ {
		fmt.Fprintf(out, "\nexecution %d\n", n)
		story := story.NewWriter(out)
		for turn, err := range recorded.Turns(r, ctx, id, n) {
			if err != nil {
				return err
			}
			if err := story.Turn(turn); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanupText says how far undo steps are.
func cleanupText(c *client.Cleanup) string {
	until := "without a bound"
	if !c.Deadline.IsZero() {
		until = "until " + c.Deadline.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("cleanup: since %s, %s, %s left; ends with: %s", c.Since.UTC().Format(time.RFC3339), until,
		counted(c.StepsLeft, "undo step", "undo steps"), terminal.Text(c.Failure.Error()))
}

func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "check everything that a store holds, and name what is damaged",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := node.Verify(c.Context(), args[0])
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			for _, d := range report.Damages {
				fmt.Fprintln(out, "DAMAGED", terminal.Text(d))
			}
			fmt.Fprintln(out, terminal.Text(report.Summary))
			if n := len(report.Damages); n > 0 {
				return fmt.Errorf("damaged in %s: %s; restore it from a copy, or ask for help before opening it",
					counted(n, "place", "places"), args[0])
			}
			return nil
		},
	}
}

func backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup STORE DIR",
		Short: "copy a store that is not open into an empty or new directory, and verify the copy",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := node.Backup(c.Context(), args[0], args[1]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is a copy of %s, and sound. Run one of them, not both.\n",
				terminal.Text(args[1]), terminal.Text(args[0]))
			return err
		},
	}
}

// reading opens a store for reading only and closes it afterwards. This program has no codec but JSON: of another one it shows
// the values as they are recorded.
func reading(c *cobra.Command, dir string, f func(*client.Reader) error) error {
	n, err := node.OpenReadOnly(c.Context(), dir, nil)
	if err != nil {
		return err
	}
	if note := n.CodecNote(); note != "" {
		fmt.Fprintln(c.ErrOrStderr(), terminal.Text(note))
	}
	err = f(n.Reader())
	return errors.Join(err, n.Close())
}
