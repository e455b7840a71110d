package persistencetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

// story is one case being told: a store, a clock that only the case moves, and the few things that a dispatcher does.
type story struct {
	T
	store Store
	// nowMs is the time that proposals carry.
	nowMs int64
	// epochs are the current epoch of each partition.
	epochs  []uint64
	nonce   atomic.Uint64
	holder  persistence.Holder
	effects []effectLog
}

// lockMs is how long the story's leases last unless a case says otherwise.
const lockMs = 5000

// tenYearsMs is how far the wall clock is set forward under what is held.
const tenYearsMs = 10 * 365 * 24 * 3600 * 1000

// effectLog is what a partition's sink was told.
type effectLog struct{ seen []persistence.Effects }

func newStory(t T, store Store) *story {
	s := &story{
		T: t, store: store, nowMs: 1_700_000_000_000,
		holder: persistence.Holder{Node: "elsewhere", Process: "p1", Consumer: "c1"},
	}
	s.epochs = make([]uint64, s.partitions())
	s.effects = make([]effectLog, s.partitions())
	s.opened()
	return s
}

func (s *story) partitions() int { return s.store.Journal().Info().Partitions }

// opened takes up a journal that has just been opened: sinks, and a new epoch everywhere.
func (s *story) opened() {
	s.Helper()
	for p := range s.epochs {
		s.store.Journal().Attach(persistence.Partition(p), func(e *persistence.Effects) {
			s.effects[p].seen = append(s.effects[p].seen, *e)
		})
	}
	for p := range s.epochs {
		s.epochs[p]++
		s.mustOn(persistence.Partition(p), persistence.BeginEpoch{
			Epoch: s.epochs[p], Node: "here", Process: fmt.Sprintf("process %d", s.epochs[p]),
		})
	}
}

func (s *story) reopen() {
	s.Helper()
	if err := s.store.Reopen(); err != nil {
		s.Fatalf("reopening: %v", err)
	}
	s.opened()
}

func (s *story) crash() {
	s.Helper()
	if err := s.store.Crash(); err != nil {
		s.Fatalf("opening after a crash: %v", err)
	}
	s.opened()
}

// finish checks what holds at the end of every case: results in order, effects in order, counters true.
func (s *story) finish() {
	s.Helper()
	for p := range s.epochs {
		d, err := s.store.Dump(persistence.Partition(p))
		if err != nil {
			s.Fatalf("dump of partition %d: %v", p, err)
		}
		for _, problem := range CheckDump(d) {
			s.Errorf("partition %d: %s", p, problem)
		}
	}
}

// later moves the clock.
func (s *story) later(ms int64) { s.nowMs += ms }

// proposeOn puts a command into a partition's log and hands back where its result will come.
func (s *story) proposeOn(p persistence.Partition, c persistence.Command) <-chan persistence.Result {
	done := make(chan persistence.Result, 1)
	s.store.Journal().Propose(p, persistence.Proposal{
		TimeMs: s.nowMs, Epoch: s.epochs[p], Command: c, Done: func(r persistence.Result) { done <- r },
	})
	return done
}

// on proposes and waits for the result.
func (s *story) on(p persistence.Partition, c persistence.Command) persistence.Result {
	done := s.proposeOn(p, c)
	s.store.Settle()
	return <-done
}

// do is on, in the partition of an instance.
func (s *story) do(id string, c persistence.Command) persistence.Result {
	return s.on(s.store.Journal().PartitionOf(id), c)
}

func (s *story) mustOn(p persistence.Partition, c persistence.Command) persistence.Result {
	s.Helper()
	r := s.on(p, c)
	if r.Err != nil {
		s.Fatalf("%T: %v", c, r.Err)
	}
	return r
}

func (s *story) must(id string, c persistence.Command) persistence.Result {
	s.Helper()
	return s.mustOn(s.store.Journal().PartitionOf(id), c)
}

// refused checks that an error is a refusal of this kind.
func (s *story) refused(err, want error, what string) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: got %v, want a refusal: %v", what, err, want)
	}
}

