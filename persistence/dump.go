package persistence

import (
	"fmt"
	"strings"
)

// Dump is one partition's whole durable state in a canonical form: every row once, in key order, nil and empty byte
// strings alike. Two stores that were given the same commands in the same order have equal dumps, whatever their
// batches, files and restarts were. It is for tests, for verification and for people; it is not a backup.
//
// Within Outbox the message is in the implementation's own encoding, so dumps of different implementations agree in
// everything but that.
type Dump struct {
	Partition Partition
	State     PartitionState
	Marks     []DumpMark     // by sending partition: how far its outbox was delivered here
	Sent      []DumpMark     // by receiving partition: the last outbox seq that was ever given
	Names     []DumpName     // by id
	Heads     []Head         // by incarnation
	Starts    []PendingStart // by incarnation, execution
	Parts     []DumpPart     // by incarnation, execution, first event
	Inbox     []DumpInbox    // by incarnation, seq
	Leases    []TurnLease    // by incarnation
	Work      []WorkItem     // by key
	Timers    []TimerItem    // by fire time, incarnation, execution, event
	Children  []DumpChild    // by incarnation, execution, event
	Requests  []RequestItem
	Outbox    []OutboxItem // by receiving partition, seq
	Listing   []DumpListing
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
	var b strings.Builder
	fmt.Fprintf(&b, "P %d %+v\n", d.Partition, d.State)
	dumpRows(&b, "M received from", d.Marks)
	dumpRows(&b, "M sent to", d.Sent)
	dumpRows(&b, "N", d.Names)
	dumpRows(&b, "H", d.Heads)
	dumpRows(&b, "S", d.Starts)
	dumpRows(&b, "E", d.Parts)
	dumpRows(&b, "I", d.Inbox)
	dumpRows(&b, "L", d.Leases)
	for _, w := range d.Work {
		tag, session := optional(w.Tag), optional(w.Session)
		w.Tag, w.Session = nil, nil // pointers: their addresses must not be in the text
		fmt.Fprintf(&b, "W tag %s session %s %+q\n", tag, session, fmt.Sprintf("%+v", w))
	}
	dumpRows(&b, "T", d.Timers)
	dumpRows(&b, "C", d.Children)
	dumpRows(&b, "R", d.Requests)
	dumpRows(&b, "O", d.Outbox)
	dumpRows(&b, "X", d.Listing)
	return b.String()
}

// dumpRows writes rows of one family, quoted, so that no content can look like another line.
func dumpRows[R any](b *strings.Builder, family string, rows []R) {
	for _, row := range rows {
		fmt.Fprintf(b, "%s %+q\n", family, fmt.Sprintf("%+v", row))
	}
}

func optional(s *string) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%q", *s)
}
