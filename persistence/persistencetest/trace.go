package persistencetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Step is one command of a trace and what the model made of it.
type Step struct {
	Partition persistence.Partition
	// Proposal has no Done; Index is the place that it must take in its partition's log.
	Proposal persistence.Proposal
	Index    uint64
	// Result and Effects are the model's, as text.
	Result  string
	Effects string
}

// Trace is a sequence of commands for all partitions of a store, with everything that a store must answer and may
// hold. Messages between partitions are in it as the bytes that they are, so it can be given to any store.
type Trace struct {
	Seed       uint64
	Partitions int
	Steps      []Step
	// Coverage counts how often each kind of command, refusal and situation occurs.
	Coverage map[string]int
	// final are the dumps at the end; own are each partition's steps.
	final []string
	own   [][]int

	mu sync.Mutex
	// at are models on their way through the trace; states are what was asked of them so far.
	at     []*Model
	states []map[uint64]state
}

// state is a digest of a partition's dump and of all that a reader shows, at one index.
type state struct{ dump, view digest }

type digest [32]byte

func digestOf(text string) digest { return sha256.Sum256([]byte(text)) }

// stateAt is the model's state at an index. Asking in the order of the indexes is cheap.
func (t *Trace) stateAt(p persistence.Partition, index uint64) state {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.states[p][index]; ok {
		return s
	}
	if t.at[p] == nil || t.at[p].state.Applied > index {
		t.at[p] = t.replayed(p, 0)
	}
	m := t.at[p]
	t.advance(m, index)
	view, err := probe(m, t.Partitions)
	if err != nil {
		panic(err) // a model's reads do not fail
	}
	s := state{dump: digestOf(m.Dump().String()), view: digestOf(view)}
	t.states[p][index] = s
	return s
}

func (t *Trace) advance(m *Model, index uint64) {
	for m.state.Applied < index {
		s := &t.Steps[t.own[m.partition][m.state.Applied]]
		m.Apply(s.Index, s.Proposal)
	}
}

// FinalDump is what a partition's dump must be after the whole trace.
func (t *Trace) FinalDump(p persistence.Partition) string { return t.final[p] }

// Length is how many commands the trace has for a partition.
func (t *Trace) Length(p persistence.Partition) uint64 { return uint64(len(t.own[p])) }

// After lists up to n steps of a partition that follow an index. A store that holds exactly that index must answer them
// as the trace says.
func (t *Trace) After(p persistence.Partition, index uint64, n int) (steps []Step) {
	for _, i := range t.own[p][index:min(t.Length(p), index+uint64(n))] {
		steps = append(steps, t.Steps[i])
	}
	return steps
}

// CheckDump reports whether a dump is that of the model at the index that it claims, and whether that index is at least
// this one: everything up to it was acknowledged or shown. Nil if both hold.
func (t *Trace) CheckDump(d *persistence.Dump, atLeast uint64) error {
	p, applied := d.Partition, d.State.Applied
	switch {
	case applied < atLeast:
		return fmt.Errorf("partition %d: index %d was acknowledged or shown, and %d is left", p, atLeast, applied)
	case applied > t.Length(p):
		return fmt.Errorf("partition %d: index %d was never proposed", p, applied)
	case digestOf(d.String()) != t.stateAt(p, applied).dump:
		return fmt.Errorf("partition %d: at index %d the store holds something else than the model:\n%s",
			p, applied, firstDifference(t.replayed(p, applied).Dump().String(), d.String()))
	}
	return nil
}

// CheckView reads all that a reader shows and compares it with the model at the index that it shows, which it returns.
func (t *Trace) CheckView(p persistence.Partition, r persistence.Reader) (applied uint64, err error) {
	text, err := probe(r, t.Partitions)
	if err != nil {
		return 0, err
	}
	state, err := r.Partition()
	if err != nil {
		return 0, err
	}
	if state.Applied > t.Length(p) {
		return 0, fmt.Errorf("partition %d: a view shows index %d, which was never proposed", p, state.Applied)
	}
	if digestOf(text) != t.stateAt(p, state.Applied).view {
		want, _ := probe(t.replayed(p, state.Applied), t.Partitions)
		return 0, fmt.Errorf("partition %d: a view at index %d shows something else than the model:\n%s",
			p, state.Applied, firstDifference(want, text))
	}
	return state.Applied, nil
}

