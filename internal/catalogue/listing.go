package catalogue

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// PageEntries bounds one page of a directory, so that a listing always fits into a result.
const PageEntries = 1000

// Entry is one entry of a directory: its escaped name and what it is.
type Entry struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Page is a run of a directory's entries in byte order of their names. More says that After continues it.
type Page struct {
	Entries []Entry `json:"entries"`
	More    bool    `json:"more,omitempty"`
}

// List reads up to PageEntries entries of dir/path whose names follow after (both escaped; after empty: from the
// first). The directory leaveOut is not among them, whatever its name; empty: none is left out.
func List(dir, path, after, leaveOut string) (Page, error) {
	name, err := Unescape(path)
	if err != nil {
		return Page{}, err
	}
	from, err := Unescape(after)
	if err != nil {
		return Page{}, err
	}
	entries, err := os.ReadDir(filepath.Join(dir, name))
	if err != nil {
		return Page{}, plain(err)
	}
	// os.ReadDir sorts by name.
	first := 0
	if after != "" {
		first = sort.Search(len(entries), func(i int) bool { return entries[i].Name() > from })
	}
	page := Page{}
	for _, e := range entries[first:] {
		if isDir(leaveOut, e) {
			continue
		}
		if len(page.Entries) == PageEntries {
			page.More = true
			break
		}
		page.Entries = append(page.Entries, Entry{Name: Escape(e.Name()), Kind: entryKind(e)})
	}
	return page, nil
}

// isDir reports whether an entry is a certain directory.
func isDir(dir string, e fs.DirEntry) bool {
	if dir == "" || !e.IsDir() || e.Name() != filepath.Base(dir) {
		return false
	}
	wanted, err := os.Stat(dir)
	if err != nil {
		return false
	}
	found, err := e.Info()
	return err == nil && os.SameFile(found, wanted)
}

func entryKind(e fs.DirEntry) Kind { return kindOf(e.Type()) }
