package persistencetest

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// inboxCases are about reading an inbox, and about what comes with a start.
func inboxCases() []Case {
	return []Case{
		{"KIT_027 an inbox of any length is read in pages that say where they end, each row once (F02)", inboxPages},
		{"KIT_028 what is deferred stays in front, and the rows of a name are found behind it (F11)", deferredRows},
		{"KIT_029 a start with messages starts, or tells the one that runs", startWithMessages},
		{"KIT_040 a start may replace an instance that has ended, with its tree, and nothing is left of it", replacing},
		{"KIT_037 a delayed start says when its first turn may run", delayedStart},
		{"KIT_038 request keys are listed in the order in which they expire, each by its own time", expiryOrder},
		{"KIT_039 a child is listed by its parent from its creation on", families},
	}
}

// fill gives an instance so many messages at once, in turn about each of the topics.
func (s *story) fill(id string, n int, topics ...persistence.Topic) {
	s.Helper()
	c := &persistence.StartInstance{ID: id, Name: id}
	for i := range n {
		m := persistence.StartMessage{Message: eventMessage(fmt.Sprint(i))}
		if len(topics) > 0 {
			m.Topic = topics[i%len(topics)]
		}
		c.Messages = append(c.Messages, m)
	}
	s.must(id, c)
}

// readAll reads an inbox page by page, and checks what each page says of itself.
func (s *story) readAll(
	id string, read func(r persistence.Reader, iid persistence.Incarnation, after uint64) (persistence.InboxPage, error),
) (seqs []uint64) {
	s.Helper()
	head, _ := s.head(id)
	for page := (persistence.InboxPage{More: true}); page.More; {
		after := page.Through
		s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) (err error) {
			page, err = read(r, head.IID, after)
			return err
		})
		for _, item := range page.Items {
			seqs = append(seqs, item.Seq)
		}
		switch n := len(page.Items); {
		case page.More && (n == 0 || page.Through != page.Items[n-1].Seq):
			s.Fatalf("a page of %d rows after %d reaches through %d and says that there are more", n, after, page.Through)
		case !page.More && page.Through != head.NextSeq-1:
			s.Fatalf("the last page reaches through %d; %d were given out", page.Through, head.NextSeq-1)
		}
	}
	return seqs
}

func inboxPages(s *story) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 2000} {
		id := fmt.Sprint("i", n)
		s.fill(id, n)
		seqs := s.readAll(id, func(r persistence.Reader, iid persistence.Incarnation, after uint64) (persistence.InboxPage, error) {
			return r.Inbox(iid, after, 1000, 0)
		})
		bySize := s.readAll(id, func(r persistence.Reader, iid persistence.Incarnation, after uint64) (persistence.InboxPage, error) {
			return r.Inbox(iid, after, 1000, 100)
		})
		if len(seqs) != n || len(bySize) != n {
			s.Errorf("%d rows were read as %d, and as %d by their size", n, len(seqs), len(bySize))
		}
		for i := range seqs {
			if want := uint64(i + 1); seqs[i] != want || bySize[i] != want {
				s.Fatalf("row %d of %d has seq %d and %d", i, n, seqs[i], bySize[i])
			}
		}
	}
}

