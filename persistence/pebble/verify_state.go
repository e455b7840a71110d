package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// status compares the custom status with the head.
func (i *instanceCheck) status() {
	s, ok, err := i.v.r.CustomStatus(i.h.IID)
	if err == nil && (ok != (i.h.StatusVersion > 0) || s.Version != i.h.StatusVersion) {
		i.damage("its custom status is of version %d; the row has version %d", i.h.StatusVersion, s.Version)
	}
}

// cleanup compares what the head says of undo steps with history. A build that did not say it may have taken the last turn.
func (i *instanceCheck) cleanup() {
	c := i.h.Cleanup
	if c.Event > 0 && (c.Event != i.open.cleanup || c.Part > c.Event || i.h.Status != persistence.StatusRunning) {
		i.damage("it is %v, and its undo steps run since event %d, from part %d on; history has event %d", i.h.Status, c.Event, c.Part, i.open.cleanup)
	}
}

// kv compares the layers of the key-value store with the head.
func (i *instanceCheck) kv() {
	var base, bytes, current uint64
	i.rows(famKV, i.h.KVBase+i.h.KVCurrent, func(key []byte, k *keyReader, value []byte) {
		item, err := decodeKV(k.kv(), value)
		switch {
		case err != nil:
		case item.Current:
			current++
		case item.Cleared:
			i.v.damage(key, "a key of the base cannot be a cleared one")
		default:
			base++
			bytes += kvBytes(&item)
		}
	})
	if base != i.h.KVBase || bytes != i.h.KVBaseBytes || current != i.h.KVCurrent {
		i.damage("it counts %d keys of %d bytes that the execution began with, and %d changed ones; there are %d of %d, and %d",
			i.h.KVBase, i.h.KVBaseBytes, i.h.KVCurrent, base, bytes, current)
	}
	if i.h.KVCleared && i.h.KVBase == 0 {
		i.damage("all keys of an empty base are cleared")
	}
	if pending := i.h.Status == persistence.StatusPending; pending && (i.h.KVCurrent > 0 || i.h.KVCleared) {
		i.damage("an execution without turns has changed %d keys", i.h.KVCurrent)
	}
}
