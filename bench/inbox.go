package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// w9 asks what n messages of 20 KiB in the inbox of one instance cost: to put them there while nothing can run it, and to
// take them, in time and in memory. The instance has no handler until the node is opened with one.
const (
	inboxBytes = 20 << 10
	drainEach  = 100 // messages that one execution takes
	idInbox    = "w9"
)

// newDrain takes so many messages.
func (p *programs) newDrain() *turnstone.Orchestration[int, string] {
	return turnstone.NewOrchestration("Drain", func(ctx *turnstone.Context, left int) (string, error) {
		for range min(left, drainEach) {
			if _, err := turnstone.WaitEvent[string](ctx, "next").Await(); err != nil {
				return "", err
			}
		}
		if left <= drainEach {
			return "ok", nil
		}
		return "", turnstone.ContinueAsNew(ctx, left-drainEach)
	})
}

// runInbox fills the inbox and drains it.
func runInbox(ctx context.Context, b *bench) error {
	l, registry := &b.line, b.config.Registry
	if err := b.close(ctx); err != nil {
		return err
	}
	b.config.Registry = nil
	if err := b.open(ctx); err != nil {
		return err
	}
	if _, err := client.Start(ctx, b.client, idInbox, b.programs.drain, l.N); err != nil {
		return err
	}
	start := time.Now()
	if err := b.timed(func() error { return b.raiseAll(ctx, idInbox, l.N, inboxBytes) }); err != nil {
		return err
	}
	l.FillS = time.Since(start).Seconds()
	if err := b.close(ctx); err != nil {
		return err
	}
	b.config.Registry = registry
	before := statusMB("VmRSS")
	// What the process has at most is counted from here on.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the mark of memory: %w", err)
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	start = time.Now()
	err := b.timed(func() error {
		_, err := client.Attach[string](b.client, idInbox).Wait(ctx)
		return err
	})
	l.DrainS, l.PeakMB = time.Since(start).Seconds(), max(statusMB("VmHWM")-before, 0.01)
	return err
}