func deferredRows(s *story) {
	x, y := persistence.TopicOf(1, "x"), persistence.TopicOf(1, "y")
	s.fill("a", 200, x, y, 0)
	f := s.mustFetch()
	p := f.plan() // takes all
	p.commit.ConsumedInbox = nil
	for seq := uint64(2); seq <= 200; seq++ {
		if seq%3 != 1 || seq > 100 && seq < 150 { // x is deferred, but for some in the middle
			p.commit.ConsumedInbox = append(p.commit.ConsumedInbox, seq)
		}
	}
	f.mustCommit(p)
	for range 3 {
		s.must("a", &persistence.Enqueue{ID: "a", Message: eventMessage("late"), Topic: y})
		s.must("a", &persistence.Enqueue{ID: "a", Message: eventMessage("plain")})
	}
	of := func(topics ...persistence.Topic) []uint64 {
		return s.readAll("a", func(r persistence.Reader, iid persistence.Incarnation, after uint64) (persistence.InboxPage, error) {
			return r.InboxOf(iid, topics, after, 2, 0)
		})
	}
	check := func(what string, got []uint64, want ...uint64) {
		s.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			s.Errorf("%s: seqs %v, want %v", what, got, want)
		}
	}
	check("y", of(y), 201, 203, 205)
	check("without a name", of(0), 202, 204, 206)
	check("both", of(y, 0), 201, 202, 203, 204, 205, 206)
	check("a name that nobody used", of(persistence.TopicOf(2, "x")))
	var deferred []uint64
	for seq := uint64(1); seq <= 199; seq += 3 {
		if seq <= 100 || seq >= 150 {
			deferred = append(deferred, seq)
		}
	}
	check("x", of(x), deferred...)
	if head, _ := s.head("a"); head.FirstSeq != 1 || head.Topics != head.Inbox {
		s.Errorf("head is %+v", head)
	}
	f = s.mustFetch()
	p = f.plan()
	p.commit.ConsumedInbox = append([]uint64{203}, deferred...)
	f.mustCommit(p)
	check("x, consumed", of(x))
	check("y, one taken out of order", of(y), 201, 205)
	if head, _ := s.head("a"); head.FirstSeq != 201 || head.Inbox != 5 {
		s.Errorf("head is %+v", head)
	}
	must(s, s.terminate("a"))
	if head, _ := s.head("a"); head.Topics != 0 || head.InboxBytes != 0 || head.FirstSeq != head.NextSeq {
		s.Errorf("head is %+v", head)
	}
}

func startWithMessages(s *story) {
	message := func(text string) persistence.StartMessage {
		return persistence.StartMessage{Message: eventMessage(text), Topic: persistence.TopicOf(1, text)}
	}
	c := &persistence.StartInstance{
		ID: "a", Name: "n", Messages: []persistence.StartMessage{message("x"), message("y")}, InboxMax: 3,
		Request: persistence.Request{Key: "k"},
	}
	if r := s.must("a", c); r.Joined || r.Repeated || r.Seq != 2 {
		s.Errorf("the first: %+v", r)
	}
	if r := s.must("a", c); !r.Repeated || r.Seq != 2 {
		s.Errorf("the same again: %+v", r)
	}
	c.Request = persistence.Request{}
	s.refused(s.do("a", c).Err, persistence.ErrLimit, "two more where three is the most")
	c.Messages = c.Messages[:1]
	if r := s.must("a", c); !r.Joined || r.Seq != 3 {
		s.Errorf("to one that runs: %+v", r)
	}
	c.InboxMax, c.InboxBytesMax = 0, 3*uint64(len(c.Messages[0].Message))
	s.refused(s.do("a", c).Err, persistence.ErrLimit, "more bytes than are allowed")
	f := s.mustFetch()
	wantTexts(s, f, "x, y, x")
	p := f.plan()
	p.complete(persistence.Link{})
	f.mustCommit(p)
	s.refused(s.do("a", c).Err, persistence.ErrAlreadyExists, "to one that has ended")
}

func delayedStart(s *story) {
	s.must("a", &persistence.StartInstance{ID: "a", Name: "n", DelayMs: 500, ExecutionTimeoutMs: 9000})
	head, _ := s.head("a")
	s.view(s.store.Journal().PartitionOf("a"), func(r persistence.Reader) error {
		start, _, err := r.Start(head.IID, 1)
		if start.NotBeforeMs != s.nowMs+500 || start.ExecutionTimeoutMs != 9000 {
			s.Errorf("the start is %+v", start)
		}
		return err
	})
}

func expiryOrder(s *story) {
	s.start("a")
	for i, ttl := range []int64{300, 100, 0, 200} {
		s.must("a", &persistence.Enqueue{
			ID: "a", Message: eventMessage("x"), Request: persistence.Request{Key: fmt.Sprint("k", i), TTLMs: ttl},
		})
	}
	due := func(want ...string) {
		s.Helper()
		var got []string
		s.view(s.store.Journal().PartitionOf("a"), func(r persistence.Reader) error {
			after := persistence.ExpiryRef{}
			for {
				refs, err := r.ScanExpired(after, s.nowMs, 2)
				for _, ref := range refs {
					got = append(got, ref.Key)
					after = ref
				}
				if err != nil || len(refs) < 2 {
					return err
				}
			}
		})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			s.Errorf("due are %v, want %v", got, want)
		}
	}
	s.later(99)
	due()
	s.later(201)
	due("k1", "k3", "k0")
	s.must("a", &persistence.Enqueue{ // in place of an expired one: its time is another
		ID: "a", Message: eventMessage("x"), Request: persistence.Request{Key: "k3", TTLMs: 50},
	})
	s.must("a", &persistence.Sweep{Requests: []persistence.RequestRef{{ID: "a", Key: "k1"}, {ID: "a", Key: "k3"}}})
	due("k0")
	s.later(50)
	due("k0", "k3")
	s.later(persistence.RequestTTLMs)
	due("k0", "k3", "k2")
}

