package pebble

import (
	"cmp"
	"slices"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Parts implements persistence.Reader.
func (r *reader) Parts(
	iid persistence.Incarnation, execution, fromEvent uint64, yield func(persistence.StoredPart) bool,
) error {
	prefix := appendExecution(nil, r.p, famSegment, iid, execution)
	return r.scan(prefix, appendU64(slices.Clone(prefix), fromEvent), func(k *keyReader, value []byte) (bool, error) {
		k.take(2 * 8)
		if invariants.Enabled {
			value = slices.Clone(value)
			defer clear(value) // a reader that keeps a part sees it
		}
		part, err := decodePart(execution, k.u64(), k.u64(), value)
		return err == nil && yield(part), err
	})
}

// Children implements persistence.Reader.
func (r *reader) Children(iid persistence.Incarnation, execution uint64) (items []persistence.ChildItem, err error) {
	prefix := appendExecution(nil, r.p, famChild, iid, execution)
	err = r.scan(prefix, prefix, func(k *keyReader, value []byte) (bool, error) {
		item, err := decodeChild(k.workKey(), value)
		items = append(items, item)
		return true, err
	})
	return items, err
}

// List implements persistence.Reader. It walks the listing index backwards, and merges the statuses.
func (r *reader) List(
	statuses []persistence.Status, after persistence.ListCursor, limit int,
) (heads []persistence.Head, err error) {
	var entries []persistence.DumpListing
	for _, status := range slices.Compact(slices.Sorted(slices.Values(statuses))) {
		found, err := r.listStatus(status, after, limit)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	slices.SortFunc(entries, func(a, b persistence.DumpListing) int {
		return cmp.Or(cmp.Compare(b.UpdatedAtMs, a.UpdatedAtMs), cmp.Compare(b.IID, a.IID))
	})
	for _, e := range entries[:min(len(entries), limit)] {
		head, ok, err := r.Head(e.IID)
		if err == nil && !ok {
			err = corruptRow(appendInstance(nil, r.p, famHead, e.IID), errMissing)
		}
		if err != nil {
			return nil, err
		}
		heads = append(heads, head)
	}
	return heads, nil
}

func (r *reader) listStatus(
	status persistence.Status, after persistence.ListCursor, limit int,
) (found []persistence.DumpListing, err error) {
	prefix := append(appendPrefix(nil, r.p, famIndex), byte(status))
	it, err := openIter(r.from, prefix, r.stats)
	if err != nil {
		return nil, r.broken(prefix, err)
	}
	var ok bool
	if after == (persistence.ListCursor{}) {
		ok = it.last()
	} else {
		ok = it.seekBefore(appendIndex(nil, r.p, status, after.UpdatedAtMs, after.IID))
	}
	for ; ok && len(found) < limit; ok = it.prev() {
		_, _, k := splitKey(it.key())
		k.take(1)
		found = append(found, persistence.DumpListing{Status: status, UpdatedAtMs: k.time(), IID: k.iid()})
		if err := k.done(); err != nil {
			_ = it.close() // the key's damage is the error to report
			return nil, corruptRow(prefix, err)
		}
	}
	if err := it.close(); err != nil {
		return nil, r.broken(prefix, err)
	}
	return found, nil
}

// rowsAfter reads up to limit rows of a family after a key.
func rowsAfter[R any](
	r *reader, prefix, last []byte, limit int, decode func(k *keyReader, value []byte) (R, error),
) (rows []R, err error) {
	if limit <= 0 {
		return nil, nil
	}
	// The smallest key after last is last with a zero byte behind it.
	err = r.scan(prefix, append(last, 0), func(k *keyReader, value []byte) (bool, error) {
		row, err := decode(k, value)
		rows = append(rows, row)
		return len(rows) < limit, err
	})
	return rows, err
}

// ScanStarts implements persistence.Reader. An instance has at most one start.
func (r *reader) ScanStarts(after persistence.Incarnation, limit int) ([]persistence.StartEffect, error) {
	last := appendExecution(nil, r.p, famStart, after, ^uint64(0))
	return rowsAfter(r, appendPrefix(nil, r.p, famStart), last, limit,
		func(k *keyReader, value []byte) (persistence.StartEffect, error) {
			return decodeStartEffect(k.iid(), k.u64(), value)
		})
}

// ScanInbox implements persistence.Reader. It seeks from instance to instance. Of an inbox it reads only the first row,
// unless that row is hidden until some time.
func (r *reader) ScanInbox(
	afterIID persistence.Incarnation, limit int,
) (found []persistence.InboxEffect, err error) {
	prefix := appendPrefix(nil, r.p, famInbox)
	it, err := openIter(r.from, prefix, r.stats)
	if err != nil {
		return nil, r.broken(prefix, err)
	}
	// Incarnations count from 1 and never reach the highest number.
	ok := limit > 0 && it.seek(appendInstance(nil, r.p, famInbox, afterIID+1))
	for ok {
		var row persistence.InboxEffect
		if row, err = inboxRow(it); err != nil {
			break
		}
		n := len(found)
		switch {
		case n > 0 && found[n-1].IID == row.IID:
			if row.NotBeforeMs < found[n-1].NotBeforeMs {
				found[n-1] = row
			}
		case n == limit:
			ok = false
			continue
		default:
			found = append(found, row)
		}
		switch {
		case row.NotBeforeMs > 0:
			ok = it.next()
		case len(found) == limit:
			ok = false
		default:
			ok = it.seek(after(appendInstance(nil, r.p, famInbox, row.IID)))
		}
	}
	if cerr := it.close(); err == nil && cerr != nil {
		err = r.broken(prefix, cerr)
	}
	if err != nil {
		return nil, err
	}
	return found, r.nameInbox(found)
}

// inboxRow returns the row at which an iterator stands, without its instance's id.
func inboxRow(it *iter) (row persistence.InboxEffect, err error) {
	_, _, k := splitKey(it.key())
	row.IID, row.Seq = k.iid(), k.u64()
	var item persistence.InboxItem
	value, err := it.value()
	if err == nil {
		item, err = decodeInbox(row.Seq, value)
	}
	if err == nil {
		err = k.done()
	}
	if err != nil {
		return row, corruptRow(slices.Clone(it.key()), err)
	}
	row.NotBeforeMs = item.NotBeforeMs
	return row, nil
}

// nameInbox fills in the ids, which inbox rows do not have.
func (r *reader) nameInbox(found []persistence.InboxEffect) error {
	for i := range found {
		head, ok, err := r.Head(found[i].IID)
		if err == nil && !ok {
			err = corruptRow(appendInstance(nil, r.p, famHead, found[i].IID), errMissing)
		}
		if err != nil {
			return err
		}
		found[i].ID = head.ID
	}
	return nil
}

// ScanLeases implements persistence.Reader.
func (r *reader) ScanLeases(after persistence.Incarnation, limit int) ([]persistence.TurnLease, error) {
	return rowsAfter(r, appendPrefix(nil, r.p, famLease), appendInstance(nil, r.p, famLease, after), limit,
		func(k *keyReader, value []byte) (persistence.TurnLease, error) { return decodeLease(k.iid(), value) })
}

// ScanWork implements persistence.Reader.
func (r *reader) ScanWork(after persistence.WorkKey, limit int) ([]persistence.WorkItem, error) {
	return rowsAfter(r, appendPrefix(nil, r.p, famWork), appendEvent(nil, r.p, famWork, after), limit,
		func(k *keyReader, value []byte) (persistence.WorkItem, error) { return decodeWork(k.workKey(), value) })
}

// ScanTimers implements persistence.Reader.
func (r *reader) ScanTimers(after persistence.TimerKey, limit int) ([]persistence.TimerItem, error) {
	return rowsAfter(r, appendPrefix(nil, r.p, famTimer), appendTimer(nil, r.p, after), limit,
		func(k *keyReader, value []byte) (persistence.TimerItem, error) {
			key := k.timerKey()
			id, err := decodeOwner(value)
			return persistence.TimerItem{ID: id, Key: key}, err
		})
}

// OutboxStreams implements persistence.Reader. It reads no other row: the partition's own row has the streams.
func (r *reader) OutboxStreams() (streams []persistence.OutboxStream, err error) {
	for _, p := range r.state.peers {
		if p.next > p.acked {
			streams = append(streams, persistence.OutboxStream{To: p.of, Acked: p.acked, Next: p.next})
		}
	}
	return streams, nil
}

// ScanOutbox implements persistence.Reader. It starts behind the acknowledged rows, so it walks over no tombstones.
func (r *reader) ScanOutbox(
	to persistence.Partition, after uint64, limit, maxBytes int,
) (rows []persistence.OutboxItem, err error) {
	if limit <= 0 {
		return nil, nil
	}
	after = max(after, r.state.known(to).acked)
	prefix := appendPrefix(nil, r.p, famOutbox)
	prefix = append(prefix, byte(to>>8), byte(to))
	bytes := 0
	err = r.scan(prefix, appendU64(slices.Clone(prefix), after+1), func(k *keyReader, value []byte) (bool, error) {
		row, err := decodeOutbox(persistence.Partition(k.u16()), k.u64(), value)
		rows = append(rows, row)
		bytes += len(row.Message)
		return len(rows) < limit && (maxBytes <= 0 || bytes < maxBytes), err
	})
	return rows, err
}

// ScanExpired implements persistence.Reader.
func (r *reader) ScanExpired(after persistence.ExpiryRef, byMs int64, limit int) (refs []persistence.ExpiryRef, err error) {
	if limit <= 0 {
		return nil, nil
	}
	prefix := appendPrefix(nil, r.p, famExpiry)
	start := prefix
	if after != (persistence.ExpiryRef{}) {
		start = append(appendExpiry(nil, r.p, after), 0)
	}
	err = r.scan(prefix, start, func(k *keyReader, value []byte) (bool, error) {
		ref := k.expiry()
		if ref.ExpiresAtMs > byMs {
			return false, decodeMark(value)
		}
		refs = append(refs, ref)
		return len(refs) < limit, decodeMark(value)
	})
	return refs, err
}

// ScanHeld implements persistence.Reader.
func (r *reader) ScanHeld(after persistence.HeldRef, limit int) ([]persistence.HeldRef, error) {
	last := appendPrefix(nil, r.p, famHeld)
	if after != (persistence.HeldRef{}) {
		last = appendHeld(nil, r.p, after)
	}
	return rowsAfter(r, appendPrefix(nil, r.p, famHeld), last, limit,
		func(k *keyReader, value []byte) (persistence.HeldRef, error) { return k.held(), decodeMark(value) })
}

// ScanDraining implements persistence.Reader.
func (r *reader) ScanDraining(after persistence.Incarnation, limit int) ([]persistence.Incarnation, error) {
	last := appendInstance(nil, r.p, famDraining, after)
	return rowsAfter(r, appendPrefix(nil, r.p, famDraining), last, limit,
		func(k *keyReader, value []byte) (persistence.Incarnation, error) { return k.iid(), decodeMark(value) })
}
