package persistencetest

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// deliveryCases are about messages between partitions.
func deliveryCases() []Case {
	return []Case{
		{"KIT_030 a child in another partition starts once, however often its message is delivered", childElsewhere},
		{"KIT_031 a child's answer reaches its parent in another partition", answerElsewhere},
		{"KIT_032 the start of a child whose id is taken is answered to the parent, near and far", childExists},
		{"KIT_033 messages that would leave a hole are refused; damaged ones too, and nothing is taken from them", deliveryGaps},
		{"KIT_034 a cancel goes to the child whose link it names, and to no other", cancelLinks},
		{"KIT_035 an acknowledged message is gone, and the numbers go on after it", acknowledged},
		{"KIT_036 a detached start makes one instance without a parent", detached},
		{"KIT_090 the start of a child or a detached instance has its delay and its timeout, near and far", timesOfLife},
		{"KIT_091 a message reaches another instance once, near and far, and its sender is told", messages},
		{"KIT_092 a message without a receiver is answered: there is none, it has ended, its inbox is full", messagesRefused},
		{"KIT_093 an instance is told how another one ended, once, near and far, however often that one goes on as new", awaits},
		{"KIT_094 a wait for the end of an instance that has ended, or that there is none of, is answered at once", awaitsOfEnded},
		{"KIT_095 a wait for an end that is in the same batch is answered", awaitsInOneBatch},
		{"KIT_096 a wait that is given up leaves nothing", awaitsGivenUp},
		{"KIT_097 a large end is told in batches, and what is left is found after a crash", awaitsInBatches},
		{"KIT_098 those that wait for an instance which is deleted are told that there is none", awaitsOfDeleted},
		{"KIT_099 waits for a large end that come together are answered in batches", awaitsTogether},
		{"KIT_045 the streams to other partitions that have rows are named, and no others (F13)", outboxStreams},
	}
}

// elsewhere is an id that lives in another partition.
func (s *story) elsewhere(id string) string {
	j := s.store.Journal()
	for i := 0; ; i++ {
		if other := fmt.Sprintf("far%d", i); j.PartitionOf(other) != j.PartitionOf(id) {
			return other
		}
	}
}

// outbox is what waits for a partition.
func (s *story) outbox(from, to persistence.Partition) (items []persistence.OutboxItem) {
	s.Helper()
	s.view(from, func(r persistence.Reader) (err error) {
		items, err = r.ScanOutbox(to, 0, 1000, 0)
		return err
	})
	return items
}

// carry delivers all that waits from one partition for another, without acknowledging it.
func (s *story) carry(from, to persistence.Partition) persistence.Result {
	s.Helper()
	items := s.outbox(from, to)
	if len(items) == 0 {
		return persistence.Result{}
	}
	d := &persistence.Deliver{From: from, FirstSeq: items[0].Seq}
	for _, item := range items {
		d.Messages = append(d.Messages, item.Message)
	}
	return s.mustOn(to, d)
}

// startChild gives "a" a child far away, and returns both partitions and the child's id.
func startChild(s *story) (here, there persistence.Partition, child string) {
	s.Helper()
	child = s.elsewhere("a")
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.child(child, "Child", "1.0.0")
	f.mustCommit(p)
	return s.store.Journal().PartitionOf("a"), s.store.Journal().PartitionOf(child), child
}

func childElsewhere(s *story) {
	here, there, child := startChild(s)
	if _, ok := s.head(child); ok {
		s.Errorf("the child exists before it was delivered")
	}
	s.carry(here, there)
	first, ok := s.head(child)
	if !ok || first.Parent.ID != "a" || first.Parent.Event != 2 {
		s.Fatalf("the child is %+v", first)
	}
	if r := s.carry(here, there); r.Mark != 1 {
		s.Errorf("the mark is %d, want 1", r.Mark)
	}
	s.reopen()
	s.carry(here, there)
	if again, _ := s.head(child); again != first {
		s.Errorf("a repeated delivery changed the child from %+v to %+v", first, again)
	}
	s.noFetchBut(child)
}

