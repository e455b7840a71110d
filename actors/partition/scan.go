package partition

import (
	"errors"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// read makes a scan that the dispatcher asked for. It uses View: the rows are durable when the answer comes, and the effects
// of all commits that the view shows have come before.
func (s *serving) read(a dispatch.Action) {
	read, take := s.scan(a)
	view := s.host.Journal.View
	if a.Kind == dispatch.ReadOutbox {
		view = s.host.Journal.Load // the dispatcher ignores rows that it does not know to be durable
	}
	view(s.p.id, read, func(err error) {
		s.post(a.Kind.String(), func() {
			if err == nil {
				take()
				return
			}
			s.d.ReadFailed(s.now(), a)
			if !errors.Is(err, persistence.ErrBusy) && !errors.Is(err, persistence.ErrStopped) {
				s.host.Config.Logger.Error("a scan failed", logkey.Partition, s.p.id, logkey.Operation, a.Kind.String(), logkey.Error, err)
				s.p.answerOpened(s.p.error(a.Kind.String(), err))
			}
		})
	})
}

// scan returns the read for an action, and the call that passes its answer to the dispatcher.
func (s *serving) scan(a dispatch.Action) (read func(persistence.Reader) error, take func()) {
	rows := a.Max
	switch a.Kind {
	case dispatch.ScanStarts:
		return page(func(r persistence.Reader) ([]persistence.StartEffect, error) { return r.ScanStarts(a.After, rows) },
			func(page []persistence.StartEffect) { s.d.StartsPage(s.now(), page) })
	case dispatch.ScanInbox:
		return page(func(r persistence.Reader) ([]persistence.InboxEffect, error) { return r.ScanInbox(a.After, rows) },
			func(page []persistence.InboxEffect) { s.d.InboxPage(s.now(), page) })
	case dispatch.ScanLeases:
		return page(func(r persistence.Reader) ([]persistence.TurnLease, error) { return r.ScanLeases(a.After, rows) },
			func(page []persistence.TurnLease) { s.d.LeasesPage(s.now(), page) })
	case dispatch.ScanWork:
		return page(func(r persistence.Reader) ([]persistence.WorkItem, error) { return r.ScanWork(a.AfterWork, rows) },
			func(page []persistence.WorkItem) { s.d.WorkPage(s.now(), page) })
	case dispatch.ScanTimers:
		return page(func(r persistence.Reader) ([]persistence.TimerItem, error) { return r.ScanTimers(a.AfterTimer, rows) },
			func(page []persistence.TimerItem) { s.d.TimersPage(s.now(), page) })
	case dispatch.ScanRequests:
		return page(func(r persistence.Reader) ([]persistence.ExpiryRef, error) {
			return r.ScanExpired(a.AfterExpiry, a.ByMs, rows)
		},
			func(page []persistence.ExpiryRef) { s.d.RequestsPage(s.now(), page) })
	case dispatch.ScanStreams:
		return page(persistence.Reader.OutboxStreams, s.d.StreamsPage)
	case dispatch.ScanDraining:
		return page(func(r persistence.Reader) ([]persistence.Incarnation, error) { return r.ScanDraining(a.After, rows) },
			s.d.DrainingPage)
	case dispatch.ReadOutbox:
		return page(func(r persistence.Reader) ([]persistence.OutboxItem, error) {
			return r.ScanOutbox(a.To, a.Through, rows, a.MaxBytes)
		},
			func(page []persistence.OutboxItem) { s.d.OutboxPage(a.To, page) })
	}
	panic("partition: no scan is called " + a.Kind.String())
}

func page[R any](scan func(persistence.Reader) ([]R, error), take func([]R)) (func(persistence.Reader) error, func()) {
	var rows []R
	return func(r persistence.Reader) (err error) {
		rows, err = scan(r)
		return err
	}, func() { take(rows) }
}
