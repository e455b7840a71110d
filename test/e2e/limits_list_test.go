package e2e

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/limits"
)

// table returns the rows of the tables in a document whose first heading is this, cell by cell.
func table(t *testing.T, path, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cells[0] == heading:
			inside = true
		case inside && strings.Trim(cells[0], "-") != "":
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table of %s", path, heading)
	}
	return rows
}

// TestEveryLimitOfTheDocumentsIsTested: each row of docs/limits.md has a case here, and each case a row.
func TestEveryLimitOfTheDocumentsIsTested(t *testing.T) {
	var tested []string
	for _, c := range clientLimits {
		tested = append(tested, c.row)
	}
	for _, c := range codeLimits {
		tested = append(tested, c.row)
	}
	for _, c := range executionLimits {
		tested = append(tested, c.row)
	}
	for _, c := range otherLimits {
		tested = append(tested, c.row)
	}
	for _, c := range leastValues {
		tested = append(tested, c.row)
	}
	var documented []string
	for _, row := range table(t, "../../docs/limits.md", "limit") {
		documented = append(documented, row[0])
		if !slices.Contains(tested, row[0]) {
			t.Errorf("docs/limits.md has the limit %q, which no case tests", row[0])
		}
	}
	for i, row := range tested {
		if !slices.Contains(documented, row) || slices.Contains(tested[:i], row) {
			t.Errorf("the case of %q has no row of its own in docs/limits.md", row)
		}
	}
}

// fieldOf is the field that sets a limit, by docs/limits.md.
func fieldOf(t *testing.T, limit string) string {
	t.Helper()
	for _, row := range table(t, "../../docs/limits.md", "limit") {
		if row[0] == limit {
			return row[1]
		}
	}
	t.Fatalf("docs/limits.md has no limit %q", limit)
	return ""
}

// TestTheFieldsOfLimitsAreDocumented: each field is in docs/limits.md with its default.
func TestTheFieldsOfLimitsAreDocumented(t *testing.T) {
	units := map[string]int{"KiB": 1 << 10, "MiB": 1 << 20}
	size := regexp.MustCompile(`^([\d,]+)(?: (KiB|MiB))?`)
	defaults := reflect.ValueOf(limits.Default())
	rows := table(t, "../../docs/limits.md", "field")
	for _, row := range rows {
		field := defaults.FieldByName(row[0])
		if !field.IsValid() {
			t.Errorf("docs/limits.md has the field %s, which there is not", row[0])
			continue
		}
		parts := size.FindStringSubmatch(row[2])
		if parts == nil {
			t.Errorf("the default of %s is %q", row[0], row[2])
			continue
		}
		n, err := strconv.Atoi(strings.ReplaceAll(parts[1], ",", ""))
		if unit := units[parts[2]]; unit != 0 {
			n *= unit
		}
		if err != nil || int64(n) != field.Int() {
			t.Errorf("docs/limits.md says that the default of %s is %q; it is %d", row[0], row[2], field.Int())
		}
	}
	if len(rows) != defaults.NumField() {
		t.Errorf("docs/limits.md has %d fields of %d", len(rows), defaults.NumField())
	}
}
