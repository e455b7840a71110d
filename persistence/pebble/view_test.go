package pebble

import (
	"errors"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF14_a_load_does_not_wait_behind_views has clients read with all goroutines that serve them, and more in line.
func TestF14_a_load_does_not_wait_behind_views(t *testing.T) {
	const readers = 2
	s := live(t, Options{Partitions: 1, Tuning: Tuning{Readers: readers, ViewsMax: 2 * readers}})
	reading, leave := make(chan struct{}), make(chan struct{})
	viewed := make(chan error, 3*readers)
	view := func() {
		s.View(0, func(persistence.Reader) error {
			reading <- struct{}{}
			<-leave
			return nil
		}, func(err error) { viewed <- err })
	}
	for range readers {
		view()
		<-reading
	}
	for range 2 * readers {
		view()
	}
	full := make(chan error, 1)
	s.View(0, func(persistence.Reader) error { return nil }, func(err error) { full <- err })
	if err := <-full; !errors.Is(err, persistence.ErrBusy) {
		t.Errorf("one more view than may wait: %v", err)
	}
	loaded := make(chan error, 1)
	for range 4 * readers {
		s.Load(0, func(r persistence.Reader) error { _, err := r.Partition(); return err }, func(err error) { loaded <- err })
		if err := <-loaded; err != nil {
			t.Errorf("a load beside them: %v", err)
		}
	}
	close(leave)
	for range 2 * readers {
		<-reading
	}
	for range 3 * readers {
		if err := <-viewed; err != nil {
			t.Error(err)
		}
	}
}

// A store that is driven by hand serves the reads of both kinds in the order in which they came.
func TestReadsOfAManualStoreKeepTheirOrder(t *testing.T) {
	r := newRig(t, Options{Partitions: 1})
	var got []int
	for i := range 6 {
		ask := r.s.Load
		if i%3 == 0 {
			ask = r.s.View
		}
		ask(0, func(persistence.Reader) error { got = append(got, i); return nil }, func(error) {})
	}
	for r.s.Step(StepView) {
	}
	if len(got) != 6 {
		t.Fatalf("%v", got)
	}
	for i, n := range got {
		if i != n {
			t.Fatalf("%v", got)
		}
	}
}
