package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// options are the command line.
type options struct {
	root       string
	list       string
	run        bool
	record     string
	from       string
	floor      string
	writeFloor bool
	args       []string
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "directory of the module")
	flag.StringVar(&o.list, "list", "docs/conformance.txt", "the list of cases")
	flag.BoolVar(&o.run, "run", false, "run the packages that have cases")
	flag.StringVar(&o.record, "record", "", "run `go test` with the arguments after -- and write the outcomes to this `file`")
	flag.StringVar(&o.from, "from", "", "take outcomes from the files in this `directory`")
	flag.StringVar(&o.floor, "floor", "", "the `file` with the least number of cases that must be present")
	flag.BoolVar(&o.writeFloor, "write-floor", false, "write the number of cases that are present into the floor file")
	flag.Parse()
	o.args = flag.Args()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// run does what the options say and prints to out.
func run(o options, out io.Writer) error {
	if o.record != "" {
		return record(o.root, o.record, o.args, out)
	}
	text, err := os.ReadFile(o.list)
	if err != nil {
		return err
	}
	cases, err := parseList(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", o.list, err)
	}
	found, err := scan(o.root, cases)
	if err != nil {
		return err
	}
	outcomes := results{}
	var failed error
	switch {
	case o.run:
		var packages []string
		if packages = found.places.packages(); len(packages) > 0 {
			failed = outcomes.test(o.root, append([]string{"-count=1"}, packages...), out)
		}
	case o.from != "":
		if err := outcomes.readDir(o.from); err != nil {
			return err
		}
	}
	t := tabulate(cases, found.places, outcomes.ids(cases))
	t.print(out, o.run || o.from != "")
	return errors.Join(failed, t.unknownError(), found.bareError(), t.checkFloor(o, out))
}
