package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/replay"
)

// Facts are what a step may ask about the world. It changes nothing by asking, except that a drawn number is used up. What
// has been asked for in the same step is not in the answers yet.
type Facts interface {
	// NowMs is the wall clock, for what is stored and for what is compared with it. Elapsed is for everything else that is
	// waited for: it does not jump when the wall clock is set.
	NowMs() int64
	Elapsed() time.Duration
	// MayExist is false only if the journal has no instance of this id.
	MayExist() bool
	// Epoch is the partition's; 0 until one is durable. Careful: every message is accepted first and every turn leased.
	Epoch() uint64
	Careful() bool
	// HushLeft is how long nothing but suspects may start.
	HushLeft() time.Duration
	// Find looks for a consumer that runs turns and has the handler; Idle, for one that has it and runs no turns. Pinned: some
	// consumer has the handler, of an engine version that does not fit.
	Find(name, version, pin string, tries int) (c *consumer.Attached, resolved string, fn replay.Func, ok bool)
	Idle(name, version string) bool
	Pinned(name, version string) bool
	// AnyConsumer says whether a consumer that runs turns is attached; Attaches counts those that have been.
	AnyConsumer() bool
	Attaches() uint64
	// Draining: the engine stops, and no turn starts any more.
	Draining() bool
	// Outstanding counts the answers that are on their way, with the tick of the accept timer. Ticking says that this timer
	// runs: it can still be withdrawn.
	Outstanding() int
	Ticking() bool
	// TryBegun says that the wait for a try has ended and its message is on its way.
	TryBegun() bool
	// Nonce and Entropy are drawn anew each time.
	Nonce() uint64
	Entropy() [16]byte
}
