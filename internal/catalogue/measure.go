package catalogue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Measure reads the regular file at dir/path (path escaped) and computes its SHA-256, size, newlines and words (runs
// of bytes other than space, \t, \n, \v, \f and \r). It never follows a symbolic link and never blocks on a pipe:
// what is no longer a regular file is reported as what it is.
func Measure(dir, path string) (File, error) {
	name, err := Unescape(path)
	if err != nil {
		return File{}, err
	}
	full := filepath.Join(dir, name)
	if before, err := os.Lstat(full); err != nil {
		return File{}, plain(err)
	} else if !before.Mode().IsRegular() {
		return inspect(full, path)
	}
	// The entry may have been replaced since: a link is not followed, and a pipe does not block.
	f, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) {
		return inspect(full, path)
	}
	if err != nil {
		return File{}, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, plain(err)
	}
	if !info.Mode().IsRegular() {
		return inspect(full, path)
	}
	return measure(f, path)
}

// plain drops the path from a file system error: it stands beside the error in the report, and escaped.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	return err
}

func measure(r io.Reader, path string) (File, error) {
	out := File{Path: path, Kind: KindFile}
	sum := sha256.New()
	buf := make([]byte, 128<<10)
	inWord := false
	for {
		n, err := r.Read(buf)
		sum.Write(buf[:n])
		out.Bytes += int64(n)
		for _, c := range buf[:n] {
			if c == '\n' {
				out.Lines++
			}
			space := c == ' ' || (c >= '\t' && c <= '\r')
			if !space && !inWord {
				out.Words++
			}
			inWord = !space
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return File{}, plain(err)
		}
	}
	out.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

// inspect reports what an entry is, without opening it.
func inspect(full, path string) (File, error) {
	info, err := os.Lstat(full)
	if err != nil {
		return File{}, plain(err)
	}
	out := File{Path: path, Kind: kindOf(info.Mode())}
	if out.Kind == KindSymlink {
		target, err := os.Readlink(full)
		if err != nil {
			return File{}, plain(err)
		}
		out.Target = Escape(target)
	}
	return out, nil
}

func kindOf(m fs.FileMode) Kind {
	switch {
	case m.IsRegular():
		return KindFile
	case m.IsDir():
		return KindDir
	case m&fs.ModeSymlink != 0:
		return KindSymlink
	case m&fs.ModeNamedPipe != 0:
		return KindPipe
	case m&fs.ModeSocket != 0:
		return KindSocket
	case m&fs.ModeDevice != 0:
		return KindDevice
	default:
		return KindOther
	}
}
