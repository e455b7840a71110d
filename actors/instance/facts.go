package instance

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/replay"
)

var _ step.Facts = (*instance)(nil)

// NowMs implements step.Facts, and so do the methods below.
func (s *instance) NowMs() int64 { return s.host.now().UnixMilli() }

// Elapsed is the time since the process began.
func (s *instance) Elapsed() time.Duration { return s.host.elapsed() }

// MayExist asks the journal.
func (s *instance) MayExist() bool { return s.host.Journal.MayExist(s.id) }

// Epoch asks the partition.
func (s *instance) Epoch() uint64 { return s.part.Epoch() }

// Careful asks the partition.
func (s *instance) Careful() bool { return s.part.Careful() }

// FreshPauseLeft asks the partition.
func (s *instance) FreshPauseLeft() time.Duration { return s.part.FreshPauseLeft() }

// Find asks the partition's consumers.
func (s *instance) Find(name, version, pin string, tries int) (*consumer.Attached, string, replay.Func, bool) {
	return s.part.Consumers().Find(name, version, pin, tries)
}

// Idle asks the partition's consumers.
func (s *instance) Idle(name, version string) bool { return s.part.Consumers().Idle(name, version) }

// Pinned asks the partition's consumers.
func (s *instance) Pinned(name, version string) bool { return s.part.Consumers().Pinned(name, version) }

// AnyConsumer asks the partition's consumers, as Find does: it must not know of one that Find cannot find yet.
func (s *instance) AnyConsumer() bool { return s.part.Consumers().AnyTurns() }

// Attaches asks the partition's consumers, as Find does: whether Find knew of a consumer must be certain.
func (s *instance) Attaches() uint64 { return s.part.Consumers().Added() }

// Draining reports whether the engine stops.
func (s *instance) Draining() bool { return s.host.Draining.Load() }

// Outstanding counts the answers that are on their way.
func (s *instance) Outstanding() int { return s.outstanding }

// Ticking reports whether the accept timer runs.
func (s *instance) Ticking() bool { return s.acceptTimer != nil && !s.acceptTimer.done.Load() }

// TryBegun reports whether the try that the instance waits for has begun.
func (s *instance) TryBegun() bool { return s.tryWait != nil && s.host.tries.begun(s.tryWait) }

// Nonce draws a random number.
func (s *instance) Nonce() uint64 { return ids.Uint64(s.host.Config.IDs) }

// Entropy draws the entropy of a turn.
func (s *instance) Entropy() [16]byte { return s.host.Config.IDs.Entropy() }
