// Package client starts orchestrations, raises events to them, cancels and terminates them, releases those that are held,
// waits for them and reads what they did.
//
//	run, err := client.Start(ctx, n.Client(), "order-7", Checkout, order)
//	if errors.Is(err, turnstone.ErrAlreadyExists) { // it was started before: run is that one
//		err = nil
//	}
//	if err != nil {
//		return err
//	}
//	err = run.Raise(ctx, "approved", true)
//	receipt, err := run.Wait(ctx)
//
// The instance comes first in every request, and options come last. [Start] and [Raise] are the typed forms, for a handle
// of the orchestration; the methods of [Client] of the same names take a name and encoded values; a [Run] names one
// instance. [Reader] is the half that only reads. A program gets its client from node.Node.Client.
//
// # Caveats
//
//   - A request whose ctx ended first may still be carried out, and so may one that ended as turnstone.ErrUncertain: repeat
//     it, with [WithRequestKey].
//   - A wait for an instance that is held goes on; [Reader.Describe] says that it is held, and why.
//   - A listing is not a snapshot.
//
// It is a blocking shell around the port of package client/api, whose answers come by callback: it encodes and decodes
// typed values, waits for answers and contexts, and puts pages together. A client of a node in this process has the port
// that node.Node.Client made. This package must not know how a request is carried out, nor where: every request and
// every answer can be encoded.
//
// Invariants:
//   - A request that was refused has written nothing.
//   - A history that is not whole is an error, never a shorter one.
//   - A client has one codec: that of the registries which run what it asks for.
//
// Start reading at [Start], then [Client.Wait].
package client
