package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// backupRig is a store with content in tables and in the log, on a file system whose operations are hooked.
type backupRig struct {
	*rig
	mem  *vfs.MemFS
	hook func(op, path string) error
}

func newBackupRig(t *testing.T) *backupRig {
	t.Helper()
	b := &backupRig{mem: vfs.NewCrashableMem()}
	b.rig = newRig(t, Options{Partitions: 2, FS: &opFS{FS: b.mem, hook: func(op, path string) error {
		if b.hook != nil {
			return b.hook(op, path)
		}
		return nil
	}}})
	b.begin()
	b.fill(30)
	must(t, b.s.core.db.Flush())
	b.fill(60)
	return b
}

func (b *backupRig) fill(to int) {
	b.t.Helper()
	for i := to - 30; i < to; i++ {
		id := fmt.Sprint("i", i)
		b.ok(b.s.PartitionOf(id), &persistence.StartInstance{ID: id, Name: "o", Input: []byte(id)})
	}
}

// sameRows says that a backup opens, is sound, and has the rows that the store has now.
func (b *backupRig) sameRows(f vfs.FS, dir string) error {
	s, err := Open(Options{Dir: dir, FS: f, Manual: true})
	if err != nil {
		return err
	}
	for p := range persistence.Partition(2) {
		d, err := s.Dump(p)
		if err != nil || d.String() != b.dump(p).String() {
			return fmt.Errorf("partition %d differs (%v)", p, err)
		}
	}
	return s.Close()
}

// TestF24_a_backup_is_cut_at_every_step takes an image of the disk before each operation of a backup. In each the store
// is sound, and the backup is refused as unfinished or missing, or is whole.
func TestF24_a_backup_is_cut_at_every_step(t *testing.T) {
	b := newBackupRig(t)
	var images []*vfs.MemFS
	var at []string
	b.hook = func(op, path string) error {
		images, at = append(images, b.mem.CrashClone(vfs.CrashCloneCfg{})), append(at, op+" "+path)
		return nil
	}
	must(t, b.s.Backup(context.Background(), "copies/one"))
	b.hook = nil
	images, at = append(images, b.mem.CrashClone(vfs.CrashCloneCfg{})), append(at, "the end")
	found := map[string]int{}
	for i := (len(images) - 1) % stride(); i < len(images); i += stride() {
		image := images[i]
		_, err := Verify(Options{Dir: "copies/one", FS: image, Manual: true})
		switch {
		case errors.Is(err, ErrNoStore):
			found["nothing"]++
		case errors.Is(err, ErrUnfinished):
			found["unfinished"]++
			if _, err := Open(Options{Dir: "copies/one", FS: image, Manual: true}); !errors.Is(err, ErrUnfinished) {
				t.Errorf("before %s: for writing: %v", at[i], err)
			}
		default:
			found["whole"]++
			if err := b.sameRows(image, "copies/one"); err != nil {
				t.Errorf("before %s: %v", at[i], err)
			}
		}
		if rep, err := Verify(Options{Dir: "store", FS: image, Manual: true}); err != nil || len(rep.Damages) > 0 {
			t.Errorf("before %s: the store: %v, %v", at[i], err, rep.Damages)
		}
	}
	if found["nothing"] == 0 || found["unfinished"] < 20/stride() || found["whole"] == 0 {
		t.Errorf("%v", found)
	}
}

// TestF24_a_backup_that_fails_leaves_nothing fails each operation of a backup. The backup says what failed, its directory
// is empty, and the store goes on.
func TestF24_a_backup_that_fails_leaves_nothing(t *testing.T) {
	b := newBackupRig(t)
	for fail := 0; ; fail += stride() {
		n, failedAt := 0, ""
		b.hook = func(op, path string) error {
			if !strings.HasPrefix(path, "copies") && path != "." {
				return nil
			}
			if n++; n-1 != fail {
				return nil
			}
			failedAt = op + " " + path
			return &fs.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
		}
		err := b.s.Backup(context.Background(), "copies/one")
		b.hook = nil
		if failedAt == "" {
			must(t, err)
			must(t, b.sameRows(b.mem, "copies/one"))
			if fail < 20 {
				t.Errorf("only %d operations", fail)
			}
			return
		}
		if strings.HasPrefix(failedAt, "link ") || err == nil && strings.HasPrefix(failedAt, "close ") {
			// What cannot be linked is copied, and what is synced need not be closed well.
			must(t, errors.Join(err, b.sameRows(b.mem, "copies/one"), b.mem.RemoveAll("copies")))
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "backup of store to copies/one: ") {
			t.Errorf("%s fails: %v", failedAt, err)
		}
		if names, err := b.mem.List("copies"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s fails: it left copies with %v in it: %v", failedAt, names, err)
		}
		if !b.s.core.latch.clear() {
			t.Fatalf("%s fails, and stops the store: %v", failedAt, b.s.Cause())
		}
	}
}

