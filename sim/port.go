package sim

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// port is the journal as one process sees it: the store, with everything that goes in and comes out noted, and with
// the faults of the seed. Nothing comes out of it for a process that is dead.
type port struct {
	process *process
	disk    *disk
}

var _ persistence.Journal = (*port)(nil)

func (p *port) Info() persistence.StoreInfo                     { return p.disk.store.Info() }
func (p *port) PartitionOf(id string) persistence.Partition     { return p.disk.store.PartitionOf(id) }
func (p *port) MayExist(id string) bool                         { return p.disk.store.MayExist(id) }
func (p *port) Stopped() <-chan struct{}                        { return p.disk.store.Stopped() }
func (p *port) Cause() error                                    { return p.disk.store.Cause() }
func (p *port) Attach(n persistence.Partition, sink effectSink) { p.disk.attach(n, p.process, sink) }

// Close is the driver's business: a process that shares the store must not close it.
func (p *port) Close() error { return nil }

type effectSink = func(*persistence.Effects)

// Propose notes the command and its result, and now and then brings a command a second time, as a network would.
func (p *port) Propose(n persistence.Partition, proposal persistence.Proposal) {
	w := p.disk.world
	p.disk.masquerade(n, p.process, &proposal)
	epoch := proposal.Epoch
	if f := w.planted.propose; f != nil {
		f(w, n, &proposal)
	}
	key := commandNumbers(proposal.Command)
	w.trace.add('P', append(key, uint64(n), p.process.number), func() string {
		return fmt.Sprintf("process %d proposes to %d: %s", p.process.number, n, commandText(proposal.Command))
	})
	if commit, ok := proposal.Command.(*persistence.CommitTurn); ok {
		w.client.contend(commit.Sends)
	}
	w.lastTry(proposal.Command)
	again := p.disk.duplicate(proposal.Command)
	done, command := proposal.Done, proposal.Command
	if w.faults.busy && !w.healing && w.lives.chance(p.disk.rejection(command)) {
		w.reach("full queue of the journal")
		w.agenda.in(0, p.process.number, "busy", func() { done(persistence.Result{Err: persistence.ErrBusy}) })
		return
	}
	proposal.Done = func(r persistence.Result) {
		w.trace.add('D', []uint64{r.Index, codeOf(r.Err), uint64(r.IID), r.Seq, r.Turn}, func() string {
			return fmt.Sprintf("result %d of %s: %s", r.Index, commandText(command), resultText(r))
		})
		p.disk.observe(n, p.process, epoch, command, &r)
		if !p.process.dead {
			done(r)
		}
	}
	p.disk.store.Propose(n, proposal)
	if again {
		if _, ok := command.(*persistence.Deliver); ok {
			w.reach("duplicate delivery across partitions")
		} else {
			w.reach("duplicate command")
		}
		proposal.Done = func(r persistence.Result) { p.disk.observeDuplicate(n, command, &r) }
		p.disk.store.Propose(n, proposal)
	}
}

// View reads for clients and for other instances.
func (p *port) View(n persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	if p.disk.world.planted.readUnsynced {
		p.Load(n, read, done)
		return
	}
	p.later(func(done func(error)) { p.disk.store.View(n, p.reading(read), done) }, done)
}

// Load reads for an instance's own load and for a dispatcher's scans.
func (p *port) Load(n persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	p.later(func(done func(error)) { p.disk.store.Load(n, p.reading(read), done) }, done)
}

// later asks the store for a read after a while, and brings the answer after another, as readers on other threads do.
// Now and then the read fails although the store goes on.
func (p *port) later(ask func(done func(error)), done func(error)) {
	w := p.disk.world
	if w.faults.readErrors && !w.healing && w.lives.chance(30) {
		w.reach("read error")
		w.agenda.in(w.readDelay(), p.process.number, "read fails", func() { done(errPlantedRead) })
		return
	}
	w.agenda.in(w.readDelay(), p.process.number, "read", func() {
		ask(func(err error) {
			w.agenda.in(w.readDelay(), p.process.number, "read done", func() { done(err) })
		})
	})
}

var errPlantedRead = errors.New("the disk does not say")

func (p *port) reading(read func(persistence.Reader) error) func(persistence.Reader) error {
	return func(r persistence.Reader) error {
		if p.process.dead {
			return errDead
		}
		if p.disk.world.planted.forgetStreams {
			r = forgetful{r}
		}
		return read(r)
	}
}

