package pebble

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// The database is not closed while a call of MayExist reads it.
func TestMayExistWhileClosing(t *testing.T) {
	dir := t.TempDir() + "/store"
	rounds := 25
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		s, err := Open(Options{Dir: dir, Partitions: 1})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 { // from the second round on it is in a table, which an open iterator holds on to
			done := make(chan persistence.Result, 1)
			s.Propose(0, persistence.Proposal{
				Command: &persistence.StartInstance{ID: "a", Name: "O"}, Done: func(r persistence.Result) { done <- r },
			})
			if r := <-done; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		var asking sync.WaitGroup
		for g := range 16 {
			asking.Add(1)
			go func() {
				defer asking.Done()
				for i := 0; ; i++ {
					if !s.MayExist("a") {
						t.Error("an instance that exists may not exist")
						return
					}
					s.MayExist(fmt.Sprint(g, i))
					select {
					case <-s.Stopped():
						return
					default:
					}
				}
			}()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		asking.Wait()
		if !s.MayExist("never") {
			t.Error("a store that has stopped claims to know")
		}
	}
}

// TestNoAnswerWhileAReadRuns stops a store, by Close and by a failure, while reads run: their callbacks come when they
// have returned, once each, and say that the store has stopped. What only waits is answered meanwhile.
func TestNoAnswerWhileAReadRuns(t *testing.T) {
	for name, stop := range map[string]func(s *Store){
		"closed": func(s *Store) { go func() { _ = s.Close() }() },
		"failed": func(s *Store) { s.log.Fail(errors.New("the disk is gone")) },
	} {
		for _, kind := range []string{"view", "load"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				s, err := Open(Options{
					Dir: "store", FS: vfs.NewMem(), Partitions: 1, Tuning: Tuning{Readers: 1}, OnFatal: func(string, string, error) {},
				})
				must(t, err)
				ask := s.View
				if kind == "load" {
					ask = s.Load
				}
				begun, goOn := make(chan struct{}), make(chan struct{})
				running, waiting := make(chan error, 2), make(chan error, 2)
				var returned atomic.Bool
				ask(0, func(persistence.Reader) error {
					close(begun)
					<-goOn
					returned.Store(true)
					return nil
				}, func(err error) {
					if !returned.Load() {
						t.Error("done was called while read was running")
					}
					running <- err
				})
				<-begun
				ask(0, func(persistence.Reader) error { t.Error("a read begins after the stop"); return nil },
					func(err error) { waiting <- err })
				stop(s)
				if err := <-waiting; !errors.Is(err, persistence.ErrStopped) {
					t.Errorf("what waited: %v", err)
				}
				select {
				case err := <-running:
					t.Errorf("what ran was answered: %v", err)
					running <- err
				default:
				}
				close(goOn)
				if err := <-running; !errors.Is(err, persistence.ErrStopped) {
					t.Errorf("what ran: %v", err)
				}
				must(t, s.Close())
				if len(running)+len(waiting) > 0 {
					t.Error("done was called twice")
				}
			})
		}
	}
}
