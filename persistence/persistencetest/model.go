package persistencetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Model is one partition's state machine in memory: what the port's documentation says, in maps, with nothing to make
// it fast. It is the yardstick of every implementation, so it shares no code with any. It is not safe for concurrent
// use. Its memory grows with what it holds.
type Model struct {
	partition  persistence.Partition
	partitions int
	home       func(id string) persistence.Partition

	state    persistence.PartitionState
	received map[persistence.Partition]uint64
	sent     map[persistence.Partition]uint64
	names    map[string]persistence.Incarnation
	heads    map[persistence.Incarnation]*persistence.Head
	starts   map[executionKey]persistence.PendingStart
	parts    map[executionKey][]persistence.StoredPart
	inbox    map[persistence.Incarnation][]persistence.InboxItem
	leases   map[persistence.Incarnation]persistence.TurnLease
	work     map[persistence.WorkKey]persistence.WorkItem
	timers   map[persistence.TimerKey]bool
	children map[persistence.WorkKey]persistence.ChildItem
	requests map[persistence.RequestRef]persistence.RequestItem
	outbox   map[persistence.Partition][]persistence.OutboxItem

	// What the command that is being applied carries, and the effects that it has had so far.
	index   uint64
	now     int64
	epoch   uint64
	effects *persistence.Effects
}

type executionKey struct {
	iid       persistence.Incarnation
	execution uint64
}

// NewModel is an empty partition of a store that has so many. home says in which partition an instance id lives.
func NewModel(p persistence.Partition, partitions int, home func(id string) persistence.Partition) *Model {
	return &Model{
		partition: p, partitions: partitions, home: home,
		state:    persistence.PartitionState{Clean: true, MachineVersion: 1, NextIID: 1},
		received: map[persistence.Partition]uint64{},
		sent:     map[persistence.Partition]uint64{},
		names:    map[string]persistence.Incarnation{},
		heads:    map[persistence.Incarnation]*persistence.Head{},
		starts:   map[executionKey]persistence.PendingStart{},
		parts:    map[executionKey][]persistence.StoredPart{},
		inbox:    map[persistence.Incarnation][]persistence.InboxItem{},
		leases:   map[persistence.Incarnation]persistence.TurnLease{},
		work:     map[persistence.WorkKey]persistence.WorkItem{},
		timers:   map[persistence.TimerKey]bool{},
		children: map[persistence.WorkKey]persistence.ChildItem{},
		requests: map[persistence.RequestRef]persistence.RequestItem{},
		outbox:   map[persistence.Partition][]persistence.OutboxItem{},
	}
}

// Apply implements [persistence.Machine].
func (m *Model) Apply(index uint64, p persistence.Proposal) persistence.Applied {
	m.index, m.now, m.epoch = index, p.TimeMs, p.Epoch
	m.effects = &persistence.Effects{Index: index}
	m.state.Applied = index
	a := persistence.Applied{Result: m.dispatch(p.Command)}
	a.Result.Index = index
	if !m.effects.Empty() {
		a.Effects = m.effects
	}
	return a
}

func (m *Model) dispatch(command persistence.Command) persistence.Result {
	switch c := command.(type) {
	case persistence.BeginEpoch:
		return m.beginEpoch(c)
	case persistence.EndEpoch:
		return m.endEpoch()
	case *persistence.StartInstance:
		return m.startInstance(c)
	case *persistence.Enqueue:
		return m.enqueue(c)
	case *persistence.CommitTurn:
		return m.commitTurn(c)
	case *persistence.LeaseTurn:
		return m.leaseTurn(c)
	case *persistence.RenewTurn:
		return m.renewTurn(c)
	case *persistence.AbandonTurn:
		return m.abandonTurn(c)
	case *persistence.LeaseWork:
		return m.leaseWork(c)
	case *persistence.RenewWork:
		return m.renewWork(c)
	case *persistence.CompleteWork:
		return m.completeWork(c)
	case *persistence.AbandonWork:
		return m.abandonWork(c)
	case *persistence.Deliver:
		return m.deliver(c)
	case *persistence.OutboxAck:
		return m.outboxAck(c)
	case *persistence.Sweep:
		return m.sweep(c)
	}
	panic(fmt.Sprintf("the model does not know the command %T", command))
}

func refuse(code persistence.Code) persistence.Result {
	return persistence.Result{Err: &persistence.Refusal{Code: code}}
}

func (m *Model) beginEpoch(c persistence.BeginEpoch) persistence.Result {
	if c.Epoch <= m.state.Epoch {
		return refuse(persistence.Fenced)
	}
	r := persistence.Result{Previous: m.state.Epoch, Clean: m.state.Clean}
	m.state.Epoch, m.state.Node, m.state.Process, m.state.Clean = c.Epoch, c.Node, c.Process, false
	return r
}

func (m *Model) endEpoch() persistence.Result {
	if m.epoch == 0 || m.epoch != m.state.Epoch {
		return refuse(persistence.Fenced)
	}
	m.state.Clean = true
	return persistence.Result{}
}

