package pebble

import (
	"errors"
	"io"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// source is a snapshot, or a database that is not written meanwhile.
type source interface {
	iterable
	Get(key []byte) ([]byte, io.Closer, error)
}

// reader implements persistence.Reader on one snapshot. It returns copies.
type reader struct {
	p          persistence.Partition
	partitions int
	from       source
	stats      *counters
	state      *partitionRow
	key        []byte
	// failed is called with an error of the disk; damage of a single row is none. It may be nil.
	failed func(error)
}

// broken reports an error of the disk, or of Pebble's own checksums, while it read a row.
func (r *reader) broken(key []byte, err error) error {
	if r.failed != nil {
		r.failed(err)
	}
	return corruptRow(key, err)
}

var _ persistence.Reader = (*reader)(nil)

// get reads a row and calls decode while its bytes are valid.
func (r *reader) get(key []byte, decode func(row []byte) error) (ok bool, err error) {
	r.key = key
	row, closer, err := r.from.Get(key)
	if errors.Is(err, pdb.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, r.broken(key, err)
	}
	err = decode(row)
	if cerr := closer.Close(); cerr != nil {
		return false, r.broken(key, cerr)
	}
	if err != nil {
		return false, corruptRow(key, err)
	}
	return true, nil
}

func (r *reader) partition() (row *partitionRow, err error) {
	key := appendPrefix(r.key[:0], r.p, famPartition)
	ok, err := r.get(key, func(b []byte) (err error) { row, err = decodePartition(r.partitions, b); return err })
	if err == nil && !ok {
		err = corruptRow(key, errMissing)
	}
	return row, err
}

var errMissing = errors.New("it is missing")

// Partition implements persistence.Reader.
func (r *reader) Partition() (persistence.PartitionState, error) { return r.state.PartitionState, nil }

// Resolve implements persistence.Reader. An id that no key holds is that of no instance: a client may ask for any text.
func (r *reader) Resolve(id string) (iid persistence.Incarnation, ok bool, err error) {
	if len(id) > limits.KeyBytesMax {
		return 0, false, nil
	}
	ok, err = r.get(appendName(r.key[:0], r.p, id), func(b []byte) (err error) { iid, err = decodeIID(b); return err })
	return iid, ok, err
}

// Head implements persistence.Reader.
func (r *reader) Head(iid persistence.Incarnation) (head persistence.Head, ok bool, err error) {
	ok, err = r.get(appendInstance(r.key[:0], r.p, famHead, iid), func(b []byte) error {
		h, err := decodeHead(iid, b)
		if err == nil {
			head = h.Head
		}
		return err
	})
	return head, ok, err
}

// Start implements persistence.Reader.
func (r *reader) Start(
	iid persistence.Incarnation, execution uint64,
) (start persistence.PendingStart, ok bool, err error) {
	ok, err = r.get(appendExecution(r.key[:0], r.p, famStart, iid, execution), func(b []byte) (err error) {
		start, err = decodeStart(iid, execution, b)
		return err
	})
	return start, ok, err
}

// TurnLease implements persistence.Reader.
func (r *reader) TurnLease(iid persistence.Incarnation) (lease persistence.TurnLease, ok bool, err error) {
	ok, err = r.get(appendInstance(r.key[:0], r.p, famLease, iid), func(b []byte) (err error) {
		lease, err = decodeLease(iid, b)
		return err
	})
	return lease, ok, err
}

// Work implements persistence.Reader.
func (r *reader) Work(key persistence.WorkKey) (item persistence.WorkItem, ok bool, err error) {
	ok, err = r.get(appendEvent(r.key[:0], r.p, famWork, key), func(b []byte) (err error) {
		item, err = decodeWork(key, b)
		return err
	})
	return item, ok, err
}

// Timers implements persistence.Reader.
func (r *reader) Timers(
	iid persistence.Incarnation, execution uint64, refs []persistence.TimerRef,
) (found []persistence.TimerKey, err error) {
	for _, ref := range refs {
		key := persistence.TimerKey{FireAtMs: ref.FireAtMs, IID: iid, Execution: execution, Event: ref.Event}
		ok, err := r.get(appendTimer(r.key[:0], r.p, key), func([]byte) error { return nil })
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, key)
		}
	}
	return found, nil
}

// Request implements persistence.Reader.
func (r *reader) Request(id, key string) (item persistence.RequestItem, ok bool, err error) {
	ok, err = r.get(appendRequest(r.key[:0], r.p, id, key), func(b []byte) (err error) {
		item, err = decodeRequest(id, key, b)
		return err
	})
	return item, ok, err
}

// Mark implements persistence.Reader.
func (r *reader) Mark(from persistence.Partition) (uint64, error) {
	return r.state.known(from).in, nil
}

// scan calls row with the rows under prefix from the first key at or after start, until it returns false. Key and value are
// valid until row returns.
func (r *reader) scan(prefix, start []byte, row func(k *keyReader, value []byte) (more bool, err error)) error {
	k := new(keyReader) // one for all rows
	return r.scanRows(prefix, start, func(key, value []byte) (bool, error) {
		*k = keyReader{rest: key}
		k.table()
		more, err := row(k, value)
		if err == nil {
			err = k.done()
		}
		return more, err
	})
}

// scanRows reads rows in key order. An error of the function row is damage; scanRows adds the key.
func (r *reader) scanRows(prefix, start []byte, row func(key, value []byte) (more bool, err error)) error {
	it, err := openIter(r.from, prefix, r.stats)
	if err != nil {
		return r.broken(prefix, err)
	}
	for ok := it.seek(start); ok; ok = it.next() {
		var more bool
		value, verr := it.value()
		if verr != nil {
			err = r.broken(slices.Clone(it.key()), verr)
			break
		}
		if more, verr = row(it.key(), value); verr != nil {
			err = corruptRow(slices.Clone(it.key()), verr)
			break
		}
		if !more {
			break
		}
	}
	if cerr := it.close(); err == nil && cerr != nil {
		err = r.broken(prefix, cerr)
	}
	return err
}
