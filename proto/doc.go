// Package turnpb is the wire and storage vocabulary: events, messages, failures and segments, as protobuf.
//
// It owns the .proto files and the code generated from them (make proto). It must not hold logic, and must not know
// who stores or sends what it describes.
//
// Invariants: a field number is never reused or given another meaning; bytes are encoded once, by the code that makes
// them, and are compared and hashed as they were stored, never re-encoded.
//
// Start reading at event.proto.
package turnpb
