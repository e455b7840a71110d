// Package localport is the port of package api in the process of a node: it checks requests, passes those that write to the
// engine, and answers the others from views of the journal.
//
// It owns the checks that every request passes before anything is written, the waiting by notification, the merging of
// listings over partitions, the cutting of histories into pages, and the words for why an instance waits. It must not
// know how an instance runs, how the journal stores anything, or what a payload holds.
//
// Invariants:
//   - A request that a limit refuses has written nothing.
//   - A read shows only durable state; what it has shown is never taken back.
//   - Waiting never polls: it registers, reads, and then waits for the notification.
//   - No answer reads more than a page of the store. A page that is not whole is an error, never a shorter one.
//
// Start reading at [New].
package localport
