package catalogue

import (
	"fmt"
	"io"
	"sort"
	"text/tabwriter"
)

// tableRows is how many rows of each section the table for people shows; the report has all of them.
const tableRows = 40

// WriteTable prints the totals by directory and by extension, the largest first.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', tabwriter.AlignRight)
	section(t, "directory", r.ByTop)
	fmt.Fprintln(t)
	section(t, "extension", r.ByExtension)
	fmt.Fprintln(t)
	row(t, "total", r.Totals)
	return t.Flush()
}

func section(w io.Writer, name string, by map[string]Totals) {
	fmt.Fprintf(w, "files\tbytes\tlines\twords\tothers\terrors\t  %s\n", name)
	keys := make([]string, 0, len(by))
	for k := range by {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := by[keys[i]], by[keys[j]]
		if a.Bytes != b.Bytes {
			return a.Bytes > b.Bytes
		}
		return keys[i] < keys[j]
	})
	var rest Totals
	for i, k := range keys {
		if i < tableRows {
			row(w, k, by[k])
			continue
		}
		rest.Merge(by[k])
	}
	if more := len(keys) - tableRows; more > 0 {
		row(w, fmt.Sprintf("(%d more)", more), rest)
	}
}

func row(w io.Writer, name string, t Totals) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t  %s\n", t.Files, t.Bytes, t.Lines, t.Words, t.Others, t.Errors, name)
}
