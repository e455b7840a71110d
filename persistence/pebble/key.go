package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// A key is partition u16, family, then the row's fields, numbers big-endian and strings with a u16 length in front. A
// partition is thus one range, an instance is one range of each family, and no key is a prefix of another family's or
// of another id's.

// family is the third byte of a key.
type family byte

const (
	famPartition family = 'P' // -
	famName      family = 'N' // id
	famHead      family = 'H' // iid
	famStart     family = 'S' // iid, execution
	famSegment   family = 'E' // iid, execution, first event, turn
	famInbox     family = 'I' // iid, seq
	famLease     family = 'L' // iid
	famWork      family = 'W' // iid, execution, event
	famTimer     family = 'T' // fire time, iid, execution, event
	famTimerOf   family = 't' // iid, execution, event: the fire time, so that a turn finds an instance's timers
	famChild     family = 'C' // iid, execution, event
	famRequest   family = 'R' // id, request key
	famOutbox    family = 'O' // to partition, seq
	famIndex     family = 'X' // status, time, iid
	famTopic     family = 'J' // iid, topic
	famOrdinal   family = 'j' // iid, topic, ordinal: the seq of the inbox row
	famExpiry    family = 'r' // time, id, request key
	famHeld      family = 'h' // time, iid
	famFamily    family = 'F' // parent's partition, parent's iid, iid
	famWatcher   family = 'w' // iid, partition, iid, execution, event of the one that waits
	famDraining  family = 'D' // iid
	famStatus    family = 'U' // iid
	famKV        family = 'K' // iid, layer, key in an encoding that keeps the order of keys
)

var familyNames = map[family]string{
	famPartition: "partition", famName: "name", famHead: "head", famStart: "start", famSegment: "segment",
	famInbox: "inbox", famLease: "turn lease", famWork: "work", famTimer: "timer", famTimerOf: "timer of instance",
	famChild: "child", famRequest: "request", famOutbox: "outbox", famIndex: "index",
	famTopic: "topic of inbox", famOrdinal: "inbox row of topic", famExpiry: "expiry of request", famHeld: "held instance",
	famFamily: "child of parent", famWatcher: "watcher", famDraining: "ended with watchers", famStatus: "custom status", famKV: "key-value",
}

// String names the family for people.
func (f family) String() string {
	if name, ok := familyNames[f]; ok {
		return name
	}
	return fmt.Sprintf("family(%q)", byte(f))
}

// storePartition is above every partition: the store's own row lies behind all others.
const storePartition persistence.Partition = 0xffff

// storeKey is the key of the store row.
var storeKey = appendPrefix(nil, storePartition, famPartition)

func appendPrefix(k []byte, p persistence.Partition, f family) []byte {
	return append(k, byte(p>>8), byte(p), byte(f))
}

func appendU64(k []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(k, v) }

// appendTime keeps the order of signed times.
func appendTime(k []byte, ms int64) []byte { return appendU64(k, uint64(ms)^1<<63) }

func appendString(k []byte, s string) []byte {
	if len(s) > limits.KeyBytesMax {
		// Ids and request keys are bounded far below; a longer one is a programming error of the proposer.
		panic(fmt.Sprintf("a string of %d bytes cannot be part of a key", len(s)))
	}
	k = binary.BigEndian.AppendUint16(k, uint16(len(s)))
	return append(k, s...)
}

func appendInstance(k []byte, p persistence.Partition, f family, iid persistence.Incarnation) []byte {
	return appendU64(appendPrefix(k, p, f), uint64(iid))
}

func appendName(k []byte, p persistence.Partition, id string) []byte {
	return appendString(appendPrefix(k, p, famName), id)
}

func appendExecution(
	k []byte, p persistence.Partition, f family, iid persistence.Incarnation, execution uint64,
) []byte {
	return appendU64(appendInstance(k, p, f, iid), execution)
}

func appendSegment(
	k []byte, p persistence.Partition, iid persistence.Incarnation, execution, first, turn uint64,
) []byte {
	return appendU64(appendU64(appendExecution(k, p, famSegment, iid, execution), first), turn)
}

func appendInbox(k []byte, p persistence.Partition, iid persistence.Incarnation, seq uint64) []byte {
	return appendU64(appendInstance(k, p, famInbox, iid), seq)
}

// appendEvent serves the families W, C and t.
func appendEvent(k []byte, p persistence.Partition, f family, key persistence.WorkKey) []byte {
	return appendU64(appendExecution(k, p, f, key.IID, key.Execution), key.Event)
}

func appendTimer(k []byte, p persistence.Partition, key persistence.TimerKey) []byte {
	k = appendTime(appendPrefix(k, p, famTimer), key.FireAtMs)
	return appendU64(appendU64(appendU64(k, uint64(key.IID)), key.Execution), key.Event)
}

