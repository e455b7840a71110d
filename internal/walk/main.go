// Command walk says which files of this module one start goes through, and holds ARCHITECTURE.md to them.
//
// It builds itself with coverage counters and runs that program, which starts the smallest orchestration on a node and
// writes the counters of each pair of them (start.go). It owns how they are read (files.go), printed, and compared with what
// ARCHITECTURE.md names (document.go). It must not know how any room works.
//
// Invariant: the same code gives the same files, however busy the machine is. Starts count only if the node's own counters
// say that they went as the good case does, and a file counts if most of these hit it: what a clock does meanwhile is not
// in most of them.
//
// Start reading at [report].
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// document is the file that tells the walk.
const document = "ARCHITECTURE.md"

func main() {
	root := flag.String("root", ".", "the `directory` of the module")
	counters := flag.String("counters", "", "be the program that is counted: write the counters of the starts into this `directory`")
	flag.Parse()
	var err error
	if *counters != "" {
		err = starts(context.Background(), *counters)
	} else {
		err = report(os.Stdout, *root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "walk:", err)
		os.Exit(1)
	}
}

// report prints the files that a start hits, and fails if the document does not fit them.
func report(out io.Writer, root string) error {
	hit, err := filesHit(root)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		return err
	}
	told, err := readDocument(string(text))
	if err != nil {
		return err
	}
	rooms := byRoom(hit)
	for _, r := range rooms {
		fmt.Fprintf(out, "%s (%d)\n", r.dir, len(r.files))
		for _, f := range r.files {
			fmt.Fprintf(out, "  %4d  %s\n", hit[f], f)
		}
	}
	fmt.Fprintf(out, "%d files in %d rooms; the walk in %s opens %d of them, at most %d in a room\n",
		len(hit), len(rooms), document, len(told.opened), told.most())
	var wrong []error
	for _, p := range told.problems(root, hit) {
		wrong = append(wrong, errors.New(p))
	}
	return errors.Join(wrong...)
}
