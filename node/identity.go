package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/limits"
)

// identityFile keeps the node's id in the store's directory.
const identityFile = "node"

// identity reads the node's id, or draws one and stores it: it writes a temporary file, syncs it, and renames it, so that a
// crash leaves the whole id or none.
func identity(dir, configured string, source ids.Source) (string, error) {
	if configured != "" {
		return configured, nil
	}
	path := filepath.Join(dir, identityFile)
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		id := strings.TrimSpace(string(data))
		if err := limits.CheckID("node id", id, nodeIDBytesMax, ""); err != nil {
			return "", fmt.Errorf("node: %s: %w; delete the file to get a new id", path, err)
		}
		return id, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("node: read the node's id: %w", err)
	}
	id := ids.Hex(source)
	if err := writeWhole(dir, path, []byte(id+"\n")); err != nil {
		return "", fmt.Errorf("node: keep the node's id: %w", err)
	}
	return id, nil
}

func writeWhole(dir, path string, data []byte) error {
	draft := path + ".new"
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
