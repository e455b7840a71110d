package turnstone_test

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// latest is the version that a name without one means; empty if there is none.
func latest(r *turnstone.Registry, name string) string {
	v, _, _ := registries.Orchestration(r, name, "")
	return v
}

func wantNames(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Errorf("names %v, want %v", got, want)
	}
}

func wantRefused(t *testing.T, text string, handlers ...turnstone.Handler) {
	t.Helper()
	if err := turnstone.NewRegistry().Register(handlers...); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}

// merged is a new registry that has what others have.
func merged(t *testing.T, others ...*turnstone.Registry) *turnstone.Registry {
	t.Helper()
	r := turnstone.NewRegistry()
	for _, o := range others {
		if err := r.Merge(o); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func add(t *testing.T, r *turnstone.Registry, handlers ...turnstone.Handler) *turnstone.Registry {
	t.Helper()
	if err := r.Register(handlers...); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegistryVersions(t *testing.T) {
	three := registryOf(t, at("A", "1.0.0"), at("A", "1.1.0"), at("A", "2.0.0"), at("B", "1.0.0"))
	t.Run("VER_011 an orchestration without a version is 1.0.0", func(t *testing.T) {
		plain := turnstone.NewOrchestration("Plain", func(*turnstone.Context, int) (int, error) { return 0, nil })
		wantNames(t, registryOf(t, plain).Versions("Plain"), "1.0.0")
	})
	t.Run("VER_012 all versions of a name are listed", func(t *testing.T) { wantNames(t, three.Versions("A"), "1.0.0", "1.1.0", "2.0.0") })
	t.Run("VER_051 versions are listed in ascending order", func(t *testing.T) {
		wantNames(t, registryOf(t, at("A", "1.2.0"), at("A", "1.10.0")).Versions("A"), "1.2.0", "1.10.0")
	})
	t.Run("VER_013 switching the policy switches what a name means", func(t *testing.T) {
		r := registryOf(t, at("A", "1.0.0"), at("A", "1.1.0"))
		var all []string
		for _, p := range []turnstone.VersionPolicy{turnstone.Latest, turnstone.Exact("1.0.0"), turnstone.Latest} {
			r.SetVersionPolicy("A", p)
			all = append(all, latest(r, "A"))
		}
		wantNames(t, all, "1.1.0", "1.0.0", "1.1.0")
	})
	t.Run("VER_017 an unknown version or name resolves to nothing", func(t *testing.T) {
		for name, version := range map[string]string{"A": "9.9.9", "C": "1.0.0"} {
			if _, _, ok := registries.Orchestration(three, name, version); ok {
				t.Errorf("%s@%s resolves", name, version)
			}
		}
	})
	t.Run("VER_043 a copied registry shares the version policy", func(t *testing.T) {
		r := registryOf(t, at("A", "1.0.0"), at("A", "2.0.0"))
		twin := registries.LoggingTo(r, slog.New(slog.DiscardHandler))
		r.SetVersionPolicy("A", turnstone.Exact("1.0.0"))
		if v := latest(twin, "A"); v != "1.0.0" {
			t.Errorf("the copy runs %s", v)
		}
	})
	t.Run("VER_045 a policy for a missing version resolves to nothing", func(t *testing.T) {
		r := registryOf(t, at("A", "1.0.0"))
		r.SetVersionPolicy("A", turnstone.Exact("3.0.0"))
		wantNames(t, []string{latest(r, "A")}, "")
	})
	t.Run("VER_046 the latest version is resolved", func(t *testing.T) { wantNames(t, []string{latest(three, "A")}, "2.0.0") })
	t.Run("VER_047 an exact version is resolved", func(t *testing.T) {
		r := registryOf(t, at("A", "1.0.0"), at("A", "2.0.0"))
		r.SetVersionPolicy("A", turnstone.Exact("1.0.0"))
		wantNames(t, []string{latest(r, "A")}, "1.0.0")
	})
	t.Run("VER_052 each name has its own policy", func(t *testing.T) {
		r := registryOf(t, at("A", "1.0.0"), at("A", "2.0.0"), at("B", "1.0.0"), at("B", "2.0.0"))
		r.SetVersionPolicy("A", turnstone.Exact("1.0.0"))
		wantNames(t, []string{latest(r, "A"), latest(r, "B")}, "1.0.0", "2.0.0")
	})
	t.Run("VER_032 a typed registration has its version", func(t *testing.T) {
		typed := turnstone.NewOrchestration("T", func(*turnstone.Context, Order) (Receipt, error) { return Receipt{}, nil },
			turnstone.WithVersion("2.0.0"))
		wantNames(t, registryOf(t, typed).Versions("T"), "2.0.0")
	})
	t.Run("VER_037 versions of an unknown name are none", func(t *testing.T) { wantNames(t, three.Versions("C")) })
}

func TestRegistryNames(t *testing.T) {
	t.Run("VER_014 a name that is registered twice is refused", func(t *testing.T) {
		plain := func() turnstone.Handler {
			return turnstone.NewOrchestration("A", func(*turnstone.Context, int) (int, error) { return 0, nil })
		}
		wantRefused(t, "duplicate orchestration registration: A@1.0.0", plain(), plain())
	})
	t.Run("VER_015 a version that is registered twice is refused", func(t *testing.T) {
		wantRefused(t, "duplicate orchestration registration: A@1.2.0", at("A", "1.2.0"), at("A", "1.2.0"))
	})
	t.Run("VER_016 a lower version behind a higher one is refused", func(t *testing.T) {
		wantRefused(t, "non-monotonic orchestration version", at("A", "2.0.0"), at("A", "1.1.0"))
	})
	t.Run("VER_027 an activity that is registered twice is refused", func(t *testing.T) {
		wantRefused(t, "duplicate activity registration: X", act("X"), act("X"))
	})
	t.Run("VER_029 an activity under a reserved prefix is refused", func(t *testing.T) {
		wantRefused(t, turnstone.ReservedPrefix, act(turnstone.ReservedPrefix+"mine"))
	})
	t.Run("VER_031 a reserved name is not for users", func(t *testing.T) {
		for _, name := range []string{"new_guid", "utc_now_ms", "get_kv_value"} {
			wantRefused(t, "reserved prefix", act(turnstone.ReservedPrefix+name))
		}
	})
	t.Run("VER_030 a registry without activities has the time and unique ids", func(t *testing.T) {
		d := newDriver(t, orchestration(func(ctx *turnstone.Context) ([]any, error) {
			return []any{len(ctx.NewGUID()), ctx.UTCNow().Equal(ctx.Now())}, nil
		}))
		wantNames(t, d.registry.Activities())
		d.run("O", "i", struct{}{}).completes(t, []any{36, true})
	})
	t.Run("VER_035 all names are listed", func(t *testing.T) {
		wantNames(t, registryOf(t, at("B", "1.0.0"), at("A", "1.0.0")).Orchestrations(), "A", "B")
	})
	t.Run("VER_036 a registry says what it has and how many", func(t *testing.T) {
		r := registryOf(t, at("A", "1.0.0"), at("B", "1.0.0"))
		if len(r.Orchestrations()) != 2 || len(r.Versions("A")) != 1 || len(r.Versions("C")) != 0 {
			t.Errorf("names %v", r.Orchestrations())
		}
	})
	t.Run("VER_038 names of activities are listed", func(t *testing.T) {
		wantNames(t, registryOf(t, act("Z"), act("X"), act("Y")).Activities(), "X", "Y", "Z")
	})
	t.Run("VER_039 a registry says which activities it has", func(t *testing.T) {
		r := registryOf(t, act("X"))
		_, has := registries.Activity(r, "X")
		if _, other := registries.Activity(r, "Y"); !has || other {
			t.Errorf("X %v, Y %v", has, other)
		}
	})
	t.Run("VER_040 a registry counts its activities", func(t *testing.T) {
		r := turnstone.NewRegistry()
		before := len(r.Activities())
		if add(t, r, act("X"), act("Y"), act("Z")); before != 0 || len(r.Activities()) != 3 {
			t.Errorf("%d, then %d", before, len(r.Activities()))
		}
	})
	for _, id := range []string{"VER_042 an empty registry has nothing", "VER_044 an empty registry that was built has nothing"} {
		t.Run(id, func(t *testing.T) {
			r := merged(t, turnstone.NewRegistry())
			_, activity := registries.Activity(r, "X")
			if latest(r, "A") != "" || activity || len(r.Orchestrations())+len(r.Activities())+len(r.Versions("A")) != 0 {
				t.Errorf("it has %v and %v", r.Orchestrations(), r.Activities())
			}
		})
	}
	for id, handler := range map[string]turnstone.Handler{
		"VER_048 an activity is 1.0.0": act("X"),
		"VER_049 a typed activity is 1.0.0": turnstone.NewActivity("X", func(_ turnstone.ActivityContext, n int) ([]string, error) {
			return nil, nil
		}),
	} {
		t.Run(id, func(t *testing.T) {
			if v := handler.Version(); v != "1.0.0" {
				t.Errorf("its version is %q", v)
			}
			if err := registryOf(t, handler).Register(act("X")); err == nil {
				t.Error("a second activity of its name is registered")
			}
		})
	}
	t.Run("VER_050 several registrations at once are all there", func(t *testing.T) {
		wantNames(t, registryOf(t, at("A", "1.0.0"), at("B", "1.0.0"), at("C", "1.0.0")).Orchestrations(), "A", "B", "C")
	})
}

func TestRegistriesTogether(t *testing.T) {
	orchestrations := func(names ...string) *turnstone.Registry {
		r := turnstone.NewRegistry()
		for _, n := range names {
			add(t, r, at(n, "1.0.0"))
		}
		return r
	}
	activities := func(names ...string) *turnstone.Registry {
		r := turnstone.NewRegistry()
		for _, n := range names {
			add(t, r, act(n))
		}
		return r
	}
	t.Run("VER_019 two registries of orchestrations are merged", func(t *testing.T) {
		wantNames(t, merged(t, orchestrations("A", "B"), orchestrations("C")).Orchestrations(), "A", "B", "C")
	})
	t.Run("VER_020 a registry that extends another leaves it as it was", func(t *testing.T) {
		base := orchestrations("A", "B")
		wantNames(t, add(t, merged(t, base), at("C", "1.0.0")).Orchestrations(), "A", "B", "C")
		wantNames(t, base.Orchestrations(), "A", "B")
	})
	t.Run("VER_021 registrations are chained", func(t *testing.T) {
		wantNames(t, add(t, add(t, orchestrations("A"), at("B", "1.0.0")), at("C", "1.0.0")).Orchestrations(), "A", "B", "C")
	})
	t.Run("VER_022 a merged registry takes further registrations", func(t *testing.T) {
		wantNames(t, add(t, merged(t, orchestrations("A"), orchestrations("B")), at("C", "1.0.0")).Orchestrations(), "A", "B", "C")
	})
	t.Run("VER_023 two registries of activities are merged", func(t *testing.T) {
		wantNames(t, merged(t, activities("X", "Y"), activities("Z")).Activities(), "X", "Y", "Z")
	})
	t.Run("VER_024 a registry of activities that extends another leaves it as it was", func(t *testing.T) {
		base := activities("X")
		wantNames(t, add(t, merged(t, base), act("Y")).Activities(), "X", "Y")
		wantNames(t, base.Activities(), "X")
	})
	t.Run("VER_025 registrations of activities are chained", func(t *testing.T) {
		wantNames(t, add(t, add(t, activities("X"), act("Y")), act("Z")).Activities(), "X", "Y", "Z")
	})
	t.Run("VER_026 a merged registry takes further activities", func(t *testing.T) {
		wantNames(t, add(t, merged(t, activities("X"), activities("Y")), act("Z")).Activities(), "X", "Y", "Z")
	})
	t.Run("VER_028 an activity that two merged registries have is refused", func(t *testing.T) {
		if err := activities("X").Merge(activities("X")); err == nil || !strings.Contains(err.Error(), "duplicate activity registration: X") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("VER_034 libraries with prefixed names are merged", func(t *testing.T) {
		wantNames(t, merged(t, orchestrations("a::Run", "a::Stop"), orchestrations("b::Run")).Orchestrations(), "a::Run", "a::Stop", "b::Run")
	})
	t.Run("VER_041 merging keeps every activity", func(t *testing.T) {
		r := merged(t, activities("a::X", "a::Y"), activities("b::X"))
		for _, name := range []string{"a::X", "a::Y", "b::X"} {
			if _, ok := registries.Activity(r, name); !ok {
				t.Errorf("%s is not there", name)
			}
		}
		wantNames(t, []string{fmt.Sprint(len(r.Activities()))}, "3")
	})
}
