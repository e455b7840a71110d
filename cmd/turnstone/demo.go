package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/catalogue"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/terminal"
	"github.com/turnstone-dev/turnstone/node"
)

// demo is one run of the catalogue.
type demo struct {
	dir    string
	store  string
	report string
	slots  int
	rows   int
	every  time.Duration
	out    io.Writer
	screen *terminal.Screen
	log    *slog.Logger

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
			d.screen = terminal.NewScreen(d.out, widthOf(d.out))
			d.log = slog.New(slog.NewTextHandler(d.screen.Above(c.ErrOrStderr()), nil))
			return d.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&d.dir, "dir", ".", "the directory to catalogue")
	f.StringVar(&d.store, "store", ".turnstone/demo", "where the journal is kept")
	f.StringVar(&d.report, "report", "catalogue.json", "where the report is written")
	f.IntVar(&d.slots, "slots", 64, "how many activities run at a time, 1 or more")
	f.IntVar(&d.rows, "rows", 7, "how many directories and extensions the table shows, the largest first; 0 shows all. 7 fit a terminal of 24 lines")
	f.DurationVar(&d.every, "progress", time.Second, "how often progress is shown where the output is no terminal")
	return c
}

func (d *demo) run(ctx context.Context) error {
	dir, err := d.check()
	if err != nil {
		return err
	}
	d.tracker = &catalogue.Tracker{Clock: clock.Real.Now}
	store, err := placeOf(d.store, dir)
	if err != nil {
		return err
	}
	d.program = catalogue.New(d.tracker, store)
	registry := turnstone.NewRegistry()
	if err := d.program.Register(registry); err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{Dir: d.store, Registry: registry, TurnSlots: 8, ActivitySlots: d.slots, Logger: d.log})
	if err != nil {
		if err = interrupted(ctx, err); err == errInterrupted {
			d.screen.Say("Interrupted before the store %s was open. Nothing was begun: the same command does it.", d.store)
		}
		return err
	}
	d.client = n.Client()
	runErr := interrupted(ctx, d.catalogue(ctx, dir))
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch err := n.Shutdown(shutdown); {
	case err == nil:
	case runErr == errInterrupted:
		runErr = fmt.Errorf("interrupted, and the store could not be closed: %w", err)
	default:
		runErr = errors.Join(runErr, err)
	}
	if runErr == errInterrupted {
		d.screen.Say("Interrupted. Nothing is lost: the same command goes on where this one was.")
	}
	return runErr
}

// check refuses what cannot end well before any work is done. It returns the directory's full name.
func (d *demo) check() (dir string, err error) {
	switch {
	case d.slots < 1:
		return "", fmt.Errorf("--slots is %d: nothing would run; give 1 or more", d.slots)
	case d.rows < 0:
		return "", fmt.Errorf("--rows is %d: give how many rows to show, or 0 for all (make run ROWS=...)", d.rows)
	case d.every <= 0:
		return "", fmt.Errorf("--progress is %v: give a time above 0, such as 1s", d.every)
	case d.store == "":
		return "", errors.New("--store is empty: name the directory of the store (make run STORE=...)")
	}
	if dir, err = checkedDir(d.dir); err != nil {
		return "", err
	}
	return dir, checkReport(d.report, d.store)
}

func checkedDir(name string) (string, error) {
	if name == "" {
		return "", errors.New("--dir is empty: name the directory to catalogue (make run DIR=...); . is the one you are in")
	}
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

// placeOf returns the real name of the store, and makes the directory above it. The store may lie in the directory that is
// catalogued, and is left out then; the other way round it would be in the catalogue with all that it has.
func placeOf(store, dir string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(store), 0o755); err != nil {
		return "", fmt.Errorf("cannot make the place of the store: %w", err)
	}
	place, err := realName(store)
	if err != nil {
		return "", err
	}
	catalogued, err := realName(dir)
	if err != nil {
		return "", err
	}
	if within(place, catalogued) {
		return "", fmt.Errorf("cannot catalogue %s: it is in the store %s; name another directory, or another store "+
			"(make run DIR=... STORE=...)", dir, store)
	}
	return place, nil
}

func realName(dir string) (string, error) {
	name, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if followed, err := filepath.EvalSymlinks(name); err == nil {
		return followed, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(name)) // it does not exist yet
	return filepath.Join(parent, filepath.Base(name)), err
}

// instanceID names the catalogue of one directory, so that a store can hold several.
func instanceID(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "catalogue-" + hex.EncodeToString(sum[:8])
}

func (d *demo) catalogue(ctx context.Context, dir string) error {
	id := instanceID(dir)
	run, err := client.Start(ctx, d.client, id, d.program.Tree, catalogue.Job{Dir: catalogue.Escape(dir)})
	switch {
	case err == nil:
		d.screen.Say("Catalogue of %s: started as instance %s in %s.", catalogue.Escape(dir), id, d.store)
	case errors.Is(err, turnstone.ErrAlreadyExists):
		if err := d.resume(ctx, dir, id); err != nil {
			return err
		}
	default:
		return err
	}
	started := clock.Real.Now()
	shown := make(chan struct{})
	showing, stop := context.WithCancel(ctx)
	go func() { defer close(shown); d.showProgress(showing, id) }()
	_, err = run.Wait(ctx)
	stop()
	<-shown
	if err != nil {
		return err
	}
	if done := d.tracker.Done(); done > 0 {
		took := clock.Real.Now().Sub(started)
		d.screen.Say("Done: %d activities in %.1f s (%.0f/s).", done, took.Seconds(), float64(done)/took.Seconds())
	}
	if d.recorded > 0 {
		d.screen.Say("%d entries had been measured before and were not measured again.", d.recorded)
	}
	return d.writeReport(ctx, dir, id)
}

// resume says where the catalogue stands. One that has failed is an error: there is nothing to go on with.
func (d *demo) resume(ctx context.Context, dir, id string) error {
	status, err := d.client.Status(ctx, id)
	if err != nil {
		return err
	}
	if status.State == client.StateFailed {
		return fmt.Errorf("the catalogue of %s in %s has failed, and what has failed stays so: %w\n"+
			"  turnstone inspect %s %s shows how it came to that; to begin anew, name another store with --store (make run STORE=...)",
			catalogue.Escape(dir), d.store, status.Failure, d.store, id)
	}
	d.recorded, err = d.countRecorded(ctx, id)
	if err != nil {
		return err
	}
	if status.State == client.StateCompleted {
		d.screen.Say("Catalogue of %s: already finished in %s; this is its report.", catalogue.Escape(dir), d.store)
		return nil
	}
	d.screen.Say("Catalogue of %s: resuming; %d entries are measured already and will not be measured again.",
		catalogue.Escape(dir), d.recorded)
	return nil
}
