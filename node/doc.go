// Package node is where everything comes together: it opens the journal in a directory, starts the engine on it, attaches
// what a registry can run, and owns the shutdown.
//
// It owns the configuration of a process, the node's identity, and the order in which things start and stop. It must
// not know how the journal stores anything, nor how an instance runs.
//
// Invariants:
//   - A node that [Open] returned serves: its epochs are durable and what was pending is with its dispatchers.
//   - After [Node.Shutdown] or [Node.Kill] has returned, no goroutine of the node runs, except code of the author's that
//     does not return, and the directory can be opened again.
//   - A store that fails ends the node, never the process: [Node.Err] says what failed. Its directory stays locked.
//   - The node's id is stable across restarts; its process id is never used twice.
//
// Start reading at [Open].
package node
