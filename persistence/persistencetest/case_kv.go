package persistencetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnstone-dev/turnstone/persistence"
)

// kvCases are about the key-value store. What the conformance list calls a snapshot is KVBase.
func kvCases() []Case {
	return []Case{
		{"PV_179 a value that a turn sets is read by clients", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("counter", "42") })
			s.wantKV("a", "counter=42")
		}},
		{"PV_180 a later value replaces an earlier one", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "old") })
			s.turn("a", func(p *plan) { p.setKV("k", "new") })
			s.wantKV("a", "k=new")
		}},
		{"PV_181 a value that is cleared is gone", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.setKV("l", "w") })
			s.turn("a", func(p *plan) { p.clearKV("k") })
			s.wantKV("a", "l=w")
		}},
		{"PV_182 clearing all clears every key", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.setKV("l", "w") })
			s.turn("a", func(p *plan) { p.clearAllKV() })
			s.wantKV("a", "")
		}},
		{"PV_183 an unknown key is missing", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v") })
			s.noKV("a", "another")
		}},
		{"PV_184 the snapshot has the values of what completed", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("x", "10"); p.setKV("y", "20"); p.continueAsNew("a", "1.0.0") })
			s.wantBase("a", "x=10 y=20")
			s.turn("b", func(p *plan) { p.setKV("x", "10"); p.setKV("y", "20"); p.complete(persistence.Link{}) })
			s.wantKV("b", "x=10 y=20") // and an end leaves both layers: a later execution would merge them at its start
			s.wantBase("b", "")
		}},
		{"PV_185 the snapshot lacks a key that was cleared", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("x", "10"); p.setKV("y", "20"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.clearKV("x"); p.continueAsNew("a", "1.0.0") })
			s.wantBase("a", "y=20")
		}},
		{"PV_186 the snapshot is empty after a clear of all", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("x", "10"); p.setKV("y", "20"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.clearAllKV(); p.continueAsNew("a", "1.0.0") })
			s.wantBase("a", "")
			s.wantKV("a", "")
		}},
		{"PV_188 a value written again in a later execution is the later one", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v1"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("k", "v2") })
			s.wantKV("a", "k=v2")
		}},
		{"PV_189 a value that was cleared may be set again", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "exec1"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.clearKV("k"); p.continueAsNew("a", "1.0.0") })
			s.wantKV("a", "")
			s.turn("a", func(p *plan) { p.setKV("k", "exec3"); p.complete(persistence.Link{}) })
			s.wantKV("a", "k=exec3")
		}},
		{"PV_192 two instances have keys of their own", kvOfTwo},
		{"PV_193 deleting an instance deletes its values", kvDeleted},
		{"PV_194 clearing a key that is not set is no error", func(s *story) {
			s.turn("a", func(p *plan) { p.clearKV("never") })
			s.turn("a", func(p *plan) { p.clearAllKV(); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.clearKV("never") })
			s.wantKV("a", "")
		}},
		{"PV_195 reading of an unknown instance gives nothing and no error", func(s *story) {
			s.view(0, func(r persistence.Reader) error {
				_, ok, err := r.KV(999, "k")
				page, err1 := r.KVList(999, nil, 10, 0)
				base, err2 := r.KVBase(999)
				if ok || len(page.Entries)+len(base) > 0 || err != nil || err1 != nil || err2 != nil {
					s.Errorf("an unknown instance has %v, %+v, %+v, %v, %v, %v", ok, page, base, err, err1, err2)
				}
				return nil
			})
		}},
		{"PV_196 a clear of all and a set in one turn leave the new key", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("old", "1"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("mine", "2"); p.clearAllKV(); p.setKV("new", "3") })
			s.wantKV("a", "new=3")
		}},
		{"PV_197 an empty value is present", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "") })
			s.wantKV("a", "k=")
		}},
		{"PV_198 a value of 16 KiB comes back whole", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", strings.Repeat("x", 16<<10)) })
			s.wantKV("a", "k="+strings.Repeat("x", 16<<10))
		}},
		{"PV_199 any text is a key", kvKeys},
	}
}

