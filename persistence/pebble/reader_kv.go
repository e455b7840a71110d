package pebble

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// KV implements persistence.Reader.
func (r *reader) KV(iid persistence.Incarnation, key string) (entry persistence.KVEntry, ok bool, err error) {
	head, ok, err := r.Head(iid)
	if err != nil || !ok {
		return entry, false, err
	}
	if head.KVCurrent > 0 {
		item, there, err := r.kvItem(iid, true, key)
		if err != nil || there {
			return item.KVEntry, there && !item.Cleared, err
		}
	}
	if head.KVBase == 0 || head.KVCleared {
		return entry, false, nil
	}
	item, ok, err := r.kvItem(iid, false, key)
	return item.KVEntry, ok, err
}

func (r *reader) kvItem(iid persistence.Incarnation, current bool, key string) (item persistence.KVItem, ok bool, err error) {
	item = persistence.KVItem{IID: iid, Current: current, KVEntry: persistence.KVEntry{Key: key}}
	ok, err = r.get(appendKV(r.key[:0], r.p, iid, current, key), func(b []byte) (err error) {
		item, err = decodeKV(item, b)
		return err
	})
	return item, ok, err
}

// KVBase implements persistence.Reader.
func (r *reader) KVBase(iid persistence.Incarnation) (entries []persistence.KVEntry, err error) {
	prefix := appendLayer(nil, r.p, iid, false)
	err = r.scan(prefix, prefix, func(k *keyReader, value []byte) (bool, error) {
		item, err := decodeKV(k.kv(), value)
		entries = append(entries, item.KVEntry)
		return true, err
	})
	return entries, err
}

// KVList implements persistence.Reader. It walks through both layers side by side.
func (r *reader) KVList(iid persistence.Incarnation, after *string, most, maxBytes int) (page persistence.KVPage, err error) {
	head, ok, err := r.Head(iid)
	if err != nil || !ok {
		return page, err
	}
	current, base := r.walkKV(iid, true, after), r.walkKV(iid, false, after)
	if head.KVCurrent > 0 {
		current.open()
		defer current.close(&err)
	}
	if head.KVBase > 0 && !head.KVCleared {
		base.open()
		defer base.close(&err)
	}
	bytes := 0
	for {
		item, ok := next(current, base)
		if !ok {
			return page, nil
		}
		if item.Cleared {
			continue
		}
		size := len(item.Key) + len(item.Value)
		if n := len(page.Entries); n == most || n > 0 && maxBytes > 0 && bytes+size > maxBytes {
			page.More = true
			return page, nil
		}
		bytes += size
		page.Entries = append(page.Entries, item.KVEntry)
	}
}

// kvWalk is a walk through a layer of a store.
type kvWalk struct {
	r             *reader
	prefix, start []byte
	it            *iter
	item          persistence.KVItem
	there         bool // item is the present row
	err           error
}

func (r *reader) walkKV(iid persistence.Incarnation, current bool, behind *string) *kvWalk {
	w := &kvWalk{r: r, prefix: appendLayer(nil, r.p, iid, current)}
	w.start = w.prefix
	if behind != nil {
		w.start = after(appendKV(nil, r.p, iid, current, *behind))
	}
	return w
}

func (w *kvWalk) open() {
	if w.it, w.err = openIter(w.r.from, w.prefix, w.r.stats); w.err != nil {
		w.err = w.r.broken(w.prefix, w.err)
		return
	}
	w.take(w.it.seek(w.start))
}

func (w *kvWalk) step() { w.take(w.it.next()) }

func (w *kvWalk) take(ok bool) {
	if w.there = ok; !ok {
		return
	}
	value, err := w.it.value()
	if err != nil {
		w.err, w.there = w.r.broken(slices.Clone(w.it.key()), err), false
		return
	}
	_, _, k := splitKey(w.it.key())
	w.item, err = decodeKV(k.kv(), value)
	if err == nil {
		err = k.done()
	}
	if err != nil {
		w.err, w.there = corruptRow(slices.Clone(w.it.key()), err), false
	}
}

// close ends the walk and hands on its error, if there is no other.
func (w *kvWalk) close(err *error) {
	if w.it != nil {
		if cerr := w.it.close(); w.err == nil && cerr != nil {
			w.err = w.r.broken(w.prefix, cerr)
		}
	}
	if *err == nil {
		*err = w.err
	}
}

// next returns the next row of both layers: of a key that both have, that of the current one.
func next(current, base *kvWalk) (item persistence.KVItem, ok bool) {
	switch {
	case current.err != nil || base.err != nil || !current.there && !base.there:
		return item, false
	case current.there && (!base.there || current.item.Key <= base.item.Key):
		item = current.item
		if base.there && base.item.Key == item.Key {
			base.step()
		}
		current.step()
	default:
		item = base.item
		base.step()
	}
	return item, true
}
