package pebble

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestTwoCreatorsInterleaved lets a second creator of the same store in before each operation of the first one. Each
// gets the store or the sentence that it is in use, one of them gets it, and it is whole.
func TestTwoCreatorsInterleaved(t *testing.T) {
	reached, refused := 0, 0
	for at := 0; at == reached; at++ {
		c := &creators{t: t, mem: vfs.NewCrashableMem(), at: at}
		first, err := c.open(&opFS{FS: c.mem, hook: c.hook})
		second, let := c.result()
		if let {
			reached++
		}
		c.check("the first", err)
		if (first == nil) == (second == nil) {
			t.Fatalf("before operation %d: the first creator has the store: %v, the second: %v", at, first != nil, second != nil)
		}
		if first != nil {
			refused++
			c.use(first)
		} else {
			c.use(second)
		}
		c.reopen()
	}
	t.Logf("let in before %d operations; refused at %d of them", reached, refused)
	if refused < 20 {
		t.Errorf("the second creator was refused %d times only", refused)
	}
}

// creators are two that want the same new store.
type creators struct {
	t   *testing.T
	mem *vfs.MemFS
	at  int

	mu     sync.Mutex // Pebble's goroutines write, too
	count  int
	second *Store
}

func (c *creators) open(f vfs.FS) (*Store, error) {
	return Open(Options{Dir: "store", FS: f, Partitions: 2, Manual: true, OnFatal: func(op, path string, err error) {
		panic(fmt.Sprintf("%s %s: %v", op, path, err))
	}})
}

// hook lets the second creator in.
func (c *creators) hook(op, path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count++; c.count == c.at+1 {
		var err error
		c.second, err = c.open(c.mem)
		c.check(fmt.Sprintf("the second, before %s %s", op, path), err)
	}
	return nil
}

// result is the store that the second creator got, and whether it was let in.
func (c *creators) result() (second *Store, let bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.second, c.count > c.at
}

func (c *creators) check(who string, err error) {
	if err != nil && !errors.Is(err, ErrInUse) {
		c.t.Errorf("operation %d, %s: %v", c.at, who, err)
	}
}

// use has the store keep something.
func (c *creators) use(s *Store) {
	c.t.Helper()
	answered := false
	s.Propose(s.PartitionOf("kept"), persistence.Proposal{
		Command: &persistence.StartInstance{ID: "kept", Name: "o"},
		Done: func(r persistence.Result) {
			if answered = true; r.Err != nil {
				c.t.Error(r.Err)
			}
		},
	})
	for s.Step(StepApply) || s.Step(StepSync) {
	}
	if !answered {
		c.t.Error("the store does not answer")
	}
	if err := s.Close(); err != nil {
		c.t.Error(err)
	}
}

// reopen looks whether the store is whole and nothing lies beside it.
func (c *creators) reopen() {
	c.t.Helper()
	rep, err := Verify(Options{Dir: "store", FS: c.mem})
	if err != nil || len(rep.Damages) > 0 || rep.Rows["start"] != 1 {
		c.t.Fatalf("operation %d: %v, %+v", c.at, err, rep)
	}
	if names, err := c.mem.List(""); err != nil || len(names) != 1 {
		c.t.Fatalf("operation %d: beside the store: %v, %v", c.at, names, err)
	}
	if names, err := c.mem.List("store"); err != nil || !isWholeStore(names) {
		c.t.Fatalf("operation %d: in the store: %v, %v", c.at, names, err)
	}
}

// isWholeStore reports whether these are the files of a whole store, and no others.
func isWholeStore(names []string) bool {
	slices.Sort(names)
	return slices.Equal(names, []string{dbName, witnessName})
}

// TestCreationEndsAnywhere ends a creator before each of its operations, with all that it wrote kept, as a process that
// is killed does. The next one gets a whole store, and nothing lies beside it.
func TestCreationEndsAnywhere(t *testing.T) {
	images := map[string]*vfs.MemFS{}
	mem := vfs.NewCrashableMem()
	var mu sync.Mutex
	count := 0
	c := &creators{t: t, mem: mem}
	s, err := c.open(&opFS{FS: mem, hook: func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		count++
		images[operation{count, op, path}.String()] = mem.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, uint64(count))),
		})
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	locked := 0
	for at, image := range images {
		if _, err := image.Stat("store/creating.lock"); err == nil {
			locked++
		}
		c := &creators{t: t, mem: image}
		s, err := c.open(image)
		if err != nil {
			t.Fatalf("ended before %s: %v", at, err)
		}
		c.use(s)
		c.reopen()
	}
	t.Logf("%d ends, %d of them leave the lock's file", len(images), locked)
	if locked < 20 {
		t.Errorf("%d of %d ends leave the lock's file", locked, len(images))
	}
}

