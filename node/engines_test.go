package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

func TestEngineRanges(t *testing.T) {
	replays := func(t *testing.T, ranges []EngineRange, pins map[string]bool) {
		t.Helper()
		all, err := enginesOf("Config.Engines", ranges)
		if err != nil {
			t.Fatal(err)
		}
		for pin, want := range pins {
			if got := all.replays(pin); got != want {
				t.Errorf("%s replays %q: %v", all, pin, got)
			}
		}
	}
	t.Run("CAP_007 the usual range has this version", func(t *testing.T) {
		replays(t, nil, map[string]bool{EngineVersion: true, "0.0.1": true, "": true})
	})
	t.Run("CAP_008 the usual range has no later version", func(t *testing.T) {
		replays(t, nil, map[string]bool{"0.1.1": false, "99.0.0": false, "no version": false})
	})
	t.Run("every range counts, with both ends", func(t *testing.T) {
		replays(t, []EngineRange{{From: "0.1.0", To: "1.9.9"}, {From: "3.0.0", To: "3.0.0"}, {From: "5.0.0"}}, map[string]bool{
			"0.0.9": false, "0.1.0": true, "1.9.9": true, "1.10.0": false, "2.0.0": false, "3.0.0": true, "3.0.1": false, "5.0.0": true, "77.0.0": true,
		})
	})
	for _, c := range []struct {
		ranges []EngineRange
		says   string
	}{
		{[]EngineRange{{From: "2.0.0"}}, "Config.Engines is 2.0.0 and later, and leaves out this engine's own version " + EngineVersion},
		{[]EngineRange{{From: "one"}}, `the version "one" is not a semantic version`},
		{[]EngineRange{{To: EngineVersion}, {From: "2.0.0", To: "1.9.9"}}, "Config.Engines has the range 2.0.0 to 1.9.9, and its From is above its To"},
		{[]EngineRange{}, "Config.Engines is empty, but not nil"},
		{[]EngineRange{{}, {To: "1.0"}}, `the range 0.0.0 to 1.0: `},
	} {
		err := Config{Dir: "d", Engines: c.ranges}.Validate()
		if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v gives %v", c.ranges, err)
		}
	}
}
