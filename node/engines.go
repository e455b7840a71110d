package node

import (
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/turnstone-dev/turnstone"
)

// EngineVersion is the version of this engine. An execution that begins here is pinned to it: only a runtime whose ranges
// have the version goes on with it. By default that is each of this engine or a later one.
const EngineVersion = "0.1.0"

// EngineRange is a range of engine versions, with both ends. An empty From is the lowest version that there is; an empty To
// has no end. The zero value is every version.
type EngineRange struct{ From, To string }

// String is the range as it is logged.
func (r EngineRange) String() string {
	from, to := r.From, r.To
	if from == "" {
		from = "0.0.0"
	}
	if to == "" {
		return from + " and later"
	}
	return from + " to " + to
}

var engineVersion = semver.MustParse(EngineVersion)

// engines are the engine versions whose executions a runtime may replay.
type engines []engineRange

type engineRange struct {
	EngineRange
	from, to *semver.Version // nil is open
}

// String is the ranges as they are logged.
func (e engines) String() string {
	texts := make([]string, len(e))
	for i, r := range e {
		texts[i] = r.EngineRange.String()
	}
	return strings.Join(texts, ", ")
}

// enginesOf reads ranges; nil ends at this engine.
func enginesOf(field string, ranges []EngineRange) (engines, error) {
	switch {
	case ranges == nil:
		ranges = []EngineRange{{To: EngineVersion}}
	case len(ranges) == 0:
		return nil, invalid("%s is empty, but not nil: it has no version; name a range, or leave it nil for the default", field)
	}
	var all engines
	for _, r := range ranges {
		var bounds [2]*semver.Version
		for i, text := range []string{r.From, r.To} {
			if text == "" {
				continue
			}
			number, err := semver.StrictNewVersion(text)
			if err != nil {
				return nil, invalid("%s has the range %s: %w", field, r, &turnstone.VersionError{Text: text})
			}
			bounds[i] = number
		}
		if from, to := bounds[0], bounds[1]; from != nil && to != nil && from.GreaterThan(to) {
			return nil, invalid("%s has the range %s, and its From is above its To", field, r)
		}
		all = append(all, engineRange{r, bounds[0], bounds[1]})
	}
	if !all.have(engineVersion) {
		return nil, invalid("%s is %s, and leaves out this engine's own version %s: the runtime could not go on with what it begins",
			field, all, EngineVersion)
	}
	return all, nil
}

// replays reports whether an execution with this pin may be replayed. One without a pin always may, and so may one of this
// engine. A pin that is no version is of an engine that this one does not know.
func (e engines) replays(pin string) bool {
	if pin == "" || pin == EngineVersion {
		return true
	}
	v, err := semver.NewVersion(pin)
	return err == nil && e.have(v)
}

// have reports whether one of the ranges has a version.
func (e engines) have(v *semver.Version) bool {
	for _, r := range e {
		if (r.from == nil || !v.LessThan(r.from)) && (r.to == nil || !v.GreaterThan(r.to)) {
			return true
		}
	}
	return false
}
