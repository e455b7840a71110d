package clienttest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// shows commits a first turn that changes what the instance shows to others.
func (w *world) shows(id string, c persistence.CommitTurn) {
	w.t.Helper()
	w.start(id)
	head, _ := w.head(id)
	c.ID, c.IID, c.Execution, c.ConsumesStart, c.Outcome = id, head.IID, 1, true, persistence.OutcomeRunning
	c.Segment = w.segment(head, 1, &turnpb.Event{Id: 1, Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}})
	if r := w.propose(w.journal.PartitionOf(id), &c); r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

// The_custom_status_is_described with its version, and a listing leaves it out.
func (s suite) The_custom_status_is_described(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.shows("i", persistence.CommitTurn{Status: &persistence.StatusChange{Value: new("half")}})
	d, err := w.c.Describe(t.Context(), "i")
	if err != nil || d.CustomStatus == nil || *d.CustomStatus != "half" || d.CustomStatusVersion != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	w.shows("j", persistence.CommitTurn{Status: &persistence.StatusChange{}})
	if d, err = w.c.Describe(t.Context(), "j"); err != nil || d.CustomStatus != nil || d.CustomStatusVersion != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	page, err := w.c.List(t.Context(), client.ListRequest{})
	if err != nil || len(page.Instances) != 2 || page.Instances[0].CustomStatus != nil || page.Instances[1].CustomStatusVersion != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

// Values_are_read_and_listed by key, in pages that have a bound of bytes.
func (s suite) Values_are_read_and_listed(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	var c persistence.CommitTurn
	value := []byte(strings.Repeat("v", 16<<10))
	for i := range 100 {
		c.KV = append(c.KV, persistence.KVChange{Op: persistence.KVSet, Key: fmt.Sprintf("k%02d", 99-i), Value: value, UpdatedMs: 1000})
	}
	c.KV = append(c.KV, persistence.KVChange{Op: persistence.KVSet, Key: "", UpdatedMs: 2000})
	w.shows("i", c)
	all, err := w.c.KVList(t.Context(), "i")
	if err != nil || len(all) != 101 || all[0].Key != "" || all[0].Updated.UnixMilli() != 2000 {
		t.Fatalf("%d values, %v", len(all), err)
	}
	for i, e := range all[1:] {
		if e.Key != fmt.Sprintf("k%02d", i) || len(e.Value) != 16<<10 || e.Updated.UnixMilli() != 1000 {
			t.Errorf("value %d is %s of %v", i, e.Key, e.Updated)
		}
	}
	for key, want := range map[string]bool{"": true, "k50": true, "no": false} {
		value, ok, err := w.c.KV(t.Context(), "i", key)
		if ok != want || err != nil || want && (key == "") != (len(value) == 0) {
			t.Errorf("key %q: %d bytes, %v, %v", key, len(value), ok, err)
		}
	}
	none, err := w.c.KVList(t.Context(), "nobody")
	_, ok, err2 := w.c.KV(t.Context(), "nobody", "k")
	if len(none) != 0 || ok || err != nil || err2 != nil {
		t.Errorf("an unknown instance has %v, %v, %v, %v", none, ok, err, err2)
	}
}
