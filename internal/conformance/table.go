package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// row counts one group.
type row struct {
	group                    string
	listed, present, passing int
	cases                    []shown // those that are present
}

// shown is one case as it is printed.
type shown struct {
	*conformanceCase
	mark string // "pass", "-" for what is not seen to pass
}

// table is what is printed.
type table struct {
	now, later         []row
	nowTotal           row
	laterTotal         row
	missing            []shown            // of this step, listed but not present
	waiting            map[string][]shown // by feature
	notPassing         []shown            // present, but not seen to pass
	unknown            []string           // carried by tests, but not listed
	present            int
	outcomesWereWanted bool
}

// tabulate counts. passed says, for each id whose tests ran, whether all of them passed.
func tabulate(l *caseList, found places, passed map[string]bool) *table {
	t := &table{waiting: map[string][]shown{}, nowTotal: row{group: "this step"}, laterTotal: row{group: "later steps"}}
	for i := range l.cases {
		c := &l.cases[i]
		total, rows := &t.laterTotal, &t.later
		if c.now() {
			total, rows = &t.nowTotal, &t.now
		}
		if n := len(*rows); n == 0 || (*rows)[n-1].group != c.group {
			*rows = append(*rows, row{group: c.group})
		}
		r := &(*rows)[len(*rows)-1]
		for _, r := range []*row{total, r} {
			r.listed++
			if found[c.id] != nil {
				r.present++
			}
			if passed[c.id] {
				r.passing++
			}
		}
		t.show(c, r, found[c.id] != nil, passed[c.id])
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if _, known := l.known[id]; !known {
			t.unknown = append(t.unknown, id)
		}
	}
	return t
}

// show puts a case where it is printed: in its group, or among what is missing or waits.
func (t *table) show(c *conformanceCase, r *row, present, passed bool) {
	s := shown{conformanceCase: c, mark: "-"}
	if passed {
		s.mark = "pass"
	}
	switch {
	case present:
		t.present++
		r.cases = append(r.cases, s)
		if !passed {
			t.notPassing = append(t.notPassing, s)
		}
	case c.now():
		t.missing = append(t.missing, s)
	case c.waits() != "":
		t.waiting[c.waits()] = append(t.waiting[c.waits()], s)
	}
}

// print writes the table. Without outcomes the last column is left out.
func (t *table) print(out io.Writer, outcomes bool) {
	t.outcomesWereWanted = outcomes
	line := func(r row) {
		if outcomes {
			fmt.Fprintf(out, "%-60s %7d %8d %8d\n", r.group, r.listed, r.present, r.passing)
		} else {
			fmt.Fprintf(out, "%-60s %7d %8d\n", r.group, r.listed, r.present)
		}
		printCases(out, r.cases, outcomes)
	}
	heading := fmt.Sprintf("%-60s %7s %8s", "group", "listed", "present")
	if outcomes {
		heading += fmt.Sprintf(" %8s", "passing")
	}
	fmt.Fprintln(out, heading)
	for _, r := range t.now {
		line(r)
	}
	line(t.nowTotal)
	for _, r := range t.later {
		if r.present > 0 {
			line(r)
		}
	}
	line(t.laterTotal)
	ids := func(what string, list []shown) {
		if len(list) > 0 {
			fmt.Fprintf(out, "%s (%d):\n", what, len(list))
			printCases(out, list, false)
		}
	}
	ids("this step, not present", t.missing)
	for _, feature := range slices.Sorted(maps.Keys(t.waiting)) {
		ids("waits for "+feature, t.waiting[feature])
	}
	if outcomes {
		ids("present, not passing", t.notPassing)
	}
	if len(t.unknown) > 0 {
		fmt.Fprintf(out, "in test code, but not in the list (%d): %s\n", len(t.unknown), strings.Join(t.unknown, " "))
	}
}

// printCases writes a line for each case: its id, what it came to if that is known, and its sentence.
func printCases(out io.Writer, cases []shown, outcomes bool) {
	for _, c := range cases {
		if outcomes {
			fmt.Fprintf(out, "  %-8s %-4s %s\n", c.id, c.mark, c.sentence)
		} else {
			fmt.Fprintf(out, "  %-8s %s\n", c.id, c.sentence)
		}
	}
}

// unknownError refuses ids that are not listed: a typing error would hide a missing case.
func (t *table) unknownError() error {
	if len(t.unknown) == 0 {
		return nil
	}
	return fmt.Errorf("test code carries ids that are not in the list: %s", strings.Join(t.unknown, " "))
}

// checkFloor compares the number of cases that are present with the file, or writes it there.
func (t *table) checkFloor(o options, out io.Writer) error {
	if o.floor == "" {
		return nil
	}
	if o.writeFloor {
		return os.WriteFile(o.floor, []byte(strconv.Itoa(t.present)+"\n"), 0o644)
	}
	text, err := os.ReadFile(o.floor)
	if err != nil {
		return err
	}
	floor, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", o.floor, err)
	}
	switch {
	case t.present < floor:
		return fmt.Errorf("%d cases are present, %s says at least %d: a case was lost", t.present, o.floor, floor)
	case t.outcomesWereWanted && len(t.notPassing) > 0:
		return fmt.Errorf("%d cases are in test code but did not pass", len(t.notPassing))
	case t.present > floor:
		fmt.Fprintf(out, "%d cases are present, more than the floor of %d: raise it with -write-floor\n", t.present, floor)
	}
	return nil
}
