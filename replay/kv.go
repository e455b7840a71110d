package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/system"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// NextKV returns the key-value store that an execution leaves to the next one: what it began with, changed by its history.
func NextKV(base map[string]KVEntry, history []Segment) map[string]KVEntry {
	next := maps.Clone(base)
	if next == nil {
		next = map[string]KVEntry{}
	}
	for _, s := range history {
		for _, e := range s.Events {
			switch k := e.GetKind().(type) {
			case *turnpb.Event_KeyValueSet:
				set := k.KeyValueSet
				next[set.GetKey()] = KVEntry{Value: set.GetValue(), UpdatedMs: set.GetLastUpdatedAtMs()}
			case *turnpb.Event_KeyValueCleared:
				delete(next, k.KeyValueCleared.GetKey())
			case *turnpb.Event_KeyValuesCleared:
				clear(next)
			}
		}
	}
	return next
}

// KVEntry is a value of the key-value store and when it was last set.
type KVEntry struct {
	Value     []byte
	UpdatedMs int64
}

// KVPair is one entry as Context.KVAll lists it.
type KVPair struct {
	Key       string
	Value     []byte
	UpdatedMs int64
}

// kvValue is an entry as this execution sees it. op is the change of this execution that made it, if one did: its
// event, when it is matched, has the time that rules.
type kvValue struct {
	KVEntry
	op *Future
}

// store gives the map that this execution may change; it starts as the snapshot of the end of the previous one.
func (m *Machine) store() map[string]kvValue {
	if m.kv == nil {
		m.kv = make(map[string]kvValue, len(m.cfg.KV))
		for k, v := range m.cfg.KV {
			m.kv[k] = kvValue{KVEntry: v}
		}
		m.kvBytes = m.baseBytes
	}
	return m.kv
}

// kvSize estimates what an entry takes in memory.
func kvSize(key string, value []byte) int { return 96 + len(key) + len(value) }

// put sets a key of the map, and drop removes it.
func (m *Machine) put(key string, v kvValue) {
	m.drop(key)
	m.kv[key] = v
	m.kvBytes += kvSize(key, v.Value)
}

func (m *Machine) drop(key string) {
	if v, ok := m.store()[key]; ok {
		delete(m.kv, key)
		m.kvBytes -= kvSize(key, v.Value)
	}
}

// KV returns the key-value store as the execution leaves it to the next one; nil if it is empty.
func (m *Machine) KV() map[string]KVEntry {
	if m.kv == nil {
		return m.cfg.KV
	}
	if len(m.kv) == 0 {
		return nil
	}
	all := make(map[string]KVEntry, len(m.kv))
	for k, v := range m.kv {
		all[k] = v.KVEntry
	}
	return all
}

// checkKey ends the turn if a key is too long. Any text is a key, the empty one too.
func (m *Machine) checkKey(key string) {
	checkText("key", key)
	m.checkLimit("key", len(key), m.cfg.Limits.IDBytes, "IDBytes")
}

// KVSet sets a key. It is visible to the code at once and to others when the turn is committed.
func (c *Context) KVSet(key string, value []byte) {
	m := c.m
	m.enter(c.co)
	m.checkKey(key)
	m.checkLimit(fmt.Sprintf("value of key %q", key), len(value), m.cfg.Limits.KVValueBytes, "KVValueBytes")
	if m.cleanup != nil {
		m.checkNewKey(key)
	}
	f := &Future{kind: opKVSet, name: key, input: bytes.Clone(value), fireAtMs: m.nowMs}
	m.put(key, kvValue{KVEntry{Value: f.input, UpdatedMs: m.nowMs}, f})
	m.emit(c.co, f)
}

// checkNewKey ends an undo step that adds a key to a full store. Unlike a turn's code, it is not judged by what it leaves: it
// may return before the turn ends, and others may have changed the store since.
func (m *Machine) checkNewKey(key string) {
	if _, ok := m.store()[key]; !ok && m.fresh && len(m.kv) >= m.cfg.Limits.KVKeys {
		m.failLimit(failureKeys(len(m.kv)+1, m.cfg.Limits.KVKeys))
		m.current.exit()
	}
}

