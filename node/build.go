package node

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// executableBuild names this program by a hash of its file; "unknown" if that cannot be read. A program that was replaced
// on disk since it was started is named by what is there now.
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
