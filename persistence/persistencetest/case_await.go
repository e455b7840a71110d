package persistencetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnstone-dev/turnstone/persistence"
)

// wantFetched commits the next turns of instances, which find these messages.
func (s *story) wantFetched(want map[string]string) {
	s.Helper()
	for range len(want) {
		f := s.mustFetch()
		got := strings.Split(f.texts(), ", ")
		slices.Sort(got) // answers from near may come before those from far
		if text := strings.Join(got, ", "); text != want[f.head.ID] {
			s.Errorf("%s fetched %q, want %q", f.head.ID, text, want[f.head.ID])
		}
		f.mustCommit(f.plan())
	}
	s.noFetch("nothing else was told")
}

// awaiting starts instances that wait for one each, and carries that there.
func (s *story) awaiting(target string, ids ...string) {
	s.Helper()
	for _, id := range ids {
		s.start(id)
		f := s.mustFetch()
		p := f.plan()
		p.await(target)
		f.mustCommit(p)
	}
	s.carryAll(2)
}

// end ends a running instance that has a message.
func (s *story) end(id string, size int) {
	s.Helper()
	s.send(id, "end", 0)
	f := s.mustFetch()
	p := f.plan()
	p.completeLarge(size)
	f.mustCommit(p)
}

func awaits(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	s.mustFetch().mustAck()
	s.awaiting("a", "a::sub::near", far)
	if head, _ := s.head("a"); head.Watchers != 2 {
		s.Errorf("%d wait for it, want 2", head.Watchers)
	}
	s.noFetch("it has not ended")
	s.send("a", "again", 0)
	f := s.mustFetch()
	p := f.plan()
	p.continueAsNew("a", "")
	f.mustCommit(p)
	f = s.mustFetch()
	f.mustCommit(f.plan())
	s.noFetch("it has gone on as new")
	s.crash()
	s.end("a", 5)
	s.crash()
	s.carryAll(2)
	s.wantFetched(map[string]string{"a::sub::near": "await of 2: 5 bytes", far: "await of 2: 5 bytes"})
	if head, _ := s.head("a"); head.Watchers != 0 {
		s.Errorf("%d wait for it, want 0", head.Watchers)
	}
}

func awaitsOfEnded(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	p.fail(persistence.Link{})
	f.mustCommit(p)
	s.start("a::sub::near")
	s.start(far)
	for _, f := range []*fetched{s.mustFetch(), s.mustFetch()} {
		p := f.plan()
		p.await("a")
		p.await("nobody")
		f.mustCommit(p)
	}
	s.crash()
	s.carryAll(3)
	both := "await of 2: failed, await of 3: gone"
	s.wantFetched(map[string]string{"a::sub::near": both, far: both})
}

// awaitsInOneBatch: an await of an instance whose end is not in the database yet, but in the same batch.
func awaitsInOneBatch(s *story) {
	s.start("a")
	ending := s.mustFetch()
	s.start("a::sub::near")
	waiting := s.mustFetch()
	end, wait := ending.plan(), waiting.plan()
	end.commit.Token, wait.commit.Token = ending.token, waiting.token
	end.completeLarge(7)
	wait.await("a")
	p := s.store.Journal().PartitionOf("a")
	first, second := s.proposeOn(p, end.build()), s.proposeOn(p, wait.build())
	s.store.Settle()
	for _, r := range []persistence.Result{<-first, <-second} {
		if r.Err != nil {
			s.Fatalf("commit: %v", r.Err)
		}
	}
	s.wantFetched(map[string]string{"a::sub::near": "await of 2: 7 bytes"})
}

