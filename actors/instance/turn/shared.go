package turn

import (
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/limits"
)

// Config is the part of the engine's configuration that instances use. Each field is set.
type Config struct {
	Node, Process        string
	Build                string
	Clock                clock.Clock
	IDs                  ids.Source
	Logger               *slog.Logger
	Limits               limits.Limits
	MaxAttempts          uint32
	BackoffBase          time.Duration
	BackoffMax           time.Duration
	TurnLease            time.Duration
	WatchdogAbandon      time.Duration
	InboxPage            int
	FailOnNondeterminism bool
}

// Shared is what the step machines and turns of an engine share.
type Shared struct {
	Config  Config
	Unknown *consumer.UnknownNames
	Counts  Counters

	machines machines
}

// BacksOff reports whether a backoff that ends at notBeforeMs has not ended yet.
func (h *Shared) BacksOff(notBeforeMs, nowMs int64) bool {
	return dispatch.BacksOff(notBeforeMs, nowMs, h.Config.BackoffMax.Milliseconds())
}
