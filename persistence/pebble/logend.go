package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// logTrailerBytes is the length of the trailer that Pebble writes when it closes a log: a record's header without checksum
// and length, with the number of the next log.
const logTrailerBytes = 11

func logTrailer(num uint32) []byte {
	b := make([]byte, logTrailerBytes)
	b[6] = 5 // a whole record of the format that names its log
	binary.LittleEndian.PutUint32(b[7:], num+1)
	return b
}

// checkLogEnds reads the logs as Pebble does, and refuses one that goes on behind its end. Pebble takes a header with the
// number of the next log for the end of a closed log, before it checks the checksum. So one flipped bit in the number of a
// record hides the rest of the log, and Pebble applies the next log behind the hole.
func checkLogEnds(f vfs.FS, dbDir string) error {
	logs, err := wal.Scan(wal.Dir{FS: f, Dirname: dbDir})
	if err != nil {
		return err
	}
	for _, log := range logs {
		_, path := log.SegmentLocation(0)
		end, closed, err := logEnd(log)
		if err == nil && closed {
			err = checkLogEnd(f, path, end, uint32(log.Num))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// logEnd returns where Pebble finds the end of a log, and whether Pebble takes the log for a closed one. Pebble itself
// handles damage and a write that was cut short.
func logEnd(log wal.LogicalLog) (end int64, closed bool, err error) {
	r := log.OpenForRead()
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		_, at, err := r.NextRecord()
		if err != nil {
			return at.Physical, errors.Is(err, io.EOF), nil
		}
	}
}

// checkLogEnd checks that only the trailer follows a log's end, and zeros, which fill a block's end that is too short for a
// header.
func checkLogEnd(f vfs.FS, path string, end int64, num uint32) (err error) {
	file, err := f.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	rest := make([]byte, max(0, info.Size()-end))
	if _, err := file.ReadAt(rest, end); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	rest = bytes.TrimLeft(rest, "\x00")
	// The trailer begins with the zeros that were trimmed.
	trailer := bytes.TrimLeft(logTrailer(num), "\x00")
	if rest, _ = bytes.CutPrefix(rest, trailer); len(bytes.TrimLeft(rest, "\x00")) > 0 {
		return fmt.Errorf("log %s is damaged at byte %d: a record there looks like the log's end, and %d bytes follow",
			path, end, info.Size()-end)
	}
	return nil
}
