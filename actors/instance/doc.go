// Package instance is one orchestration instance in memory: the actor that takes its messages one at a time, lets its step
// machine decide, and carries out the machine's effects.
//
// The machine is in package step; its view of the durable state is in view, its turns are in turn, and the messages that
// senders bring are in arrival. This package is their shell. It owns the senders that wait for an answer, the count of
// answers that are on their way, the accept timer, the place among the residents, the recovery from panics, and
// terminations. It must know the engine and a partition only through [Engine] and [Partition], and it must not know how the
// journal stores anything.
//
// Invariants, which builds with the tag invariants check:
//   - An instance does one thing at a time, and never blocks: the answer to each request comes as a message.
//   - Each sender is answered once, also after a panic.
//   - An instance leaves only when no answer that it asked for is on its way.
//
// Start reading at the actor's Receive (actor.go), then at effects.go and at package step.
package instance
