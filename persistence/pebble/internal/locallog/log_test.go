package locallog

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/turnstone-dev/turnstone/persistence"
)

// config has room for some commands.
func config() Config {
	return Config{
		QueueMax: 8, QueueBytes: 1 << 20, BatchCommands: 4, BatchBytes: 1 << 20, Pipeline: 2, OnStop: func(error) {},
	}
}

// want checks a list of steps or answers.
func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %s\nwant %s", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// TestAStepAppliesOneBatchAndReleasesItWhenItIsSynced drives a log without goroutines.
func TestAStepAppliesOneBatchAndReleasesItWhenItIsSynced(t *testing.T) {
	core, a := newFakeCore(), newAnswers(t)
	l := New(core, config())
	if l.Apply() || l.Sync() || l.Unsynced() {
		t.Fatal("an empty log has something to do")
	}
	for i := range 6 {
		a.propose(l, i, 0)
	}
	if !l.Apply() || l.Queued() != 2 || !l.Apply() || l.Queued() != 0 || l.Apply() {
		t.Fatalf("%d are left after two batches of 4", l.Queued())
	}
	want(t, "before the sync", a.taken())
	if !l.Unsynced() || !l.Sync() || l.Unsynced() {
		t.Fatal("nothing to sync, or still something")
	}
	want(t, "steps", core.taken(), "commit 1 of 4", "commit 2 of 2", "sync all", "release 1", "close 1", "release 2", "close 2")
	want(t, "answers", a.taken(), "0 in batch 1", "1 in batch 1", "2 in batch 1", "3 in batch 1", "4 in batch 2", "5 in batch 2")
}

// TestBoundsOfQueueAndBatch fills both by number and by bytes.
func TestBoundsOfQueueAndBatch(t *testing.T) {
	size := sizeOf(&persistence.Enqueue{Message: make([]byte, 1000)})
	for _, c := range []struct {
		name   string
		change func(c *Config)
		first  string   // the first batch
		busy   []string // who is refused
	}{
		{"queue by number", func(c *Config) { c.QueueMax = 4 }, "commit 1 of 4", []string{"4 busy", "5 busy"}},
		{"queue by bytes", func(c *Config) { c.QueueBytes = 4*size - 1 }, "commit 1 of 4", []string{"4 busy", "5 busy"}},
		{"batch by number", func(c *Config) { c.BatchCommands = 3 }, "commit 1 of 3", nil},
		{"batch by bytes", func(c *Config) { c.BatchBytes = size + 1 }, "commit 1 of 2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			core, a, conf := newFakeCore(), newAnswers(t), config()
			c.change(&conf)
			l := New(core, conf)
			for i := range 6 {
				a.propose(l, i, 1000)
			}
			want(t, "refused", a.taken(), c.busy...)
			l.Apply()
			want(t, "first batch", core.taken(), c.first)
			for l.Apply() || l.Sync() {
			}
			if n := len(a.taken()); n != 6-len(c.busy) {
				t.Errorf("%d of the others are answered", n)
			}
		})
	}
}

// TestOneBatchFillsWhileOthersSync holds the disk: as many batches as the pipeline takes are on their way, the next one
// takes in what comes meanwhile.
func TestOneBatchFillsWhileOthersSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, a := newFakeCore(), newAnswers(t)
		core.held = make(chan struct{})
		l := New(core, config())
		l.Start()
		for i := range 6 {
			a.propose(l, i, 0)
			synctest.Wait()
		}
		want(t, "steps", core.taken(), "commit 1 of 1", "commit 2 of 1")
		want(t, "answers", a.taken())
		core.held <- struct{}{}
		synctest.Wait()
		// The next batch may be committed before the last one is released, or after it.
		want(t, "steps", slices.Sorted(slices.Values(core.taken())), "close 1", "commit 3 of 4", "release 1", "sync 1")
		want(t, "answers", a.taken(), "0 in batch 1")
		close(core.held)
		l.Shut()
		<-l.Drained()
		l.Finish(errDisk)
		l.Wait()
		want(t, "answers", a.taken(), "1 in batch 2", "2 in batch 3", "3 in batch 3", "4 in batch 3", "5 in batch 3")
	})
}

// TestShutReleasesWhatIsInTheLog closes a log that has a full queue.
func TestShutReleasesWhatIsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, a := newFakeCore(), newAnswers(t)
		stops := 0
		conf := config()
		conf.OnStop = func(err error) {
			if stops++; !errors.Is(err, persistence.ErrStopped) {
				t.Error(err)
			}
		}
		l := New(core, conf)
		for i := range 6 {
			a.propose(l, i, 0)
		}
		l.Shut()
		a.propose(l, 6, 0)
		l.Start()
		<-l.Drained()
		if err := l.Cause(); err != nil {
			t.Fatalf("stopped before it is left: %v", err)
		}
		l.Finish(errDisk)
		l.Wait()
		a.propose(l, 7, 0)
		want(t, "answers", a.taken(), "6 stopped", "0 in batch 1", "1 in batch 1", "2 in batch 1", "3 in batch 1",
			"4 in batch 2", "5 in batch 2", "7 stopped")
		<-l.Stopped()
		if err := l.Cause(); !errors.Is(err, persistence.ErrStopped) || !errors.Is(err, errDisk) || stops != 1 {
			t.Errorf("cause %v, %d stops", err, stops)
		}
	})
}

// TestAReasonToRefuseStays checks that the first one counts.
func TestAReasonToRefuseStays(t *testing.T) {
	a := newAnswers(t)
	l := New(newFakeCore(), config())
	l.Refuse(errDisk)
	l.Shut()
	a.propose(l, 0, 0)
	want(t, "answers", a.taken(), "0 "+errDisk.Error())
}