// view reads a partition.
func (s *story) view(p persistence.Partition, read func(persistence.Reader) error) {
	s.Helper()
	done := make(chan error, 1)
	s.store.Journal().View(p, read, func(err error) { done <- err })
	s.store.Settle()
	if err := <-done; err != nil {
		s.Fatalf("view: %v", err)
	}
}

// start accepts an instance whose orchestration has the instance's name.
func (s *story) start(id string) persistence.Incarnation {
	s.Helper()
	return s.must(id, &persistence.StartInstance{ID: id, Name: id, Version: "1.0.0", Input: []byte("in")}).IID
}

// send puts a message into an instance's inbox, to be seen after a delay.
func (s *story) send(id, text string, delayMs int64) uint64 {
	s.Helper()
	c := &persistence.Enqueue{ID: id, Message: eventMessage(text)}
	if delayMs > 0 {
		c.NotBeforeMs = s.nowMs + delayMs
	}
	return s.must(id, c).Seq
}

// head reads an instance.
func (s *story) head(id string) (head persistence.Head, ok bool) {
	s.Helper()
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		iid, found, err := r.Resolve(id)
		if err != nil || !found {
			return err
		}
		head, ok, err = r.Head(iid)
		return err
	})
	return head, ok
}

// history is an execution as texts; of the latest one if execution is 0. An unknown instance has none.
func (s *story) history(id string, execution uint64) string {
	s.Helper()
	var texts []string
	s.view(s.store.Journal().PartitionOf(id), func(r persistence.Reader) error {
		iid, found, err := r.Resolve(id)
		if err != nil || !found {
			return err
		}
		head, _, err := r.Head(iid)
		if err != nil {
			return err
		}
		return r.Parts(iid, cmp.Or(execution, head.Execution), 0, func(p persistence.StoredPart) bool {
			more, err := eventTexts(p)
			if err != nil {
				more = []string{err.Error()}
			}
			texts = append(texts, more...)
			return true
		})
	})
	return strings.Join(texts, ", ")
}

func (s *story) wantHistory(id string, execution uint64, want string) {
	s.Helper()
	if got := s.history(id, execution); got != want {
		s.Errorf("history of %s: got %q, want %q", id, got, want)
	}
}

// fetched is a turn that was leased, with all that belongs to it: what the conformance list calls a fetched item.
type fetched struct {
	s        *story
	head     persistence.Head
	start    *persistence.PendingStart
	items    []persistence.InboxItem
	due      []persistence.TimerKey
	token    persistence.Token
	attempts uint32
}

// texts are the messages in order, as words.
func (f *fetched) texts() string {
	var texts []string
	for _, item := range f.items {
		texts = append(texts, messageText(item))
	}
	for range f.due {
		texts = append(texts, "timer fired")
	}
	return strings.Join(texts, ", ")
}

// candidate is an instance that has something to do and is not held.
type candidate struct {
	head persistence.Head
	due  []persistence.TimerKey
	p    persistence.Partition
}

// candidates are what a dispatcher would find, the longest waiting first.
func (s *story) candidates() []candidate {
	s.Helper()
	var found []candidate
	for p := range s.epochs {
		s.view(persistence.Partition(p), func(r persistence.Reader) error {
			c, err := s.candidatesIn(persistence.Partition(p), r)
			found = append(found, c...)
			return err
		})
	}
	return found
}

