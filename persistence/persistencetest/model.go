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
	topics   map[topicKey]persistence.TopicRow
	families map[persistence.FamilyRef]bool
	watchers map[persistence.WatcherItem]bool
	statuses map[persistence.Incarnation]persistence.CustomStatus
	kv       map[kvKey]persistence.KVItem

	// What the command that is being applied carries, and the effects that it has had so far.
	index   uint64
	now     int64
	epoch   uint64
	effects *persistence.Effects
	told    int // bytes of ends that it has told
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
		topics:   map[topicKey]persistence.TopicRow{},
		families: map[persistence.FamilyRef]bool{},
		watchers: map[persistence.WatcherItem]bool{},
		statuses: map[persistence.Incarnation]persistence.CustomStatus{},
		kv:       map[kvKey]persistence.KVItem{},
	}
}

// Apply implements [persistence.Machine].
func (m *Model) Apply(index uint64, p persistence.Proposal) persistence.Applied {
	m.index, m.now, m.epoch = index, p.TimeMs, p.Epoch
	m.effects, m.told = &persistence.Effects{Index: index}, 0
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
	case *persistence.DrainWatchers:
		return m.drainWatchers(c)
	case *persistence.Sweep:
		return m.sweep(c)
	case *persistence.ReleaseTurn:
		return m.releaseTurn(c)
	case *persistence.ExpireWork:
		return m.expireWork(c)
	case *persistence.Terminate:
		return m.terminate(c)
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
	r := persistence.Result{Previous: m.state.Epoch, Clean: m.state.Clean, Draining: m.state.Draining > 0}
	if c.Node != m.state.Node {
		others := slices.DeleteFunc(slices.Clone(m.state.Others), func(o persistence.NodeProcess) bool { return o.Node == c.Node })
		if m.state.Epoch > 0 {
			others = append(others, persistence.NodeProcess{Node: m.state.Node, Process: m.state.Process})
		}
		m.state.Others = others[max(len(others)-persistence.NodesMax, 0):]
	}
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
	if item, ok := m.remembered(c.ID, c.Request.Key); ok {
		switch {
		case item.Kind != c.Request.Kind || item.Digest != c.Request.Digest:
			return refuse(persistence.KeyReused)
		case m.heads[item.IID] == nil:
			return refuse(persistence.NotFound)
		}
		return persistence.Result{IID: item.IID, Seq: item.Seq, Repeated: true}
	}
	iid, joined := m.names[c.ID]
	head := m.heads[iid]
	if joined && head.Status.Terminal() && c.Reuse == persistence.AllowIfTerminal {
		if err := m.deleteTree(head); err != nil {
			return persistence.Result{Err: err}
		}
		joined = false
	}
	if joined {
		if head.Status.Terminal() || len(c.Messages) == 0 {
			return persistence.Result{Err: &persistence.Refusal{Code: persistence.AlreadyExists, IID: iid}}
		}
		size := 0
		for _, msg := range c.Messages {
			size += len(msg.Message)
		}
		if err := roomFor(head, len(c.Messages), size, c.InboxMax, c.InboxBytesMax); err != nil {
			return persistence.Result{Err: err}
		}
	} else {
		head = m.newHead(c.ID, c.Name, c.Version, persistence.Link{})
		s := persistence.PendingStart{
			ID: c.ID, IID: head.IID, Execution: 1, Name: c.Name, Version: c.Version, Input: c.Input,
			ExecutionTimeoutMs: c.ExecutionTimeoutMs,
		}
		if c.DelayMs > 0 {
			s.NotBeforeMs = m.now + c.DelayMs
		}
		m.writeStart(s)
	}
	r := persistence.Result{IID: head.IID, Joined: joined}
	for _, msg := range c.Messages {
		r.Seq = m.put(head, persistence.InboxItem{Form: persistence.ItemMessage, Message: msg.Message, Topic: msg.Topic})
	}
	m.remember(c.ID, c.Request, head.IID, r.Seq)
	return r
}

// roomFor refuses what an inbox has no room for.
func roomFor(head *persistence.Head, items, size int, itemsMax, bytesMax uint64) error {
	refusal := &persistence.Refusal{Code: persistence.Limit, Size: head.Inbox + uint64(items), Max: itemsMax}
	if itemsMax > 0 && refusal.Size > itemsMax {
		return refusal
	}
	refusal.Size, refusal.Max = head.InboxBytes+uint64(size), bytesMax
	if bytesMax > 0 && refusal.Size > bytesMax {
		return refusal
	}
	return nil
}