// creatorBatch is what a child of TestTwoProcessesCreateOneStore is to do.
type creatorBatch struct{ Dir string }

// creatorAnswer is what has become of a child's round.
type creatorAnswer struct {
	ID    string // of the store, if this child has it
	Error string
	InUse bool
}

// TestTwoProcessesCreateOneStore has two real processes create the same store at the same moment, many times: one has
// it, the other says that it is in use, and what the one acknowledged is there afterwards.
func TestTwoProcessesCreateOneStore(t *testing.T) {
	var batch creatorBatch
	if isChild(t, &batch) {
		creatorChild(batch)
	}
	rounds := 60
	if testing.Short() {
		rounds = 12
	}
	dir := t.TempDir()
	children := [2]*creatorProcess{startCreator(t, dir), startCreator(t, dir)}
	wins := [2]int{}
	for round := range rounds {
		name := fmt.Sprint("round-", round)
		for _, c := range children {
			c.say(name)
		}
		id := ""
		for i, c := range children {
			switch a := c.answer(); {
			case a.ID != "" && id == "":
				id = a.ID
				wins[i]++
			case a.ID != "":
				t.Fatalf("%s: both have the store", name)
			case !a.InUse:
				t.Fatalf("%s: process %d: %s", name, i, a.Error)
			}
		}
		if id == "" {
			t.Fatalf("%s: neither has the store", name)
		}
		for _, c := range children {
			c.say("close")
			if a := c.answer(); a.Error != "" {
				t.Fatalf("%s: %s", name, a.Error)
			}
		}
		rep, err := Verify(Options{Dir: filepath.Join(dir, name)})
		if err != nil || len(rep.Damages) > 0 || rep.Info.ID != id || rep.Rows["start"] != 1 {
			t.Fatalf("%s: %v, %+v; want store %s with one start", name, err, rep, id)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != round+1 {
			t.Fatalf("%s: beside the stores: %v, %v", name, files, err)
		}
	}
	for _, c := range children {
		must(t, c.in.Close())
		must(t, c.cmd.Wait())
	}
	t.Logf("%d rounds; the processes had the store %v times", rounds, wins)
}

// creatorProcess is one child.
type creatorProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startCreator(t *testing.T, dir string) *creatorProcess {
	t.Helper()
	spec, err := json.Marshal(creatorBatch{Dir: dir})
	must(t, err)
	c := &creatorProcess{t: t, cmd: exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=5m")}
	c.cmd.Env = append(os.Environ(), childVar+"="+string(spec))
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.out = json.NewDecoder(out)
	must(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

func (c *creatorProcess) say(line string) {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, line)
	must(c.t, err)
}

func (c *creatorProcess) answer() (a creatorAnswer) {
	c.t.Helper()
	if err := c.out.Decode(&a); err != nil {
		c.t.Fatalf("a creator ended: %v", err)
	}
	return a
}

// creatorChild answers one line with one line: the name of a store to create and write to, or "close".
func creatorChild(b creatorBatch) {
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	var s *Store
	for lines.Scan() {
		var a creatorAnswer
		var err error
		if lines.Text() != "close" {
			s, err = Open(Options{Dir: filepath.Join(b.Dir, lines.Text()), Partitions: 2, LockWait: -1})
			if err == nil {
				err = await(s, s.PartitionOf("kept"), persistence.Proposal{Command: &persistence.StartInstance{ID: "kept", Name: "o"}}).Err
				a.ID = s.Info().ID
			}
			a.InUse = errors.Is(err, ErrInUse)
		} else if s != nil {
			err = s.Close()
			s = nil
		}
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			os.Exit(1)
		}
	}
	os.Exit(0)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
