package node_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// load runs an instance for each turn that it is given, one after the other, and says how many were acknowledged.
func load(ctx context.Context, n *node.Node, name string, turns <-chan struct{}, acknowledged *atomic.Int64) error {
	i := -1
	for range turns {
		i++
		r, err := client.Start(ctx, n.Client(), fmt.Sprint(name, i), twice, i)
		if err == nil {
			acknowledged.Store(int64(i + 1))
			_, err = r.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestF24_backups_of_a_node_under_load makes 20 backups, or 5 with -short, of a node that works. Each is sound, has what was acknowledged
// before it, and runs on by itself.
func TestF24_backups_of_a_node_under_load(t *testing.T) {
	base := t.TempDir()
	n := open(t, config(t, filepath.Join(base, "store")))
	ctx := deadline(t)
	const loaders, each = 2, 60 // instances while a backup is made
	var counts [loaders]atomic.Int64
	var running sync.WaitGroup
	turns := make(chan struct{}, 2*loaders*each)
	for i := range loaders {
		running.Add(1)
		go func() {
			defer running.Done()
			if err := load(ctx, n, string(rune('a'+i)), turns, &counts[i]); err != nil {
				t.Error(err)
			}
		}()
	}
	backups := 20
	if testing.Short() || raceEnabled { // with the race detector a backup takes seconds
		backups = 5
	}
	for i := range backups {
		var before [loaders]int64
		for j := range counts {
			before[j] = counts[j].Load()
		}
		for len(turns) < loaders*each { // only this goroutine adds
			turns <- struct{}{}
		}
		dir := filepath.Join(base, fmt.Sprint("backup", i))
		if err := n.Backup(ctx, dir); err != nil {
			t.Fatal(err)
		}
		if v, err := node.Verify(deadline(t), dir); err != nil || len(v.Damages) > 0 {
			t.Fatalf("backup %d: %v, %v", i, err, v.Damages)
		}
		r, err := node.OpenReadOnly(ctx, dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j, k := range before {
			if k == 0 {
				continue
			}
			if _, err := r.Reader().Status(ctx, fmt.Sprint(string(rune('a'+j)), k-1)); err != nil {
				t.Errorf("backup %d has not what was acknowledged before it: %v", i, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if i == backups/2 {
			runsOn(t, dir)
		}
	}
	close(turns)
	running.Wait()
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Backup(ctx, filepath.Join(base, "late")); !errors.Is(err, turnstone.ErrStopped) {
		t.Errorf("a backup of a node that has ended: %v", err)
	}
}

// TestF24_two_backups_at_once_into_one_directory: one of them is made and stays, on the machine's file system.
func TestF24_two_backups_at_once_into_one_directory(t *testing.T) {
	base := t.TempDir()
	n := open(t, config(t, filepath.Join(base, "store")))
	ctx := deadline(t)
	run(t, n, "a", 1)
	for i := range 10 {
		dir := filepath.Join(base, fmt.Sprint("backup", i))
		ends := make(chan error, 3)
		for range cap(ends) {
			go func() { ends <- n.Backup(ctx, dir) }()
		}
		made := 0
		for range cap(ends) {
			if err := <-ends; err == nil {
				made++
			} else if !errors.Is(err, node.ErrUnfinished) && !errors.Is(err, node.ErrNotEmpty) {
				t.Error(err)
			}
		}
		if v, err := node.Verify(deadline(t), dir); made != 1 || err != nil || len(v.Damages) > 0 {
			t.Errorf("round %d: %d say that they made it: %v, %v", i, made, err, v.Damages)
		}
	}
	if err := n.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// TestF24_a_backup_that_fails_leaves_no_directory: neither its own nor those above it that it made.
func TestF24_a_backup_that_fails_leaves_no_directory(t *testing.T) {
	base := t.TempDir()
	n := open(t, config(t, filepath.Join(base, "store")))
	for i := range 40 {
		ctx := &endsAt{Context: deadline(t), at: i}
		dir := filepath.Join(base, fmt.Sprint(i), "below", "backup")
		if err := n.Backup(ctx, dir); err == nil {
			break
		} else if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(base, fmt.Sprint(i))); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a backup that was ended at question %d left its directories: %v", i, err)
		}
	}
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Error(err)
	}
}

// endsAt is a context that ends when it is asked for the time after this one.
type endsAt struct {
	context.Context
	at int
}

func (c *endsAt) Err() error {
	if c.at--; c.at < 0 {
		return context.Canceled
	}
	return c.Context.Err()
}

// runsOn opens a backup as a node, which ends what was running in it and takes more.
func runsOn(t *testing.T, dir string) {
	t.Helper()
	n := open(t, config(t, dir))
	run(t, n, "new", 21)
	if out, err := client.Attach[int](n.Client(), "a0").Wait(deadline(t)); err != nil || out != 0 {
		t.Errorf("what was in the backup: %v, %v", out, err)
	}
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Error(err)
	}
	if v, err := node.Verify(deadline(t), dir); err != nil || len(v.Damages) > 0 {
		t.Errorf("after it ran: %v, %v", err, v.Damages)
	}
}

// TestF24_a_process_killed_in_a_backup leaves a store that is sound, and backups that are sound or are refused.
func TestF24_a_process_killed_in_a_backup(t *testing.T) {
	if dir := os.Getenv(failedVar); dir != "" {
		backUpForEver(t, dir)
	}
	kills := 12
	if testing.Short() {
		kills = 4
	}
	found := map[string]int{}
	dice := rand.New(rand.NewPCG(24, 1))
	base := t.TempDir()
	for range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
		cmd.Env = append(os.Environ(), failedVar+"="+base)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // the first backup begins
			t.Fatal(err)
		}
		<-time.After(time.Duration(dice.IntN(150)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if v, err := node.Verify(deadline(t), filepath.Join(base, "store")); err != nil || len(v.Damages) > 0 {
			t.Fatalf("the store: %v, %v", err, v.Damages)
		}
		dirs, err := filepath.Glob(filepath.Join(base, "backup*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			v, err := node.Verify(deadline(t), dir)
			switch {
			case errors.Is(err, node.ErrUnfinished), errors.Is(err, node.ErrNoStore):
				found["refused"]++
			case err != nil || len(v.Damages) > 0:
				t.Errorf("%s: %v, %v", dir, err, v.Damages)
			default:
				found["whole"]++
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	if found["refused"] == 0 {
		t.Errorf("no kill met a backup: %v", found)
	}
	t.Log(found)
}

func backUpForEver(t *testing.T, base string) {
	n := open(t, config(t, filepath.Join(base, "store")))
	ctx := deadline(t)
	var count atomic.Int64
	name := fmt.Sprint("p", os.Getpid(), ".")
	turns := make(chan struct{})
	go func() { _ = load(ctx, n, name, turns, &count) }()
	go func() {
		for {
			turns <- struct{}{}
		}
	}()
	fmt.Print("!")
	for i := 0; ; i++ {
		if err := n.Backup(ctx, filepath.Join(base, fmt.Sprint("backup", i))); err != nil {
			t.Fatal(err)
		}
	}
}
