package sim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// instanceKey names an incarnation in the whole store.
type instanceKey struct {
	partition persistence.Partition
	iid       persistence.Incarnation
}

// ledger is what the journal has said is durable. What it holds must be in the store for ever.
type ledger struct {
	world *World
	epoch map[persistence.Partition]uint64
	// known are the instances by incarnation, ids the incarnation of each id.
	known map[instanceKey]*record
	ids   map[string]instanceKey
	// scheduled are the activities whose schedule event is durable, and since when.
	scheduled map[activityKey]time.Duration
	// tokens are the leases of activities.
	tokens map[persistence.Token]activityKey
}

type activityKey struct {
	instance  string
	execution uint64
	event     uint64
}

// record is one instance's durable history as it was released.
type record struct {
	id    string
	parts []persistence.StoredPart
	// execution and turn are those of the last released commit.
	execution, turn uint64
	terminal        persistence.Status
	held            bool // its last turn was given back because its code does not fit
	build           string
	tries           uint32 // of this build since then
}

func newLedger(w *World) *ledger {
	return &ledger{
		world: w, epoch: map[persistence.Partition]uint64{}, known: map[instanceKey]*record{},
		ids: map[string]instanceKey{}, scheduled: map[activityKey]time.Duration{}, tokens: map[persistence.Token]activityKey{},
	}
}

// observe notes a released result and checks what it says.
func (d *disk) observe(n persistence.Partition, p *process, epoch uint64, c persistence.Command, r *persistence.Result) {
	w, l := d.world, d.ledger
	if r.Err != nil {
		d.observeRefusal(c, r)
		if commit, ok := c.(*persistence.CommitTurn); ok && p.doubled && errors.Is(r.Err, persistence.ErrLeaseLost) {
			w.leftToDouble[instanceKey{n, commit.IID}] = true
		}
		return
	}
	switch c := c.(type) {
	case persistence.BeginEpoch:
		if p.twinOf != nil {
			return
		}
		if c.Epoch <= l.epoch[n] {
			w.fail("S5", "partition %d took epoch %d after %d", n, c.Epoch, l.epoch[n])
		}
		l.epoch[n] = c.Epoch
		if !r.Clean && r.Previous > 0 {
			w.reach("careful mode")
		}
	case *persistence.StartInstance:
		l.instance(instanceKey{n, r.IID}, c.ID)
	case *persistence.CommitTurn:
		if c.Token == "" && epoch != l.epoch[n] {
			w.fail("S5", "turn %d of %s was committed under a grant of epoch %d, the current one is %d", r.Turn, c.ID, epoch, l.epoch[n])
		}
		l.committed(n, c, r)
	case *persistence.LeaseTurn:
		l.leased(instanceKey{n, c.IID})
	case *persistence.LeaseWork:
		l.workLeased(n, c, r)
	case *persistence.RenewWork:
		l.workRenewed(c, r)
	case *persistence.AbandonTurn:
		l.heldTurn(instanceKey{n, c.IID}, c)
	case *persistence.ReleaseTurn:
		if r.Released {
			w.releases++
		}
	case *persistence.Terminate:
		l.terminated(n, c, r)
	}
}

// observeRefusal counts the rare states that show as refusals.
func (d *disk) observeRefusal(c persistence.Command, r *persistence.Result) {
	w := d.world
	var refusal *persistence.Refusal
	if !errors.As(r.Err, &refusal) {
		return
	}
	switch c.(type) {
	case *persistence.CommitTurn:
		switch refusal.Code {
		case persistence.Conflict:
			w.reach("conflict")
		case persistence.Fenced:
			w.reach("fenced turn")
		case persistence.LeaseLost:
			w.reach("lost turn lease")
		case persistence.Stale:
			w.reach("stale accept")
			for _, at := range refusal.Stale {
				if at.Part == persistence.PartResult {
					w.reach("result after cancel")
				}
			}
		}
	case *persistence.CompleteWork:
		if refusal.Code == persistence.NotFound {
			w.reach("result after cancel")
		}
	}
}

// observeDuplicate checks that a command that came a second time changed nothing more.
func (d *disk) observeDuplicate(n persistence.Partition, c persistence.Command, r *persistence.Result) {
	w := d.world
	switch c := c.(type) {
	case *persistence.CommitTurn:
		if r.Err == nil {
			w.fail("S5", "the same turn %d of %s in partition %d was committed twice", c.Turn+1, c.ID, n)
		}
	case *persistence.CompleteWork:
		if r.Err == nil {
			w.fail("S2", "the result of activity %v in partition %d was taken twice", c.Key, n)
		}
	}
}

// instance notes that an id has an incarnation.
func (l *ledger) instance(key instanceKey, id string) *record {
	rec := l.known[key]
	if rec == nil {
		rec = &record{id: id}
		l.known[key] = rec
	}
	if rec.id != id {
		l.world.fail("S10", "incarnation %d of partition %d is %q and %q", key.iid, key.partition, rec.id, id)
	}
	if other, ok := l.ids[id]; ok && other != key {
		l.world.fail("S10", "%q has the incarnations %v and %v", id, other, key)
	}
	l.ids[id] = key
	return rec
}