func failureKeys(n, limit int) *turnpb.Failure {
	return failure.Limit(fmt.Sprintf("the key-value store has %d keys, the limit is %d keys;"+
		" clear some, or raise Config.Limits.KVKeys", n, limit))
}

// KVGet reads a key.
func (c *Context) KVGet(key string) ([]byte, bool) {
	m := c.m
	m.look(c.co)
	v, ok := m.store()[key]
	return bytes.Clone(v.Value), ok
}

// KVClear removes a key; it is recorded even if the key is absent.
func (c *Context) KVClear(key string) {
	m := c.m
	m.enter(c.co)
	m.checkKey(key)
	m.drop(key)
	m.emit(c.co, &Future{kind: opKVClear, name: key})
}

// KVClearAll removes every key.
func (c *Context) KVClearAll() {
	m := c.m
	m.enter(c.co)
	clear(m.store())
	m.kvBytes = 0
	m.emit(c.co, &Future{kind: opKVClearAll})
}

// KVKeys lists the keys, sorted.
func (c *Context) KVKeys() []string {
	c.m.look(c.co)
	return slices.Sorted(maps.Keys(c.m.store()))
}

// KVLen counts the keys.
func (c *Context) KVLen() int {
	c.m.look(c.co)
	return len(c.m.store())
}

// KVAll lists the entries, sorted by key.
func (c *Context) KVAll() []KVPair {
	keys := c.KVKeys()
	all := make([]KVPair, len(keys))
	for i, k := range keys {
		v := c.m.kv[k]
		all[i] = KVPair{Key: k, Value: bytes.Clone(v.Value), UpdatedMs: v.UpdatedMs}
	}
	return all
}

// KVPruneBefore clears every key that was last set before a time in milliseconds, in sorted order, and counts them.
func (c *Context) KVPruneBefore(cutoffMs int64) int {
	pruned := 0
	for _, k := range c.KVKeys() {
		if c.m.kv[k].UpdatedMs < cutoffMs {
			c.KVClear(k)
			pruned++
		}
	}
	return pruned
}

// KVFrom reads a key of another instance's store. The future gives the result of system.GetKV.
func (c *Context) KVFrom(instance, key string) *Future {
	m := c.m
	m.enter(c.co)
	m.checkReceiver(instance)
	m.checkKey(key)
	input, err := json.Marshal(system.KVRead{Instance: instance, Key: key})
	if err != nil {
		panic(err) // texts encode
	}
	return m.emit(c.co, &Future{kind: opActivity, name: system.GetKV, input: input})
}

// SetStatus sets the custom status that clients read; nil clears it. The last one of a turn counts.
func (c *Context) SetStatus(status *string) {
	m := c.m
	m.enter(c.co)
	f := &Future{kind: opStatus}
	if status != nil {
		checkText("custom status", *status)
		m.checkLimit("custom status", len(*status), m.cfg.Limits.PayloadBytes, "PayloadBytes")
		if m.cleanup != nil {
			m.checkLimit("custom status", len(*status), m.cfg.Limits.StatusBytes, "StatusBytes")
		}
		text := *status
		f.more = &details{status: &text}
	}
	m.status = f.details().status
	m.emit(c.co, f)
}

// Status is the custom status as the code last set it, or as the previous execution left it.
func (c *Context) Status() *string {
	c.m.enter(c.co)
	if c.m.status == nil {
		return nil
	}
	text := *c.m.status
	return &text
}

// checkState fails a turn that leaves more status or more keys than allowed. What is too much does not become state, except
// that undo steps find the keys as the code has left them. What the steps themselves set is checked where they set it.
func (m *Machine) checkState() {
	if m.fatal != nil || m.cleanup != nil {
		return
	}
	if s := m.d.Status; s != nil && s.Value != nil && len(*s.Value) > m.cfg.Limits.StatusBytes {
		m.failLimit(failureLimit("custom status", len(*s.Value), m.cfg.Limits.StatusBytes, "StatusBytes"))
		m.d.Status = nil
		return
	}
	set := slices.ContainsFunc(m.d.KV, func(c KVChange) bool { return c.Op == KVSet })
	if set && len(m.kv) > m.cfg.Limits.KVKeys {
		m.failLimit(failureKeys(len(m.kv), m.cfg.Limits.KVKeys))
		if !m.mayCompensate() {
			m.d.KV = nil
		}
	}
}
