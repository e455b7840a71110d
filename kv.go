package turnstone

import (
	"encoding/json"
	"time"

	"github.com/turnstone-dev/turnstone/internal/system"
	"github.com/turnstone-dev/turnstone/replay"
)

// KV is the key-value store of the instance: values that its code keeps and that others can read. What the code sets it sees
// at once; others see it when the turn is recorded. It outlives continue-as-new and the end of the instance, and goes with
// it. A key is any text of 0 to 256 bytes. It costs no commit of its own. See [SetKV] and [GetKV] for typed values.
type KV struct{ rc *replay.Context }

// KV returns the key-value store of the instance.
func (c *Context) KV() KV {
	c.rc.Look()
	return KV{c.rc}
}

// KVEntry is an entry of a store.
type KVEntry struct {
	Key   string
	Value []byte
	// Updated is the recorded time of the turn that set it last.
	Updated time.Time
}

// Set sets a key to encoded bytes, which are copied.
func (kv KV) Set(key string, value []byte) { kv.rc.KVSet(key, value) }

// Get returns the encoded value of a key.
func (kv KV) Get(key string) (value []byte, ok bool) { return kv.rc.KVGet(key) }

// Clear removes a key, if it is there.
func (kv KV) Clear(key string) { kv.rc.KVClear(key) }

// ClearAll removes every key.
func (kv KV) ClearAll() { kv.rc.KVClearAll() }

// Keys returns the keys, sorted.
func (kv KV) Keys() []string { return kv.rc.KVKeys() }

// Len returns how many keys there are.
func (kv KV) Len() int { return kv.rc.KVLen() }

// All returns the entries, sorted by key.
func (kv KV) All() []KVEntry {
	pairs := kv.rc.KVAll()
	all := make([]KVEntry, len(pairs))
	for i, p := range pairs {
		all[i] = KVEntry{Key: p.Key, Value: p.Value, Updated: time.UnixMilli(p.UpdatedMs).UTC()}
	}
	return all
}

// PruneBefore removes every key that was last set before a time, at a resolution of 1 ms, and returns how many it has
// removed. The recorded times of the turns count, so a replay removes the same.
func (kv KV) PruneBefore(cutoff time.Time) int { return kv.rc.KVPruneBefore(cutoff.UnixMilli()) }

// SetKV sets a key of the instance's key-value store. A value that the codec refuses panics.
func SetKV[T any](ctx *Context, key string, value T) {
	ctx.rc.KVSet(key, encodeFor(ctx, "the value of key "+key, value))
}

// GetKV returns the value of a key of the instance's key-value store; ok is false if there is no such key. The error is a
// [DecodeError] if the value is not a T, and a warning is logged. Code that read it and is changed to a type that cannot is held.
func GetKV[T any](ctx *Context, key string) (value T, ok bool, err error) {
	data, ok := ctx.rc.KVGet(key)
	if !ok {
		return value, false, nil
	}
	value, err = decodeFor[T](ctx.rc, ctx.env.codec, "the value of key "+key, data)
	return value, true, err
}

// GetKVFrom reads a key of another instance's key-value store, as that one's last recorded turn left it when the read is
// carried out. Any node does so, with or without activities of its own; what was read is recorded. The future's value is nil
// if there is no such key, or no such instance. It fails with a [DecodeError] if the value is not a T.
func GetKVFrom[T any](ctx *Context, instance, key string) *Future[*T] {
	codec := ctx.env.codec
	return readKV(ctx, instance, key, func(rf *replay.Future, data []byte) (*T, error) {
		value, err := decodeFor[T](rf, codec, "the value of key "+key+" of instance "+instance, data)
		if err != nil {
			return nil, err
		}
		return &value, nil
	})
}

// GetKVFrom is the untyped form of [GetKVFrom]: its future's value points to the encoded value.
func (c *Context) GetKVFrom(instance, key string) *Future[*[]byte] {
	return readKV(c, instance, key, func(_ *replay.Future, data []byte) (*[]byte, error) { return &data, nil })
}

func readKV[T any](c *Context, instance, key string, read func(*replay.Future, []byte) (*T, error)) *Future[*T] {
	rf := c.rc.KVFrom(instance, key)
	return &Future[*T]{
		rf: rf,
		read: func(v any) (*T, error) {
			data, _ := v.([]byte)
			var found *system.KVFound
			if err := json.Unmarshal(data, &found); err != nil {
				return nil, &DecodeError{What: "what was read of instance " + instance, Err: err}
			}
			if found == nil {
				return nil, nil
			}
			return read(rf, found.Value)
		},
		codec: c.env.codec,
	}
}