func (m *Model) startInstance(c *persistence.StartInstance) persistence.Result {
	if item, ok := m.remembered(c.ID, c.RequestKey); ok {
		return persistence.Result{IID: item.IID, Repeated: true}
	}
	if iid, ok := m.names[c.ID]; ok {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.AlreadyExists, IID: iid}}
	}
	head := m.create(c.ID, c.Name, c.Version, c.Input, persistence.Link{})
	m.remember(c.ID, c.RequestKey, head.IID, 0)
	return persistence.Result{IID: head.IID}
}

// create makes an instance with its S row.
func (m *Model) create(id, name, version string, input []byte, parent persistence.Link) *persistence.Head {
	head := m.newHead(id, name, version, parent)
	m.writeStart(persistence.PendingStart{
		ID: id, IID: head.IID, Execution: 1, Name: name, Version: version, Input: input, Parent: parent,
	})
	return head
}

// newHead makes an instance without its S row, as a fused start does.
func (m *Model) newHead(id, name, version string, parent persistence.Link) *persistence.Head {
	head := &persistence.Head{
		ID: id, IID: m.state.NextIID, Name: name, Version: version, Status: persistence.StatusPending,
		Execution: 1, NextEvent: 1, NextSeq: 1, Parent: parent, CreatedAtMs: m.now, UpdatedAtMs: m.now,
	}
	head.Chain = persistence.SeedChain(head.IID, 1)
	m.state.NextIID++
	m.state.Pending++
	m.names[id], m.heads[head.IID] = head.IID, head
	return head
}

func (m *Model) writeStart(s persistence.PendingStart) {
	m.starts[executionKey{s.IID, s.Execution}] = s
	m.effects.Starts = append(m.effects.Starts, persistence.StartEffect{
		ID: s.ID, IID: s.IID, Execution: s.Execution, Name: s.Name, Version: s.Version,
	})
}

func (m *Model) enqueue(c *persistence.Enqueue) persistence.Result {
	if item, ok := m.remembered(c.ID, c.RequestKey); ok {
		return persistence.Result{IID: item.IID, Seq: item.Seq, Repeated: true}
	}
	iid, ok := m.names[c.ID]
	if !ok {
		return refuse(persistence.NotFound)
	}
	head := m.heads[iid]
	if head.Status.Terminal() {
		head.Dropped++
		m.remember(c.ID, c.RequestKey, iid, 0)
		return persistence.Result{IID: iid}
	}
	if c.InboxMax > 0 && head.Inbox >= c.InboxMax {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Limit, Size: head.Inbox + 1, Max: c.InboxMax}}
	}
	seq := m.put(head, persistence.InboxItem{
		NotBeforeMs: c.NotBeforeMs, Form: persistence.ItemMessage, Message: c.Message,
	})
	m.remember(c.ID, c.RequestKey, iid, seq)
	return persistence.Result{IID: iid, Seq: seq}
}

// put gives an inbox item the next seq.
func (m *Model) put(head *persistence.Head, item persistence.InboxItem) uint64 {
	item.Seq = head.NextSeq
	head.NextSeq++
	head.Inbox++
	m.inbox[head.IID] = append(m.inbox[head.IID], item)
	m.effects.Inbox = append(m.effects.Inbox, persistence.InboxEffect{
		ID: head.ID, IID: head.IID, Seq: item.Seq, NotBeforeMs: item.NotBeforeMs,
	})
	return item.Seq
}

// remembered finds the first answer to a request key that is still remembered.
func (m *Model) remembered(id, key string) (persistence.RequestItem, bool) {
	if key == "" {
		return persistence.RequestItem{}, false
	}
	item, ok := m.requests[persistence.RequestRef{ID: id, Key: key}]
	return item, ok && m.now < item.ExpiresAtMs
}

func (m *Model) remember(id, key string, iid persistence.Incarnation, seq uint64) {
	if key == "" {
		return
	}
	m.requests[persistence.RequestRef{ID: id, Key: key}] = persistence.RequestItem{
		ID: id, Key: key, IID: iid, Seq: seq, ExpiresAtMs: m.now + persistence.RequestTTLMs,
	}
}

func (m *Model) sweep(c *persistence.Sweep) persistence.Result {
	for _, ref := range c.Requests {
		if item, ok := m.requests[ref]; ok && item.ExpiresAtMs <= m.now {
			delete(m.requests, ref)
		}
	}
	return persistence.Result{}
}

// live says whether a lease holds now: it has not expired, and its holder is not a dead process of this node.
func (m *Model) live(token persistence.Token, h persistence.Holder, expiresAtMs int64) bool {
	return token != "" && m.now < expiresAtMs && !m.dead(h)
}

// opens says whether a token is that of the lease in the row, which its holder keeps until another takes the row.
func (m *Model) opens(token, row persistence.Token, h persistence.Holder) bool {
	return token != "" && token == row && !m.dead(h)
}

// dead says whether a holder is a process of this node that has ended.
func (m *Model) dead(h persistence.Holder) bool {
	return h.Node == m.state.Node && h.Process != m.state.Process
}

// granted says whether the epoch is the one that grants may act under: the newest, and not ended.
func (m *Model) granted(epoch uint64) bool { return epoch == m.state.Epoch && !m.state.Clean }

// sortedKeys is a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](rows map[K]V) []K { return slices.Sorted(maps.Keys(rows)) }
