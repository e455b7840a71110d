package pebble

import (
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestScanFindsHiddenInboxRowsAfterAReopen puts messages into inboxes that are hidden until a time. What a dispatcher
// reads after a reopen names each instance, with the time at which the first of its messages can be seen.
func TestScanFindsHiddenInboxRowsAfterAReopen(t *testing.T) {
	r := newRig(t, Options{Partitions: 1})
	r.begin()
	inboxes := map[string][]int64{ // by id: the time of each message
		"a only hidden":          {5000},
		"b hidden, then visible": {9000, 0, 7000},
		"c visible, then hidden": {0, 6000},
		"d hidden for less":      {9000, 6000, 8000, 6000},
		"e empty":                {},
		"f visible":              {0, 0},
		"g hidden at the end":    {9000, 3000},
	}
	var ids []string
	for id := range inboxes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	iids := map[string]persistence.Incarnation{}
	for _, id := range ids {
		iids[id] = r.ok(0, &persistence.StartInstance{ID: id, Name: "o"}).IID
		for _, at := range inboxes[id] {
			r.ok(0, &persistence.Enqueue{ID: id, Message: []byte(id), NotBeforeMs: at})
		}
	}
	must(t, r.s.Close())
	r.open(Options{Dir: "store", FS: r.fs, Manual: true})
	want := []persistence.InboxEffect{
		{ID: "a only hidden", Seq: 1, NotBeforeMs: 5000}, {ID: "b hidden, then visible", Seq: 2},
		{ID: "c visible, then hidden", Seq: 1}, {ID: "d hidden for less", Seq: 2, NotBeforeMs: 6000},
		{ID: "f visible", Seq: 1}, {ID: "g hidden at the end", Seq: 2, NotBeforeMs: 3000},
	}
	for i := range want {
		want[i].IID = iids[want[i].ID]
	}
	for limit := range len(want) + 2 {
		var found, page []persistence.InboxEffect
		after := persistence.Incarnation(0)
		for pages := 0; pages == 0 || len(page) > 0 && pages < 10; pages++ {
			r.s.View(0, func(rd persistence.Reader) (err error) {
				page, err = rd.ScanInbox(after, limit)
				return err
			}, func(err error) { must(t, err) })
			r.run()
			if found = append(found, page...); len(page) > limit {
				t.Errorf("a page of %d: %+v", limit, page)
			}
			if len(page) > 0 {
				after = page[len(page)-1].IID
			}
		}
		if expected := want[:min(len(want), limit*len(want))]; !slices.Equal(found, expected) {
			t.Errorf("pages of %d:\n%+v\nwant\n%+v", limit, found, expected)
		}
	}
}
