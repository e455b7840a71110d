package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// planted is a fault that is put into the node on purpose, to prove that the simulator finds such faults. Those here
// are put in between the engine and the journal, or under the journal.
type planted struct {
	// lateSync: what was acknowledged by the last sync before a crash is not on the disk.
	lateSync bool
	// inside switches a fault inside another package; only in builds that have it.
	inside func(on bool)
	// propose changes a command on its way to the journal.
	propose func(w *World, n persistence.Partition, p *persistence.Proposal)
	// effects changes effects on their way to the dispatchers.
	effects func(w *World, n persistence.Partition, e *persistence.Effects)
	// wallElapsed: what should go by elapsed time goes by the wall clock, which steps.
	wallElapsed bool
	// readUnsynced: reads do not wait until what they showed is durable.
	readUnsynced bool
	// forgetStreams: an open is told of one stream less than have rows.
	forgetStreams bool
}

// plant finds a planted fault by name.
func plant(name string) (*planted, error) {
	if name == "" {
		return &planted{}, nil
	}
	if make := plantable[name]; make != nil {
		return make(), nil
	}
	return nil, fmt.Errorf("no fault is called %q; there are %v", name, PlantedNames())
}

// PlantedNames lists the faults that can be planted.
func PlantedNames() []string { return slices.Sorted(maps.Keys(plantable)) }

var plantable = map[string]func() *planted{
	"acknowledge before sync":  func() *planted { return &planted{lateSync: true} },
	"read without waiting":     func() *planted { return &planted{readUnsynced: true} },
	"elapsed time by the wall": func() *planted { return &planted{wallElapsed: true} },
	"consume twice":            func() *planted { return &planted{propose: consumeTwice} },
	"skip careful mode":        func() *planted { return &planted{propose: skipCareful} },
	"drop the fence":           func() *planted { return &planted{propose: dropFence} },
	"lost timer":               func() *planted { return &planted{propose: loseTimer} },
	"early timer":              func() *planted { return &planted{propose: earlyTimer} },
	"wrong execution":          func() *planted { return &planted{propose: wrongExecution} },
	"forget request keys":      func() *planted { return &planted{propose: forgetKeys} },
	"forget the attempt":       func() *planted { return &planted{propose: forgetAttempt} },
	"forget a timeout":         func() *planted { return &planted{propose: forgetTimeout} },
	"lost heartbeat":           func() *planted { return &planted{propose: loseHeartbeat} },
	"send twice":               func() *planted { return &planted{propose: sendTwice} },
	"forget a start delay":     func() *planted { return &planted{propose: forgetDelay} },
	"lost status":              func() *planted { return &planted{propose: loseStatus} },
	"lost message":             func() *planted { return &planted{effects: loseOutbox} },
	"lost work":                func() *planted { return &planted{effects: loseWork} },
	"forget a stream":          func() *planted { return &planted{forgetStreams: true} },
}

// forgetful is a reader that leaves out the last stream that has rows.
type forgetful struct{ persistence.Reader }

func (r forgetful) OutboxStreams() ([]persistence.OutboxStream, error) {
	streams, err := r.Reader.OutboxStreams()
	return streams[:max(len(streams)-1, 0)], err
}

func consumeTwice(w *World, _ persistence.Partition, p *persistence.Proposal) {
	commit, ok := p.Command.(*persistence.CommitTurn)
	if !ok || len(commit.ConsumedInbox) == 0 || !w.lives.chance(3) {
		return
	}
	copied := *commit
	copied.ConsumedInbox = commit.ConsumedInbox[1:]
	p.Command = &copied
}

func skipCareful(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	if _, ok := p.Command.(persistence.BeginEpoch); !ok {
		return
	}
	done := p.Done
	p.Done = func(r persistence.Result) {
		r.Clean = true
		done(r)
	}
}

// dropFence lets grants of old epochs act.
func dropFence(w *World, n persistence.Partition, p *persistence.Proposal) {
	commit, ok := p.Command.(*persistence.CommitTurn)
	if !ok || commit.Token != "" {
		return
	}
	p.Epoch = w.disk.ledger.epoch[n]
}

// loseTimer forgets to write a timer's row.
func loseTimer(w *World, _ persistence.Partition, p *persistence.Proposal) {
	commit, ok := p.Command.(*persistence.CommitTurn)
	if !ok || len(commit.Timers) == 0 || !w.lives.chance(4) {
		return
	}
	copied := *commit
	copied.Timers = commit.Timers[1:]
	p.Command = &copied
}

