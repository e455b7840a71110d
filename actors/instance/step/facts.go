package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/replay"
)

// Facts are what a step may ask about the world. To ask changes nothing, except that a drawn number is used up. The answers do
// not include effects of the same step, because the shell carries those out after it.
type Facts interface {
	// NowMs is the wall clock, for times that are stored and times that are compared with them. Elapsed is for all other
	// waits: it does not jump when the wall clock is set.
	NowMs() int64
	Elapsed() time.Duration
	// MayExist returns false only if the journal has no instance of this id. It reads no row.
	MayExist() bool
	// Epoch is the partition's epoch, or 0 until one is durable. Careful reports whether the partition runs in careful mode:
	// every message is accepted before a turn takes it, and every turn is leased.
	Epoch() uint64
	Careful() bool
	// FreshPauseLeft is the time until instances that are no suspects may start turns again.
	FreshPauseLeft() time.Duration
	// Find looks for a consumer that runs turns and has the handler. Idle reports whether a consumer has the handler but runs
	// no turns. Pinned reports whether a consumer that runs turns has the handler, although its engine version does not fit.
	Find(name, version, pin string, tries int) (c *consumer.Attached, resolved string, fn replay.Func, ok bool)
	Idle(name, version string) bool
	Pinned(name, version string) bool
	// AnyConsumer reports whether a consumer that runs turns is attached. Attaches counts the consumers that the partition has
	// got so far. Both look where Find looks: what Find could not know of yet is attached later.
	AnyConsumer() bool
	Attaches() uint64
	// Draining reports whether the engine stops: then no turn starts any more.
	Draining() bool
	// Outstanding counts the answers that are on their way, including the tick of the accept timer. Ticking reports whether
	// this timer still runs, so that it can be withdrawn.
	Outstanding() int
	Ticking() bool
	// TryBegun reports whether the wait for a try has ended, so that its message is on its way.
	TryBegun() bool
	// Nonce and Entropy draw new random values with each call.
	Nonce() uint64
	Entropy() [16]byte
}
