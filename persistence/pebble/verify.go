package pebble

import (
	"context"
	"errors"
	"fmt"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Report is what Verify found.
type Report struct {
	Info persistence.StoreInfo
	// Rows counts the rows that were read, by family.
	Rows map[string]uint64
	// Instances is how many histories were walked, Events how many events they have.
	Instances, Events uint64
	// Damages has at most damagesMax damages; More counts the others.
	Damages []Damage
	More    uint64
	// applied is the index of each partition whose row can be read.
	applied []uint64
}

// Damage is one thing that is wrong.
type Damage struct {
	Partition persistence.Partition
	// Family is the kind of row, or "store" or "files" for the files below the rows; Key names the row as text.
	Family string
	Key    string
	What   string
}

// String returns the damage as a line.
func (d Damage) String() string {
	return fmt.Sprintf("partition %d: %s %s: %s", d.Partition, d.Family, d.Key, d.What)
}

// damagesMax bounds the report of a store with very many damages.
const damagesMax = 1000

// Verify reads a store without changing it and reports all damage that it finds: it compares files with the witness,
// checksums of all tables, the chain of every history, heads with segments, work and timers with open events, counters
// with rows, the listing index, and the marks of partitions with each other. The error is for a store that cannot be
// opened, for example because it is in use; damage is never an error.
func Verify(o Options) (Report, error) { return VerifyContext(context.Background(), o) }

// VerifyContext is Verify that ends with the error of ctx when ctx ends.
func VerifyContext(ctx context.Context, o Options) (Report, error) {
	rep := Report{Rows: map[string]uint64{}}
	if err := ctx.Err(); err != nil {
		return rep, err
	}
	o.ReadOnly = true
	if o.FS == nil {
		o.FS = vfs.Default
	}
	o.FS = &untilFS{FS: o.FS, ctx: ctx}
	s, err := OpenContext(ctx, o)
	if over := ctx.Err(); err != nil && over != nil {
		return rep, errors.Join(over, err)
	}
	if err != nil {
		if errors.Is(err, ErrBelowWitness) || errors.Is(err, persistence.ErrCorrupt) {
			rep.add(Damage{Family: "store", Key: o.Dir, What: err.Error()})
			return rep, nil
		}
		return rep, err
	}
	rep.Info = s.core.info
	if err := s.core.db.CheckLevels(&pdb.CheckLevelsStats{}); err != nil {
		rep.add(Damage{Family: "files", Key: s.core.dbDir, What: err.Error()})
	}
	s.verifyTables(ctx, &rep)
	states, durable := make([]*partitionRow, s.core.info.Partitions), s.core.durable.snapshot()
	for p := range states {
		v := &verifier{ctx: ctx, p: persistence.Partition(p), s: s, rep: &rep}
		v.r = &reader{p: v.p, partitions: s.core.info.Partitions, from: s.core.db, stats: &s.core.stats}
		states[p] = v.run(durable[p])
		if states[p] != nil {
			rep.applied = append(rep.applied, states[p].Applied)
		}
	}
	verifyMarks(states, &rep)
	return rep, errors.Join(ctx.Err(), s.Close())
}

func (r *Report) add(d Damage) {
	if len(r.Damages) >= damagesMax {
		r.More++
		return
	}
	r.Damages = append(r.Damages, d)
}

// verifier checks one partition. Memory is bounded by one instance's open events.
type verifier struct {
	ctx context.Context
	p   persistence.Partition
	s   *Store
	r   *reader
	rep *Report
	// state is the P row; counts has the counters as the rows give them.
	state  *partitionRow
	counts map[persistence.Status]uint64
	held   uint64
	// draining counts the instances that have ended and have watchers left.
	draining uint64
}

func (v *verifier) damage(key []byte, format string, args ...any) {
	_, f, _ := splitKey(key)
	v.rep.add(Damage{Partition: v.p, Family: f.String(), Key: keyString(key), What: fmt.Sprintf(format, args...)})
}

// run checks the partition, whose row must have applied the durable index at least.
func (v *verifier) run(durable uint64) *partitionRow {
	state, err := v.r.partition()
	if err != nil {
		v.damage(appendPrefix(nil, v.p, famPartition), "%v", err)
		return nil
	}
	v.state, v.r.state = state, state
	v.counts = map[persistence.Status]uint64{}
	if state.Applied < durable {
		v.damage(appendPrefix(nil, v.p, famPartition), "applied is %d, and %d was durable", state.Applied, durable)
	}
	v.decodeAll()
	v.instances()
	v.names()
	v.timers()
	v.index()
	v.lists()
	v.outbox()
	if v.held != state.Held {
		v.damage(appendPrefix(nil, v.p, famPartition), "it counts %d instances as held; there are %d", state.Held, v.held)
	}
	if v.draining != state.Draining {
		v.damage(appendPrefix(nil, v.p, famPartition), "it counts %d instances that ended with watchers; there are %d",
			state.Draining, v.draining)
	}
	for status, want := range map[persistence.Status]uint64{
		persistence.StatusPending: state.Pending, persistence.StatusRunning: state.Running,
		persistence.StatusCompleted: state.Completed, persistence.StatusFailed: state.Failed,
	} {
		if got := v.counts[status]; got != want {
			v.damage(appendPrefix(nil, v.p, famPartition), "it counts %d instances as %v; there are %d", want, status, got)
		}
	}
	return state
}

// decodeAll reads every row of the partition once, so that each unreadable row is named, whichever instance it belongs to.
func (v *verifier) decodeAll() {
	prefix := []byte{byte(v.p >> 8), byte(v.p)}
	err := v.r.scanRows(prefix, prefix, func(key, value []byte) (bool, error) {
		_, f, k := splitKey(key)
		v.rep.Rows[f.String()]++
		var d persistence.Dump
		err := dumpRow(&d, f, k, value)
		if err == nil {
			err = k.done()
		}
		if err != nil {
			v.damage(key, "%v", err)
		}
		return v.ctx.Err() == nil, nil
	})
	v.unreadable(prefix, err)
}

// unreadable reports that a scan ended early, and the rows behind are not verified.
func (v *verifier) unreadable(prefix []byte, err error) {
	if err != nil {
		v.rep.add(Damage{Partition: v.p, Family: "files", Key: fmt.Sprintf("%x", prefix), What: err.Error()})
	}
}

// each calls row with every row of a family whose key can be decoded; decodeAll has named the others.
func (v *verifier) each(f family, row func(key []byte, k *keyReader, value []byte)) {
	prefix := appendPrefix(nil, v.p, f)
	v.unreadable(prefix, v.r.scanRows(prefix, prefix, func(key, value []byte) (bool, error) {
		_, _, k := splitKey(key)
		row(key, k, value)
		return v.ctx.Err() == nil, nil
	}))
}

// names compares N rows with heads; instances compares heads with N rows.
func (v *verifier) names() {
	v.each(famName, func(key []byte, k *keyReader, value []byte) {
		id := k.string()
		iid, err := decodeIID(value)
		if err != nil {
			return
		}
		head, ok, err := v.r.Head(iid)
		switch {
		case err != nil: // named by decodeAll
		case !ok:
			v.damage(key, "it names incarnation %d, which has no head", iid)
		case head.ID != id:
			v.damage(key, "it names incarnation %d, whose id is %q", iid, head.ID)
		}
		if home := v.s.PartitionOf(id); home != v.p {
			v.damage(key, "the id belongs into partition %d", home)
		}
	})
}

// timers compares the two rows of each timer.
func (v *verifier) timers() {
	v.each(famTimer, func(key []byte, k *keyReader, value []byte) {
		t := k.timerKey()
		of := appendEvent(nil, v.p, famTimerOf, persistence.WorkKey{IID: t.IID, Execution: t.Execution, Event: t.Event})
		var ms int64
		ok, err := v.r.get(of, func(b []byte) (err error) { ms, err = decodeTime(b); return err })
		switch {
		case err != nil:
		case !ok:
			v.damage(key, "its instance does not list it")
		case ms != t.FireAtMs:
			v.damage(key, "its instance lists it for %d", ms)
		}
	})
}

// index compares X rows with heads; instances compares heads with X rows.
func (v *verifier) index() {
	v.each(famIndex, func(key []byte, k *keyReader, value []byte) {
		status, ms, iid := k.status(), k.time(), k.iid()
		head, ok, err := v.r.Head(iid)
		switch {
		case err != nil:
		case !ok:
			v.damage(key, "there is no such instance")
		case head.Status != status || head.UpdatedAtMs != ms:
			v.damage(key, "the head says %v since %d", head.Status, head.UpdatedAtMs)
		}
	})
}

// outbox checks that each stream has the rows from behind the acknowledged one to the last, without a gap.
func (v *verifier) outbox() {
	next := make([]uint64, len(v.state.peers))
	for i, p := range v.state.peers {
		next[i] = p.acked + 1
	}
	v.each(famOutbox, func(key []byte, k *keyReader, value []byte) {
		to, seq := persistence.Partition(k.u16()), k.u64()
		i, sent := v.state.find(to)
		if !sent {
			v.damage(key, "nothing was sent to partition %d", to)
			return
		}
		if seq != next[i] {
			v.damage(key, "the next message to partition %d should be %d", to, next[i])
		}
		next[i] = seq + 1
		o, err := decodeOutbox(to, seq, value)
		if err == nil {
			_, err = persistence.DecodeOutboxMessage(o.Message)
		}
		if err != nil {
			v.damage(key, "%v", err)
		}
	})
	for i, p := range v.state.peers {
		if next[i] != p.next+1 {
			v.damage(appendOutbox(nil, v.p, p.of, next[i]), "messages %d to %d are missing", next[i], p.next)
		}
	}
}

// verifyMarks compares how far each partition has sent with how far the others have received.
func verifyMarks(states []*partitionRow, rep *Report) {
	damage := func(of, from, to persistence.Partition, format string, args ...any) {
		rep.add(Damage{Partition: of, Family: "marks", Key: fmt.Sprintf("from %d to %d", from, to), What: fmt.Sprintf(format, args...)})
	}
	for i, state := range states {
		if state == nil {
			continue
		}
		own := persistence.Partition(i)
		for _, p := range state.peers {
			if states[p.of] == nil {
				continue
			}
			other := states[p.of].known(own)
			if p.in > other.next {
				damage(own, p.of, own, "%d messages were taken, and %d were sent", p.in, other.next)
			}
			if p.acked > other.in {
				damage(own, own, p.of, "%d messages are acknowledged, and %d were taken", p.acked, other.in)
			}
		}
	}
}