// TestF24_a_backup_that_fails_keeps_what_it_did_not_make fails backups into directories that were there.
func TestF24_a_backup_that_fails_keeps_what_it_did_not_make(t *testing.T) {
	b := newBackupRig(t)
	must(t, b.mem.MkdirAll("mine/empty", 0o755))
	full := func(op, path string) error {
		if op == "create" && strings.HasSuffix(path, witnessTemp) && !strings.HasPrefix(path, "store") {
			return syscall.ENOSPC
		}
		return nil
	}
	for _, dir := range []string{"mine/empty", "mine/new/newer"} {
		b.hook = full
		err := b.s.Backup(context.Background(), dir)
		b.hook = nil
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	names, err := b.mem.List("mine")
	must(t, err)
	if len(names) != 1 || names[0] != "empty" {
		t.Errorf("left in the directory above: %v", names)
	}
}

// TestF24_two_backups_into_one_directory makes a second backup into the directory before each operation of the first. One
// of them is good and stays, and the other one fails.
func TestF24_two_backups_into_one_directory(t *testing.T) {
	b := newBackupRig(t)
	winners := map[string]int{}
	for at := 0; ; at += stride() {
		var second error
		n, met := 0, ""
		b.hook = func(op, path string) error {
			if met != "" || !strings.HasPrefix(path, "copies") && path != "." {
				return nil
			}
			if n++; n-1 == at {
				met = op + " " + path
				second = b.s.Backup(context.Background(), "copies/one")
			}
			return nil
		}
		first := b.s.Backup(context.Background(), "copies/one")
		b.hook = nil
		if err := b.sameRows(b.mem, "copies/one"); err != nil {
			t.Fatalf("a second backup before %q of the first: they gave %v and %v, and the copy: %v", met, second, first, err)
		}
		if met == "" {
			break
		}
		winner, loser := "first", second
		if first != nil {
			winner, loser = "second", first
			must(t, second)
		}
		if winners[winner]++; !errors.Is(loser, ErrUnfinished) && !errors.Is(loser, ErrNotEmpty) {
			t.Errorf("before %s the %s is made, and the other one says %v", met, winner, loser)
		}
		if names, err := b.mem.List("copies/one"); err != nil || len(names) != 2 {
			t.Errorf("before %s: the copy holds %v", met, names)
		}
		must(t, b.mem.RemoveAll("copies"))
	}
	if winners["first"] < 20/stride() || winners["second"] == 0 && stride() == 1 {
		t.Errorf("who made it: %v", winners)
	}
}

// TestF24_what_a_killed_backup_leaves is refused as a store, and by the next backup: in the making for all it can know.
func TestF24_what_a_killed_backup_leaves(t *testing.T) {
	b := newBackupRig(t)
	for _, name := range []string{claimName, unfinishedName} {
		must(t, b.mem.MkdirAll(name, 0o755))
		writeFile(t, b.mem, name+"/"+name, nil)
		if err := b.s.Backup(context.Background(), name); !errors.Is(err, ErrUnfinished) || !strings.Contains(err.Error(), "remove "+name) {
			t.Errorf("a backup beside %s: %v", name, err)
		}
		if _, err := Open(Options{Dir: name, FS: b.mem, Manual: true}); !errors.Is(err, ErrUnfinished) {
			t.Errorf("a store beside %s: %v", name, err)
		}
	}
	// A backup that is killed while it finds that another one was faster leaves its claim in a good copy.
	must(t, b.s.Backup(context.Background(), "good"))
	writeFile(t, b.mem, "good/"+claimName, nil)
	if err := b.s.Backup(context.Background(), "good"); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a backup into a good one with a claim: %v", err)
	}
	must(t, b.sameRows(b.mem, "good"))
}

// TestF24_where_a_backup_may_not_be names each place that is refused.
func TestF24_where_a_backup_may_not_be(t *testing.T) {
	b := newBackupRig(t)
	writeFile(t, b.mem, "note", nil)
	must(t, b.mem.MkdirAll("full/x", 0o755))
	must(t, b.mem.MkdirAll("cut", 0o755))
	writeFile(t, b.mem, "cut/backup.unfinished", nil)
	must(t, b.mem.MkdirAll("volume/lost+found", 0o755))
	for dir, want := range map[string]error{
		"store": ErrNotEmpty, "store/backup": ErrNotEmpty, "store/db/backup": ErrNotEmpty, "full": ErrNotEmpty, "cut": ErrUnfinished,
	} {
		if err := b.s.Backup(context.Background(), dir); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if err := b.s.Backup(ended, "late"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
	must(t, b.s.Backup(context.Background(), "volume"))
	must(t, b.sameRows(b.mem, "volume"))
	must(t, b.s.Close())
	if err := b.s.Backup(context.Background(), "closed"); !errors.Is(err, persistence.ErrStopped) {
		t.Errorf("of a closed store: %v", err)
	}
}

// TestF24_a_backup_of_damage_is_refused damages the store beneath a process that has it open.
func TestF24_a_backup_of_damage_is_refused(t *testing.T) {
	mem := closedStore(t)
	must(t, Backup(context.Background(), Options{Dir: "store", FS: mem, Manual: true}, "sound"))
	names, err := mem.List("store/db")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			b := readFile(t, mem, "store/db/"+name)
			b[20] ^= 1
			remove(t, mem, "store/db/"+name) // it is linked
			writeFile(t, mem, "store/db/"+name, b)
		}
	}
	err = Backup(context.Background(), Options{Dir: "store", FS: mem, Manual: true}, "damaged")
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
	if rep, err := Verify(Options{Dir: "sound", FS: mem, Manual: true}); err != nil || len(rep.Damages) > 0 {
		t.Errorf("the backup from before: %v, %v", err, rep.Damages)
	}
}
