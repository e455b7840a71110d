package pebble

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// machine is one partition's state machine. Only core.apply and core.commit call it. Everything that Apply decides comes
// from the proposal and from the state: it reads no clock, no randomness and no configuration.
type machine struct {
	p          persistence.Partition
	partitions int // of the store
	slots      []persistence.Partition
	t          *txn
	heads      *headCache
	works      *workCache
	known      *knownKeys

	state *partitionRow
	// dirty are the heads that must go into the batch.
	dirty []*headRow
	// entries are the inbox rows that the turn in hand consumes, in its order.
	entries []inboxEntry

	// Of the command that is being applied.
	index   uint64
	now     int64
	epoch   uint64
	effects *persistence.Effects
}

var _ persistence.Machine = (*machine)(nil)

// Apply implements [persistence.Machine]. If the txn's error is set afterwards, the result is void and the store must
// stop.
func (m *machine) Apply(index uint64, p persistence.Proposal) persistence.Applied {
	m.index, m.now, m.epoch = index, p.TimeMs, p.Epoch
	m.effects = nil
	m.state.Applied = index
	a := persistence.Applied{Result: m.dispatch(p.Command)}
	a.Result.Index = index
	a.Effects = m.effects
	return a
}

func (m *machine) dispatch(command persistence.Command) persistence.Result {
	switch c := command.(type) {
	case *persistence.CommitTurn:
		return m.commitTurn(c)
	case *persistence.StartInstance:
		return m.startInstance(c)
	case *persistence.Enqueue:
		return m.enqueue(c)
	case *persistence.CompleteWork:
		return m.completeWork(c)
	case *persistence.AbandonWork:
		return m.abandonWork(c)
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
	case *persistence.Deliver:
		return m.deliver(c)
	case *persistence.OutboxAck:
		return m.outboxAck(c)
	case *persistence.Sweep:
		return m.sweep(c)
	case *persistence.ReleaseTurn:
		return m.releaseTurn(c)
	case *persistence.ExpireWork:
		return m.expireWork(c)
	case *persistence.Terminate:
		return m.terminate(c)
	case persistence.BeginEpoch:
		return m.beginEpoch(c)
	case persistence.EndEpoch:
		return m.endEpoch()
	}
	m.t.fail(fmt.Errorf("partition %d stops: this version does not know the command %T; run the version that proposed it",
		m.p, command))
	return persistence.Result{}
}

func refuse(code persistence.Code) persistence.Result {
	return persistence.Result{Err: &persistence.Refusal{Code: code}}
}

// fx is the command's effects, made when the first is noted.
func (m *machine) fx() *persistence.Effects {
	if m.effects == nil {
		m.effects = &persistence.Effects{Index: m.index}
	}
	return m.effects
}

// current says whether a grant of this epoch may act.
func (m *machine) current(epoch uint64) bool { return epoch == m.state.Epoch && !m.state.Clean }

// live says whether a lease holds now: it has not expired, and its holder is not a process that was followed by another
// one on its node.
func (m *machine) live(token persistence.Token, h *persistence.Holder, expiresAtMs int64) bool {
	return token != "" && m.now < expiresAtMs && !m.replaced(h)
}

// opens says whether a token is that of the lease in the row. A lease that has expired is still its holder's until
// another takes the row: a clock that was set must not throw away what the holder has done.
func (m *machine) opens(token, row persistence.Token, h *persistence.Holder) bool {
	return token != "" && token == row && !m.replaced(h)
}

// replaced says whether a newer process of the holder's node has had this partition.
func (m *machine) replaced(h *persistence.Holder) bool {
	if h.Node == m.state.Node {
		return h.Process != m.state.Process
	}
	for i := range m.state.Others {
		if o := &m.state.Others[i]; o.Node == h.Node {
			return o.Process != h.Process
		}
	}
	return false
}

func (m *machine) beginEpoch(c persistence.BeginEpoch) persistence.Result {
	if c.Epoch <= m.state.Epoch {
		return refuse(persistence.Fenced)
	}
	r := persistence.Result{Previous: m.state.Epoch, Clean: m.state.Clean}
	if c.Node != m.state.Node {
		m.state.Others = othersThan(c.Node, &m.state.PartitionState)
	}
	m.state.Epoch, m.state.Node, m.state.Process, m.state.Clean = c.Epoch, c.Node, c.Process, false
	return r
}

