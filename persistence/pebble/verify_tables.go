package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/sstable"
)

// verifyTables reads every block of every table of the store and checks its checksum, including filters and properties,
// which a scan of the rows does not read. It ends with ctx.
func (s *Store) verifyTables(ctx context.Context, rep *Report) {
	levels, err := s.core.db.SSTables()
	if err != nil {
		rep.add(Damage{Family: "files", Key: s.core.dbDir, What: err.Error()})
		return
	}
	for _, level := range levels {
		for _, table := range level {
			if ctx.Err() != nil {
				return
			}
			path := s.core.fs.PathJoin(s.core.dbDir, fmt.Sprintf("%06d.sst", table.FileNum))
			if err := s.verifyTable(path); err != nil {
				rep.add(Damage{Family: "files", Key: path, What: err.Error()})
			}
		}
	}
}

func (s *Store) verifyTable(path string) error {
	file, err := s.o.FS.Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	o := pebbleOptions(&s.o, s.o.FS, s.core.latch)
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}