// committed adds a released turn to its instance's history.
func (l *ledger) committed(n persistence.Partition, c *persistence.CommitTurn, r *persistence.Result) {
	iid := c.IID
	if iid == 0 {
		iid = r.IID
	}
	rec := l.instance(instanceKey{n, iid}, c.ID)
	w := l.world
	if rec.terminal != 0 {
		w.fail("S9", "%s took a turn after it had ended as %v", c.ID, rec.terminal)
	}
	if c.Execution < rec.execution || c.Execution == rec.execution && r.Turn != rec.turn+1 {
		w.fail("S5", "%s: turn %d of execution %d was committed after turn %d of execution %d",
			c.ID, r.Turn, c.Execution, rec.turn, rec.execution)
	}
	rec.execution, rec.turn = c.Execution, r.Turn
	l.ranOn(rec)
	w.between()
	rec.append(c.Execution, &c.Segment)
	if slices.ContainsFunc(c.Sends, func(s persistence.Send) bool { return s.Kind == persistence.SendUnawait }) {
		w.reach("await given up")
	}
	for _, work := range c.Work {
		l.scheduled[activityKey{c.ID, c.Execution, work.Event}] = w.agenda.now
	}
	switch c.Outcome {
	case persistence.OutcomeCompleted:
		rec.terminal = persistence.StatusCompleted
	case persistence.OutcomeFailed:
		rec.terminal = persistence.StatusFailed
	}
}

// append adds what a turn has recorded.
func (r *record) append(execution uint64, s *persistence.SegmentDraft) {
	for i, part := range s.Parts {
		stored := persistence.StoredPart{
			Execution: execution, FirstEvent: part.FirstEvent, Count: part.Count, Events: bytes.Clone(part.Events),
		}
		if i == 0 {
			stored.Header = bytes.Clone(s.Header)
		}
		r.parts = append(r.parts, stored)
	}
}

// compare checks that the store holds all that was released, and takes over what it holds beyond that: commands whose
// outcome no caller was told.
func (l *ledger) compare(dumps []*persistence.Dump) {
	w := l.world
	found := map[instanceKey]*record{}
	for _, dump := range dumps {
		for _, name := range dump.Names {
			key := instanceKey{dump.Partition, name.IID}
			found[key] = &record{id: name.ID}
		}
		for _, head := range dump.Heads {
			rec := found[instanceKey{dump.Partition, head.IID}]
			if rec == nil || rec.id != head.ID {
				w.fail("S10", "partition %d has a head of %q without its name", dump.Partition, head.ID)
				continue
			}
			rec.execution, rec.turn = head.Execution, head.Turn
			if head.Status.Terminal() {
				rec.terminal = head.Status
			}
		}
		for _, part := range dump.Parts {
			rec := found[instanceKey{dump.Partition, part.IID}]
			if rec == nil {
				w.fail("S3", "partition %d has history of the unknown incarnation %d", dump.Partition, part.IID)
				continue
			}
			rec.parts = append(rec.parts, part.StoredPart)
		}
		for _, work := range dump.Work {
			l.scheduled[activityKey{work.ID, work.Key.Execution, work.Key.Event}] = w.agenda.now
		}
		if e := l.epoch[dump.Partition]; dump.State.Epoch < e {
			w.fail("S5", "partition %d went back from epoch %d to %d", dump.Partition, e, dump.State.Epoch)
		}
		l.epoch[dump.Partition] = dump.State.Epoch
	}
	for _, key := range l.keys() {
		want, got := l.known[key], found[key]
		if got == nil {
			w.fail("S1", "%q was acknowledged and is gone", want.id)
			continue
		}
		got.extends(w, want)
	}
	l.known = found
	l.ids = map[string]instanceKey{}
	for key, rec := range found {
		l.ids[rec.id] = key
	}
}

// keys lists the known incarnations in order.
func (l *ledger) keys() []instanceKey {
	keys := slices.Collect(maps.Keys(l.known))
	slices.SortFunc(keys, func(a, b instanceKey) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.iid, b.iid))
	})
	return keys
}

// extends checks that a history is what was released of it, and possibly more.
func (r *record) extends(w *World, released *record) {
	if len(r.parts) < len(released.parts) {
		w.fail("S3", "%s has %d stored parts, %d were acknowledged", r.id, len(r.parts), len(released.parts))
		return
	}
	for i := range released.parts {
		want, got := &released.parts[i], &r.parts[i]
		if got.Execution != want.Execution || got.FirstEvent != want.FirstEvent || !bytes.Equal(got.Events, want.Events) ||
			!bytes.Equal(got.Header, want.Header) {
			w.fail("S3", "%s: part %d of execution %d from event %d on is not what was acknowledged",
				r.id, i, want.Execution, want.FirstEvent)
			return
		}
	}
	if released.terminal != 0 && r.terminal != released.terminal {
		w.fail("S9", "%s ended as %v and is now %v", r.id, released.terminal, r.terminal)
	}
}

// turns decodes an instance's history, execution by execution, turn by turn.
func (r *record) turns() (executions []execution, err error) {
	for i := range r.parts {
		part := &r.parts[i]
		if len(executions) == 0 || executions[len(executions)-1].number != part.Execution {
			executions = append(executions, execution{number: part.Execution})
		}
		e := &executions[len(executions)-1]
		if err := e.decoder.Part(part.FirstEvent, part.Header, part.Events); err != nil {
			return nil, fmt.Errorf("%s: execution %d: %w", r.id, part.Execution, err)
		}
	}
	return executions, nil
}

// execution is one execution's decoded history.
type execution struct {
	number  uint64
	decoder history.Decoder
}

func (e *execution) turns() []replay.Segment { return e.decoder.Turns() }