func awaitsGivenUp(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	s.mustFetch().mustAck()
	s.awaiting("a", "a::sub::near", far)
	for _, id := range []string{"a::sub::near", far} {
		s.send(id, "give up", 0)
		f := s.mustFetch()
		p := f.plan()
		p.unawait("a", 2)
		p.unawait("a", 77)
		p.unawait("nobody", 2)
		f.mustCommit(p)
	}
	s.carryAll(2)
	if head, _ := s.head("a"); head.Watchers != 0 {
		s.Errorf("%d wait for it, want 0", head.Watchers)
	}
	s.end("a", 5)
	s.carryAll(2)
	s.noFetch("none waits")
}

// drained is what the journal says is left to be answered.
func (s *story) drained(id string) (left []persistence.Incarnation) {
	s.Helper()
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) (err error) {
		left, err = r.ScanDraining(0, 10)
		return err
	})
	return left
}

func awaitsInBatches(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	s.mustFetch().mustAck()
	s.awaiting("a", "a::sub::1", "a::sub::2", far)
	large := persistence.DrainBytes * 2 / 3
	s.end("a", large)
	for want := 2; want > 0; want-- {
		head, _ := s.head("a")
		if left := s.drained("a"); len(left) != 1 || head.Watchers != uint64(want) {
			s.Fatalf("%d wait for it, want %d; %v are listed", head.Watchers, want, left)
		}
		s.crash()
		s.must("a", &persistence.DrainWatchers{IID: head.IID})
	}
	head, _ := s.head("a")
	if left := s.drained("a"); len(left) > 0 || head.Watchers > 0 {
		s.Fatalf("%d wait for it, %v are listed", head.Watchers, left)
	}
	s.must("a", &persistence.DrainWatchers{IID: head.IID})
	s.must("a", &persistence.DrainWatchers{IID: head.IID + 1000})
	s.carryAll(2)
	want := fmt.Sprintf("await of 2: %d bytes", large)
	s.wantFetched(map[string]string{"a::sub::1": want, "a::sub::2": want, far: want})
}

// awaitsOfDeleted: an id is used again before all that waited for the end of its former instance are answered.
func awaitsOfDeleted(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	s.mustFetch().mustAck()
	s.awaiting("a", "a::sub::1", far)
	s.end("a", persistence.DrainBytes)
	s.must("a", &persistence.StartInstance{ID: "a", Name: "a", Version: "1.0.0", Reuse: persistence.AllowIfTerminal})
	s.carryAll(2)
	s.crash()
	if left := s.drained("a"); len(left) > 0 {
		s.Errorf("%v are listed", left)
	}
	texts := map[string]bool{}
	for range 3 {
		f := s.mustFetch()
		texts[f.texts()] = true
		f.mustCommit(f.plan())
	}
	want := map[string]bool{"": true, "await of 2: gone": true, fmt.Sprintf("await of 2: %d bytes", persistence.DrainBytes): true}
	if fmt.Sprint(texts) != fmt.Sprint(want) {
		s.Errorf("they fetched %v, want %v", texts, want)
	}
}

func awaitsTogether(s *story) {
	far := s.elsewhere("a")
	s.start("a")
	f := s.mustFetch()
	p := f.plan()
	large := persistence.DrainBytes * 2 / 3
	p.completeLarge(large)
	f.mustCommit(p)
	s.start(far)
	f = s.mustFetch()
	p = f.plan()
	for range 3 {
		p.await("a")
	}
	f.mustCommit(p)
	s.carryAll(1)
	head, _ := s.head("a")
	if left := s.drained("a"); len(left) != 1 || head.Watchers != 2 {
		s.Fatalf("%d wait for it, want 2; %v are listed", head.Watchers, left)
	}
	s.crash()
	for range 2 {
		s.must("a", &persistence.DrainWatchers{IID: head.IID})
	}
	s.carryAll(2)
	end := fmt.Sprintf("%d bytes", large)
	s.wantFetched(map[string]string{far: "await of 2: " + end + ", await of 3: " + end + ", await of 4: " + end})
	if left := s.drained("a"); len(left) > 0 {
		s.Errorf("%v are listed", left)
	}
}
