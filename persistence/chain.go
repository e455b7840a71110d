package persistence

import (
	"crypto/sha256"
	"encoding/binary"
)

// SeedChain is the chain of an execution before its first part. previous is the last chain of the execution before; zero
// for the first execution.
func SeedChain(iid Incarnation, execution uint64, previous Chain) Chain {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(iid))
	binary.BigEndian.PutUint64(b[8:], execution)
	copy(b[16:], previous[:])
	sum := sha256.Sum256(b[:])
	return Chain(sum[:16])
}

// Next is the chain after a part: SHA-256, cut to 128 bits, of the previous chain and the part's stored bytes (first
// event, count, length of the header, header, events; numbers big-endian). The part's own Chain is not read.
func (c Chain) Next(part *StoredPart) Chain {
	h := sha256.New()
	var b [16 + 3*8]byte
	copy(b[:], c[:])
	for i, v := range [...]uint64{part.FirstEvent, part.Count, uint64(len(part.Header))} {
		binary.BigEndian.PutUint64(b[16+8*i:], v)
	}
	_, _ = h.Write(b[:]) // a hash never returns an error
	_, _ = h.Write(part.Header)
	_, _ = h.Write(part.Events)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return Chain(sum[:16])
}
