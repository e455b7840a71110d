// Command bench runs the workloads of durable execution on a real directory and prints a JSON line for each:
//
//	go run ./bench -w w1,w2,w3,w4,w5,w6 -limit -json
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
	"os"
	"runtime/pprof"
	"strings"
	"time"
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
}

func main() {
	var o options
	names := flag.String("w", "w1,w2,w3,w4,w5,w6", "workloads, separated by commas")
	flag.IntVar(&o.n, "n", 0, "orchestrations (w5: steps); 0 means each workload's own number")
	flag.IntVar(&o.inFlight, "c", 64, "orchestrations in flight (w1, w2, w3, w6)")
	flag.StringVar(&o.dir, "dir", "", "where stores are made; empty means the system's temporary directory")
	flag.BoolVar(&o.limit, "limit", false, "also measure the limit, in the same run")
	flag.BoolVar(&o.json, "json", false, "print JSON lines only")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "give up a workload after this time")
	flag.IntVar(&o.turns, "turns", 8, "turn slots")
	flag.IntVar(&o.slots, "slots", 64, "activity slots")
	profile := flag.String("cpuprofile", "", "write a profile of the processor time to this file")
	flag.IntVar(&o.gc, "gogc", 100, "the garbage collector's percentage, for the engine and the limit alike")
	flag.Parse()
	o.workloads = strings.Split(*names, ",")
	if err := profiled(*profile, func() error { return run(o) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
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

func run(o options) error {
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return err
		}
	}
	for _, name := range o.workloads {
		w, ok := workloads[name]
		if !ok {
			return fmt.Errorf("unknown workload %q; there are w1 to w6, and w1k (w1 with 1,024 in flight)", name)
		}
		ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
		line, err := measure(ctx, o, name, w)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := show(line, o.json); err != nil {
			return err
		}
	}
	return nil
}

func show(line Line, asJSON bool) error {
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if asJSON {
		fmt.Println(string(raw))
		return nil
	}
	fmt.Println(line)
	return nil
}