// replayed is a fresh model at an index.
func (t *Trace) replayed(p persistence.Partition, index uint64) *Model {
	m := NewModel(p, t.Partitions, placement(t.Partitions))
	t.advance(m, index)
	return m
}

func placement(partitions int) func(string) persistence.Partition {
	table := persistence.DefaultSlotTable(partitions)
	return func(id string) persistence.Partition { return table[persistence.Slot(id)] }
}

// probe is all that a reader shows, as text.
func probe(r persistence.Reader, partitions int) (string, error) {
	const all = 1 << 20
	var b strings.Builder
	state, err := r.Partition()
	errs := []error{err}
	fmt.Fprintf(&b, "%+v\n", state)
	heads, err := r.List([]persistence.Status{
		persistence.StatusPending, persistence.StatusRunning, persistence.StatusCompleted, persistence.StatusFailed,
	}, persistence.ListCursor{}, all)
	errs = append(errs, err)
	for _, h := range heads {
		fmt.Fprintf(&b, "%+v\n", h)
		errs = append(errs, probeInstance(&b, r, h))
	}
	starts, err1 := r.ScanStarts(0, all)
	inbox, err2 := r.ScanInbox(0, all)
	leases, err3 := r.ScanLeases(0, all)
	timers, err4 := r.ScanTimers(persistence.TimerKey{}, all)
	requests, err5 := r.ScanExpired(persistence.ExpiryRef{}, 1<<62, all)
	held, err9 := r.ScanHeld(persistence.HeldRef{}, all)
	fmt.Fprintf(&b, "%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n", starts, inbox, leases, timers, requests, held)
	work, err6 := r.ScanWork(persistence.WorkKey{}, all)
	for _, w := range work {
		fmt.Fprintln(&b, workText(w))
	}
	errs = append(errs, err1, err2, err3, err4, err5, err6, err9)
	streams, err11 := r.OutboxStreams()
	draining, err12 := r.ScanDraining(0, all)
	fmt.Fprintf(&b, "streams %+v\ndraining %v\n", streams, draining)
	errs = append(errs, err11, err12)
	for p := range partitions {
		out, err7 := r.ScanOutbox(persistence.Partition(p), 0, all, 0)
		mark, err8 := r.Mark(persistence.Partition(p))
		fmt.Fprintf(&b, "outbox to %d: %d rows, mark %d\n", p, len(out), mark)
		for _, o := range out {
			fmt.Fprintf(&b, "%d %d %x\n", o.To, o.Seq, o.Message)
		}
		short, err10 := r.ScanOutbox(persistence.Partition(p), 0, all, 100)
		fmt.Fprintf(&b, "%d of them have 100 bytes\n", len(short))
		errs = append(errs, err7, err8, err10)
	}
	return b.String(), errors.Join(errs...)
}

func probeInstance(b *strings.Builder, r persistence.Reader, h persistence.Head) error {
	iid, found, err := r.Resolve(h.ID)
	lease, leased, err1 := r.TurnLease(h.IID)
	err2 := probeInbox(b, r, h.IID)
	children, err3 := r.Children(h.IID, h.Execution)
	start, pending, err4 := r.Start(h.IID, h.Execution)
	fmt.Fprintf(b, "%d %v %+v %v %+v %+v %v\n", iid, found, lease, leased, children, start, pending)
	err5 := r.Parts(h.IID, h.Execution, 2, func(p persistence.StoredPart) bool {
		fmt.Fprintf(b, "%d %d %d %d %x %x %x\n", p.Execution, p.Turn, p.FirstEvent, p.Count, p.Header, p.Events, p.Chain)
		return true
	})
	return errors.Join(err, err1, err2, err3, err4, err5, probeState(b, r, h.IID))
}