// noFetchBut checks that one instance alone has something to do.
func (s *story) noFetchBut(id string) {
	s.Helper()
	if f := s.mustFetch(); f.head.ID != id {
		s.Errorf("fetched %s, want %s", f.head.ID, id)
	}
	s.noFetch("only " + id + " has something to do")
}

func answerElsewhere(s *story) {
	here, there, child := startChild(s)
	s.carry(here, there)
	f := s.mustFetch()
	p := f.plan()
	p.complete(f.head.Parent)
	f.mustCommit(p)
	s.noFetch("the answer is on its way")
	s.carry(there, here)
	s.carry(there, here)
	f = s.mustFetch()
	wantTexts(s, f, "child of 2: from "+child)
	f.mustCommit(f.plan())
	if head, _ := s.head("a"); head.Children != 0 {
		s.Errorf("%d children are still waited for", head.Children)
	}
}

func childExists(s *story) {
	far := s.elsewhere("a")
	s.start(far)
	s.start("a::sub::near")
	s.mustFetch().mustAck()
	s.mustFetch().mustAck()
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.child("a::sub::near", "Child", "")
	p.child(far, "Child", "")
	f.mustCommit(p)
	f = s.mustFetch()
	wantTexts(s, f, "child a::sub::near of 2 exists")
	f.mustCommit(f.plan())
	here, there := s.store.Journal().PartitionOf("a"), s.store.Journal().PartitionOf(far)
	s.carry(here, there)
	s.carry(there, here)
	f = s.mustFetch()
	wantTexts(s, f, "child "+far+" of 3 exists")
	f.mustCommit(f.plan())
	s.noFetch("nothing else was told")
}

func deliveryGaps(s *story) {
	here, there, child := startChild(s)
	message := s.outbox(here, there)[0].Message
	for name, d := range map[string]*persistence.Deliver{
		"a hole":            {From: here, FirstSeq: 2, Messages: [][]byte{message}},
		"damaged":           {From: here, FirstSeq: 1, Messages: [][]byte{message[:len(message)-1]}},
		"damaged at last":   {From: here, FirstSeq: 1, Messages: [][]byte{message, {0xff}}},
		"from itself":       {From: there, FirstSeq: 1, Messages: [][]byte{message}},
		"from no partition": {From: 4000, FirstSeq: 1, Messages: [][]byte{message}},
	} {
		s.refused(s.on(there, d).Err, persistence.ErrConflict, name)
	}
	if _, ok := s.head(child); ok {
		s.Errorf("a refused delivery made the child")
	}
	s.carry(here, there)
	if _, ok := s.head(child); !ok {
		s.Errorf("the child is not there after its delivery")
	}
}

func cancelLinks(s *story) {
	here, there, child := startChild(s)
	s.carry(here, there)
	s.mustFetch().mustAck()
	for _, link := range []struct {
		execution, event uint64
		texts            string
	}{{1, 77, ""}, {2, 2, ""}, {1, 2, "cancel: dropped"}} {
		s.send("a", "go", 0)
		f := s.mustFetch()
		p := f.plan()
		p.cancelChild(persistence.ChildItem{ID: child, Execution: link.execution, Event: link.event})
		f.mustCommit(p)
		s.carry(here, there)
		if link.texts == "" {
			s.noFetch("the cancel names another link")
		} else {
			wantTexts(s, s.mustFetch(), link.texts)
		}
	}
	if head, _ := s.head(child); head.Dropped != 2 {
		s.Errorf("%d were dropped, want 2", head.Dropped)
	}
}

