package main

import (
	"fmt"
	"regexp"
	"strings"
)

// conformanceCase is one line of the list.
type conformanceCase struct {
	id       string // with an underscore, as in a test's name: RE_017
	step     string // now, later, or waits:FEATURE
	group    string
	sentence string // what the case says
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
	cases []conformanceCase
	// known maps each id to its sentence.
	known   map[string]string
	pattern *regexp.Regexp
}

// parseList reads the list: id, step, group and sentence, separated by tabs; # starts a comment.
func parseList(text string) (*caseList, error) {
	l := &caseList{known: map[string]string{}}
	prefixes, said := map[string]bool{}, map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("line %d: want id, step, group and sentence, separated by tabs", i+1)
		}
		prefix, number, ok := strings.Cut(fields[0], "-")
		if !ok || len(number) != 3 {
			return nil, fmt.Errorf("line %d: %q is not an id like RE-017", i+1, fields[0])
		}
		c := conformanceCase{id: prefix + "_" + number, step: fields[1], group: fields[2], sentence: fields[3]}
		if !c.now() && c.step != "later" && c.waits() == "" {
			return nil, fmt.Errorf("line %d: unknown step %q", i+1, c.step)
		}
		if _, twice := l.known[c.id]; twice {
			return nil, fmt.Errorf("line %d: %s is listed twice", i+1, fields[0])
		}
		if err := sayable(c.sentence); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", i+1, fields[0], err)
		}
		if other := said[c.sentence]; other != "" {
			return nil, fmt.Errorf("line %d: %s says the same as %s: say how they differ", i+1, fields[0], other)
		}
		l.known[c.id], prefixes[prefix], said[c.sentence] = c.sentence, true, fields[0]
		l.cases = append(l.cases, c)
	}
	var alternatives []string
	for p := range prefixes {
		alternatives = append(alternatives, regexp.QuoteMeta(p))
	}
	l.pattern = regexp.MustCompile(`(?:^|[^A-Z0-9])((?:` + strings.Join(alternatives, "|") + `)_[0-9]{3})(?:[^0-9]|$)`)
	return l, nil
}

// sentenceMax is how long a sentence may be: it is part of a test's name.
const sentenceMax = 110

// sayable says what is wrong with a sentence: a test's name has it, where a slash begins a subtest.
func sayable(sentence string) error {
	switch {
	case len(strings.Fields(sentence)) < 3:
		return fmt.Errorf("%q is not a sentence: say the case in a few words", sentence)
	case len(sentence) > sentenceMax:
		return fmt.Errorf("a sentence of %d bytes is too long: say it in %d", len(sentence), sentenceMax)
	case strings.ContainsAny(sentence, "/\"`") || strings.TrimSpace(sentence) != sentence:
		return fmt.Errorf("%q cannot be in a test's name: leave out slashes, quotes and spaces around it", sentence)
	}
	return nil
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