var errDead = errors.New("the process has died")

// codeOf is an error as a number for the trace.
func codeOf(err error) uint64 {
	var refusal *persistence.Refusal
	switch {
	case err == nil:
		return 0
	case errors.As(err, &refusal):
		return uint64(refusal.Code)
	case errors.Is(err, persistence.ErrBusy):
		return 101
	case errors.Is(err, persistence.ErrNotLeader):
		return 102
	case errors.Is(err, persistence.ErrUncertain):
		return 103
	case errors.Is(err, persistence.ErrStopped):
		return 104
	default:
		return 199
	}
}

// commandNumbers is what the trace's hash keeps of a command.
func commandNumbers(c persistence.Command) []uint64 {
	switch c := c.(type) {
	case persistence.BeginEpoch:
		return []uint64{1, c.Epoch}
	case persistence.EndEpoch:
		return []uint64{2}
	case *persistence.StartInstance:
		return []uint64{3, text(c.ID), contents(c.Input)}
	case *persistence.Enqueue:
		return []uint64{4, text(c.ID), contents(c.Message)}
	case *persistence.CommitTurn:
		n := []uint64{5, text(c.ID), c.Execution, c.Turn, uint64(len(c.ConsumedInbox)), uint64(c.Outcome)}
		for _, part := range c.Segment.Parts {
			n = append(n, part.FirstEvent, contents(part.Events))
		}
		return n
	case *persistence.LeaseTurn:
		return []uint64{6, uint64(c.IID), c.Execution, c.Turn}
	case *persistence.RenewTurn:
		return []uint64{7, text(string(c.Token))}
	case *persistence.AbandonTurn:
		return []uint64{8, uint64(c.IID), c.Turn, uint64(c.DelayMs)}
	case *persistence.LeaseWork:
		return []uint64{9, uint64(c.Key.IID), c.Key.Execution, c.Key.Event, uint64(c.Attempts)}
	case *persistence.RenewWork:
		return []uint64{10, uint64(len(c.Tokens))}
	case *persistence.CompleteWork:
		return []uint64{11, uint64(c.Key.IID), c.Key.Execution, c.Key.Event, contents(c.Message)}
	case *persistence.AbandonWork:
		return []uint64{12, uint64(c.Key.IID), c.Key.Execution, c.Key.Event, uint64(c.DelayMs)}
	case *persistence.Deliver:
		return []uint64{13, uint64(c.From), c.FirstSeq, uint64(len(c.Messages))}
	case *persistence.OutboxAck:
		return []uint64{14, uint64(c.To), c.Through}
	case *persistence.Sweep:
		return []uint64{15, uint64(len(c.Requests))}
	case *persistence.ReleaseTurn:
		return []uint64{16, text(c.ID)}
	case *persistence.Terminate:
		return []uint64{17, uint64(c.IID), c.Execution, c.Turn}
	default:
		return []uint64{99}
	}
}

func commandText(c persistence.Command) string {
	switch c := c.(type) {
	case *persistence.CommitTurn:
		return fmt.Sprintf("CommitTurn %s iid %d execution %d turn %d token %v consumes %v timers %v accepts %d messages and %d results,"+
			" %d work %d timers %d children %d sends, outcome %d", c.ID, c.IID, c.Execution, c.Turn, c.Token, c.ConsumedInbox,
			c.ConsumedTimers, len(c.AcceptedMessages), len(c.AcceptedResults), len(c.Work), len(c.Timers), len(c.Children),
			len(c.Sends), c.Outcome)
	case *persistence.StartInstance:
		return fmt.Sprintf("StartInstance %s key %q", c.ID, c.Request.Key)
	case *persistence.Enqueue:
		return fmt.Sprintf("Enqueue %s key %q not before %d, %d bytes", c.ID, c.Request.Key, c.NotBeforeMs, len(c.Message))
	case *persistence.Deliver:
		return fmt.Sprintf("Deliver from %d, %d messages from %d on", c.From, len(c.Messages), c.FirstSeq)
	case *persistence.CompleteWork:
		return fmt.Sprintf("CompleteWork %v token %v attempts %d, %d bytes", c.Key, c.Token, c.Attempts, len(c.Message))
	default:
		return fmt.Sprintf("%T %+v", c, c)
	}
}

func resultText(r persistence.Result) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return fmt.Sprintf("iid %d seq %d turn %d attempts %d repeated %v", r.IID, r.Seq, r.Turn, r.Attempts, r.Repeated)
}