// othersThan lists the newest processes of the nodes that had the partition before a node takes it.
func othersThan(node string, s *persistence.PartitionState) (others []persistence.NodeProcess) {
	for _, o := range s.Others {
		if o.Node != node {
			others = append(others, o)
		}
	}
	if s.Epoch > 0 {
		others = append(others, persistence.NodeProcess{Node: s.Node, Process: s.Process})
	}
	return others[max(0, len(others)-persistence.NodesMax):]
}

func (m *machine) endEpoch() persistence.Result {
	if m.epoch != m.state.Epoch || m.epoch == 0 {
		return refuse(persistence.Fenced)
	}
	m.state.Clean = true
	return persistence.Result{}
}

// head finds an incarnation's head; nil if it does not exist. It is shared: what changes it must touch it.
func (m *machine) head(iid persistence.Incarnation) *headRow {
	if h := m.heads.get(iid); h != nil {
		return h
	}
	if iid == 0 || iid >= m.state.NextIID {
		return nil
	}
	key := appendInstance(m.t.key[:0], m.p, famHead, iid)
	m.t.key = key
	row, ok := m.t.get(key)
	if !ok {
		return nil
	}
	h, err := decodeHead(iid, row)
	if err != nil {
		m.t.corrupt(key, err)
		return nil
	}
	m.heads.add(h)
	return h
}

// touch has a head written with the batch.
func (m *machine) touch(h *headRow) {
	if !h.dirty {
		h.dirty = true
		m.dirty = append(m.dirty, h)
	}
}

// resolve finds the current incarnation of an id; 0 if there is none.
func (m *machine) resolve(id string) persistence.Incarnation {
	m.t.key = appendName(m.t.key[:0], m.p, id)
	if m.known.absent(m.t.key) {
		return 0
	}
	row, ok := m.t.get(m.t.key)
	if !ok {
		return 0
	}
	iid, err := decodeIID(row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
	}
	return iid
}

// byID finds the head of an id; nil if there is none.
func (m *machine) byID(id string) *headRow {
	iid := m.resolve(id)
	if iid == 0 {
		return nil
	}
	h := m.head(iid)
	if h == nil {
		m.t.corrupt(appendName(nil, m.p, id), errNoSuchID)
	}
	return h
}

// counter is the partition's count of instances with a status.
func (m *machine) counter(s persistence.Status) *uint64 {
	switch s {
	case persistence.StatusPending:
		return &m.state.Pending
	case persistence.StatusRunning:
		return &m.state.Running
	case persistence.StatusCompleted:
		return &m.state.Completed
	case persistence.StatusFailed:
		return &m.state.Failed
	}
	panic(fmt.Sprintf("no instance has status %v", s))
}

// setStatus moves the head's entry in the listing index and the partition's counts.
func (m *machine) setStatus(h *headRow, s persistence.Status) {
	if h.Status != 0 {
		m.t.key = appendIndex(m.t.key[:0], m.p, h.Status, h.UpdatedAtMs, h.IID)
		m.t.delBlind(m.t.key)
		*m.counter(h.Status)--
	}
	h.Status, h.UpdatedAtMs = s, m.now
	m.t.key = appendIndex(m.t.key[:0], m.p, s, m.now, h.IID)
	encodeMark(m.t.fresh())
	m.t.putBlind(m.t.key, m.t.value)
	*m.counter(s)++
	m.touch(h)
}

// flush writes the partition's changed heads and its own row into the batch. It is called once at the batch's end, so
// an instance that several commands of a batch changed is written once.
func (m *machine) flush() {
	if invariants.Enabled && m.t.err == nil {
		m.t.written.verify()
		m.verify()
	}
	for _, h := range m.dirty {
		h.dirty = false
		if h.deleted {
			continue
		}
		m.t.key = appendInstance(m.t.key[:0], m.p, famHead, h.IID)
		encodeHead(m.t.fresh(), h)
		m.t.putBlind(m.t.key, m.t.value)
	}
	m.dirty = m.dirty[:0]
	m.t.key = appendPrefix(m.t.key[:0], m.p, famPartition)
	encodePartition(m.t.fresh(), m.state)
	m.t.putBlind(m.t.key, m.t.value)
	m.heads.trim()
	if invariants.Enabled && m.t.err == nil {
		m.heads.verifyTrimmed()
	}
}
