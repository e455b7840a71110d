package node

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// executableBuild returns a hash of this program's file; "unknown" if the file cannot be read. If the file was replaced
// after the start of the process, the hash is that of the new file.
var executableBuild = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return unknownBuild
	}
	f, err := os.Open(path)
	if err != nil {
		return unknownBuild
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return unknownBuild
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
})

const unknownBuild = "unknown"
