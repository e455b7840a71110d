package catalogue

// Kind says what an entry of a directory is.
type Kind string

// The kinds of entries.
const (
	KindFile    Kind = "file"
	KindDir     Kind = "directory"
	KindSymlink Kind = "symlink"
	KindPipe    Kind = "pipe"
	KindSocket  Kind = "socket"
	KindDevice  Kind = "device"
	KindOther   Kind = "other"
)

// File is one line of the report: an entry that is not a directory. Path is relative to the catalogued directory and
// escaped. A regular file has its measures or an error; anything else is reported as what it is and never opened.
type File struct {
	Path   string `json:"path"`
	Kind   Kind   `json:"kind"`
	Target string `json:"target,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Bytes  int64  `json:"bytes"`
	Lines  int64  `json:"lines"`
	Words  int64  `json:"words"`
	Error  string `json:"error,omitempty"`
}

// Totals sums up regular files.
type Totals struct {
	Files  int64 `json:"files"`
	Bytes  int64 `json:"bytes"`
	Lines  int64 `json:"lines"`
	Words  int64 `json:"words"`
	Errors int64 `json:"errors"`
	// Others are symbolic links, pipes, sockets and devices.
	Others int64 `json:"others"`
}

// Add counts one entry.
func (t *Totals) Add(f File) {
	switch {
	case f.Error != "":
		t.Errors++
	case f.Kind != KindFile:
		t.Others++
	default:
		t.Files++
		t.Bytes += f.Bytes
		t.Lines += f.Lines
		t.Words += f.Words
	}
}

// Merge adds other totals.
func (t *Totals) Merge(o Totals) {
	t.Files += o.Files
	t.Bytes += o.Bytes
	t.Lines += o.Lines
	t.Words += o.Words
	t.Errors += o.Errors
	t.Others += o.Others
}
