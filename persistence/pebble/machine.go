package pebble

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// machine is one partition's state machine. Only core.apply and core.commit call it. Apply decides by the proposal and the
// state alone: it reads no clock, no randomness and no configuration.
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
	// entries are the inbox rows that the present turn consumes, in its order.
	entries []inboxEntry

	// These belong to the command that is being applied.
	index   uint64
	now     int64
	epoch   uint64
	effects *persistence.Effects
	// told is how many bytes of ends of instances the command has sent to those that wait for them.
	told int
}

var _ persistence.Machine = (*machine)(nil)

// Apply implements [persistence.Machine]. If the error of the txn is set afterwards, the result is void and the store must
// stop.
func (m *machine) Apply(index uint64, p persistence.Proposal) persistence.Applied {
	m.index, m.now, m.epoch = index, p.TimeMs, p.Epoch
	m.effects, m.told = nil, 0
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

// fx returns the command's effects; the first call makes them.
func (m *machine) fx() *persistence.Effects {
	if m.effects == nil {
		m.effects = &persistence.Effects{Index: m.index}
	}
	return m.effects
}

// currentEpoch reports whether a grant of this epoch is valid.
func (m *machine) currentEpoch(epoch uint64) bool { return epoch == m.state.Epoch && !m.state.Clean }

// leaseLive reports whether a lease is valid now: it has not expired, and no newer process of the holder's node has had the
// partition.
func (m *machine) leaseLive(token persistence.Token, h *persistence.Holder, expiresAtMs int64) bool {
	return token != "" && m.now < expiresAtMs && !m.holderReplaced(h)
}

// tokenFits reports whether a token is that of the lease in the row. An expired lease still belongs to its holder until
// another one takes the row: a step of the clock must not void the holder's result.
func (m *machine) tokenFits(token, row persistence.Token, h *persistence.Holder) bool {
	return token != "" && token == row && !m.holderReplaced(h)
}

// holderReplaced reports whether a newer process of the holder's node has had this partition.
func (m *machine) holderReplaced(h *persistence.Holder) bool {
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
	r := persistence.Result{Previous: m.state.Epoch, Clean: m.state.Clean, Draining: m.state.Draining > 0}
	if c.Node != m.state.Node {
		m.state.Others = otherNodes(c.Node, &m.state.PartitionState)
	}
	m.state.Epoch, m.state.Node, m.state.Process, m.state.Clean = c.Epoch, c.Node, c.Process, false
	return r
}

// otherNodes lists the newest process of each other node that had the partition before.
func otherNodes(node string, s *persistence.PartitionState) (others []persistence.NodeProcess) {
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

// head returns an incarnation's head; nil if it does not exist. The head is shared: code that changes it must call touch.
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

// touch marks a head as changed: flush writes it.
func (m *machine) touch(h *headRow) {
	if !h.dirty {
		h.dirty = true
		m.dirty = append(m.dirty, h)
	}
}

// resolve returns the current incarnation of an id; 0 if there is none.
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

// byID returns the head of an id; nil if there is none.
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

// counter returns the partition's count of instances with a status.
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

// setStatus changes the status of a head, with its entry in the listing index and the partition's counts.
func (m *machine) setStatus(h *headRow, s persistence.Status) {
	if h.Status != 0 {
		m.t.key = appendIndex(m.t.key[:0], m.p, h.Status, h.UpdatedAtMs, h.IID)
		m.t.delBlind(m.t.key)
		*m.counter(h.Status)--
	}
	h.Status, h.UpdatedAtMs = s, m.now
	m.t.key = appendIndex(m.t.key[:0], m.p, s, m.now, h.IID)
	encodeMark(m.t.newValue())
	m.t.putBlind(m.t.key, m.t.value)
	*m.counter(s)++
	m.touch(h)
}

// flush writes the partition's changed heads and its own row into the batch. It is called once, at the batch's end, so that
// an instance that several commands changed is written once.
func (m *machine) flush() {
	if invariants.Enabled && m.t.err == nil {
		m.t.written.verify()
		m.verify()
	}
	for _, h := range m.dirty {
		h.dirty, h.ends, h.last = false, false, nil
		if h.deleted {
			continue
		}
		m.t.key = appendInstance(m.t.key[:0], m.p, famHead, h.IID)
		encodeHead(m.t.newValue(), h)
		m.t.putBlind(m.t.key, m.t.value)
	}
	m.dirty = m.dirty[:0]
	m.t.key = appendPrefix(m.t.key[:0], m.p, famPartition)
	encodePartition(m.t.newValue(), m.state)
	m.t.putBlind(m.t.key, m.t.value)
	m.heads.trim()
	if invariants.Enabled && m.t.err == nil {
		m.heads.verifyTrimmed()
	}
}
