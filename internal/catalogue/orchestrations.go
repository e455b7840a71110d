package catalogue

import (
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/internal/failpoint"
)

// Names as they stand in histories.
const (
	NameCatalogue = "catalogue.Tree"
	NameBranch    = "catalogue.Branch"
	NameBatch     = "catalogue.Batch"
	NameList      = "catalogue.List"
	NameMeasure   = "catalogue.Measure"
)

const (
	// batchFiles is how many files one child orchestration measures at once.
	batchFiles = 64
	// batchBytes bounds the paths of a batch, so that its input and result stay far below the payload limit.
	batchBytes = 256 << 10
	// waveDirs is how many directories a branch lists at once.
	waveDirs = 64
	// branchDirs is how many directories a branch lists itself; what it finds beyond is handed to branches of its own.
	branchDirs = 2000
	// handDirs is how many directories it hands to each.
	handDirs = 500
	// deadline ends a catalogue that hangs: a file system that does not answer must not hold it for ever.
	deadline = 24 * time.Hour
)

// unreadable is how often an entry that cannot be read is tried again before it is reported.
var unreadable = turnstone.NewRetryPolicy(3).WithBackoff(turnstone.FixedBackoff(200 * time.Millisecond))

// Job asks for the catalogue of a directory. Dir is its absolute path, escaped.
type Job struct {
	Dir string `json:"dir"`
}

// Summary is what a catalogue or a branch of it comes to. The entries themselves are the results of its batches.
type Summary struct {
	Totals  Totals `json:"totals"`
	Batches int    `json:"batches"`
}

func (s *Summary) add(o Summary) {
	s.Totals.Merge(o.Totals)
	s.Batches += o.Batches
}

// branchInput is a part of the tree: directories to walk. Paths are escaped and relative to Dir.
type branchInput struct {
	Dir  string   `json:"dir"`
	Dirs []string `json:"dirs"`
}

type batchInput struct {
	Dir      string   `json:"dir"`
	Paths    []string `json:"paths,omitempty"`
	Problems []File   `json:"problems,omitempty"`
}

// Batch is the result of one batch.
type Batch struct {
	Files  []File `json:"files"`
	Totals Totals `json:"totals"`
}

type listRequest struct {
	Dir   string `json:"dir"`
	Path  string `json:"path"`
	After string `json:"after,omitempty"`
}

type measureRequest struct {
	Dir  string `json:"dir"`
	Path string `json:"path"`
}

// Program is the catalogue's handlers. Tree is the one to start.
type Program struct {
	Tree *turnstone.Orchestration[Job, Summary]

	branch  *turnstone.Orchestration[branchInput, Summary]
	batch   *turnstone.Orchestration[batchInput, Batch]
	list    *turnstone.Activity[listRequest, Page]
	measure *turnstone.Activity[measureRequest, File]
}

// New makes the handlers. The tracker is told what runs; it may be nil. The directory leaveOut, by its real name, is left
// out of every catalogue: the store that the catalogue is kept in. Its files change while they are read. Worse, closing a
// file of the store would give up the process's lock on it: POSIX locks belong to the process, not to the open file.
func New(t *Tracker, leaveOut string) *Program {
	p := &Program{}
	p.list = turnstone.NewActivity(NameList, func(_ turnstone.ActivityContext, r listRequest) (Page, error) {
		defer t.begin(r.Path)()
		dir, err := Unescape(r.Dir)
		if err != nil {
			return Page{}, err
		}
		return List(dir, r.Path, r.After, leaveOut)
	})
	p.measure = turnstone.NewActivity(NameMeasure, func(_ turnstone.ActivityContext, r measureRequest) (File, error) {
		defer t.begin(r.Path)()
		dir, err := Unescape(r.Dir)
		if err != nil {
			return File{}, err
		}
		failpoint.Hit("catalogue.measure")
		return Measure(dir, r.Path)
	})
	p.batch = turnstone.NewOrchestration(NameBatch, p.runBatch)
	p.branch = turnstone.NewOrchestration(NameBranch, p.runBranch)
	p.Tree = turnstone.NewOrchestration(NameCatalogue, p.runTree)
	return p
}

// Register adds the handlers to a registry.
func (p *Program) Register(r *turnstone.Registry) error {
	return r.Register(p.Tree, p.branch, p.batch, p.list, p.measure)
}

// runTree starts one branch for each top-level directory, and one for the entries beside them.
func (p *Program) runTree(ctx *turnstone.Context, job Job) (Summary, error) {
	work := turnstone.Go(ctx, func(ctx *turnstone.Context) (Summary, error) {
		w := walker{p: p, ctx: ctx, dir: job.Dir}
		found, err := w.listAll("")
		if err != nil {
			return Summary{}, fmt.Errorf("cannot list the directory: %w", err)
		}
		branches := make([]*turnstone.Future[Summary], 0, len(found.dirs)+1)
		for _, d := range found.dirs {
			branches = append(branches, p.branch.Start(ctx, branchInput{Dir: job.Dir, Dirs: []string{d}}))
		}
		if len(found.flat) > 0 {
			w.flat(found.flat)
		}
		return w.join(branches)
	})
	if turnstone.Race(ctx, work, ctx.Timer(deadline)) == 1 {
		return Summary{}, fmt.Errorf("the catalogue was not finished after %v", deadline)
	}
	return work.Await()
}

