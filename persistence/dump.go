package persistence

import "fmt"

// Dump is one partition's whole durable state in a canonical form: every row once, in key order, nil and empty byte
// strings alike. Two stores that were given the same commands in the same order have equal dumps, whatever their
// batches, files and restarts were. It is for tests, for verification and for people; it is not a backup.
type Dump struct {
	Partition Partition
	State     PartitionState
	Marks     []DumpMark     // by sending partition: how far its outbox was delivered here
	Sent      []DumpMark     // by receiving partition: the last outbox seq that was ever given
	Names     []DumpName     // by id, the shorter first
	Heads     []Head         // by incarnation
	Starts    []PendingStart // by incarnation, execution
	Parts     []DumpPart     // by incarnation, execution, first event
	Inbox     []DumpInbox    // by incarnation, seq
	Leases    []TurnLease    // by incarnation
	Work      []WorkItem     // by key
	Timers    []TimerItem    // by fire time, incarnation, execution, event
	Children  []DumpChild    // by incarnation, execution, event
	Requests  []RequestItem  // by id, then key, the shorter first
	Outbox    []OutboxItem   // by receiving partition, seq
	Listing   []DumpListing  // by status, time, incarnation
	Topics    []DumpTopic    // by incarnation, topic
	TopicRows []DumpTopicRow // by incarnation, topic, ordinal
	Expiry    []ExpiryRef    // by time, then id, then key, the shorter first
	Held      []HeldRef      // by time, incarnation
	Families  []FamilyRef    // by parent's partition, parent, child
	Watchers  []WatcherItem  // by target, then by the instance that waits
	Draining  []Incarnation  // by incarnation: ended, with watchers left
	Statuses  []CustomStatus // by incarnation
	KV        []KVItem       // by incarnation, the base first, then by key
}

// DumpTopic is one topic of an inbox.
type DumpTopic struct {
	IID Incarnation
	TopicRow
}

// DumpTopicRow is the entry of one inbox row in its topic.
type DumpTopicRow struct {
	IID     Incarnation
	Topic   Topic
	Ordinal uint64
	Seq     uint64
}

// DumpMark is a number of the stream of messages between this partition and a peer; those that are 0 are left out.
type DumpMark struct {
	Peer Partition
	Seq  uint64
}

// DumpName is one N row.
type DumpName struct {
	ID  string
	IID Incarnation
}

// DumpPart is one E row.
type DumpPart struct {
	IID Incarnation
	StoredPart
}

// DumpInbox is one I row.
type DumpInbox struct {
	IID Incarnation
	InboxItem
}

// DumpChild is one C row.
type DumpChild struct {
	IID Incarnation
	ChildItem
}

// DumpListing is one X row, by status, then time, then incarnation.
type DumpListing struct {
	Status      Status
	UpdatedAtMs int64
	IID         Incarnation
}

// String is the dump as text, one row a line: equal dumps have equal text, and a difference can be read.
func (d *Dump) String() string {
	b := fmt.Appendf(nil, "P %d %+v\n", d.Partition, d.State)
	b = dumpRows(b, "M received from", d.Marks)
	b = dumpRows(b, "M sent to", d.Sent)
	b = dumpRows(b, "N", d.Names)
	b = dumpRows(b, "H", d.Heads)
	for _, s := range d.Starts {
		b = fmt.Appendf(b, "S %q %d execution %d name %q version %q parent %+q input %x start %x not before %d timeout %d\n",
			s.ID, s.IID, s.Execution, s.Name, s.Version, fmt.Sprintf("%+v", s.Parent), s.Input, s.Start, s.NotBeforeMs,
			s.ExecutionTimeoutMs)
	}
	for _, p := range d.Parts {
		b = fmt.Appendf(b, "E %d execution %d event %d count %d turn %d header %x events %x chain %x previous %x\n",
			p.IID, p.Execution, p.FirstEvent, p.Count, p.Turn, p.Header, p.Events, p.Chain, p.Previous)
	}
	for _, i := range d.Inbox {
		b = fmt.Appendf(b, "I %d seq %d not before %d form %d topic %x/%d message %x execution %d event %d child %q\n",
			i.IID, i.Seq, i.NotBeforeMs, i.Form, i.Topic, i.Ordinal, i.Message, i.Execution, i.Event, i.ChildID)
		if i.Outcome != 0 {
			b = fmt.Appendf(b[:len(b)-1], " outcome %d\n", i.Outcome)
		}
	}
	b = dumpRows(b, "L", d.Leases)
	for _, w := range d.Work {
		tag, session := optional(w.Tag), optional(w.Session)
		w.Tag, w.Session = nil, nil // pointers: their addresses must not be in the text
		b = fmt.Appendf(b, "W tag %s session %s %+q\n", tag, session, fmt.Sprintf("%+v", w))
	}
	b = dumpRows(b, "T", d.Timers)
	b = dumpRows(b, "C", d.Children)
	b = dumpRows(b, "R", d.Requests)
	for _, o := range d.Outbox {
		b = fmt.Appendf(b, "O to %d seq %d message %x\n", o.To, o.Seq, o.Message)
	}
	b = dumpRows(b, "X", d.Listing)
	b = dumpRows(b, "J", d.Topics)
	b = dumpRows(b, "j", d.TopicRows)
	b = dumpRows(b, "r", d.Expiry)
	b = dumpRows(b, "h", d.Held)
	b = dumpRows(b, "F", d.Families)
	b = dumpRows(b, "w", d.Watchers)
	b = dumpRows(b, "D", d.Draining)
	for _, s := range d.Statuses {
		b = fmt.Appendf(b, "U %d version %d %s\n", s.IID, s.Version, optional(s.Value))
	}
	for _, k := range d.KV {
		b = fmt.Appendf(b, "K %d current %t %q cleared %t updated %d %x\n", k.IID, k.Current, k.Key, k.Cleared, k.UpdatedMs, k.Value)
	}
	return string(b)
}

// dumpRows writes rows of one family, quoted, so that no content can look like another line.
func dumpRows[R any](b []byte, family string, rows []R) []byte {
	for _, row := range rows {
		b = fmt.Appendf(b, "%s %+q\n", family, fmt.Sprintf("%+v", row))
	}
	return b
}

func optional(s *string) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%q", *s)
}
