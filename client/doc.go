// Package client starts orchestrations, raises events to them, cancels and terminates them, releases those that are held,
// waits for them and reads what they did.
//
// It is a blocking shell around the port of package client/api, whose answers come by callback: it encodes and decodes
// typed values, waits for answers and contexts, and puts pages together. [Reader] is the half that only reads. What is
// asked of this process goes through the port of package client/local.
//
// It must not know how a request is carried out, nor where: everything that it asks and is told can be encoded.
//
// Invariants:
//   - A request that was given up may still be carried out; one that was refused has written nothing.
//   - A history that is not whole is an error, never a shorter one.
//   - A client has one codec: that of the registries which run what it asks for.
//
// Start reading at [Start], then [Client.Wait].
package client
