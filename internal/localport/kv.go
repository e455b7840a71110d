package localport

import (
	"strings"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/persistence"
)

// The bounds of a page of a key-value store. A page has at least one entry, even if that is larger.
const (
	kvPageEntries = 1000
	kvPageBytes   = 1 << 20
)

// KV implements api.Reader.
func (r *Reader) KV(q api.KVRequest, done func(api.KVValue, error)) {
	view(r, q.ID, func(r persistence.Reader) (api.KVValue, error) {
		iid, ok, err := r.Resolve(q.ID)
		if err != nil || !ok {
			return api.KVValue{}, err
		}
		e, ok, err := r.KV(iid, q.Key)
		return api.KVValue{Found: ok, Value: e.Value, UpdatedMs: e.UpdatedMs}, err
	}, done)
}

// kvCursor is in front of the key in a cursor: the empty text is the start, and the empty key a key.
const kvCursor = "k"

// KVList implements api.Reader.
func (r *Reader) KVList(q api.KVListRequest, done func(api.KVPage, error)) {
	var after *string
	if q.Cursor != "" {
		key, ok := strings.CutPrefix(q.Cursor, kvCursor)
		if !ok {
			done(api.KVPage{}, invalid("the cursor is not one of a key-value store"))
			return
		}
		after = &key
	}
	view(r, q.ID, func(r persistence.Reader) (page api.KVPage, err error) {
		iid, ok, err := r.Resolve(q.ID)
		if err != nil || !ok {
			return page, err
		}
		rows, err := r.KVList(iid, after, kvPageEntries, kvPageBytes)
		for _, e := range rows.Entries {
			page.Entries = append(page.Entries, api.KVEntry{Key: e.Key, Value: e.Value, UpdatedMs: e.UpdatedMs})
		}
		if rows.More {
			page.Next = kvCursor + page.Entries[len(page.Entries)-1].Key
		}
		return page, err
	}, done)
}
