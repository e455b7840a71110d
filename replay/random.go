package replay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// random is the deterministic stream that a turn's entropy seeds. It is a 64-bit counter generator with a strong
// finaliser: good for jitter and sampling, not for secrets.
type random struct {
	state uint64
}

const randomStep = 0x9e3779b97f4a7c15

func newRandom(entropy [16]byte) random {
	lo := binary.LittleEndian.Uint64(entropy[:8])
	hi := binary.LittleEndian.Uint64(entropy[8:])
	return random{state: lo ^ finalise(hi+randomStep)}
}

func (r *random) next() uint64 {
	r.state += randomStep
	return finalise(r.state)
}

func finalise(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// newGUID makes a UUIDv7 from the turn's time and entropy and the event that records it, so that no two events get
// the same one and nothing but the turn's input decides it.
func newGUID(nowMs int64, entropy [16]byte, event uint64) string {
	var seed [24]byte
	copy(seed[:], entropy[:])
	binary.BigEndian.PutUint64(seed[16:], event)
	sum := sha256.Sum256(seed[:])
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(nowMs)<<16)
	copy(u[6:], sum[:10])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:8], u[0:4])
	hex.Encode(text[9:13], u[4:6])
	hex.Encode(text[14:18], u[6:8])
	hex.Encode(text[19:23], u[8:10])
	hex.Encode(text[24:36], u[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
