// Package instance is one orchestration instance in memory: the actor that takes its messages one at a time, has its step
// machine decide, and carries out what the machine wants done.
//
// The machine is in package step; what it knows of the durable state in view, its turns in turn, what senders bring in
// arrival. This package is their shell. It owns the senders that wait for an answer, the count of answers that are on their
// way, the accept timer, the place among the residents, the recovery from panics, and terminations. It must not know the
// engine or a partition but by [Engine] and [Partition], and it must not know how the journal stores anything.
//
// Invariants, which builds with the tag invariants check:
//   - An instance does one thing at a time, and never blocks: each request comes back as a message.
//   - Each sender is answered once, also after a panic.
//   - An instance leaves only when nothing that it asked for is on its way.
//
// Start reading at the actor's Receive (actor.go), then at effects.go and at package step.
package instance