// runBranch walks directories in waves, and hands what it finds to batches as it goes.
func (p *Program) runBranch(ctx *turnstone.Context, in branchInput) (Summary, error) {
	w := walker{p: p, ctx: ctx, dir: in.Dir}
	queue := in.Dirs
	for listed := 0; len(queue) > 0 && listed < branchDirs; {
		wave := queue[:min(len(queue), waveDirs)]
		queue = queue[len(wave):]
		listed += len(wave)
		queue = append(queue, w.wave(wave)...)
	}
	var branches []*turnstone.Future[Summary]
	for len(queue) > 0 {
		hand := queue[:min(len(queue), handDirs)]
		queue = queue[len(hand):]
		branches = append(branches, p.branch.Start(ctx, branchInput{Dir: in.Dir, Dirs: hand}))
	}
	return w.join(branches)
}

// runBatch measures its files, all at once. What cannot be read is reported, never fatal.
func (p *Program) runBatch(ctx *turnstone.Context, in batchInput) (Batch, error) {
	futures := make([]*turnstone.Future[File], len(in.Paths))
	for i, name := range in.Paths {
		futures[i] = p.measure.Start(ctx, measureRequest{Dir: in.Dir, Path: name}, turnstone.WithRetry(unreadable))
	}
	out := Batch{Files: make([]File, 0, len(in.Paths)+len(in.Problems))}
	for i, f := range futures {
		file, err := f.Await()
		if errors.Is(err, turnstone.ErrCancelled) {
			return Batch{}, err
		}
		if err != nil {
			file = File{Path: in.Paths[i], Kind: KindFile, Error: err.Error()}
		}
		out.Files = append(out.Files, file)
	}
	out.Files = append(out.Files, in.Problems...)
	for _, f := range out.Files {
		if f.Kind != KindDir {
			out.Totals.Add(f)
		}
	}
	return out, nil
}

// walker lists directories for one branch and starts its batches.
type walker struct {
	p   *Program
	ctx *turnstone.Context
	dir string

	paths     []string
	pathBytes int
	problems  []File
	batches   []*turnstone.Future[Batch]
}

type listing struct {
	dirs []string
	flat []string
}

// wave lists directories side by side and returns their subdirectories.
func (w *walker) wave(dirs []string) []string {
	futures := make([]*turnstone.Future[listing], len(dirs))
	for i, d := range dirs {
		futures[i] = turnstone.Go(w.ctx, func(ctx *turnstone.Context) (listing, error) {
			inner := walker{p: w.p, ctx: ctx, dir: w.dir}
			return inner.listAll(d)
		})
	}
	var below []string
	for i, f := range futures {
		found, err := f.Await()
		if err != nil {
			if w.problems = append(w.problems, File{Path: dirs[i], Kind: KindDir, Error: err.Error()}); len(w.problems) >= batchFiles {
				w.flush()
			}
			continue
		}
		below = append(below, found.dirs...)
		w.flat(found.flat)
	}
	return below
}

// listAll lists one directory, page by page.
func (w *walker) listAll(dir string) (listing, error) {
	var found listing
	after := ""
	for {
		page, err := w.p.list.Call(w.ctx, listRequest{Dir: w.dir, Path: dir, After: after}, turnstone.WithRetry(unreadable))
		if err != nil {
			return found, err
		}
		for _, e := range page.Entries {
			name := path.Join(dir, e.Name)
			if e.Kind == KindDir {
				found.dirs = append(found.dirs, name)
			} else {
				found.flat = append(found.flat, name)
			}
		}
		if !page.More {
			return found, nil
		}
		after = page.Entries[len(page.Entries)-1].Name
	}
}

// flat takes entries to be measured and starts a batch whenever one is full.
func (w *walker) flat(names []string) {
	for _, n := range names {
		w.paths = append(w.paths, n)
		w.pathBytes += len(n)
		if len(w.paths) == batchFiles || w.pathBytes >= batchBytes {
			w.flush()
		}
	}
}

func (w *walker) flush() {
	if len(w.paths) == 0 && len(w.problems) == 0 {
		return
	}
	in := batchInput{Dir: w.dir, Paths: w.paths, Problems: w.problems}
	w.batches = append(w.batches, w.p.batch.Start(w.ctx, in))
	w.paths, w.pathBytes, w.problems = nil, 0, nil
}

// join starts the last batch and adds up everything.
func (w *walker) join(branches []*turnstone.Future[Summary]) (Summary, error) {
	w.flush()
	var sum Summary
	for _, b := range w.batches {
		out, err := b.Await()
		if err != nil {
			return Summary{}, err
		}
		sum.add(Summary{Totals: out.Totals, Batches: 1})
	}
	for _, b := range branches {
		out, err := b.Await()
		if err != nil {
			return Summary{}, err
		}
		sum.add(out)
	}
	return sum, nil
}