func (s *story) candidatesIn(p persistence.Partition, r persistence.Reader) ([]candidate, error) {
	wanted := map[persistence.Incarnation]bool{}
	due := map[persistence.Incarnation][]persistence.TimerKey{}
	starts, err1 := r.ScanStarts(0, 1000)
	for _, w := range starts {
		start, _, err1 := r.Start(w.IID, w.Execution)
		lease, _, err2 := r.TurnLease(w.IID)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		wanted[w.IID] = max(start.NotBeforeMs, lease.NotBeforeMs) <= s.nowMs
	}
	firsts, err2 := r.ScanInbox(0, 1000)
	for _, f := range firsts {
		page, err := r.Inbox(f.IID, 0, 1000, 0)
		lease, _, err4 := r.TurnLease(f.IID)
		if err := errors.Join(err, err4); err != nil {
			return nil, err
		}
		wanted[f.IID] = wanted[f.IID] || slices.ContainsFunc(page.Items, func(item persistence.InboxItem) bool {
			return s.visible(item) && (lease.NotBeforeMs <= s.nowMs || item.Seq > lease.Through)
		})
	}
	timers, err3 := r.ScanTimers(persistence.TimerKey{}, 1000)
	for _, t := range timers {
		if t.Key.FireAtMs <= s.nowMs {
			wanted[t.Key.IID] = true
			due[t.Key.IID] = append(due[t.Key.IID], t.Key)
		}
	}
	var found []candidate
	for _, iid := range sortedKeys(wanted) {
		lease, _, err4 := r.TurnLease(iid)
		head, _, err5 := r.Head(iid)
		if err := errors.Join(err4, err5); err != nil {
			return nil, err
		}
		if wanted[iid] && lease.ExpiresAtMs <= s.nowMs {
			found = append(found, candidate{head: head, due: due[iid], p: p})
		}
	}
	return found, errors.Join(err1, err2, err3)
}

func (s *story) visible(item persistence.InboxItem) bool { return item.NotBeforeMs <= s.nowMs }

// fetch leases the next instance that has something to do; nil if there is none.
func (s *story) fetch() *fetched {
	s.Helper()
	for _, c := range s.candidates() {
		if f, err := s.lease(c, lockMs); err == nil {
			return f
		}
	}
	return nil
}

// mustFetch is fetch when there must be something.
func (s *story) mustFetch() *fetched {
	s.Helper()
	f := s.fetch()
	if f == nil {
		s.Fatalf("nothing to fetch")
	}
	return f
}

// noFetch checks that there is nothing to fetch.
func (s *story) noFetch(why string) {
	s.Helper()
	if f := s.fetch(); f != nil {
		s.Errorf("%s: fetched %s with %q, want nothing", why, f.head.ID, f.texts())
	}
}

// lease takes the lease of a candidate and loads what belongs to it. Losing a race is an error.
func (s *story) lease(c candidate, ttlMs int64) (*fetched, error) {
	r := s.on(c.p, &persistence.LeaseTurn{
		IID: c.head.IID, Execution: c.head.Execution, Turn: c.head.Turn, Holder: s.holder, TTLMs: ttlMs,
		Nonce: s.nonce.Add(1), Due: c.due,
	})
	if r.Err != nil {
		return nil, r.Err
	}
	f := &fetched{s: s, token: r.Token, attempts: r.Attempts, due: r.Due}
	s.view(c.p, func(read persistence.Reader) error {
		var err1, err2, err3 error
		f.head, _, err1 = read.Head(c.head.IID)
		start, ok, err2 := read.Start(c.head.IID, f.head.Execution)
		if ok {
			f.start = &start
		}
		page, err3 := read.Inbox(c.head.IID, 0, 1000, 0)
		for _, item := range page.Items {
			if item.Seq <= r.Through && s.visible(item) {
				f.items = append(f.items, item)
			}
		}
		return errors.Join(err1, err2, err3)
	})
	return f, nil
}

// plan is the turn that takes in all that was fetched.
func (f *fetched) plan() *plan {
	p := newPlan(f.head, f.s.nowMs)
	p.commit.Token = f.token
	if f.start != nil {
		p.takeStart(*f.start)
	}
	for _, item := range f.items {
		p.takeItem(item)
	}
	for _, key := range f.due {
		p.takeTimer(persistence.TimerRef{FireAtMs: key.FireAtMs, Event: key.Event})
	}
	return p
}

// ack commits a plan of this turn.
func (f *fetched) ack(p *plan) error { return f.s.do(f.head.ID, p.build()).Err }

// mustAck commits the turn with notes as its events.
func (f *fetched) mustAck(notes ...string) {
	f.s.Helper()
	p := f.plan()
	for _, n := range notes {
		p.note(n)
	}
	f.mustCommit(p)
}