func acknowledged(s *story) {
	here, there, child := startChild(s)
	s.carry(here, there)
	s.mustOn(here, &persistence.OutboxAck{To: there, Through: 1})
	if left := s.outbox(here, there); len(left) != 0 {
		s.Errorf("acknowledged and still there: %v", left)
	}
	s.send("a", "go", 0)
	s.mustFetch().mustAck()
	s.send("a", "go", 0)
	var f *fetched
	for f = s.mustFetch(); f.head.ID != "a"; f = s.mustFetch() {
		f.mustAck()
	}
	p := f.plan()
	p.detach(child+"-2", "Other")
	p.detach(s.elsewhere("a"), "Other")
	f.mustCommit(p)
	s.reopen()
	left := s.outbox(here, there)
	if len(left) == 0 || left[0].Seq != 2 {
		s.Errorf("after the acknowledged seq 1 comes %v", left)
	}
	if r := s.carry(here, there); r.Mark != uint64(1+len(left)) {
		s.Errorf("mark %d after %d more", r.Mark, len(left))
	}
}

// hasStreams checks which streams of a partition have rows.
func (s *story) hasStreams(when string, from persistence.Partition, want ...persistence.OutboxStream) {
	s.Helper()
	var got []persistence.OutboxStream
	s.view(from, func(r persistence.Reader) (err error) {
		got, err = r.OutboxStreams()
		return err
	})
	if !slices.Equal(got, want) {
		s.Errorf("%s: the streams with rows are %v, want %v", when, got, want)
	}
}

func outboxStreams(s *story) {
	here := s.store.Journal().PartitionOf("a")
	s.hasStreams("before anything was sent", here)
	_, there, child := startChild(s)
	one := persistence.OutboxStream{To: there, Next: 1}
	s.hasStreams("after a message", here, one)
	s.carry(here, there)
	s.hasStreams("delivered and not acknowledged", here, one)
	s.hasStreams("at the receiver", there)
	s.send("a", "go", 0)
	f := s.mustFetch()
	for ; f.head.ID != "a"; f = s.mustFetch() {
		f.mustAck()
	}
	p := f.plan()
	for i, sent := 0, 0; sent < 2; i++ {
		if id := fmt.Sprint(child, "-", i); s.store.Journal().PartitionOf(id) == there {
			p.detach(id, "Other")
			sent++
		}
	}
	f.mustCommit(p)
	s.mustOn(here, &persistence.OutboxAck{To: there, Through: 1})
	rest := persistence.OutboxStream{To: there, Acked: 1, Next: 3}
	s.hasStreams("after an acknowledgement of the first of three", here, rest)
	s.crash()
	s.hasStreams("after a crash", here, rest)
	s.carry(here, there)
	s.mustOn(here, &persistence.OutboxAck{To: there, Through: 3})
	s.hasStreams("after all was acknowledged", here)
	s.reopen()
	s.hasStreams("after a reopen", here)
}

func timesOfLife(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.child("a::sub::x", "Near", "")
	p.child(far, "Far", "")
	p.detach(far+"-2", "Other")
	for i := range p.commit.Sends {
		p.commit.Sends[i].DelayMs, p.commit.Sends[i].ExecutionTimeoutMs = 500, 9000
	}
	at := s.nowMs
	f.mustCommit(p)
	s.nowMs += 300 // the time counts from the turn, not from the delivery
	s.crash()
	for to := range s.store.Journal().Info().Partitions {
		if here := s.store.Journal().PartitionOf("a"); persistence.Partition(to) != here {
			s.carry(here, persistence.Partition(to))
		}
	}
	for _, id := range []string{"a::sub::x", far, far + "-2"} {
		head, _ := s.head(id)
		s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
			start, _, err := r.Start(head.IID, 1)
			if start.NotBeforeMs != at+500 || start.ExecutionTimeoutMs != 9000 {
				s.Errorf("the start of %s is %+v", id, start)
			}
			return err
		})
	}
}

func detached(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.detach("a::sub::x", "Other")
	p.detach("a::sub::x", "Twice")
	p.detach(far, "Other")
	f.mustCommit(p)
	s.carry(s.store.Journal().PartitionOf("a"), s.store.Journal().PartitionOf(far))
	for _, id := range []string{"a::sub::x", far} {
		head, ok := s.head(id)
		if !ok || head.Name != "Other" || !head.Parent.IsZero() {
			s.Errorf("%s: %+v", id, head)
		}
	}
}
