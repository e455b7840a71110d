package persistence

import (
	"crypto/sha256"
	"encoding/binary"
)

// RequestKind is what a request asks for.
type RequestKind uint8

// The kinds of requests.
const (
	RequestStart RequestKind = iota + 1
	RequestEvent
	RequestQueue
	RequestCancel
	RequestTerminate
)

// RequestDigest tells requests with the same key apart: SHA-256, cut to 128 bits.
type RequestDigest [16]byte

// DigestRequest is the digest of a request: of its kind, the name and version of what it starts or the name of what it
// brings, and its payload. Headers are not part of it: a repeated request may carry others.
func DigestRequest(kind RequestKind, name, version string, payload []byte) RequestDigest {
	h := sha256.New()
	b := append(make([]byte, 0, 64+len(name)+len(version)), byte(kind))
	for _, s := range [...]string{name, version} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	_, _ = h.Write(b) // a hash never returns an error
	_, _ = h.Write(payload)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return RequestDigest(sum[:16])
}

// Request makes a command repeatable for a time: within it, the same request with the same key and target is answered as
// the first was, and another one with this key is refused with KeyReused. The zero Request is not remembered.
type Request struct {
	Key    string
	Kind   RequestKind
	Digest RequestDigest
	// TTLMs is how long the key is remembered; 0 is RequestTTLMs.
	TTLMs int64
}

// RequestTTLMs is how long a request key is remembered unless the request says otherwise: 24 hours.
const RequestTTLMs = 24 * 60 * 60 * 1000

// RequestRef names a remembered request.
type RequestRef struct {
	ID  string
	Key string
}

// RequestItem is a remembered request.
type RequestItem struct {
	ID  string
	Key string
	// Kind and Digest are those of the request; IID and Seq are its answer.
	Kind        RequestKind
	Digest      RequestDigest
	IID         Incarnation
	Seq         uint64
	ExpiresAtMs int64
}

// ExpiryRef is the entry of a remembered request in the order of expiry: by time, then id, then key.
type ExpiryRef struct {
	ExpiresAtMs int64
	RequestRef
}
