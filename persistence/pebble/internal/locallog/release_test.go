package locallog

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/turnstone-dev/turnstone/persistence"
)

// failing is a case of a core that fails at one step of the second batch of two.
type failing struct {
	at      string
	answers []string
}

// TestAFailureAnswersEachProposalOnce has each step of the second batch fail, with proposals in the queue.
func TestAFailureAnswersEachProposalOnce(t *testing.T) {
	for _, c := range []failing{
		{"commit 2 of 1", []string{"0 in batch 1", "1 uncertain"}},
		{"sync 2", []string{"0 in batch 1", "1 uncertain", "2 uncertain"}},
		{"close 2", []string{"0 in batch 1", "1 in batch 2", "2 uncertain"}},
	} {
		t.Run(c.at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, a := newFakeCore(), newAnswers(t)
				core.held, core.failAt = make(chan struct{}), c.at
				l := New(core, config())
				l.Start()
				a.propose(l, 0, 0)
				synctest.Wait()
				core.held <- struct{}{}
				synctest.Wait()
				for i := 1; i < 3; i++ {
					a.propose(l, i, 0)
					synctest.Wait()
				}
				close(core.held)
				<-l.Stopped()
				l.Wait()
				if got := a.taken(); c.at == "commit 2 of 1" {
					// What comes after the failed commit is refused: it is in no flight.
					want(t, "answers", got, append(c.answers, "2 stopped")...)
				} else {
					want(t, "answers", got, c.answers...)
				}
				if err := l.Cause(); !errors.Is(err, persistence.ErrStopped) || !errors.Is(err, errDisk) {
					t.Error(err)
				}
			})
		})
	}
}

// TestAStepThatFailsAnswersEachProposalOnce is the same without goroutines: what is in the queue was never in the log.
func TestAStepThatFailsAnswersEachProposalOnce(t *testing.T) {
	for _, c := range []failing{
		{"commit 2 of 1", []string{"0 uncertain", "1 uncertain"}},
		{"sync all", []string{"0 uncertain", "1 uncertain", "2 stopped"}},
		{"close 1", []string{"0 in batch 1", "1 uncertain", "2 stopped"}},
	} {
		t.Run(c.at, func(t *testing.T) {
			core, a := newFakeCore(), newAnswers(t)
			core.failAt = c.at
			stops := 0
			conf := config()
			conf.OnStop = func(error) { stops++ }
			l := New(core, conf)
			for i := range 2 {
				a.propose(l, i, 0)
				l.Apply()
			}
			if core.Sound() {
				a.propose(l, 2, 0)
				l.Sync()
			}
			want(t, "answers", a.taken(), c.answers...)
			l.Fail(errDisk)
			a.propose(l, 3, 0)
			want(t, "answers", a.taken(), "3 stopped")
			if stops != 1 {
				t.Errorf("%d stops", stops)
			}
		})
	}
}

// TestADroppedLogAnswersNothing leaves a log with proposals in the queue and in a flight.
func TestADroppedLogAnswersNothing(t *testing.T) {
	core, a := newFakeCore(), newAnswers(t)
	l := New(core, config())
	a.propose(l, 0, 0)
	l.Apply()
	a.propose(l, 1, 0)
	l.Drop(errDisk)
	l.Drop(errDisk)
	l.Fail(errDisk)
	if l.Apply() {
		t.Error("what was dropped is applied")
	}
	want(t, "answers", a.taken())
	<-l.Stopped()
	a.propose(l, 2, 0)
	want(t, "answers", a.taken(), "2 stopped")
	if err := l.Cause(); !errors.Is(err, errDisk) {
		t.Error(err)
	}
}
