package pebble

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// isManifest reports whether a file of Pebble's directory is a manifest: the log of the tables and logs that are in use.
func isManifest(base string) bool { return strings.HasPrefix(base, "MANIFEST-") }

// isWitnessed reports whether the witness must have the synced length of a file. A manifest that has lost its end names an
// old set of tables, and the logs with the difference are removed: Pebble would open such a store, with rows missing in the
// middle.
func isWitnessed(base string) bool { return isLog(base) || isManifest(base) }

// checkManifest reads a manifest as Pebble does, which takes the first damaged record for the file's end. It refuses a
// manifest that ends so before its synced length.
func checkManifest(f vfs.FS, path string, synced int64) (err error) {
	file, err := f.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := record.NewReader(file, 0)
	end := int64(0)
	for {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		if err != nil {
			if end < synced {
				return fmt.Errorf("manifest %s is damaged behind byte %d; %d bytes of it were synced: %w", path, end, synced, err)
			}
			return nil
		}
		end = r.Offset()
	}
}
