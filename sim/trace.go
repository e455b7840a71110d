package sim

import (
	"fmt"
	"io"
	"time"
)

// trace is the hash of everything that happened, and the story for people if one is asked for. It holds commands,
// results, messages and times, and no file names or counts of file operations.
type trace struct {
	hash  uint64
	lines uint64
	story io.Writer
	world *World
}

// add notes what happened. The numbers go into the hash; the text only into the story, and is made only for it.
func (t *trace) add(kind byte, numbers []uint64, text func() string) {
	t.lines++
	t.mix(uint64(kind))
	for _, n := range numbers {
		t.mix(n)
	}
	if t.story != nil {
		at := t.world.agenda.now.Truncate(time.Microsecond)
		fmt.Fprintf(t.story, "%12v %c %s\n", at, kind, text())
	}
}

func (t *trace) mix(n uint64) {
	t.hash ^= n + 0x9e3779b97f4a7c15 + t.hash<<6 + t.hash>>2
	t.hash *= 0xff51afd7ed558ccd
	t.hash ^= t.hash >> 32
}

// text is a string as a number for the hash.
func text(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// contents is a byte string as a number for the hash.
func contents(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
