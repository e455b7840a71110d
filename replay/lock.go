package replay

import (
	"bytes"
	"runtime"
)

// The locks are undone in rounds, because to undo one that is not there costs less than to ask. The rounds are bounded, in
// case the runtime has a lock that is not the code's: 16 million locks are far more than any code takes.
const (
	unlockRounds = 1 << 14
	unlockRound  = 1 << 10
)

// unlock undoes what code has done with runtime.LockOSThread. The runtime would end the process at a hand-over of a
// coroutine that is locked to its thread. Code may have locked it any number of times, and the runtime counts them.
func (co *coroutine) unlock() {
	if !co.m.cfg.Unlocked {
		return
	}
	for n := 0; n < unlockRounds && locked(); n++ {
		for range unlockRound {
			runtime.UnlockOSThread()
		}
	}
}

// lockedByText reports whether the calling goroutine is locked to its thread, by the head of its stack dump.
func lockedByText() bool {
	var buf [128]byte
	head, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("\n"))
	return bytes.Contains(head, []byte("locked to thread"))
}