func appendRequest(k []byte, p persistence.Partition, id, key string) []byte {
	return appendString(appendString(appendPrefix(k, p, famRequest), id), key)
}

func appendOutbox(k []byte, p, to persistence.Partition, seq uint64) []byte {
	k = appendPrefix(k, p, famOutbox)
	return appendU64(append(k, byte(to>>8), byte(to)), seq)
}

func appendIndex(
	k []byte, p persistence.Partition, s persistence.Status, ms int64, iid persistence.Incarnation,
) []byte {
	return appendU64(appendTime(append(appendPrefix(k, p, famIndex), byte(s)), ms), uint64(iid))
}

func appendTopic(k []byte, p persistence.Partition, iid persistence.Incarnation, t persistence.Topic) []byte {
	return appendU64(appendInstance(k, p, famTopic, iid), uint64(t))
}

func appendOrdinal(
	k []byte, p persistence.Partition, iid persistence.Incarnation, t persistence.Topic, ordinal uint64,
) []byte {
	return appendU64(appendU64(appendInstance(k, p, famOrdinal, iid), uint64(t)), ordinal)
}

func appendExpiry(k []byte, p persistence.Partition, ref persistence.ExpiryRef) []byte {
	k = appendTime(appendPrefix(k, p, famExpiry), ref.ExpiresAtMs)
	return appendString(appendString(k, ref.ID), ref.Key)
}

func appendHeld(k []byte, p persistence.Partition, ref persistence.HeldRef) []byte {
	return appendU64(appendTime(appendPrefix(k, p, famHeld), ref.SinceMs), uint64(ref.IID))
}

func appendFamily(k []byte, p persistence.Partition, ref persistence.FamilyRef) []byte {
	k = appendPrefix(k, p, famFamily)
	k = append(k, byte(ref.Partition>>8), byte(ref.Partition))
	return appendU64(appendU64(k, uint64(ref.Parent)), uint64(ref.Child))
}

func appendWatcher(k []byte, p persistence.Partition, w *persistence.WatcherItem) []byte {
	k = appendInstance(k, p, famWatcher, w.Target)
	k = append(k, byte(w.Partition>>8), byte(w.Partition))
	return appendU64(appendU64(appendU64(k, uint64(w.Link.IID)), w.Link.Execution), w.Link.Event)
}

// after is the first key that is greater than all keys with this prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

var errKey = errors.New("malformed key")

// keyReader takes a key apart.
type keyReader struct {
	rest []byte
	err  error
}

// splitKey reads partition and family; the fields follow.
func splitKey(k []byte) (persistence.Partition, family, *keyReader) {
	r := &keyReader{rest: k}
	p, f := r.table()
	return p, f, r
}

func (r *keyReader) table() (persistence.Partition, family) {
	b := r.take(3)
	if b == nil {
		return 0, 0
	}
	return persistence.Partition(binary.BigEndian.Uint16(b)), family(b[2])
}

func (r *keyReader) take(n int) []byte {
	if len(r.rest) < n {
		r.err, r.rest = errKey, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *keyReader) u64() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func (r *keyReader) u16() uint16 {
	b := r.take(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

func (r *keyReader) iid() persistence.Incarnation { return persistence.Incarnation(r.u64()) }

func (r *keyReader) time() int64 { return int64(r.u64() ^ 1<<63) }

func (r *keyReader) string() string { return string(r.take(int(r.u16()))) }

func (r *keyReader) status() persistence.Status {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return persistence.Status(b[0])
}

func (r *keyReader) workKey() persistence.WorkKey {
	return persistence.WorkKey{IID: r.iid(), Execution: r.u64(), Event: r.u64()}
}

func (r *keyReader) topic() persistence.Topic { return persistence.Topic(r.u64()) }

func (r *keyReader) expiry() persistence.ExpiryRef {
	return persistence.ExpiryRef{
		ExpiresAtMs: r.time(), RequestRef: persistence.RequestRef{ID: r.string(), Key: r.string()},
	}
}

func (r *keyReader) held() persistence.HeldRef {
	return persistence.HeldRef{SinceMs: r.time(), IID: r.iid()}
}

func (r *keyReader) family() persistence.FamilyRef {
	return persistence.FamilyRef{Partition: persistence.Partition(r.u16()), Parent: r.iid(), Child: r.iid()}
}

func (r *keyReader) watcher() persistence.WatcherItem {
	return persistence.WatcherItem{
		Target: r.iid(), Partition: persistence.Partition(r.u16()),
		Link: persistence.Link{IID: r.iid(), Execution: r.u64(), Event: r.u64()},
	}
}

func (r *keyReader) timerKey() persistence.TimerKey {
	return persistence.TimerKey{FireAtMs: r.time(), IID: r.iid(), Execution: r.u64(), Event: r.u64()}
}

// done reports a key that is too short or too long.
func (r *keyReader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = errKey
	}
	return r.err
}