// kvLayerCases are about the two layers of a store.
func kvLayerCases() []Case {
	return []Case{
		{"PV_200 the snapshot of a new instance is empty", func(s *story) {
			s.start("a")
			s.wantBase("a", "")
			s.turn("a", func(p *plan) { p.note("first") })
			s.wantBase("a", "")
		}},
		{"PV_201 the snapshot has what earlier executions wrote and nothing of this one", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("A", "1"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("B", "2") })
			s.wantBase("a", "A=1")
		}},
		{"PV_203 deleting a parent deletes its children's values", kvOfChildDeleted},
		{"PV_204 clearing all of one instance leaves another's", func(s *story) {
			s.turn("A", func(p *plan) { p.setKV("k", "1"); p.continueAsNew("A", "1.0.0") })
			s.turn("B", func(p *plan) { p.setKV("k", "2"); p.continueAsNew("B", "1.0.0") })
			s.turn("A", func(p *plan) { p.clearAllKV() })
			s.wantKV("A", "")
			s.wantKV("B", "k=2")
		}},
		{"PV_206 the snapshot has the values of the execution before", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.continueAsNew("a", "1.0.0") })
			s.wantBase("a", "k=v")
			s.wantKV("a", "k=v")
		}},
		{"PV_207 a client's read puts this execution's values over the stored ones", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("color", "red"); p.setKV("size", "large"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("color", "blue"); p.setKV("shape", "circle") })
			s.wantKV("a", "color=blue shape=circle size=large")
			s.wantBase("a", "color=red size=large")
		}},
		{"PV_208 a clear of this execution hides a stored value from clients", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.setKV("l", "w"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.clearKV("k") })
			s.wantKV("a", "l=w")
			s.noKV("a", "k")
		}},
		{"PV_209 a clear of all hides stored values, and later ones are seen", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.setKV("l", "w"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.clearAllKV() })
			s.turn("a", func(p *plan) { p.setKV("m", "x"); p.clearKV("k") })
			s.wantKV("a", "m=x")
			s.turn("a", func(p *plan) { p.continueAsNew("a", "1.0.0") })
			s.wantBase("a", "m=x")
		}},
		{"PV_210 the values of what completes are stored", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("k", "w"); p.complete(persistence.Link{}) })
			s.reopen()
			s.wantKV("a", "k=w")
		}},
		{"PV_211 continuing as new stores the latest values", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("progress", "50%"); p.setKV("version", "1") })
			s.turn("a", func(p *plan) { p.setKV("progress", "100%"); p.continueAsNew("a", "1.0.0") })
			s.wantBase("a", "progress=100% version=1")
		}},
		{"KIT_081 a terminated instance keeps its values and its status", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.setStatus("half"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("l", "w") })
			must(s, s.terminate("a"))
			s.wantKV("a", "k=v l=w")
			s.wantStatus("a", "half", 1)
		}},
		{"KIT_082 a turn that is refused changes no value", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v") })
			head, _ := s.head("a")
			p := newPlan(head, s.nowMs)
			p.setKV("k", "another")
			p.setStatus("no")
			p.commit.ConsumedInbox = []uint64{99}
			s.refused(s.do("a", p.build()).Err, persistence.ErrStale, "a row that is not there")
			bad := newPlan(head, s.nowMs)
			bad.setKV("k", "another")
			bad.commit.KV[0].Op = 9
			s.refused(s.do("a", bad.build()).Err, persistence.ErrConflict, "a change of an unknown kind")
			s.wantKV("a", "k=v")
			s.wantStatus("a", "", 0)
		}},
		{"KIT_083 values are listed by key, in pages of so many entries and bytes", kvPages},
		{"KIT_084 values survive a crash, in both layers", func(s *story) {
			s.turn("a", func(p *plan) { p.setKV("k", "v"); p.setKV("l", "w"); p.continueAsNew("a", "1.0.0") })
			s.turn("a", func(p *plan) { p.setKV("m", "x"); p.clearKV("k") })
			s.crash()
			s.wantBase("a", "k=v l=w")
			s.wantKV("a", "l=w m=x")
		}},
	}
}

// kvOf reads a store as others see it, or what its execution began with, as text.
func (s *story) kvOf(id string, read func(persistence.Reader, persistence.Incarnation) ([]persistence.KVEntry, error)) string {
	s.Helper()
	var texts []string
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		iid, _, err := r.Resolve(id)
		if err != nil {
			return err
		}
		entries, err := read(r, iid)
		for _, e := range entries {
			texts = append(texts, e.Key+"="+string(e.Value))
			if e.UpdatedMs != s.nowMs {
				s.Errorf("key %q of %s was set at %d, want %d", e.Key, id, e.UpdatedMs, s.nowMs)
			}
		}
		return err
	})
	return strings.Join(texts, " ")
}

// wantKV compares a store as others see it, listed and key by key.
func (s *story) wantKV(id, want string) {
	s.Helper()
	got := s.kvOf(id, func(r persistence.Reader, iid persistence.Incarnation) ([]persistence.KVEntry, error) {
		page, err := r.KVList(iid, nil, 1000, 0)
		for _, e := range page.Entries {
			one, ok, err := r.KV(iid, e.Key)
			if !ok || err != nil || string(one.Value) != string(e.Value) || one.UpdatedMs != e.UpdatedMs {
				s.Errorf("key %q of %s is listed as %+v and read as %+v, %v, %v", e.Key, id, e, one, ok, err)
			}
		}
		return page.Entries, err
	})
	if got != want {
		s.Errorf("the values of %s are %.200q, want %.200q", id, got, want)
	}
}