// probeState reads what an instance shows to others.
func probeState(b *strings.Builder, r persistence.Reader, iid persistence.Incarnation) error {
	status, set, err := r.CustomStatus(iid)
	fmt.Fprintf(b, "status %v %d %s\n", set, status.Version, textOrDash(status.Value))
	base, err1 := r.KVBase(iid)
	all, err2 := r.KVList(iid, nil, 1<<20, 0)
	fmt.Fprintf(b, "base %+v\nall %+v\n", base, all)
	errs := []error{err, err1, err2}
	for i, e := range all.Entries {
		one, ok, err3 := r.KV(iid, e.Key)
		rest, err4 := r.KVList(iid, &all.Entries[i].Key, 2, 20)
		fmt.Fprintf(b, "%v %+v, behind it %+v\n", ok, one, rest)
		errs = append(errs, err3, err4)
	}
	return errors.Join(errs...)
}

// probeInbox reads an inbox at once and in small pages, as a whole and by each of its topics.
func probeInbox(b *strings.Builder, r persistence.Reader, iid persistence.Incarnation) error {
	whole, err := r.Inbox(iid, 0, 1<<20, 0)
	if err != nil {
		return err
	}
	pageText(b, whole)
	topics := []persistence.Topic{0}
	for _, i := range whole.Items {
		if !slices.Contains(topics, i.Topic) {
			topics = append(topics, i.Topic)
		}
	}
	read := func(after uint64, of []persistence.Topic) (persistence.InboxPage, error) {
		if of == nil {
			return r.Inbox(iid, after, 2, 20)
		}
		return r.InboxOf(iid, of, after, 2, 20)
	}
	for _, of := range [][]persistence.Topic{nil, topics[:1], topics[len(topics)-1:], topics} {
		for page := (persistence.InboxPage{More: true}); page.More; {
			if page, err = read(page.Through, of); err != nil {
				return err
			}
			pageText(b, page)
		}
	}
	return nil
}

func pageText(b *strings.Builder, page persistence.InboxPage) {
	fmt.Fprintf(b, "through %d, more %v\n", page.Through, page.More)
	for _, i := range page.Items {
		fmt.Fprintf(b, "%d %d %d %x/%d %x %d %d %q\n",
			i.Seq, i.NotBeforeMs, i.Form, i.Topic, i.Ordinal, i.Message, i.Execution, i.Event, i.ChildID)
	}
}

// workText shows a work row without the addresses of its pointers.
func workText(w persistence.WorkItem) string {
	tag, session := textOrDash(w.Tag), textOrDash(w.Session)
	w.Tag, w.Session = nil, nil
	return fmt.Sprintf("%+v tag %s session %s", w, tag, session)
}

func textOrDash(text *string) string {
	if text == nil {
		return "-"
	}
	return fmt.Sprintf("%q", *text)
}

// ResultText shows a result, refusals with all their numbers.
func ResultText(r persistence.Result) string {
	var refusal *persistence.Refusal
	err := fmt.Sprint(r.Err)
	if errors.As(r.Err, &refusal) {
		err = fmt.Sprintf("refused %+v", *refusal)
	}
	r.Err = nil
	return fmt.Sprintf("%s %+v", err, r)
}

// EffectsText shows effects; within a list the order does not matter.
func EffectsText(e *persistence.Effects) string {
	if e == nil || e.Empty() {
		return ""
	}
	var work []string
	for _, w := range e.Work {
		work = append(work, workText(w))
	}
	slices.Sort(work)
	return fmt.Sprintf("%d inbox%v starts%v work%v gone%v timers%v gone%v leases%v unheld%v outbox%v ended%v draining%v", e.Index,
		texts(e.Inbox), texts(e.Starts), work, texts(e.WorkDeleted), texts(e.Timers), texts(e.TimersDeleted),
		texts(e.Leases), texts(e.Unheld), texts(e.Outbox), texts(e.Ended), texts(e.Draining))
}

func texts[V any](values []V) (out []string) {
	for _, v := range values {
		out = append(out, fmt.Sprintf("%+v", v))
	}
	slices.Sort(out)
	return out
}
