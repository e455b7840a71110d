// Package failure turns the recorded form of a failure (turnpb.Failure) into the error that Go code sees, and back.
//
// It owns the texts by which users recognise a failure ([Display]), the four categories, and the constructors that
// the engine uses. It must not know who failed, where it is stored, or how it is retried; it imports only proto.
//
// Invariants:
//   - Every text that goes into a failure is valid UTF-8, so that a failure can always be encoded.
//   - An error's own kind, details and non-retryable flag survive [FromError], also through wrapping.
//
// Start reading at [Display], then [FromError].
package failure
