// Package ids is the seam between Turnstone and randomness: the only place that draws random numbers.
//
// It owns the interface and the real source. It must not know what the numbers are used for. The simulator brings a
// seeded implementation.
package ids

import (
	"crypto/rand"
	"encoding/hex"
)

// Source gives random bytes. Implementations are safe for concurrent use.
type Source interface {
	// Entropy is 16 random bytes.
	Entropy() [16]byte
}

// Real draws from the operating system.
var Real Source = realSource{}

type realSource struct{}

func (realSource) Entropy() (e [16]byte) {
	_, _ = rand.Read(e[:]) // crypto/rand.Read never returns an error: it ends the process instead
	return e
}

// Uint64 is a random number.
func Uint64(s Source) uint64 {
	e := s.Entropy()
	var n uint64
	for _, b := range e[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}

// Hex is a random id of 32 hexadecimal digits.
func Hex(s Source) string {
	e := s.Entropy()
	return hex.EncodeToString(e[:])
}
