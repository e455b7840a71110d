package persistencetest

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// recorder is a T that fails no test: it records that it was told to fail.
type recorder struct {
	failed  bool
	first   string
	cleanup []func()
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Cleanup(f func())    { r.cleanup = append(r.cleanup, f) }

func (r *recorder) Errorf(format string, _ ...any) {
	if !r.failed {
		r.failed, r.first = true, format
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Together(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// caught runs something that may fail and reports whether it did.
func caught(run func(t T)) bool {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if recover() != nil {
				r.failed = true
			}
		}()
		run(r)
	}()
	<-done
	for _, f := range slices.Backward(r.cleanup) {
		f()
	}
	return r.failed
}

// faulty is a model with something done around each command.
type faulty struct {
	*Model
	before func(m *Model, p *persistence.Proposal)
	after  func(m *Model, p persistence.Proposal, a *persistence.Applied)
}

func (f *faulty) Apply(index uint64, p persistence.Proposal) persistence.Applied {
	original := p
	if c, ok := p.Command.(*persistence.CommitTurn); ok {
		copied := *c // what was proposed belongs to the proposer
		p.Command = &copied
	}
	if f.before != nil {
		f.before(f.Model, &p)
	}
	a := f.Model.Apply(index, p)
	if f.after != nil {
		f.after(f.Model, original, &a)
	}
	return a
}

func around(
	before func(m *Model, p *persistence.Proposal), after func(m *Model, p persistence.Proposal, a *persistence.Applied),
) Faults {
	return Faults{Machine: func(m *Model) persistence.Machine { return &faulty{Model: m, before: before, after: after} }}
}

// onTurn changes turns before they are applied.
func onTurn(change func(m *Model, p *persistence.Proposal, c *persistence.CommitTurn)) Faults {
	return around(func(m *Model, p *persistence.Proposal) {
		if c, ok := p.Command.(*persistence.CommitTurn); ok {
			change(m, p, c)
		}
	}, nil)
}

// plantedFaults are journals that are wrong in one way each.
var plantedFaults = map[string]Faults{
	"acknowledges before the sync":   {EarlyAck: true},
	"shows before it is durable":     {EarlyView: true},
	"drops the fence":                onTurn(dropFence),
	"consumes twice":                 onTurn(consumeTwice),
	"accepts a result twice":         onTurn(acceptTwice),
	"loses timers":                   onTurn(func(_ *Model, _ *persistence.Proposal, c *persistence.CommitTurn) { c.Timers = nil }),
	"loses sends":                    onTurn(func(_ *Model, _ *persistence.Proposal, c *persistence.CommitTurn) { c.Sends = nil }),
	"keeps cancelled work":           onTurn(func(_ *Model, _ *persistence.Proposal, c *persistence.CommitTurn) { c.CancelledWork = nil }),
	"skips the chain":                around(nil, skipChain),
	"does half of a refused turn":    around(nil, halfTurn),
	"forgets request keys":           around(nil, func(m *Model, _ persistence.Proposal, _ *persistence.Applied) { clear(m.requests) }),
	"delivers again":                 around(deliverAgain, nil),
	"never lets a lease expire":      around(nil, endlessLease),
	"counts no attempts":             around(nil, noAttempts),
	"tells no effects":               around(nil, func(_ *Model, _ persistence.Proposal, a *persistence.Applied) { a.Effects = nil }),
	"stays in its execution":         around(nil, sameExecution),
	"ignores the clock of a message": around(nil, seenAtOnce),
	"loses the custom status": around(nil, func(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
		clear(m.statuses)
	}),
	"keeps values of one execution only": around(nil, func(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
		for _, h := range m.heads {
			m.dropLayer(h.IID, false)
			m.countKV(h)
		}
	}),
	"clears no key": around(func(_ *Model, p *persistence.Proposal) {
		if c, ok := p.Command.(*persistence.CommitTurn); ok {
			copied := *c
			copied.KV = slices.DeleteFunc(slices.Clone(c.KV), func(k persistence.KVChange) bool { return k.Op == persistence.KVClear })
			p.Command = &copied
		}
	}, nil),
	"gives indexes to acceptances only": around(nil, func(_ *Model, _ persistence.Proposal, a *persistence.Applied) {
		if a.Result.Err != nil {
			a.Result.Index = 0
		}
	}),
	"leaves work of what has ended": around(nil, workOfEnded),
	"reuses incarnations":           around(nil, reuseIncarnations),
	"takes a key for its request":   around(anyRequest, nil),
	"holds nothing":                 around(forgetReason, nil),
	"starts without its messages":   around(dropMessages, nil),
	"skips what is deferred":        around(nil, skipDeferred),
	"lists no topics":               around(nil, func(m *Model, _ persistence.Proposal, _ *persistence.Applied) { clear(m.topics) }),
	"loses the last chain":          around(nil, losePrevious),
	"forgets whose child it is":     around(nil, func(m *Model, _ persistence.Proposal, _ *persistence.Applied) { clear(m.families) }),
	"expires what has no bound":     around(boundAll, nil),
	"remembers no other node":       around(nil, func(m *Model, _ persistence.Proposal, _ *persistence.Applied) { m.state.Others = nil }),
}

func dropFence(m *Model, p *persistence.Proposal, c *persistence.CommitTurn) {
	p.Epoch = m.state.Epoch
	m.now = p.TimeMs
	c.Token = ""
	if l := m.leases[c.IID]; m.live(l.Token, l.Holder, l.ExpiresAtMs) {
		c.Token = l.Token
	}
}

func consumeTwice(m *Model, _ *persistence.Proposal, c *persistence.CommitTurn) {
	c.ConsumedInbox = slices.DeleteFunc(slices.Clone(c.ConsumedInbox), func(seq uint64) bool {
		return !slices.ContainsFunc(m.inbox[c.IID], func(i persistence.InboxItem) bool { return i.Seq == seq })
	})
}

func acceptTwice(m *Model, _ *persistence.Proposal, c *persistence.CommitTurn) {
	c.AcceptedResults = slices.DeleteFunc(slices.Clone(c.AcceptedResults), func(a persistence.AcceptedResult) bool {
		_, there := m.work[persistence.WorkKey{IID: c.IID, Execution: a.Execution, Event: a.Event}]
		return !there
	})
}

func skipChain(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
	for _, h := range m.heads {
		h.Chain = persistence.SeedChain(h.IID, h.Execution, h.Previous)
	}
}

func halfTurn(m *Model, p persistence.Proposal, a *persistence.Applied) {
	if c, ok := p.Command.(*persistence.CommitTurn); ok && a.Result.Err != nil && m.heads[c.IID] != nil {
		m.appendSegment(m.heads[c.IID], c)
	}
}

func deliverAgain(m *Model, p *persistence.Proposal) {
	if d, ok := p.Command.(*persistence.Deliver); ok && d.FirstSeq > 0 {
		m.received[d.From] = d.FirstSeq - 1
	}
}

func endlessLease(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
	for iid, l := range m.leases {
		if l.Token != "" {
			l.ExpiresAtMs = 1 << 60
			m.leases[iid] = l
		}
	}
}

func noAttempts(m *Model, _ persistence.Proposal, a *persistence.Applied) {
	if a.Result.Attempts > 0 {
		a.Result.Attempts = 1
	}
	for key, w := range m.work {
		w.Attempts = min(w.Attempts, 1)
		m.work[key] = w
	}
}

func sameExecution(m *Model, p persistence.Proposal, a *persistence.Applied) {
	c, ok := p.Command.(*persistence.CommitTurn)
	if ok && a.Result.Err == nil && c.Outcome == persistence.OutcomeContinued {
		m.heads[a.Result.IID].Execution = c.Execution
	}
}

func seenAtOnce(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
	for _, items := range m.inbox {
		for i := range items {
			items[i].NotBeforeMs = 0
		}
	}
}

func workOfEnded(m *Model, p persistence.Proposal, a *persistence.Applied) {
	if a.Effects == nil {
		return
	}
	for _, e := range a.Effects.Ended {
		for _, key := range a.Effects.WorkDeleted {
			m.work[key] = persistence.WorkItem{ID: e.ID, Key: key, Name: "left", Part: 1}
		}
	}
}

func reuseIncarnations(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
	if m.state.NextIID > 3 {
		m.state.NextIID = 3
	}
}

func anyRequest(m *Model, p *persistence.Proposal) {
	if c, ok := p.Command.(*persistence.Enqueue); ok {
		if first, known := m.requests[persistence.RequestRef{ID: c.ID, Key: c.Request.Key}]; known {
			copied := *c
			copied.Request.Kind, copied.Request.Digest = first.Kind, first.Digest
			p.Command = &copied
		}
	}
}

func forgetReason(_ *Model, p *persistence.Proposal) {
	if c, ok := p.Command.(*persistence.AbandonTurn); ok {
		copied := *c
		copied.Reason = ""
		p.Command = &copied
	}
}

func dropMessages(_ *Model, p *persistence.Proposal) {
	if c, ok := p.Command.(*persistence.StartInstance); ok {
		copied := *c
		copied.Messages = nil
		p.Command = &copied
	}
}

func skipDeferred(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
	for _, h := range m.heads {
		h.FirstSeq = h.NextSeq
	}
}

func losePrevious(m *Model, _ persistence.Proposal, _ *persistence.Applied) {
	for _, h := range m.heads {
		h.Previous = persistence.Chain{}
	}
}

func boundAll(m *Model, _ *persistence.Proposal) {
	for key, w := range m.work {
		w.Deadlines.StartToCloseMs = max(w.Deadlines.StartToCloseMs, 1)
		m.work[key] = w
	}
}

// TestPlantedFaults proves that the kit can fail: every fault is found by a case, or by random commands at the latest.
func TestPlantedFaults(t *testing.T) {
	trace := Generate(1, 2, 500, 8)
	for name, faults := range plantedFaults {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			h := MemoryHarness(faults)
			var by []string
			for _, c := range Cases() {
				if caught(func(r T) { RunCase(r, h, c) }) {
					by = append(by, c.Name)
				}
			}
			random := caught(func(r T) { Play(r, h.Open(r, 2), trace, 1, 2) })
			if len(by) == 0 && !random {
				t.Errorf("a journal that %s passes the kit", name)
			}
			t.Logf("random commands: %v; cases: %v", random, by)
		})
	}
}
