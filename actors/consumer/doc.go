// Package consumer holds the runtimes that are attached to an engine: what each can run, and its slots for turns and for
// activities.
//
// It owns [Consumer] and [Handlers], the [List] in which a partition finds consumers, and the slots. It must not know
// instances, partitions or the journal: a turn is a [Turn], and a waiter for an activity slot is any comparable value.
//
// Invariants:
//   - At most TurnSlots turns and ActivitySlots activities of a consumer run at once.
//   - Slots are given in the order in which they are asked for.
//   - A closed consumer gets no new work.
//
// Start reading at [Attached].
package consumer
