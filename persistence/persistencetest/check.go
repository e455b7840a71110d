package persistencetest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// checker collects what is wrong with a dump.
type checker struct {
	d        *persistence.Dump
	heads    map[persistence.Incarnation]persistence.Head
	problems []string
}

// CheckDump checks a partition against itself: chains against bytes, heads against segments, counters against rows,
// listing against heads, and that nothing is left of what has ended. It returns what is wrong, in words. What it says
// holds at every index, so it holds in every crash image too.
func CheckDump(d *persistence.Dump) []string {
	c := &checker{d: d, heads: map[persistence.Incarnation]persistence.Head{}}
	for _, h := range d.Heads {
		c.heads[h.IID] = h
	}
	c.names()
	c.segments()
	c.counters()
	c.inboxes()
	c.starts()
	c.listing()
	c.outbox()
	return c.problems
}

func (c *checker) expect(good bool, format string, args ...any) {
	if !good {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) names() {
	c.expect(len(c.d.Names) == len(c.d.Heads), "%d names and %d heads", len(c.d.Names), len(c.d.Heads))
	for _, n := range c.d.Names {
		h, ok := c.heads[n.IID]
		c.expect(ok && h.ID == n.ID, "name %q points at incarnation %d, whose head is of %q", n.ID, n.IID, h.ID)
	}
	for _, h := range c.d.Heads {
		c.expect(h.IID < c.d.State.NextIID, "incarnation %d of %q was never given", h.IID, h.ID)
	}
}

// segments recomputes every chain from the stored bytes and compares the head with the last part.
func (c *checker) segments() {
	rows := map[executionKey][]persistence.DumpPart{}
	for _, p := range c.d.Parts {
		key := executionKey{p.IID, p.Execution}
		rows[key] = append(rows[key], p)
	}
	for _, h := range c.d.Heads {
		previous := h.FirstChain
		for execution := h.FirstExecution; execution <= h.Execution; execution++ {
			key := executionKey{h.IID, execution}
			if execution == h.Execution {
				c.expect(h.Previous == previous, "%q: its execution follows chain %x, the one before ends in %x",
					h.ID, h.Previous, previous)
			}
			previous = c.execution(h, key, rows[key], previous)
			delete(rows, key)
		}
	}
	c.expect(len(rows) == 0, "history of executions that no head knows: %d", len(rows))
}

// execution checks one, which follows a chain, and returns its own last one.
func (c *checker) execution(
	h persistence.Head, key executionKey, parts []persistence.DumpPart, previous persistence.Chain,
) persistence.Chain {
	chain, next, turn := persistence.SeedChain(key.iid, key.execution, previous), uint64(1), uint64(0)
	var events, bytes, last uint64
	for _, p := range parts {
		where := fmt.Sprintf("%q execution %d event %d", h.ID, key.execution, p.FirstEvent)
		want := persistence.Chain{}
		if p.FirstEvent == 1 && turn == 0 {
			want = previous
		}
		c.expect(p.Previous == want, "%s: it follows chain %x, want %x", where, p.Previous, want)
		c.expect(p.FirstEvent == next, "%s: the part before ends at %d", where, next)
		c.expect(p.Turn == turn || p.Turn == turn+1, "%s: turn %d follows turn %d", where, p.Turn, turn)
		c.expect((p.Turn == turn+1) == (len(p.Header) > 0), "%s: a header is at the first part of a turn only", where)
		chain = chain.Next(&p.StoredPart)
		c.expect(chain == p.Chain, "%s: chain is %x, its bytes give %x", where, p.Chain, chain)
		next, turn, last = p.FirstEvent+p.Count, p.Turn, p.FirstEvent
		events += p.Count
		bytes += uint64(len(p.Header) + len(p.Events))
	}
	if key.execution != h.Execution {
		c.expect(len(parts) > 0, "%q: execution %d has ended without history", h.ID, key.execution)
		return chain
	}
	c.expect(h.Chain == chain, "%q: head's chain is %x, its history gives %x", h.ID, h.Chain, chain)
	c.expect(h.NextEvent == next && h.Turn == turn && h.LastPart == last,
		"%q: head says next event %d, turn %d, last part %d; history says %d, %d, %d",
		h.ID, h.NextEvent, h.Turn, h.LastPart, next, turn, last)
	c.expect(h.HistoryEvents == events && h.HistoryBytes == bytes, "%q: head says %d events of %d bytes; there are %d of %d",
		h.ID, h.HistoryEvents, h.HistoryBytes, events, bytes)
	return chain
}

// counters compares what heads count with the rows, and looks for rows of what has ended or moved on.
func (c *checker) counters() {
	count := map[persistence.Incarnation]*persistence.Head{}
	at := func(iid persistence.Incarnation) *persistence.Head {
		if count[iid] == nil {
			count[iid] = &persistence.Head{}
		}
		return count[iid]
	}
	current := func(what string, iid persistence.Incarnation, execution uint64) {
		h, ok := c.heads[iid]
		c.expect(ok && execution == h.Execution, "%s row of incarnation %d execution %d, which is not current", what, iid, execution)
	}
	listed, size, first := map[persistence.Incarnation]uint64{}, map[persistence.Incarnation]uint64{}, map[persistence.Incarnation]uint64{}
	for _, h := range c.d.Heads {
		first[h.IID] = h.NextSeq
	}
	for _, i := range c.d.Inbox {
		at(i.IID).Inbox++
		size[i.IID] += uint64(len(i.Message))
		first[i.IID] = min(first[i.IID], i.Seq)
		if i.Ordinal > 0 {
			listed[i.IID]++
		}
	}
	for _, w := range c.d.Work {
		at(w.Key.IID).Work++
		current("work", w.Key.IID, w.Key.Execution)
		c.expect(w.ID == c.heads[w.Key.IID].ID, "work %v is of %q, its head of %q", w.Key, w.ID, c.heads[w.Key.IID].ID)
		c.expect(w.Part > 0 && w.Part <= w.Key.Event, "work %v: its event cannot be in the part at %d", w.Key, w.Part)
	}
	for _, t := range c.d.Timers {
		at(t.Key.IID).Timers++
		current("timer", t.Key.IID, t.Key.Execution)
	}
	for _, ch := range c.d.Children {
		at(ch.IID).Children++
		current("child", ch.IID, ch.Execution)
	}
	c.watchers()
	c.state()
	for iid := range count {
		_, ok := c.heads[iid]
		c.expect(ok, "rows of incarnation %d, which does not exist", iid)
	}
	for _, h := range c.d.Heads {
		n := at(h.IID)
		c.expect(h.Topics == listed[h.IID] && h.InboxBytes == size[h.IID] && h.FirstSeq == first[h.IID],
			"%q: head says %d rows by topic, %d bytes, first seq %d; there are %d, %d, %d",
			h.ID, h.Topics, h.InboxBytes, h.FirstSeq, listed[h.IID], size[h.IID], first[h.IID])
		c.expect(h.Inbox == n.Inbox && h.Work == n.Work && h.Timers == n.Timers && h.Children == n.Children,
			"%q counts inbox %d, work %d, timers %d, children %d; there are %d, %d, %d, %d",
			h.ID, h.Inbox, h.Work, h.Timers, h.Children, n.Inbox, n.Work, n.Timers, n.Children)
		c.expect(!h.Status.Terminal() || *n == persistence.Head{}, "%q has ended and something is left of it", h.ID)
		c.expect(h.Status.Terminal() == (h.EndedAtMs != 0), "%q is %v and ended at %d", h.ID, h.Status, h.EndedAtMs)
	}
}

func (c *checker) inboxes() {
	for _, i := range c.d.Inbox {
		h := c.heads[i.IID]
		c.expect(i.Seq > 0 && i.Seq < h.NextSeq, "%q: inbox seq %d was never given", h.ID, i.Seq)
	}
	for _, l := range c.d.Leases {
		h, ok := c.heads[l.IID]
		c.expect(ok && !h.Status.Terminal(), "a turn lease of incarnation %d, which does not run", l.IID)
		c.expect(l.Token != "" || l.Attempts > 0 || l.NotBeforeMs > 0 || l.Held.Reason != "", "%q: a lease row that says nothing", h.ID)
	}
}

// starts: an instance is Pending exactly as long as what starts its execution is there.
func (c *checker) starts() {
	pending := map[persistence.Incarnation]uint64{}
	for _, s := range c.d.Starts {
		c.expect(pending[s.IID] == 0, "two starts of %q", s.ID)
		pending[s.IID] = s.Execution
	}
	for _, h := range c.d.Heads {
		want := uint64(0)
		if h.Status == persistence.StatusPending {
			want = h.Execution
		}
		c.expect(pending[h.IID] == want, "%q is %v in execution %d, its start is of execution %d",
			h.ID, h.Status, h.Execution, pending[h.IID])
	}
	c.expect(len(pending) == int(c.d.State.Pending), "%d starts and %d pending", len(pending), c.d.State.Pending)
}

func (c *checker) listing() {
	var want []persistence.DumpListing
	counts := map[persistence.Status]uint64{}
	for _, h := range c.d.Heads {
		want = append(want, persistence.DumpListing{Status: h.Status, UpdatedAtMs: h.UpdatedAtMs, IID: h.IID})
		counts[h.Status]++
	}
	slices.SortFunc(want, func(a, b persistence.DumpListing) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.UpdatedAtMs, b.UpdatedAtMs), cmp.Compare(a.IID, b.IID))
	})
	c.expect(slices.Equal(want, c.d.Listing), "listing is %v, heads give %v", c.d.Listing, want)
	s := c.d.State
	got := []uint64{s.Pending, s.Running, s.Completed, s.Failed}
	for i, status := range []persistence.Status{
		persistence.StatusPending, persistence.StatusRunning, persistence.StatusCompleted, persistence.StatusFailed,
	} {
		c.expect(got[i] == counts[status], "%d are counted %v, there are %d", got[i], status, counts[status])
	}
}

// outbox: what is still there are the last seqs that were given, without a gap.
func (c *checker) outbox() {
	last := map[persistence.Partition]uint64{}
	for _, o := range c.d.Outbox {
		c.expect(last[o.To] == 0 || o.Seq == last[o.To]+1, "outbox to %d: seq %d follows %d", o.To, o.Seq, last[o.To])
		last[o.To] = o.Seq
	}
	for _, m := range c.d.Sent {
		c.expect(last[m.Peer] == 0 || last[m.Peer] == m.Seq, "outbox to %d ends at %d, %d were given", m.Peer, last[m.Peer], m.Seq)
	}
}