func families(s *story) {
	s.start("p")
	f := s.mustFetch()
	p := f.plan()
	far := ""
	for i := 0; far == ""; i++ {
		if id := fmt.Sprint("far", i); s.store.Journal().PartitionOf(id) != s.store.Journal().PartitionOf("p") {
			far = id
		}
	}
	p.child("p::sub::2", "n", "")
	f.mustCommit(p)
	if head, _ := s.head("p"); head.Spread || !head.Family {
		s.Errorf("its child is in its own partition: %+v", head)
	}
	s.send("p", "x", 0)
	f = s.mustFetch()
	for f.head.ID != "p" {
		f.mustAck()
		f = s.mustFetch()
	}
	p = f.plan()
	p.child(far, "n", "")
	f.mustCommit(p)
	if head, _ := s.head("p"); !head.Spread {
		s.Errorf("a child of it is elsewhere: %+v", head)
	}
	home := s.store.Journal().PartitionOf("p")
	d, err := s.store.Dump(home)
	parent, _ := s.head("p")
	child, _ := s.head("p::sub::2")
	want := persistence.FamilyRef{Partition: home, Parent: parent.IID, Child: child.IID}
	if err != nil || len(d.Families) != 1 || d.Families[0] != want {
		s.Errorf("families are %v, %v; want %v", d.Families, err, want)
	}
}

func replacing(s *story) {
	again := func(id string) persistence.Result {
		return s.do(id, &persistence.StartInstance{ID: id, Name: "n", Reuse: persistence.AllowIfTerminal})
	}
	request := persistence.Request{Key: "k"}
	first := s.must("p", &persistence.StartInstance{ID: "p", Name: "n", Reuse: persistence.AllowIfTerminal, Request: request})
	f := s.mustFetch()
	p := f.plan()
	p.child("p::sub::2", "n", "")
	f.mustCommit(p)
	s.refused(again("p").Err, persistence.ErrAlreadyExists, "it runs")
	must(s, s.terminate("p"))
	s.refused(again("p").Err, persistence.ErrAlreadyExists, "its child runs")
	must(s, s.terminate("p::sub::2"))
	s.refused(s.do("p", &persistence.StartInstance{ID: "p", Name: "n"}).Err, persistence.ErrAlreadyExists, "not allowed")
	r := again("p")
	if must(s, r.Err); r.IID <= first.IID || r.Joined || r.Repeated {
		s.Errorf("the new one is %+v, the old one was %+v", r, first)
	}
	s.refused(s.do("p", &persistence.StartInstance{ID: "p", Name: "n", Request: request}).Err, persistence.ErrNotFound,
		"the first start again: its instance is deleted")
	if _, there := s.head("p::sub::2"); there {
		s.Errorf("the child of the old one is left")
	}
	s.wantHistory("p", 0, "")
	d, err := s.store.Dump(s.store.Journal().PartitionOf("p"))
	if err != nil || len(d.Heads) != 1 || len(d.Parts) != 0 || len(d.Families) != 0 || d.State.Failed != 0 {
		s.Errorf("%v: left are %d heads, %d parts, families %v, state %+v", err, len(d.Heads), len(d.Parts), d.Families, d.State)
	}
	f = s.mustFetch()
	p = f.plan()
	far := ""
	for i := 0; far == ""; i++ {
		if id := fmt.Sprint("far", i); s.store.Journal().PartitionOf(id) != s.store.Journal().PartitionOf("p") {
			far = id
		}
	}
	p.child(far, "n", "")
	f.mustCommit(p)
	head, _ := s.head("p")
	end := s.terminateOf(head)
	end.Request = persistence.Request{} // its key was used for the old one
	s.must("p", end)
	s.refused(again("p").Err, persistence.ErrSpread, "a child of it is elsewhere")
}
