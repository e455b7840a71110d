package pebble

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const mountVar = "TURNSTONE_MOUNT_TEST_DIR"

// noMount is the status of a child that may not mount.
const noMount = 7

// withOwnMounts gives a child a namespace in which it may mount.
func withOwnMounts(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
}

// mountVolume mounts an empty volume, in a child that withOwnMounts has prepared. It ends the child where it may not.
func mountVolume(dir, options string) {
	err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err = errors.Join(err, syscall.Mount("tmpfs", dir, "tmpfs", 0, options)); err != nil {
		fmt.Println(err)
		os.Exit(noMount)
	}
}

// TestCreateInMountPoint makes a store in the root of an empty volume. Where a process may not mount one even in a
// namespace of its own, the volume is a file system that refuses what would be refused to a mount point.
func TestCreateInMountPoint(t *testing.T) {
	if dir := os.Getenv(mountVar); dir != "" {
		mountVolume(dir, "")
		if err := os.Remove(dir); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("a mount point is removed with %v", err)
		}
		useStore(t, Options{Dir: dir})
		useReopened(t, dir)
		return
	}
	dir := filepath.Join(realName(vfs.Default, t.TempDir()), "data")
	must(t, os.Mkdir(dir, 0o755))
	cmd := exec.Command(os.Args[0], "-test.run=^TestCreateInMountPoint$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), mountVar+"="+dir)
	withOwnMounts(cmd)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == noMount, err != nil && !errors.As(err, &exit):
		t.Logf("a volume cannot be mounted here (%v, %s)", err, strings.TrimSpace(string(out)))
		var tried []string
		f := insideFS{FS: vfs.Default, dir: dir, cause: syscall.EBUSY, tried: &tried}
		useStore(t, Options{Dir: dir, FS: f})
		if len(tried) > 0 {
			t.Errorf("it tried, too: %v", tried)
		}
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	default:
		if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
			t.Errorf("under the mount point: %v, %v", names, err)
		}
	}
	if names, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(names) != 1 {
		t.Errorf("beside the mount point: %v, %v", names, err)
	}
}
