package partition

import (
	"errors"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// deliver proposes outbox rows at the partition that they are for. After any error the dispatcher proposes them again; the
// receiver's mark makes a repetition harmless.
func (s *serving) deliver(a dispatch.Action) {
	messages := make([][]byte, len(a.Rows))
	for i := range a.Rows {
		messages[i] = a.Rows[i].Message
	}
	c := &persistence.Deliver{From: s.p.id, FirstSeq: a.Rows[0].Seq, Messages: messages}
	s.host.Engine.Propose(a.To, 0, c, func(r persistence.Result) {
		s.post("delivered", func() {
			if r.Err == nil {
				s.d.Delivered(s.now(), a.To, r.Mark)
				return
			}
			s.d.DeliverFailed(s.now(), a.To)
			s.logFailure("messages for another partition could not be delivered; they are tried again", r.Err,
				logkey.ToPartition, a.To, logkey.FirstSequence, a.Rows[0].Seq)
		})
	})
}

// acknowledge deletes outbox rows that have been delivered.
func (s *serving) acknowledge(a dispatch.Action) {
	s.propose("outbox acknowledged", &persistence.OutboxAck{To: a.To, Through: a.Through}, func(r persistence.Result, _ int64) {
		if r.Err == nil {
			s.d.Acked(s.now(), a.To, a.Through)
			return
		}
		s.d.AckFailed(s.now(), a.To)
		s.logFailure("delivered messages could not be deleted; it is tried again", r.Err, logkey.ToPartition, a.To, logkey.LastSequence, a.Through)
	})
}

// drainWatchers has the next ones told that wait for the end of an instance.
func (s *serving) drainWatchers(a dispatch.Action) {
	s.propose("watchers told", &persistence.DrainWatchers{IID: a.IID}, func(r persistence.Result, _ int64) {
		if r.Err == nil {
			s.d.Drained()
			return
		}
		s.d.DrainFailed(s.now(), a.IID)
		s.logFailure("instances that wait for the end of another one could not be told; it is tried again", r.Err)
	})
}

// logFailure logs an unexpected error. A full queue is none, and a stopped journal is logged elsewhere.
func (s *serving) logFailure(what string, err error, args ...any) {
	if errors.Is(err, persistence.ErrBusy) || errors.Is(err, persistence.ErrStopped) || errors.Is(err, persistence.ErrUncertain) {
		return
	}
	s.host.Config.Logger.Error(what, append([]any{logkey.Partition, s.p.id, logkey.Error, err}, args...)...)
}
