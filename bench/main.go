// Command bench runs the workloads of durable execution on a real directory and prints a JSON line for each:
//
//	go run ./bench -w w1,w2,w3,w4,w5,w6,w7,w8,w9 -limit -json
//
// With -limit it measures in the same run what the disk and the store allow for commits of the same shape, and prints
// the ratio. Figures of one machine say little; ratios of one run say more.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/internal/terminal"
)

type options struct {
	workloads []string
	n         int
	inFlight  int
	dir       string
	limit     bool
	json      bool
	timeout   time.Duration
	turns     int
	slots     int
	gc        int
	profile   string
	// window is for w5: see steps.go.
	window int
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	if err := profiled(o.profile, func() error { return run(os.Stdout, o) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", terminal.Lines(err.Error()))
		os.Exit(1)
	}
}

// parse reads the command line; what is wrong with it, and help, go to errs.
func parse(args []string, errs io.Writer) (options, error) {
	o := options{window: window}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errs)
	names := flags.String("w", "w1,w2,w3,w4,w5,w6,w7,w8,w9", "workloads, separated by commas")
	flags.IntVar(&o.n, "n", 0, "orchestrations (w5: steps); 0 means each workload's own number")
	flags.IntVar(&o.inFlight, "c", 64, "orchestrations in flight (w1, w2, w3, w6, w7, w9)")
	flags.StringVar(&o.dir, "dir", "", "where stores are made; empty means the system's temporary directory")
	flags.BoolVar(&o.limit, "limit", false, "also measure the limit, in the same run")
	flags.BoolVar(&o.json, "json", false, "print JSON lines only")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "give up a workload after this time")
	flags.IntVar(&o.turns, "turns", 8, "turn slots")
	flags.IntVar(&o.slots, "slots", 64, "activity slots")
	flags.StringVar(&o.profile, "cpuprofile", "", "write a profile of the processor time to this file")
	flags.IntVar(&o.gc, "gogc", 100, "the garbage collector's percentage, for the engine and the limit alike")
	err := flags.Parse(args)
	o.workloads = strings.Split(*names, ",")
	return o, err
}

func profiled(name string, f func() error) error {
	if name == "" {
		return f()
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

// run measures the workloads and writes a line for each as soon as it has been measured.
func run(out io.Writer, o options) error {
	for _, name := range o.workloads {
		if _, ok := workloads[name]; !ok {
			return fmt.Errorf("unknown workload %q; there are w1 to w9, and w1k (w1 with 1,024 in flight)", name)
		}
	}
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return err
		}
	}
	for _, name := range o.workloads {
		ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
		line, err := measure(ctx, o, name, workloads[name])
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := show(out, line, o.json); err != nil {
			return err
		}
	}
	return nil
}

func show(out io.Writer, line Line, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(line)
	}
	_, err := fmt.Fprintln(out, line)
	return err
}
