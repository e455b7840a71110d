package main

import (
	"fmt"
	"regexp"
	"strings"
)

// conformanceCase is one line of the list.
type conformanceCase struct {
	id    string // with an underscore, as in a test's name: RE_017
	step  string // now, later, or waits:FEATURE
	group string
}

func (c *conformanceCase) now() bool { return c.step == "now" }

// waits is the feature that the case waits for, or "".
func (c *conformanceCase) waits() string {
	feature, _ := strings.CutPrefix(c.step, "waits:")
	if feature == c.step {
		return ""
	}
	return feature
}

// caseList is the list in order, and what finds its ids in a text.
type caseList struct {
	cases   []conformanceCase
	known   map[string]bool
	pattern *regexp.Regexp
}

// parseList reads the list: id, step and group, separated by tabs; # starts a comment.
func parseList(text string) (*caseList, error) {
	l := &caseList{known: map[string]bool{}}
	prefixes := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: want id, step and group, separated by tabs", i+1)
		}
		prefix, number, ok := strings.Cut(fields[0], "-")
		if !ok || len(number) != 3 {
			return nil, fmt.Errorf("line %d: %q is not an id like RE-017", i+1, fields[0])
		}
		c := conformanceCase{id: prefix + "_" + number, step: fields[1], group: fields[2]}
		if !c.now() && c.step != "later" && c.waits() == "" {
			return nil, fmt.Errorf("line %d: unknown step %q", i+1, c.step)
		}
		if l.known[c.id] {
			return nil, fmt.Errorf("line %d: %s is listed twice", i+1, fields[0])
		}
		l.known[c.id], prefixes[prefix] = true, true
		l.cases = append(l.cases, c)
	}
	var alternatives []string
	for p := range prefixes {
		alternatives = append(alternatives, regexp.QuoteMeta(p))
	}
	l.pattern = regexp.MustCompile(`(?:^|[^A-Z0-9])((?:` + strings.Join(alternatives, "|") + `)_[0-9]{3})(?:[^0-9]|$)`)
	return l, nil
}

// idsIn are the ids that a text carries, listed or not.
func (l *caseList) idsIn(text string) []string {
	var ids []string
	for at := 0; at < len(text); {
		m := l.pattern.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		ids = append(ids, text[at+m[2]:at+m[3]])
		at += m[3] // what follows an id may begin the next one
	}
	return ids
}
