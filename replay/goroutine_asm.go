//go:build (amd64 || arm64) && !purego

package replay

import (
	"runtime"
	"sync"
)

// goroutine tells the calling goroutine from every other one that lives: the address by which the runtime knows it,
// which is read from where the runtime keeps it and never followed. It takes about a nanosecond. A goroutine that has
// ended may leave its address to a new one.
func goroutine() uintptr

// goroutineWord reads the n-th word of what the runtime keeps of the calling goroutine.
func goroutineWord(n uintptr) uintptr

// returns fills in where the innermost calls of the calling goroutine return to: the chain of frame pointers, which Go keeps on
// these machines, is followed for as long as it rises within the stack. It takes a few nanoseconds.
//
//go:noescape
func returns(pcs *chain)

// lockWords is how many words are looked at for the lock: fewer than the runtime has of a goroutine.
const lockWords = 48

// lockWord is the word that is not zero while the calling goroutine is locked to its thread. The runtime does not say
// which, so it is found by trying, once in the life of the process. It is 0 if the trial leaves none or several: the
// word of that number is never it. Call it on a goroutine that is not locked.
var lockWord = sync.OnceValue(func() uintptr {
	var fits [lockWords]bool
	for n := range fits {
		fits[n] = n > 0
	}
	keep := func(locked bool) {
		for n := range fits {
			fits[n] = fits[n] && (goroutineWord(uintptr(n)) != 0) == locked
		}
	}
	for range 8 {
		keep(false)
		runtime.LockOSThread()
		keep(true)
		runtime.UnlockOSThread()
	}
	var found, count uintptr
	for n, yes := range fits {
		if yes {
			found, count = uintptr(n), count+1
		}
	}
	if count != 1 {
		return 0
	}
	return found
})

// findLock makes locked fast.
func findLock() { lockWord() }

// locked reports whether the calling goroutine is locked to its thread.
func locked() bool {
	if n := lockWord(); n != 0 {
		return goroutineWord(n) != 0
	}
	return lockedByText()
}
