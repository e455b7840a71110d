// Package instance is one orchestration instance in memory: the actor that takes its messages one at a time, reads its
// history, has a turn slot run its code, proposes what the turn decided, and lets effects out only after their commit.
//
// It owns the instance's view of its durable state, its buffer, its turns and their commits, what holds an instance back,
// and terminations. It must not know the engine or a partition but by [Engine] and [Partition], and it must not know how
// the journal stores anything.
//
// Invariants:
//   - An instance does one thing at a time, and never blocks: each request comes back as a message.
//   - A resident machine has seen exactly the turns up to the head's.
//   - Nothing that a turn decided is visible before its commit is durable.
//   - An instance leaves only when nothing that it asked for is on its way.
//
// What can be seen of them in the fields is checked after each message in builds with the tag invariants (invariants.go).
//
// Start reading at the actor's Receive (instance.go), then at step.go.
package instance
