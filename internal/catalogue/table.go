package catalogue

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/turnstone-dev/turnstone/internal/terminal"
)

// WriteTable prints the totals by directory and by extension, the largest first, and the sum of all as its last line. Each
// section has at most so many rows, the last of which sums up what is left out; 0: all. Lines are cut to width cells; 0:
// they are not. The report has all of it.
func (r Report) WriteTable(w io.Writer, rows, width int) error {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 2, 8, 2, ' ', tabwriter.AlignRight)
	section(t, "directory", r.ByTop, rows)
	section(t, "extension", r.ByExtension, rows)
	row(t, "total", r.Totals)
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimRight(line, " \n")
		if width > 0 {
			line = terminal.Cut(line, width)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// section prints one section, and a line without text, whose cells keep the columns of all sections together.
func section(w io.Writer, name string, by map[string]Totals, rows int) {
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
	shown := len(keys)
	if rows > 0 && len(keys) > rows {
		shown = rows - 1
	}
	for _, k := range keys[:shown] {
		row(w, k, by[k])
	}
	if shown < len(keys) {
		var rest Totals
		for _, k := range keys[shown:] {
			rest.Merge(by[k])
		}
		row(w, fmt.Sprintf("(%d more)", len(keys)-shown), rest)
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t")
}

func row(w io.Writer, name string, t Totals) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t  %s\n", t.Files, t.Bytes, t.Lines, t.Words, t.Others, t.Errors, terminal.Text(name))
}
