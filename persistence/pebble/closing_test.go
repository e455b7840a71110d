package pebble

import (
	"fmt"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// The database is closed under nobody who asks whether an instance may exist.
func TestMayExistWhileClosing(t *testing.T) {
	dir := t.TempDir() + "/store"
	for round := range 25 {
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
