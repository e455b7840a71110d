package pebble

import (
	"bytes"

	"github.com/turnstone-dev/turnstone/persistence"
)

// The layers of a key-value store, as they are in keys: the base comes first.
const (
	layerBase    = 0
	layerCurrent = 1
)

func layerOf(current bool) byte {
	if current {
		return layerCurrent
	}
	return layerBase
}

func appendLayer(k []byte, p persistence.Partition, iid persistence.Incarnation, current bool) []byte {
	return append(appendInstance(k, p, famKV, iid), layerOf(current))
}

func appendKV(k []byte, p persistence.Partition, iid persistence.Incarnation, current bool, key string) []byte {
	return appendOrdered(appendLayer(k, p, iid, current), key)
}

// A string in an order-keeping encoding ends with orderedEnd; a zero byte in it is followed by orderedZero. So the keys of
// an instance lie in the order of their bytes, and none is a prefix of another.
var orderedEnd, orderedZero = []byte{0, 1}, []byte{0, 0xff}

func appendOrdered(k []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == 0 {
			k = append(k, orderedZero...)
			continue
		}
		k = append(k, s[i])
	}
	return append(k, orderedEnd...)
}

// ordered reads a string in the order-keeping encoding.
func (r *keyReader) ordered() string {
	var s []byte
	for r.err == nil {
		i := bytes.IndexByte(r.rest, 0)
		if i < 0 {
			r.err, r.rest = errKey, nil
			break
		}
		s = append(s, r.take(i)...)
		switch mark := r.take(2); {
		case bytes.Equal(mark, orderedEnd):
			return string(s)
		case bytes.Equal(mark, orderedZero):
			s = append(s, 0)
		default:
			r.err, r.rest = errKey, nil
		}
	}
	return ""
}

// kv reads a K key.
func (r *keyReader) kv() (item persistence.KVItem) {
	item.IID = r.iid()
	layer := r.take(1)
	if layer != nil && layer[0] > layerCurrent {
		r.err, r.rest = errKey, nil
	}
	item.Current = layer != nil && layer[0] == layerCurrent
	item.Key = r.ordered()
	return item
}
