package catalogue

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Report is what the catalogue found. Files are sorted by path.
type Report struct {
	Dir         string            `json:"dir"`
	Totals      Totals            `json:"totals"`
	Directories []File            `json:"unreadable_directories,omitempty"`
	ByTop       map[string]Totals `json:"by_directory"`
	ByExtension map[string]Totals `json:"by_extension"`
	Files       []File            `json:"files"`
}

// NewReport joins what the batches found. dir is the escaped catalogued directory.
func NewReport(dir string, found []File) Report {
	r := Report{Dir: dir, ByTop: map[string]Totals{}, ByExtension: map[string]Totals{}, Files: []File{}}
	sort.Slice(found, func(i, j int) bool { return found[i].Path < found[j].Path })
	for _, f := range found {
		if f.Kind == KindDir {
			r.Directories = append(r.Directories, f)
			continue
		}
		r.Files = append(r.Files, f)
		r.Totals.Add(f)
		addTo(r.ByTop, topOf(f.Path), f)
		addTo(r.ByExtension, extensionOf(f), f)
	}
	return r
}

func addTo(m map[string]Totals, key string, f File) {
	t := m[key]
	t.Add(f)
	m[key] = t
}

func topOf(p string) string {
	top, _, nested := strings.Cut(p, "/")
	if !nested {
		return "."
	}
	return top
}

func extensionOf(f File) string {
	if f.Kind != KindFile {
		return "(" + string(f.Kind) + ")"
	}
	base := path.Base(f.Path)
	ext := path.Ext(base)
	if ext == "" || ext == base || len(ext) > 16 {
		return "(none)"
	}
	return ext
}

// WriteFile writes the report to a file: beside it first, then synced and renamed, so that a crash leaves the old
// report or the new one.
func (r Report) WriteFile(name string) error {
	tmp, err := beside(name)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := r.write(tmp); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Sync(); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// beside makes the temporary file of a report. Its name is short whatever the report's is.
func beside(name string) (*os.File, error) { return os.CreateTemp(filepath.Dir(name), ".report.*") }

// TryFile makes the temporary file that [Report.WriteFile] would, and removes it again: it says beforehand whether there
// can be a report of this name. Nothing that exists is changed.
func TryFile(name string) error {
	tmp, err := beside(name)
	if err != nil {
		return err
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

func (r Report) write(w io.Writer) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(buffered)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		return err
	}
	return buffered.Flush()
}
