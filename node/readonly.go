package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// ReadOnly is a store that is open for reading only. Nothing runs, and nothing is written.
type ReadOnly struct {
	reader *client.Reader
	store  *pebble.Store
	note   string
}

// OpenReadOnly opens an existing store for reading. It refuses a directory that is no store, and a store that is open: a
// store is either read or run. As [Open] it waits about 2 s for a store that another process has open, so that a store can
// be read right after its process was killed. An empty dir is turnstone.ErrInvalidInput.
//
// codec is that of the registries whose instances are in the store: it decodes what is read as a typed value. A nil codec is
// turnstone.JSON. A store of another codec, as their names say, is opened all the same: its values can be read as they are
// recorded, and reading one as a type fails with [ErrCodec]. [ReadOnly.CodecNote] says so.
//
// Reading needs the permission to write one file, the store's lock, dir/db/LOCK. Without it the error wraps
// [ErrNotWritable]: read as the user who runs the store, or read a copy. A store whose creation was not finished is
// [ErrNoStore], as an empty directory is.
func OpenReadOnly(ctx context.Context, dir string, codec turnstone.Codec) (*ReadOnly, error) {
	if dir == "" {
		return nil, errNoDirectory
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	store, err := pebble.OpenContext(ctx, pebble.Options{Dir: dir, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	r := &ReadOnly{store: store}
	if codec == nil {
		codec = turnstone.JSON
	}
	if of := store.Info().Codec; of != "" && of != codec.Name() {
		r.note = fmt.Sprintf("the values in the store %s are of the codec %q, and this program has %q: they are shown as they are recorded",
			dir, of, codec.Name())
		codec = foreign{of}
	}
	r.reader = client.NewReader(localport.NewReader(store), codec)
	return r, nil
}

// Reader reads the store.
func (r *ReadOnly) Reader() *client.Reader { return r.reader }

// CodecNote says that the store's values are of another codec than the one that it was opened with; it is empty if they are
// not.
func (r *ReadOnly) CodecNote() string { return r.note }

// Close closes the store.
func (r *ReadOnly) Close() error { return r.store.Close() }

// Backup copies a store that no process has open into a directory, as [Node.Backup] copies one that runs. It changes
// nothing in the store.
func Backup(ctx context.Context, store, dir string) error {
	if store == "" || dir == "" {
		return errNoDirectory
	}
	return pebble.Backup(ctx, pebble.Options{Dir: store}, dir)
}

// Verification is the result of [Verify].
type Verification struct {
	// Damages has a line for each place that is damaged, naming it; none if the store is sound.
	Damages []string
	// Summary says in one line what was checked.
	Summary string
}

// Verify reads a whole store, without changing it, and checks everything in it: chains, heads against histories, rows
// against open operations, counters, indexes and marks. As [OpenReadOnly] it waits about 2 s for a store that another process
// has open, and refuses one that is open or whose lock may not be written. When ctx ends, Verify returns its error.
func Verify(ctx context.Context, dir string) (Verification, error) {
	if dir == "" {
		return Verification{}, errNoDirectory
	}
	report, err := pebble.VerifyContext(ctx, pebble.Options{Dir: dir})
	if err != nil {
		return Verification{}, err
	}
	var v Verification
	for _, d := range report.Damages {
		v.Damages = append(v.Damages, fmt.Sprintf("partition %d, %s %s: %s", d.Partition, d.Family, d.Key, d.What))
	}
	families := make([]string, 0, len(report.Rows))
	for family := range report.Rows {
		families = append(families, family)
	}
	slices.Sort(families)
	for i, family := range families {
		families[i] = fmt.Sprintf("%d %s", report.Rows[family], family)
	}
	v.Summary = fmt.Sprintf("store %s, format %s, %d partitions: checked %s; %d damaged",
		report.Info.ID, report.Info.Format, report.Info.Partitions, strings.Join(families, ", "), len(v.Damages))
	return v, nil
}
