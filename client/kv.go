package client

import (
	"context"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// KVEntry is an entry of an instance's key-value store.
type KVEntry struct {
	Key   string
	Value []byte
	// Updated is the time of the turn that set it last.
	Updated time.Time
}

// GetKV reads a value of an instance's key-value store ([turnstone.Context.KV]) as its last recorded turn left it, while the
// instance runs or after its end. ok is false if there is no such key, or no such instance. The error is a
// [turnstone.DecodeError] if the value is not a T.
func GetKV[T any](ctx context.Context, r *Reader, id, key string) (value T, ok bool, err error) {
	data, ok, err := r.KV(ctx, id, key)
	if err != nil || !ok {
		return value, false, err
	}
	if value, err = turnstone.DecodeValue[T](r.codec, data); err != nil {
		return value, true, &turnstone.DecodeError{What: "the value of key " + key, Err: err}
	}
	return value, true, nil
}

// KV is the untyped form of [GetKV]: the encoded value.
func (r *Reader) KV(ctx context.Context, id, key string) (value []byte, ok bool, err error) {
	v, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.KVValue, error)) {
		r.port.KV(api.KVRequest{ID: id, Key: key}, done)
	})
	return v.Value, v.Found, err
}

// KVList lists an instance's key-value store by key. A large store is read in pages, and a turn may be recorded between two
// of them. An instance that does not exist has no entries.
func (r *Reader) KVList(ctx context.Context, id string) (entries []KVEntry, err error) {
	q := api.KVListRequest{ID: id}
	for {
		page, err := ask(ctx, r.port, turnstone.ErrStopped, func(done func(api.KVPage, error)) { r.port.KVList(q, done) })
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			entries = append(entries, KVEntry{Key: e.Key, Value: e.Value, Updated: time.UnixMilli(e.UpdatedMs).UTC()})
		}
		if page.Next == "" {
			return entries, nil
		}
		q.Cursor = page.Next
	}
}
