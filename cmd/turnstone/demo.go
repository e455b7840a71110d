package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/catalogue"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/node"
)

// demo is one run of the catalogue.
type demo struct {
	dir    string
	store  string
	report string
	slots  int
	every  time.Duration
	out    io.Writer

	client  *client.Client
	program *catalogue.Program
	tracker *catalogue.Tracker
	// recorded is how many entries were measured before this process began.
	recorded int
}

func demoCommand() *cobra.Command {
	d := &demo{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "catalogue a directory tree, durably: interrupt it in any way, and the same command resumes",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d.out = c.OutOrStdout()
			return d.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&d.dir, "dir", ".", "the directory to catalogue")
	f.StringVar(&d.store, "store", ".turnstone/demo", "where the journal is kept")
	f.StringVar(&d.report, "report", "catalogue.json", "where the report is written")
	f.IntVar(&d.slots, "slots", 64, "how many activities run at a time")
	f.DurationVar(&d.every, "progress", time.Second, "how often progress is shown where the output is no terminal")
	return c
}

func (d *demo) run(ctx context.Context) error {
	dir, err := checkedDir(d.dir)
	if err != nil {
		return err
	}
	d.tracker = &catalogue.Tracker{Clock: clock.Real.Now}
	d.program = catalogue.New(d.tracker)
	registry := turnstone.NewRegistry()
	if err := d.program.Register(registry); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.store), 0o755); err != nil {
		return fmt.Errorf("cannot make the place of the store: %w", err)
	}
	n, err := node.Open(ctx, node.Config{Dir: d.store, Registry: registry, TurnSlots: 8, ActivitySlots: d.slots})
	if err != nil {
		return interrupted(ctx, err)
	}
	d.client = n.Client()
	runErr := d.catalogue(ctx, dir)
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := n.Shutdown(shutdown); err != nil && runErr == nil {
		runErr = err
	}
	if errors.Is(runErr, errInterrupted) {
		fmt.Fprintln(d.out, "Interrupted. Nothing is lost: the same command goes on where this one was.")
	}
	return runErr
}

func checkedDir(name string) (string, error) {
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("cannot catalogue: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("cannot catalogue %s: it is not a directory", dir)
	}
	return dir, nil
}

// instanceID names the catalogue of one directory, so that a store can hold several.
func instanceID(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "catalogue-" + hex.EncodeToString(sum[:8])
}

func (d *demo) catalogue(ctx context.Context, dir string) error {
	id := instanceID(dir)
	run, err := client.Start(ctx, d.client, d.program.Tree, id, catalogue.Job{Dir: catalogue.Escape(dir)})
	switch {
	case err == nil:
		fmt.Fprintf(d.out, "Catalogue of %s: started as instance %s in %s.\n", catalogue.Escape(dir), id, d.store)
	case errors.Is(err, turnstone.ErrAlreadyExists):
		if err := d.resume(ctx, dir, id); err != nil {
			return interrupted(ctx, err)
		}
	default:
		return interrupted(ctx, err)
	}
	started := clock.Real.Now()
	shown := make(chan struct{})
	showing, stop := context.WithCancel(ctx)
	go func() { defer close(shown); d.showProgress(showing, id) }()
	_, err = run.Wait(ctx)
	stop()
	<-shown
	if err != nil {
		return interrupted(ctx, err)
	}
	if done := d.tracker.Done(); done > 0 {
		took := clock.Real.Now().Sub(started)
		fmt.Fprintf(d.out, "Done: %d activities in %.1f s (%.0f/s).\n", done, took.Seconds(), float64(done)/took.Seconds())
	}
	if d.recorded > 0 {
		fmt.Fprintf(d.out, "%d entries had been measured before and were not measured again.\n", d.recorded)
	}
	return interrupted(ctx, d.writeReport(ctx, dir, id))
}

// resume says where the catalogue stands.
func (d *demo) resume(ctx context.Context, dir, id string) error {
	status, err := d.client.Status(ctx, id)
	if err != nil {
		return err
	}
	d.recorded, err = d.countRecorded(ctx, id)
	if err != nil {
		return err
	}
	if status.State == client.StateCompleted {
		fmt.Fprintf(d.out, "Catalogue of %s: already finished in %s; this is its report.\n", catalogue.Escape(dir), d.store)
		return nil
	}
	fmt.Fprintf(d.out, "Catalogue of %s: resuming; %d entries are measured already and will not be measured again.\n",
		catalogue.Escape(dir), d.recorded)
	return nil
}

// interrupted tells an end by signal from a failure.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}