// wantBase compares what an execution began with.
func (s *story) wantBase(id, want string) {
	s.Helper()
	if got := s.kvOf(id, persistence.Reader.KVBase); got != want {
		s.Errorf("the execution of %s began with %q, want %q", id, got, want)
	}
}

// noKV says that others see no such key.
func (s *story) noKV(id, key string) {
	s.Helper()
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		iid, _, err := r.Resolve(id)
		if err != nil {
			return err
		}
		entry, ok, err := r.KV(iid, key)
		if ok {
			s.Errorf("%s has the key %q: %+v", id, key, entry)
		}
		return err
	})
}

func kvOfTwo(s *story) {
	s.turn("a", func(p *plan) { p.setKV("k", "1") })
	s.turn("b", func(p *plan) { p.setKV("k", "2") })
	s.wantKV("a", "k=1")
	s.wantKV("b", "k=2")
}

// kvDeleted: an instance is deleted when another takes its id.
func kvDeleted(s *story) {
	s.turn("a", func(p *plan) { p.setKV("k", "1"); p.continueAsNew("a", "1.0.0") })
	s.turn("a", func(p *plan) { p.setKV("l", "2"); p.complete(persistence.Link{}) })
	s.must("a", &persistence.StartInstance{ID: "a", Name: "a", Reuse: persistence.AllowIfTerminal})
	s.wantKV("a", "")
	if d := s.dumpOf("a"); len(d.KV) != 0 {
		s.Errorf("the deleted instance has left %+v", d.KV)
	}
}

func kvOfChildDeleted(s *story) {
	const child = "a::sub::2"
	s.turn("a", func(p *plan) { p.child(child, "child", "1.0.0"); p.setKV("k", "parent's") })
	s.turn(child, func(p *plan) { p.setKV("k", "child's"); p.complete(persistence.Link{}) })
	s.wantKV(child, "k=child's")
	s.turn("a", func(p *plan) { p.complete(persistence.Link{}) })
	s.must("a", &persistence.StartInstance{ID: "a", Name: "a", Reuse: persistence.AllowIfTerminal})
	if d := s.dumpOf("a"); len(d.KV) != 0 {
		s.Errorf("the deleted tree has left %+v", d.KV)
	}
}

func kvKeys(s *story) {
	keys := []string{"", "a", "a b", "a\x00", "a\x00b", "a\x01", "a.b/c", "ab", strings.Repeat("k", 256), "grüße", "日本", "🙂"}
	slices.Sort(keys)
	var want []string
	s.turn("a", func(p *plan) {
		for i, key := range keys {
			p.setKV(key, fmt.Sprint(i))
			want = append(want, fmt.Sprint(key, "=", i))
		}
	})
	s.wantKV("a", strings.Join(want, " "))
	s.turn("a", func(p *plan) { p.continueAsNew("a", "1.0.0") })
	s.wantBase("a", strings.Join(want, " "))
}

func kvPages(s *story) {
	s.turn("a", func(p *plan) {
		for i := range 10 {
			p.setKV(fmt.Sprint("k", i), "base")
		}
		p.continueAsNew("a", "1.0.0")
	})
	s.turn("a", func(p *plan) {
		for i := range 5 {
			p.setKV(fmt.Sprint("k", 2*i), "curr")
			p.setKV(fmt.Sprint("k", i, "x"), "curr")
		}
		p.clearKV("k3")
	})
	for _, bounds := range [][2]int{{1, 0}, {4, 0}, {100, 1}, {100, 13}, {100, 0}} {
		var keys []string
		s.view(s.store.Journal().PartitionOf("a"), func(r persistence.Reader) error {
			iid, _, err := r.Resolve("a")
			var after *string
			for more := true; more && err == nil; {
				var page persistence.KVPage
				page, err = r.KVList(iid, after, bounds[0], bounds[1])
				size := 0
				for _, e := range page.Entries {
					keys, size = append(keys, e.Key), size+len(e.Key)+len(e.Value)
				}
				n := len(page.Entries)
				if n == 0 || n > bounds[0] || n > 1 && bounds[1] > 0 && size > bounds[1] {
					s.Fatalf("a page of at most %v has %d entries of %d bytes", bounds, n, size)
				}
				more, after = page.More, &keys[len(keys)-1]
			}
			return err
		})
		if got := strings.Join(keys, " "); got != "k0 k0x k1 k1x k2 k2x k3x k4 k4x k5 k6 k7 k8 k9" {
			s.Errorf("with pages of %v the keys are %s", bounds, got)
		}
	}
}
