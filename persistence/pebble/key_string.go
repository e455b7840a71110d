package pebble

import "fmt"

// keyString shows a key to people.
func keyString(k []byte) string {
	p, f, r := splitKey(k)
	var s string
	switch f {
	case famPartition:
		if p != storePartition {
			s = fmt.Sprint(p)
		}
	case famName:
		s = fmt.Sprintf("%q", r.string())
	case famHead, famLease, famStatus, famDraining:
		s = fmt.Sprint(r.u64())
	case famStart, famInbox:
		s = fmt.Sprintf("%d/%d", r.u64(), r.u64())
	case famSegment:
		s = fmt.Sprintf("%d/%d/%d (turn %d)", r.u64(), r.u64(), r.u64(), r.u64())
	case famWork, famChild, famTimerOf:
		s = r.workKey().String()
	case famTimer:
		t := r.timerKey()
		s = fmt.Sprintf("at %d of %d/%d/%d", t.FireAtMs, t.IID, t.Execution, t.Event)
	case famRequest:
		s = fmt.Sprintf("%q %q", r.string(), r.string())
	case famOutbox:
		s = fmt.Sprintf("to %d, %d", r.u16(), r.u64())
	case famIndex:
		s = fmt.Sprintf("%v at %d of %d", r.status(), r.time(), r.u64())
	case famTopic:
		s = fmt.Sprintf("%d/%x", r.u64(), r.u64())
	case famOrdinal:
		s = fmt.Sprintf("%d/%x/%d", r.u64(), r.u64(), r.u64())
	case famExpiry:
		x := r.expiry()
		s = fmt.Sprintf("at %d of %q %q", x.ExpiresAtMs, x.ID, x.Key)
	case famHeld:
		s = fmt.Sprintf("since %d of %d", r.time(), r.u64())
	case famFamily:
		x := r.family()
		s = fmt.Sprintf("%d of %d in partition %d", x.Child, x.Parent, x.Partition)
	case famKV:
		x := r.kv()
		s = fmt.Sprintf("%d %q, of this execution: %t", x.IID, x.Key, x.Current)
	case famWatcher:
		x := r.watcher()
		s = fmt.Sprintf("of %d: %d/%d/%d in partition %d", x.Target, x.Link.IID, x.Link.Execution, x.Link.Event, x.Partition)
	default:
		return fmt.Sprintf("%x", k)
	}
	if r.done() != nil {
		return fmt.Sprintf("%x", k)
	}
	if p == storePartition {
		return "store"
	}
	if f == famPartition {
		return fmt.Sprintf("%v %s", f, s)
	}
	return fmt.Sprintf("%v %s of partition %d", f, s, p)
}
