// Package client starts orchestrations, raises events to them, cancels and terminates them, releases those that are held,
// waits for them and reads what they did.
//
// It owns the checks that every request passes before anything is written, the waiting by notification, the decoding
// of stored histories, and the merging of listings over partitions. [Core] is all of it with callbacks, for a host that
// never blocks; [Client] is a thin blocking shell around it; [Reader] is the half that needs no running engine.
// It must not know how an instance runs, where, or how the journal stores anything.
//
// Invariants:
//   - What a limit refuses has written nothing.
//   - A read shows only what is durable; what was shown is never taken back.
//   - Waiting never polls: it registers, reads, and then waits to be told.
//
// Start reading at [Start], then [Client.Wait].
package client
