package replay

import (
	"bytes"
	"runtime"
	"strconv"
)

// GoroutineID is a value for Config.GoroutineID in simulators and tests: the id of the calling goroutine, read from
// its stack dump. It takes about a microsecond.
func GoroutineID() uint64 {
	var buf [64]byte
	text := buf[:runtime.Stack(buf[:], false)]
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	if i := bytes.IndexByte(text, ' '); i > 0 {
		text = text[:i]
	}
	id, _ := strconv.ParseUint(string(text), 10, 64)
	return id
}
