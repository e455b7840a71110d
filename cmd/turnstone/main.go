// Command turnstone is the command line of Turnstone: it runs the demo, and reads stores.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/turnstone-dev/turnstone/node"
)

// Exit codes.
const (
	exitFailed      = 1
	exitStore       = 70 // the disk under a store has failed
	exitInterrupted = 130
)

// errInterrupted ends a command that a signal stopped; what it did is kept.
var errInterrupted = errors.New("interrupted")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := escaped(interrupted(ctx, command().ExecuteContext(ctx)))
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errInterrupted):
		os.Exit(exitInterrupted)
	default:
		fmt.Fprintln(os.Stderr, "turnstone:", err)
		os.Exit(exitCode(err))
	}
}

// interrupted tells an end by signal from a failure, for every command: only what says that the context has ended is one.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return errInterrupted
	}
	return err
}

// exitCode tells a failure of the disk from others: the store itself is as it was, and a supervisor may start the same
// command again when the disk is mended.
func exitCode(err error) int {
	if errors.Is(err, node.ErrFailed) {
		return exitStore
	}
	return exitFailed
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "turnstone",
		Short:         "durable execution: the demo, and a look into stores",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(demoCommand(), listCommand(), inspectCommand(), verifyCommand(), backupCommand())
	return root
}