func (f *fetched) mustCommit(p *plan) {
	f.s.Helper()
	if err := f.ack(p); err != nil {
		f.s.Fatalf("ack of %s: %v", f.head.ID, err)
	}
}

// abandon gives the turn back.
func (f *fetched) abandon(delayMs int64, counts bool) error {
	return f.s.do(f.head.ID, &persistence.AbandonTurn{
		IID: f.head.IID, Execution: f.head.Execution, Turn: f.head.Turn, Token: f.token, DelayMs: delayMs, Counts: counts,
	}).Err
}

// renew extends the turn's lease.
func (f *fetched) renew(ttlMs int64) error {
	return f.s.do(f.head.ID, &persistence.RenewTurn{Token: f.token, TTLMs: ttlMs}).Err
}

// job is an activity that was leased.
type job struct {
	s        *story
	item     persistence.WorkItem
	p        persistence.Partition
	token    persistence.Token
	attempts uint32
}

// fetchWork leases the oldest activity that can be seen and is not held; nil if there is none.
func (s *story) fetchWork(ttlMs int64) *job {
	s.Helper()
	type row struct {
		persistence.WorkItem
		p persistence.Partition
	}
	var rows []row
	for p := range s.epochs {
		s.view(persistence.Partition(p), func(r persistence.Reader) error {
			items, err := r.ScanWork(persistence.WorkKey{}, 1000)
			for _, w := range items {
				if w.NotBeforeMs <= s.nowMs && w.ExpiresAtMs <= s.nowMs {
					rows = append(rows, row{w, persistence.Partition(p)})
				}
			}
			return err
		})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.Order, b.Order) })
	for _, w := range rows {
		r := s.on(w.p, &persistence.LeaseWork{
			Key: w.Key, Attempts: w.Attempts, Holder: s.holder, TTLMs: ttlMs, Nonce: s.nonce.Add(1),
		})
		if r.Err == nil {
			return &job{s: s, item: w.WorkItem, p: w.p, token: r.Token, attempts: r.Attempts}
		}
	}
	return nil
}

func (s *story) mustFetchWork(name string, ttlMs int64) *job {
	s.Helper()
	j := s.fetchWork(ttlMs)
	if j == nil {
		s.Fatalf("no work to fetch, want %s", name)
	}
	if j.item.Name != name {
		s.Fatalf("fetched work %s, want %s", j.item.Name, name)
	}
	return j
}

func (s *story) noWork(why string) {
	s.Helper()
	if j := s.fetchWork(lockMs); j != nil {
		s.Errorf("%s: fetched work %s, want nothing", why, j.item.Name)
	}
}

// complete answers the activity.
func (j *job) complete(result string) error {
	return j.s.on(j.p, &persistence.CompleteWork{
		Key: j.item.Key, Token: j.token, Attempts: j.attempts, Message: resultMessage(j.item.Key, result),
	}).Err
}

func (j *job) mustComplete(result string) {
	j.s.Helper()
	if err := j.complete(result); err != nil {
		j.s.Fatalf("completing %s: %v", j.item.Name, err)
	}
}

func (j *job) abandon(delayMs int64, counts bool) error {
	return j.s.on(j.p, &persistence.AbandonWork{
		Key: j.item.Key, Token: j.token, Attempts: j.attempts, DelayMs: delayMs, Counts: counts,
	}).Err
}

func (j *job) mustAbandon(delayMs int64, counts bool) {
	j.s.Helper()
	if err := j.abandon(delayMs, counts); err != nil {
		j.s.Fatalf("abandoning %s: %v", j.item.Name, err)
	}
}

// renew extends the lease; false if it was not live.
func (j *job) renew(ttlMs int64) bool {
	return j.s.mustOn(j.p, &persistence.RenewWork{Tokens: []persistence.Token{j.token}, TTLMs: ttlMs}).Live[0]
}

// withWork starts an instance whose first turn schedules activities of these names.
func (s *story) withWork(id string, names ...string) {
	s.Helper()
	s.start(id)
	f := s.mustFetch()
	p := f.plan()
	for _, n := range names {
		p.schedule(n)
	}
	f.mustCommit(p)
}
