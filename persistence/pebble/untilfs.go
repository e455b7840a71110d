package pebble

import (
	"context"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// untilFS is a file system whose reads fail when its context has ended. Pebble checks a whole database in one call without a
// context; the failed read ends that call.
type untilFS struct {
	vfs.FS
	ctx context.Context
}

// Unwrap implements vfs.FS.
func (f *untilFS) Unwrap() vfs.FS { return f.FS }

// Open implements vfs.FS.
func (f *untilFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return &untilFile{File: file, ctx: f.ctx}, nil
}

type untilFile struct {
	vfs.File
	ctx context.Context
}

// Read implements vfs.File.
func (f *untilFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// ReadAt implements vfs.File.
func (f *untilFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}
