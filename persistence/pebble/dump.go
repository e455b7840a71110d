package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Dump reads the whole content of a store, one dump for each partition, without changing it.
func Dump(o Options) ([]*persistence.Dump, error) {
	o.ReadOnly = true
	s, err := Open(o)
	if err != nil {
		return nil, err
	}
	var dumps []*persistence.Dump
	for p := range s.core.info.Partitions {
		var d *persistence.Dump
		if d, err = s.Dump(persistence.Partition(p)); err != nil {
			break
		}
		dumps = append(dumps, d)
	}
	return dumps, errors.Join(err, s.Close())
}

// WriteDump writes the dumps of all partitions as text, one row a line.
func (s *Store) WriteDump(w io.Writer) error {
	for p := range s.core.info.Partitions {
		d, err := s.Dump(persistence.Partition(p))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, d.String()); err != nil {
			return err
		}
	}
	return nil
}

// Dump reads the whole content of a partition as it is in Pebble now, whether or not it is synced, on the caller's
// goroutine.
func (s *Store) Dump(p persistence.Partition) (d *persistence.Dump, err error) {
	_, err = s.core.read(p, func(r persistence.Reader) error {
		d, err = dumpPartition(r.(*reader))
		return err
	})
	return d, err
}

func dumpPartition(r *reader) (*persistence.Dump, error) {
	d := &persistence.Dump{Partition: r.p, State: r.state.PartitionState}
	for _, peer := range r.state.peers {
		if peer.in > 0 {
			d.Marks = append(d.Marks, persistence.DumpMark{Peer: peer.of, Seq: peer.in})
		}
		if peer.next > 0 {
			d.Sent = append(d.Sent, persistence.DumpMark{Peer: peer.of, Seq: peer.next})
		}
	}
	err := r.scanRows([]byte{byte(r.p >> 8), byte(r.p)}, nil, func(key, value []byte) (bool, error) {
		_, f, k := splitKey(key)
		err := dumpRow(d, f, k, value)
		if err == nil {
			err = k.done()
		}
		return true, err
	})
	return d, err
}

// dumpRow decodes one row into the dump. Rows come in key order, which is the dump's order.
func dumpRow(d *persistence.Dump, f family, k *keyReader, value []byte) (err error) {
	switch f {
	case famPartition: // d.State
		return nil
	case famName:
		id := k.string()
		var iid persistence.Incarnation
		iid, err = decodeIID(value)
		d.Names = append(d.Names, persistence.DumpName{ID: id, IID: iid})
	case famHead:
		h, herr := decodeHead(k.iid(), value)
		if err = herr; err == nil {
			d.Heads = append(d.Heads, h.Head)
		}
	case famStart:
		d.Starts, err = appendRow(d.Starts)(decodeStart(k.iid(), k.u64(), value))
	case famSegment:
		iid := k.iid()
		part, perr := decodePart(k.u64(), k.u64(), k.u64(), bytes.Clone(value))
		d.Parts, err = append(d.Parts, persistence.DumpPart{IID: iid, StoredPart: part}), perr
	case famInbox:
		iid := k.iid()
		item, ierr := decodeInbox(k.u64(), value)
		d.Inbox, err = append(d.Inbox, persistence.DumpInbox{IID: iid, InboxItem: item}), ierr
	case famLease:
		d.Leases, err = appendRow(d.Leases)(decodeLease(k.iid(), value))
	case famWork:
		d.Work, err = appendRow(d.Work)(decodeWork(k.workKey(), value))
	case famTimer:
		key := k.timerKey()
		id, oerr := decodeOwner(value)
		d.Timers, err = append(d.Timers, persistence.TimerItem{ID: id, Key: key}), oerr
	case famTimerOf: // repeats T rows; Verify compares both, and the dump has the T rows
		k.workKey()
		_, err = decodeTime(value)
	case famChild:
		key := k.workKey()
		child, cerr := decodeChild(key, value)
		d.Children, err = append(d.Children, persistence.DumpChild{IID: key.IID, ChildItem: child}), cerr
	case famRequest:
		d.Requests, err = appendRow(d.Requests)(decodeRequest(k.string(), k.string(), value))
	case famOutbox:
		d.Outbox, err = appendRow(d.Outbox)(decodeOutbox(persistence.Partition(k.u16()), k.u64(), value))
	case famIndex:
		d.Listing = append(d.Listing, persistence.DumpListing{Status: k.status(), UpdatedAtMs: k.time(), IID: k.iid()})
		err = decodeMark(value)
	default:
		err = dumpIndex(d, f, k, value)
	}
	return err
}

// dumpIndex decodes a row of an index.
func dumpIndex(d *persistence.Dump, f family, k *keyReader, value []byte) (err error) {
	switch f {
	case famTopic:
		iid := k.iid()
		t, terr := decodeTopic(k.topic(), value)
		d.Topics, err = append(d.Topics, persistence.DumpTopic{IID: iid, TopicRow: t}), terr
	case famOrdinal:
		x := persistence.DumpTopicRow{IID: k.iid(), Topic: k.topic(), Ordinal: k.u64()}
		x.Seq, err = decodeOrdinal(value)
		d.TopicRows = append(d.TopicRows, x)
	case famExpiry:
		d.Expiry, err = append(d.Expiry, k.expiry()), decodeMark(value)
	case famHeld:
		d.Held, err = append(d.Held, k.held()), decodeMark(value)
	case famFamily:
		d.Families, err = append(d.Families, k.family()), decodeMark(value)
	case famStatus:
		d.Statuses, err = appendRow(d.Statuses)(decodeStatus(k.iid(), value))
	case famKV:
		d.KV, err = appendRow(d.KV)(decodeKV(k.kv(), value))
	case famWatcher:
		d.Watchers, err = appendRow(d.Watchers)(decodeWatcher(k.watcher(), value))
	case famDraining:
		d.Draining, err = append(d.Draining, k.iid()), decodeMark(value)
	default:
		err = fmt.Errorf("there is no family %q", byte(f))
	}
	return err
}

// appendRow returns a function that appends the result of a decoder.
func appendRow[R any](rows []R) func(R, error) ([]R, error) {
	return func(row R, err error) ([]R, error) { return append(rows, row), err }
}
