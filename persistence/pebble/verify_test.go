package pebble

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// segment encodes real events, numbered from first.
func segment(t testing.TB, turn, first uint64, events ...*turnpb.Event) persistence.SegmentDraft {
	t.Helper()
	for i, e := range events {
		e.Id = first + uint64(i)
	}
	header, err := proto.Marshal(&turnpb.SegmentHeader{Turn: turn})
	if err != nil {
		t.Fatal(err)
	}
	list, err := proto.Marshal(&turnpb.EventList{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return persistence.SegmentDraft{Header: header, Parts: []persistence.SegmentPart{
		{FirstEvent: first, Count: uint64(len(events)), Events: list},
	}}
}

func scheduled(name string) *turnpb.Event {
	return &turnpb.Event{Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: name}}}
}

// idIn is an id that lives in partition p of two.
func idIn(name string, p persistence.Partition) string {
	table := persistence.DefaultSlotTable(2)
	for i := 0; ; i++ {
		if id := fmt.Sprintf("%s%d", name, i); table[persistence.Slot(id)] == p {
			return id
		}
	}
}

// verifiable is a closed store with one of each row: incarnation 1 of partition 0 waits for an activity, a timer and a
// child and has a message, is leased; 2 is pending; 3 has ended; and partition 1 owes partition 0 a message.
func verifiable(t *testing.T) *vfs.MemFS {
	t.Helper()
	r := newRig(t, Options{Partitions: 2, FS: vfs.NewMem()})
	fs := r.s.o.FS.(*vfs.MemFS)
	r.begin()
	start := fusedStart(idIn("waits", 0))
	start.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}},
		scheduled("a"), &turnpb.Event{Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: 9000}}},
		&turnpb.Event{Kind: &turnpb.Event_SubOrchestrationScheduled{SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{}}},
		scheduled("answered"))
	start.Work = append(start.Work, persistence.NewWork{Event: 5, Name: "answered"})
	start.Timers = []persistence.TimerRef{{FireAtMs: 9000, Event: 3}}
	start.Status = &persistence.StatusChange{}
	start.KV = []persistence.KVChange{{Op: persistence.KVSet, Key: "k", Value: []byte("v"), UpdatedMs: 5}}
	start.Children = []persistence.NewChild{{Event: 4, ID: "c"}}
	r.ok(0, start)
	message, err := proto.Marshal(&turnpb.Message{Execution: 1, Event: 5, Kind: &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.ok(0, &persistence.CompleteWork{Key: persistence.WorkKey{IID: 1, Execution: 1, Event: 5}, Message: message})
	r.ok(0, &persistence.LeaseTurn{IID: 1, Execution: 1, Turn: 1, TTLMs: 5, Holder: persistence.Holder{Node: "x"}})
	r.ok(0, &persistence.StartInstance{ID: idIn("pending", 0), Name: "o", Request: persistence.Request{Key: "k"}})
	ends := fusedStart(idIn("ends", 0))
	ends.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}},
		&turnpb.Event{Kind: &turnpb.Event_Completed{Completed: &turnpb.OrchestrationCompleted{}}})
	ends.Work, ends.Outcome = nil, persistence.OutcomeCompleted
	r.ok(0, ends)
	sends := fusedStart(idIn("sends", 1))
	sends.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}}, scheduled("a"))
	sends.Sends = []persistence.Send{{Kind: persistence.SendStartDetached, To: idIn("elsewhere", 0), Name: "o"}}
	r.ok(1, sends)
	r.ok(0, &persistence.Enqueue{ID: start.ID, Message: []byte("named"), Topic: 7})
	r.ok(0, &persistence.AbandonTurn{IID: 2, Execution: 1, Reason: "no handler", Build: "b"})
	child := fusedStart(idIn("parent", 0))
	child.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}})
	child.Work = nil
	child.Sends = []persistence.Send{
		{Kind: persistence.SendStartChild, To: idIn("parent", 0) + "::sub::1", Name: "o", Link: persistence.Link{Execution: 1, Event: 1}},
		{Kind: persistence.SendAwait, To: start.ID, Link: persistence.Link{Execution: 1, Event: 1}},
	}
	r.ok(0, child)
	again(t, r)
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// again is incarnation 6: it has continued as new, after three turns.
func again(t *testing.T, r *rig) {
	c := fusedStart(idIn("again", 0))
	c.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}})
	c.Work = nil
	c.IID = r.ok(0, c).IID
	c.AcceptedStart = nil
	for c.Turn = 1; c.Turn < 3; c.Turn++ {
		c.Segment = segment(t, c.Turn+1, c.Turn+1, scheduled("a"))
		if c.Turn == 2 {
			c.Segment = segment(t, 3, 3, &turnpb.Event{Kind: &turnpb.Event_ContinuedAsNew{ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{}}})
			c.Outcome, c.Next = persistence.OutcomeContinued, &persistence.NextStart{Name: "o"}
		}
		r.ok(0, c)
	}
	c.Execution, c.Turn, c.ConsumesStart, c.Outcome, c.Next = 2, 0, true, persistence.OutcomeRunning, nil
	c.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{}}})
	r.ok(0, c)
}

