// Package turnstone is what an author writes durable programs against: typed handles for orchestrations and
// activities, the context that orchestration code runs with, futures and their composition, retry policies, errors
// that survive the wire, codecs, and the registry that a node runs them from.
//
// An orchestration is an ordinary function. Turnstone journals every decision that it takes, so it survives crashes,
// deployments and months of waiting. Its code must be deterministic: it may branch on its input and on what futures
// gave it, and it takes time, randomness and ids from its [Context] only. Work that touches the world is an activity;
// activities run at least once, and their result is recorded exactly once.
//
// It owns the author's types. It must not know a journal, an actor, a network or a node: a package that imports it
// links none of them. How an orchestration is started is in the client package; how a process runs one is in the
// node package.
//
// Invariants:
//   - Every method of [Context] and [Future] is called on the orchestration's own coroutine. A call from a goroutine
//     that the author started is misuse: it is reported, and the turn is not committed.
//   - A value that goes through a [Codec] comes back equal, or the encoding fails.
//   - An [Error] that an activity or a child returns is found by errors.As in whoever waits for it.
//
// Start reading at [NewOrchestration] and [NewActivity], then [Context].
package turnstone