// create makes an instance with its S row.
func (m *Model) create(msg *persistence.OutboxMessage, parent persistence.Link) {
	head := m.newHead(msg.To, msg.Name, msg.Version, parent)
	m.writeStart(persistence.PendingStart{
		ID: msg.To, IID: head.IID, Execution: 1, Name: msg.Name, Version: msg.Version, Input: msg.Input, Parent: parent,
		NotBeforeMs: msg.NotBeforeMs, ExecutionTimeoutMs: msg.ExecutionTimeoutMs,
	})
}

// newHead makes an instance without its S row, as a fused start does.
func (m *Model) newHead(id, name, version string, parent persistence.Link) *persistence.Head {
	head := &persistence.Head{
		ID: id, IID: m.state.NextIID, Name: name, Version: version, Status: persistence.StatusPending,
		Execution: 1, NextEvent: 1, FirstSeq: 1, NextSeq: 1, FirstExecution: 1, Parent: parent,
		CreatedAtMs: m.now, UpdatedAtMs: m.now,
	}
	head.Chain = persistence.SeedChain(head.IID, 1, persistence.Chain{})
	if !parent.IsZero() {
		m.families[persistence.FamilyRef{Partition: m.home(parent.ID), Parent: parent.IID, Child: head.IID}] = true
	}
	m.state.NextIID++
	m.state.Pending++
	m.names[id], m.heads[head.IID] = head.IID, head
	return head
}

func (m *Model) writeStart(s persistence.PendingStart) {
	m.starts[executionKey{s.IID, s.Execution}] = s
	m.effects.Starts = append(m.effects.Starts, persistence.StartEffect{
		ID: s.ID, IID: s.IID, Execution: s.Execution, Name: s.Name, Version: s.Version,
		NotBeforeMs: s.NotBeforeMs,
	})
}

func (m *Model) enqueue(c *persistence.Enqueue) persistence.Result {
	if item, ok := m.remembered(c.ID, c.Request.Key); ok {
		if item.Kind != c.Request.Kind || item.Digest != c.Request.Digest {
			return refuse(persistence.KeyReused)
		}
		return persistence.Result{IID: item.IID, Seq: item.Seq, Repeated: true}
	}
	iid, ok := m.names[c.ID]
	if !ok {
		return refuse(persistence.NotFound)
	}
	head := m.heads[iid]
	if head.Status.Terminal() {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Ended, IID: iid}}
	}
	if err := roomFor(head, 1, len(c.Message), c.InboxMax, c.InboxBytesMax); err != nil {
		return persistence.Result{Err: err}
	}
	seq := m.put(head, persistence.InboxItem{
		NotBeforeMs: c.NotBeforeMs, Form: persistence.ItemMessage, Message: c.Message, Topic: c.Topic,
	})
	m.remember(c.ID, c.Request, iid, seq)
	return persistence.Result{IID: iid, Seq: seq}
}

// remembered finds the first answer to a request key that is still remembered.
func (m *Model) remembered(id, key string) (persistence.RequestItem, bool) {
	if key == "" {
		return persistence.RequestItem{}, false
	}
	item, ok := m.requests[persistence.RequestRef{ID: id, Key: key}]
	return item, ok && m.now < item.ExpiresAtMs
}

func (m *Model) remember(id string, r persistence.Request, iid persistence.Incarnation, seq uint64) {
	if r.Key == "" {
		return
	}
	ttl := int64(persistence.RequestTTLMs)
	if r.TTLMs > 0 {
		ttl = r.TTLMs
	}
	m.requests[persistence.RequestRef{ID: id, Key: r.Key}] = persistence.RequestItem{
		ID: id, Key: r.Key, Kind: r.Kind, Digest: r.Digest, IID: iid, Seq: seq, ExpiresAtMs: m.now + ttl,
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

// live reports whether a lease holds now: it has not expired, and its holder is not a dead process of this node.
func (m *Model) live(token persistence.Token, h persistence.Holder, expiresAtMs int64) bool {
	return token != "" && m.now < expiresAtMs && !m.dead(h)
}

// opens reports whether a token is that of the lease in the row, which its holder keeps until another takes the row.
func (m *Model) opens(token, row persistence.Token, h persistence.Holder) bool {
	return token != "" && token == row && !m.dead(h)
}

// dead reports whether a holder is a process that was followed by another one on its node.
func (m *Model) dead(h persistence.Holder) bool {
	dead := h.Node == m.state.Node && h.Process != m.state.Process
	for _, o := range m.state.Others {
		dead = dead || h.Node == o.Node && h.Process != o.Process
	}
	return dead
}

// granted reports whether the epoch is the one that grants may act under: the newest, and not ended.
func (m *Model) granted(epoch uint64) bool { return epoch == m.state.Epoch && !m.state.Clean }

// sortedKeys is a map's keys in order.
func sortedKeys[K cmp.Ordered, V any](rows map[K]V) []K { return slices.Sorted(maps.Keys(rows)) }