func verified(t *testing.T, fs vfs.FS) Report {
	t.Helper()
	rep, err := Verify(Options{Dir: "store", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestVerifyFindsNothingInAGoodStore(t *testing.T) {
	rep := verified(t, verifiable(t))
	if len(rep.Damages) != 0 {
		t.Fatalf("%v", rep.Damages)
	}
	if rep.Instances != 7 || rep.Events != 14 || rep.Info.Partitions != 2 {
		t.Fatalf("%+v", rep)
	}
	for _, f := range []family{
		famPartition, famName, famHead, famStart, famSegment, famInbox, famLease, famWork, famTimer, famTimerOf, famChild,
		famRequest, famOutbox, famIndex, famTopic, famOrdinal, famExpiry, famHeld, famFamily, famWatcher, famStatus, famKV,
	} {
		if rep.Rows[f.String()] == 0 {
			t.Errorf("the store has no row of %v, so it proves nothing about it", f)
		}
	}
}

// TestVerifyNamesDamage changes one row behind the journal's back and expects the damage to be named.
func TestVerifyNamesDamage(t *testing.T) {
	row := func(encode func(*rowcode.Enc)) []byte {
		var e rowcode.Enc
		encode(&e)
		return e
	}
	set := func(key, value []byte) func(*testing.T, *pdb.DB) {
		return func(t *testing.T, db *pdb.DB) {
			if err := db.Set(key, value, pdb.Sync); err != nil {
				t.Fatal(err)
			}
		}
	}
	del := func(key []byte) func(*testing.T, *pdb.DB) {
		return func(t *testing.T, db *pdb.DB) {
			if err := db.Delete(key, pdb.Sync); err != nil {
				t.Fatal(err)
			}
		}
	}
	head := func(iid persistence.Incarnation, change func(h *headRow)) func(*testing.T, *pdb.DB) {
		return func(t *testing.T, db *pdb.DB) {
			key := appendInstance(nil, 0, famHead, iid)
			value, closer, err := db.Get(key)
			if err != nil {
				t.Fatal(err)
			}
			h, err := decodeHead(iid, value)
			if err != nil {
				t.Fatal(err)
			}
			change(h)
			if err := closer.Close(); err != nil {
				t.Fatal(err)
			}
			set(key, row(func(e *rowcode.Enc) { encodeHead(e, h) }))(t, db)
		}
	}
	flip := func(key []byte) func(*testing.T, *pdb.DB) {
		return func(t *testing.T, db *pdb.DB) {
			value, closer, err := db.Get(key)
			if err != nil {
				t.Fatal(err)
			}
			changed := append([]byte(nil), value...)
			if err := closer.Close(); err != nil {
				t.Fatal(err)
			}
			changed[len(changed)-1] ^= 1
			set(key, changed)(t, db)
		}
	}
	work := persistence.WorkKey{IID: 1, Execution: 1, Event: 2}
	timer := persistence.TimerKey{FireAtMs: 9000, IID: 1, Execution: 1, Event: 3}
	for name, c := range map[string]struct {
		change func(*testing.T, *pdb.DB)
		want   string // a part of one damage's line
	}{
		"partition row gone":      {del(appendPrefix(nil, 1, famPartition)), "partition 1: it is missing"},
		"partition row cut":       {set(appendPrefix(nil, 1, famPartition), []byte{partitionVersion}), "partition"},
		"name gone":               {del(appendName(nil, 0, idIn("waits", 0))), "head 1"},
		"name of nobody":          {set(appendName(nil, 0, "x"), row(func(e *rowcode.Enc) { encodeIID(e, 77) })), "incarnation 77"},
		"head cut":                {set(appendInstance(nil, 0, famHead, 1), []byte{headVersion, 3, 'a'}), "head 1 of partition 0: malformed"},
		"head gone":               {del(appendInstance(nil, 0, famHead, 1)), "has no head"},
		"head of another format":  {set(appendInstance(nil, 0, famHead, 1), []byte{9}), "format version 9"},
		"turn too high":           {head(1, func(h *headRow) { h.Turn++ }), "history ends at 1, 1, 6"},
		"other chain":             {head(1, func(h *headRow) { h.Chain[3]++ }), "its chain is not that of its history"},
		"counts too much work":    {head(1, func(h *headRow) { h.Work++ }), "counts 2 rows of work; there are 1"},
		"counts too few messages": {head(1, func(h *headRow) { h.Inbox = 0 }), "counts 0 rows of inbox; there are 2"},
		"cleanup of no event":     {head(1, func(h *headRow) { h.Cleanup.Event = 2 }), "its undo steps run since event 2"},
		"other bytes count":       {head(1, func(h *headRow) { h.HistoryBytes-- }), "bytes; history has"},
		"seq given twice":         {head(1, func(h *headRow) { h.NextSeq = 1 }), "the next seq to be given out is 1"},
		"not leased":              {head(1, func(h *headRow) { h.Leased = false }), "a turn lease: true"},
		"ended and counts":        {head(3, func(h *headRow) { h.Work = 1 }), "it has ended and still counts"},
		"start gone":              {del(appendExecution(nil, 0, famStart, 2, 1)), "it is Pending, and a start"},
		"history's bytes flipped": {flip(appendSegment(nil, 0, 1, 1, 1, 1)), "its bytes do not fit its chain"},
		"history gone":            {del(appendSegment(nil, 0, 3, 1, 1, 1)), "history ends at 0, 0, 0"},
		"history too long": {set(appendSegment(nil, 0, 3, 1, 3, 2), row(func(e *rowcode.Enc) {
			encodePart(e, &persistence.StoredPart{Count: 1})
		})), "its bytes do not fit its chain"},
		"message gone":         {del(appendInbox(nil, 0, 1, 1)), "counts 2 rows of inbox; there are 1"},
		"lease gone":           {del(appendInstance(nil, 0, famLease, 1)), "a turn lease: false"},
		"work gone":            {del(appendEvent(nil, 0, famWork, work)), "counts 1 rows of work; there are 0"},
		"work of another name": {set(appendEvent(nil, 0, famWork, work), row(func(e *rowcode.Enc) { encodeWork(e, &persistence.WorkItem{ID: idIn("waits", 0), Name: "b"}) })), `it is "b"`},
		"work of no event":     {set(appendEvent(nil, 0, famWork, persistence.WorkKey{IID: 1, Execution: 1, Event: 9}), row(func(e *rowcode.Enc) { encodeWork(e, &persistence.WorkItem{}) })), "no open activity"},
		"timer gone":           {del(appendTimer(nil, 0, timer)), "there is no timer at 9000"},
		"timer unlisted":       {del(appendEvent(nil, 0, famTimerOf, persistence.WorkKey{IID: 1, Execution: 1, Event: 3})), "its instance does not list it"},
		"timer moved": {set(appendEvent(nil, 0, famTimerOf, persistence.WorkKey{IID: 1, Execution: 1, Event: 3}),
			row(func(e *rowcode.Enc) { encodeTime(e, 8000) })), "it is for 8000; history has 9000"},
		"child gone":        {del(appendEvent(nil, 0, famChild, persistence.WorkKey{IID: 1, Execution: 1, Event: 4})), "counts 1 rows of child"},
		"index gone":        {del(appendIndex(nil, 0, persistence.StatusCompleted, 1000, 3)), "it is missing from the listing index"},
		"index of nobody":   {set(appendIndex(nil, 0, persistence.StatusFailed, 1000, 99), []byte{partitionVersion}), "there is no such instance"},
		"index stale":       {set(appendIndex(nil, 0, persistence.StatusRunning, 1000, 3), []byte{partitionVersion}), "the head says Completed"},
		"outbox gone":       {del(appendOutbox(nil, 1, 0, 1)), "messages 1 to 1 are missing"},
		"outbox unreadable": {set(appendOutbox(nil, 1, 0, 1), row(func(e *rowcode.Enc) { encodeOutbox(e, []byte("junk")) })), "outbox message"},
		"outbox of nobody": {set(appendOutbox(nil, 0, 9, 1), row(func(e *rowcode.Enc) {
			encodeOutbox(e, (&persistence.OutboxMessage{Kind: persistence.SendCancel}).Encode())
		})), "nothing was sent to partition 9"},
		"request cut":       {set(appendRequest(nil, 0, idIn("pending", 0), "k"), []byte{partitionVersion}), "request"},
		"inbox bytes":       {head(1, func(h *headRow) { h.InboxBytes++ }), "it has first seq 1"},
		"first seq":         {head(1, func(h *headRow) { h.FirstSeq++ }), "it has first seq 2"},
		"topic gone":        {del(appendTopic(nil, 0, 1, 7)), "counts 1 rows of topic of inbox"},
		"topic wrong":       {set(appendTopic(nil, 0, 1, 7), row(func(e *rowcode.Enc) { encodeTopic(e, &persistence.TopicRow{First: 1, Next: 9, Live: 2}) })), "it lists 2 rows from 1, next 9; there are 1"},
		"ordinal gone":      {del(appendOrdinal(nil, 0, 1, 7, 1)), "counts 1 rows of inbox row of topic"},
		"ordinal wrong":     {set(appendOrdinal(nil, 0, 1, 7, 1), row(func(e *rowcode.Enc) { encodeOrdinal(e, 1) })), "it names seq 1"},
		"topic of nobody":   {set(appendTopic(nil, 0, 77, 7), row(func(e *rowcode.Enc) { encodeTopic(e, &persistence.TopicRow{}) })), "has no head"},
		"expiry gone":       {del(appendExpiry(nil, 0, expiryRef(idIn("pending", 0), "k", 1000+persistence.RequestTTLMs))), "its entry is missing"},
		"expiry of nothing": {set(appendExpiry(nil, 0, expiryRef("x", "k", 5)), []byte{markVersion}), "no request expires then"},
		"held unlisted":     {del(appendHeld(nil, 0, persistence.HeldRef{SinceMs: 1000, IID: 2})), "its entry is missing"},
		"held of another":   {set(appendHeld(nil, 0, persistence.HeldRef{SinceMs: 5, IID: 2}), []byte{markVersion}), "not held since then"},
		"held not counted":  {del(appendInstance(nil, 0, famLease, 2)), "it counts 1 instances as held; there are 0"},
		"child unlisted":    {del(appendFamily(nil, 0, persistence.FamilyRef{Parent: 4, Child: 5})), "its entry is missing"},
		"child of nobody":   {set(appendFamily(nil, 0, persistence.FamilyRef{Parent: 4, Child: 1}), []byte{markVersion}), "there is no such child"},
		"watcher of nobody": {set(appendWatcher(nil, 0, watcherItem(77, 0, 1, 1)), row(func(e *rowcode.Enc) { encodeWatcher(e, watcherItem(77, 0, 1, 1)) })), "has no head"},
		"watcher gone":      {del(appendWatcher(nil, 0, watcherItem(1, 0, 4, 1))), "it counts 1 rows of watcher; there are 0"},
		"watcher astray":    {set(appendWatcher(nil, 0, watcherItem(1, 9, 1, 1)), row(func(e *rowcode.Enc) { encodeWatcher(e, watcherItem(1, 9, 1, 1)) })), "it names partition 9"},
		"draining none":     {set(appendInstance(nil, 0, famDraining, 1), []byte{markVersion}), "has not ended with watchers"},
		"status gone":       {del(appendInstance(nil, 0, famStatus, 1)), "its custom status is of version 1"},
		"status of nobody":  {set(appendInstance(nil, 0, famStatus, 77), row(func(e *rowcode.Enc) { encodeStatus(e, &persistence.CustomStatus{}) })), "has no head"},
		"value gone":        {del(appendKV(nil, 0, 1, true, "k")), "counts 1 rows of key-value; there are 0"},
		"value of nobody":   {set(appendKV(nil, 0, 77, true, "k"), row(func(e *rowcode.Enc) { encodeKV(e, &persistence.KVItem{}) })), "has no head"},
		"value of before":   {set(appendKV(nil, 0, 1, false, "k"), row(func(e *rowcode.Enc) { encodeKV(e, &persistence.KVItem{Cleared: true}) })), "cannot be a cleared one"},
		"base bytes":        {head(1, func(h *headRow) { h.KVBaseBytes++ }), "it counts 0 keys of 1 bytes"},
		"empty base":        {head(1, func(h *headRow) { h.KVCleared = true }), "all keys of an empty base are cleared"},
		"last chain":        {head(6, func(h *headRow) { h.FirstExecution, h.FirstChain = 2, h.Previous }), "history is kept from execution 2 on"},
		"unknown family":    {set(appendPrefix(nil, 0, 'Q'), []byte{partitionVersion}), "there is no family"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := verifiable(t)
			withDB(t, fs, func(db *pdb.DB) { c.change(t, db) })
			rep := verified(t, fs)
			for _, d := range rep.Damages {
				if strings.Contains(d.String(), c.want) {
					return
				}
			}
			t.Fatalf("no damage with %q in %v", c.want, rep.Damages)
		})
	}
}

// TestF21_verify_misses_turns_of_an_execution_that_has_ended: at its end, in its middle, and all of it.
func TestF21_verify_misses_turns_of_an_execution_that_has_ended(t *testing.T) {
	for name, c := range map[string]struct {
		gone []uint64 // turns of execution 1
		want string
	}{
		"the last":      {[]uint64{3}, "execution 1 does not end in a terminal event"},
		"the last two":  {[]uint64{2, 3}, "execution 1 does not end in a terminal event"},
		"in the middle": {[]uint64{2}, "the next event of history is 2"},
		"all":           {[]uint64{1, 2, 3}, "it follows execution 0"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			fs := verifiable(t)
			withDB(t, fs, func(db *pdb.DB) {
				for _, turn := range c.gone {
					must(t, db.Delete(appendSegment(nil, 0, 6, 1, turn, turn), pdb.Sync))
				}
			})
			rep := verified(t, fs)
			if len(rep.Damages) == 0 || !strings.Contains(fmt.Sprint(rep.Damages), c.want) {
				t.Fatalf("no damage with %q in %v", c.want, rep.Damages)
			}
		})
	}
	fs := verifiable(t)
	withDB(t, fs, func(db *pdb.DB) { // pruned: the head says from where on history is kept
		var h *headRow
		key := appendInstance(nil, 0, famHead, 6)
		row, closer, err := db.Get(key)
		must(t, err)
		h, err = decodeHead(6, row)
		must(t, errors.Join(err, closer.Close()))
		h.FirstExecution, h.FirstChain = 2, h.Previous
		var e rowcode.Enc
		encodeHead(&e, h)
		must(t, db.Set(key, e, pdb.Sync))
		for turn := uint64(1); turn <= 3; turn++ {
			must(t, db.Delete(appendSegment(nil, 0, 6, 1, turn, turn), pdb.Sync))
		}
	})
	if rep := verified(t, fs); len(rep.Damages) > 0 {
		t.Fatalf("what was pruned is damage: %v", rep.Damages)
	}
}

func TestVerifyOfAStoreInUseIsAnError(t *testing.T) {
	r := newRig(t, Options{Partitions: 1})
	if _, err := Verify(Options{Dir: "store", FS: r.fs}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatal(err)
	}
}

func TestVerifyComparesMarks(t *testing.T) {
	states := []*partitionRow{newPartitionRow(), newPartitionRow()}
	*states[0].peer(1) = peer{of: 1, next: 3, acked: 2}
	states[1].peer(0).in = 1
	var rep Report
	verifyMarks(states, &rep)
	if len(rep.Damages) != 1 || !strings.Contains(rep.Damages[0].What, "2 messages are acknowledged, and 1 were taken") {
		t.Fatal(rep.Damages)
	}
	states[1].peer(0).in = 4
	rep = Report{}
	verifyMarks(states, &rep)
	if len(rep.Damages) != 1 || !strings.Contains(rep.Damages[0].What, "4 messages were taken, and 3 were sent") {
		t.Fatal(rep.Damages)
	}
}

func TestDumpOfAClosedStore(t *testing.T) {
	dumps, err := Dump(Options{Dir: "store", FS: verifiable(t)})
	if err != nil || len(dumps) != 2 || len(dumps[0].Heads) != 6 || len(dumps[1].Outbox) != 1 {
		t.Fatal(err, dumps)
	}
}

// askedAt is a context that ends when it is asked for the time after this one.
type askedAt struct {
	context.Context
	at int
}

func (c *askedAt) Err() error {
	if c.at--; c.at < 0 {
		return context.Canceled
	}
	return nil
}

// TestF24_a_verification_ends_with_its_context ends it at each question. It says so, finds no damage that is not there, and
// gives the store up.
func TestF24_a_verification_ends_with_its_context(t *testing.T) {
	mem := closedStore(t)
	questions := 0
	for ; ; questions += stride() {
		rep, err := VerifyContext(&askedAt{context.Background(), questions}, Options{Dir: "store", FS: mem, Manual: true})
		if err == nil {
			if len(rep.Damages) > 0 {
				t.Errorf("a context that ended at the last question: %v", rep.Damages)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended at question %d: %v", questions, err)
		}
	}
	if questions < 20 {
		t.Errorf("only %d questions", questions)
	}
}

// An execution timeout is a timer that no event creates: that of the started event, from the time of its turn on.
func TestVerifyKnowsTheTimerOfAnExecutionTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		timeout, fireAt int64
		want            string
	}{
		"at its time":     {60_000, 61_000, ""},
		"at another time": {60_000, 61_001, "it is for 61001; history has 61000"},
		"beyond all time": {math.MaxInt64, math.MaxInt64, ""},
		"of none":         {0, 61_000, "history has no open timer with this event"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{Partitions: 2, FS: vfs.NewMem()})
			fs := r.s.o.FS.(*vfs.MemFS)
			r.begin()
			start := fusedStart(idIn("bounded", 0))
			start.Segment = segment(t, 1, 1, &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{ExecutionTimeoutMs: c.timeout}}})
			header, err := proto.Marshal(&turnpb.SegmentHeader{Turn: 1, TimeMs: 1000})
			if err != nil {
				t.Fatal(err)
			}
			start.Segment.Header, start.Work = header, nil
			start.Timers = []persistence.TimerRef{{FireAtMs: c.fireAt, Event: 1}}
			r.ok(0, start)
			if err := r.s.Close(); err != nil {
				t.Fatal(err)
			}
			found := fmt.Sprint(verified(t, fs).Damages)
			if c.want == "" && found != "[]" || !strings.Contains(found, c.want) {
				t.Errorf("found %s, want %q", found, c.want)
			}
		})
	}
}
