package persistencetest

import "github.com/turnstone-dev/turnstone/persistence"

// statusCases are about the custom status.
func statusCases() []Case {
	return []Case{
		{"PV_080 a custom status is version 1 once it is set", statusSet},
		{"PV_081 clearing a custom status raises its version", statusReset},
		{"PV_082 a turn without a status leaves it as it was", statusUntouched},
		{"PV_083 each set and clear of a status raises its version", statusVersions},
		{"PV_084 a status that the caller has seen is not given again", statusSeen},
		{"PV_085 an unknown instance has no status", statusUnknown},
		{"PV_086 a new instance has no status", statusNew},
		{"KIT_080 a status survives continue-as-new, the end and a reopening, and goes with its instance", statusLife},
	}
}

// turn commits the next turn of an instance with what plan adds to it.
func (s *story) turn(id string, add func(p *plan)) {
	s.Helper()
	head, ok := s.head(id)
	if !ok {
		s.start(id)
		head, _ = s.head(id)
	}
	p := newPlan(head, s.nowMs)
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		start, ok, err := r.Start(head.IID, head.Execution)
		if ok {
			p.takeStart(start)
		}
		return err
	})
	add(p)
	s.must(id, p.build())
}

// wantStatus compares the custom status that a reader gets; "" is none.
func (s *story) wantStatus(id, want string, version uint64) {
	s.Helper()
	var got persistence.CustomStatus
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		iid, _, err := r.Resolve(id)
		if err != nil {
			return err
		}
		var ok bool
		got, ok, err = r.CustomStatus(iid)
		if ok != (version > 0) {
			s.Errorf("%s: there is a status: %v, want version %d", id, ok, version)
		}
		return err
	})
	if text := textOrDash(got.Value); got.Version != version || text != textOrDash(textOrNil(want)) {
		s.Errorf("the status of %s is %s, version %d; want %q, version %d", id, text, got.Version, want, version)
	}
	if head, ok := s.head(id); ok && head.StatusVersion != version {
		s.Errorf("the head of %s says version %d, want %d", id, head.StatusVersion, version)
	}
}

// textOrNil is a text that is there, or nil for the empty one.
func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func statusSet(s *story) {
	s.turn("a", func(p *plan) { p.setStatus("progress") })
	s.wantStatus("a", "progress", 1)
}

func statusReset(s *story) {
	s.turn("a", func(p *plan) { p.setStatus("progress") })
	s.turn("a", func(p *plan) { p.resetStatus() })
	s.wantStatus("a", "", 2)
}

func statusUntouched(s *story) {
	s.turn("a", func(p *plan) { p.setStatus("keep-me") })
	s.turn("a", func(p *plan) { p.note("nothing of it") })
	s.wantStatus("a", "keep-me", 1)
}

func statusVersions(s *story) {
	for i, change := range []func(p *plan){
		func(p *plan) { p.setStatus("one") },
		func(p *plan) { p.setStatus("one"); p.setStatus("two") }, // the last one of a turn counts, once
		func(p *plan) { p.resetStatus() },
	} {
		s.turn("a", change)
		s.wantStatus("a", []string{"one", "two", ""}[i], uint64(i+1))
	}
}

// statusSeen: the version in the head tells a reader whether there is something new.
func statusSeen(s *story) {
	s.turn("a", func(p *plan) { p.setStatus("progress") })
	seen, _ := s.head("a")
	s.turn("a", func(p *plan) { p.note("nothing of it") })
	if head, _ := s.head("a"); head.StatusVersion != seen.StatusVersion {
		s.Errorf("version %d became %d, and nothing has changed", seen.StatusVersion, head.StatusVersion)
	}
	s.turn("a", func(p *plan) { p.setStatus("progress") })
	if head, _ := s.head("a"); head.StatusVersion != seen.StatusVersion+1 {
		s.Errorf("version %d became %d, want one more", seen.StatusVersion, head.StatusVersion)
	}
}

func statusUnknown(s *story) {
	s.view(0, func(r persistence.Reader) error {
		status, ok, err := r.CustomStatus(999)
		if ok || status.Value != nil {
			s.Errorf("an unknown instance has the status %+v", status)
		}
		return err
	})
}

func statusNew(s *story) {
	s.start("a")
	s.wantStatus("a", "", 0)
	s.turn("a", func(p *plan) { p.note("first") })
	s.wantStatus("a", "", 0)
}

func statusLife(s *story) {
	s.turn("a", func(p *plan) { p.setStatus("one"); p.continueAsNew("a", "1.0.0") })
	s.wantStatus("a", "one", 1)
	s.turn("a", func(p *plan) { p.note("second execution") })
	s.wantStatus("a", "one", 1)
	s.turn("a", func(p *plan) { p.setStatus("two"); p.fail(persistence.Link{}) })
	s.wantStatus("a", "two", 2)
	s.reopen()
	s.wantStatus("a", "two", 2)
	s.must("a", &persistence.StartInstance{ID: "a", Name: "a", Reuse: persistence.AllowIfTerminal})
	s.wantStatus("a", "", 0)
	if d := s.dumpOf("a"); len(d.Statuses) != 0 {
		s.Errorf("the deleted instance has left %+v", d.Statuses)
	}
}
