// Package node runs orchestrations: it opens the store in a directory, starts the engine on it, attaches what a registry
// can run, and shuts down.
//
//	n, err := node.Open(ctx, node.Config{Dir: "orders", Registry: registry})
//	if err != nil {
//		return err
//	}
//	c := n.Client() // starts instances and waits for them, until the node ends
//	<-stop
//	return n.Shutdown(ctx)
//
// A node goes on with the pending work of its store. [OpenReadOnly] reads a store that no node has open, [Verify] checks one,
// and [Backup] and [Node.Backup] copy one.
//
// # Caveats
//
//   - One process at a time has a store open. Its files must not be opened by other means, nor copied while a node runs.
//   - A store that fails, as on a full disk, stops the node and never the process: watch [Node.Stopped], and call [Node.Err].
//     The directory stays locked until the process ends.
//   - Code that does not return keeps its goroutine. [Node.Shutdown] does not wait for it for ever.
//   - A backup is a clone: run it or the original, not both.
//
// This package owns the configuration of a process, its defaults, the node's identity, the errors and metrics of a node,
// and the order of start and stop. It must not know how the store stores anything, nor how an instance runs.
//
// Invariants:
//   - A node that [Open] returned serves: its epochs are durable, and its dispatchers know the pending work.
//   - After [Node.Shutdown] or [Node.Kill] has returned, no goroutine of the node runs, except author's code that does not
//     return, and the directory can be opened again.
//   - The node's id is stable across restarts; its process id is never used twice.
//
// Start reading at [Open], then [Config].
package node