// earlyTimer writes a time that is too early.
func earlyTimer(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	commit, ok := p.Command.(*persistence.CommitTurn)
	if !ok || len(commit.Timers) == 0 {
		return
	}
	copied := *commit
	copied.Timers = append([]persistence.TimerRef(nil), commit.Timers...)
	for i := range copied.Timers {
		copied.Timers[i].FireAtMs -= 20
	}
	p.Command = &copied
}

// wrongExecution hands a result that comes too late to the execution after the one that asked for it.
func wrongExecution(w *World, n persistence.Partition, p *persistence.Proposal) {
	complete, ok := p.Command.(*persistence.CompleteWork)
	if !ok || complete.Message == nil {
		return
	}
	done, at := p.Done, p.TimeMs
	p.Done = func(r persistence.Result) {
		done(r)
		rec := w.disk.ledger.known[instanceKey{n, complete.Key.IID}]
		message := &turnpb.Message{}
		if !errors.Is(r.Err, persistence.ErrNotFound) || rec == nil || decode(complete.Message, message) != nil {
			return
		}
		message.Execution++
		w.disk.store.Propose(n, persistence.Proposal{
			TimeMs: at, Command: &persistence.Enqueue{ID: rec.id, Message: encode(message)}, Done: func(persistence.Result) {},
		})
	}
}

// forgetKeys forgets the key of a request: a client that repeats it, because it does not know what a crash has left, is
// served twice.
func forgetKeys(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	if enqueue, ok := p.Command.(*persistence.Enqueue); ok {
		copied := *enqueue
		copied.Request = persistence.Request{}
		p.Command = &copied
	}
}

// forgetAttempt forgets which attempt of its call an activity is.
func forgetAttempt(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	changeWork(p, func(work *persistence.NewWork) { work.Attempt = 0 })
}

// forgetTimeout schedules activities without what bounds them.
func forgetTimeout(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	changeWork(p, func(work *persistence.NewWork) { work.Deadlines = persistence.Deadlines{} })
}

// loseHeartbeat schedules attempts without what the attempt before has left.
func loseHeartbeat(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	changeWork(p, func(work *persistence.NewWork) { work.Heartbeat = nil })
}

// changeWork changes what a turn schedules.
func changeWork(p *persistence.Proposal, change func(*persistence.NewWork)) {
	commit, ok := p.Command.(*persistence.CommitTurn)
	if !ok || len(commit.Work) == 0 {
		return
	}
	copied := *commit
	copied.Work = slices.Clone(commit.Work)
	for i := range copied.Work {
		change(&copied.Work[i])
	}
	p.Command = &copied
}

// changeSends changes what a turn sends.
func changeSends(p *persistence.Proposal, change func(sends []persistence.Send) []persistence.Send) {
	commit, ok := p.Command.(*persistence.CommitTurn)
	if !ok {
		return
	}
	copied := *commit
	copied.Sends = change(slices.Clone(commit.Sends))
	p.Command = &copied
}

// forgetDelay starts at once what is to begin later.
func forgetDelay(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	changeSends(p, func(sends []persistence.Send) []persistence.Send {
		for i := range sends {
			sends[i].DelayMs = 0
		}
		return sends
	})
}

// sendTwice sends to other instances twice.
func sendTwice(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	changeSends(p, func(sends []persistence.Send) []persistence.Send {
		for _, s := range slices.Clone(sends) {
			if s.Kind == persistence.SendMessage {
				sends = append(sends, s)
			}
		}
		return sends
	})
}

// loseStatus forgets to write a custom status.
func loseStatus(_ *World, _ persistence.Partition, p *persistence.Proposal) {
	if commit, ok := p.Command.(*persistence.CommitTurn); ok && commit.Status != nil {
		copied := *commit
		copied.Status = nil
		p.Command = &copied
	}
}

func loseOutbox(w *World, _ persistence.Partition, e *persistence.Effects) {
	if len(e.Outbox) > 0 && w.lives.chance(2) {
		e.Outbox = nil
	}
}

func loseWork(w *World, _ persistence.Partition, e *persistence.Effects) {
	if len(e.Work) > 0 && w.lives.chance(8) {
		e.Work = e.Work[1:]
	}
}
