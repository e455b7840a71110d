package partition

import (
	"errors"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
)

// openPause is how long an open waits after the journal was busy.
const openPause = 50 * time.Millisecond

// open begins a new epoch: it reads the present one and proposes the next. If another process has begun one in between, open
// reads again.
func (p *Partition) open() {
	if p.stopped || p.s != nil {
		return
	}
	p.opening++
	attempt := p.opening
	var state persistence.PartitionState
	p.host.Journal.Load(p.id, func(r persistence.Reader) (err error) {
		state, err = r.Partition()
		return err
	}, func(err error) {
		p.Post("epoch read", func() {
			switch {
			case attempt != p.opening || p.stopped:
			case errors.Is(err, persistence.ErrBusy):
				p.after(openPause, "open again", p.open)
			case err != nil:
				p.answerOpened(p.error("read the epoch", err))
			default:
				p.begin(attempt, state.Epoch+1)
			}
		})
	})
}

func (p *Partition) begin(attempt, epoch uint64) {
	cfg := &p.host.Config
	c := persistence.BeginEpoch{Epoch: epoch, Node: cfg.Node, Process: cfg.Process}
	p.host.Engine.Propose(p.id, epoch, c, func(r persistence.Result) {
		p.Post("epoch begun", func() {
			if attempt == p.opening && !p.stopped {
				p.begun(epoch, r)
			}
		})
	})
}

func (p *Partition) begun(epoch uint64, r persistence.Result) {
	switch {
	case r.Err == nil:
	case errors.Is(r.Err, persistence.ErrFenced), errors.Is(r.Err, persistence.ErrBusy):
		p.after(openPause, "open again", p.open)
		return
	default:
		p.answerOpened(p.error("begin an epoch", r.Err))
		return
	}
	if !r.Clean {
		p.host.Unclean.Add(1)
	}
	p.reportEnds()
	p.careful.Store(!r.Clean)
	p.s = newServing(p, epoch, !r.Clean, r.Draining)
	p.epoch.Store(epoch) // after careful: an instance that reads the new epoch must not read the old careful flag
	p.s.attachAll()
}
