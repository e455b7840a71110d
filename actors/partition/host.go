package partition

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Engine is what a partition asks of the engine that it runs in. It reaches instances through it only.
type Engine interface {
	// Tell sends an action of the kinds TellStart, TellNudge, TellRetry and TimerDue to its instance. An error wraps
	// persistence.ErrBusy; nothing was sent then.
	Tell(a dispatch.Action) error
	// TellResult sends the result of an activity to its instance. The error is as that of Tell.
	TellResult(id string, r consumer.Result) error
	// Ended answers the callers that wait for the end of an instance. It is called for each end in the partition's effects.
	Ended(end persistence.EndEffect)
	// Lost counts and logs a wake-up that was lost on its way to an instance, or by the instance.
	Lost(id string)
	// Propose puts a command into a partition's log, stamped with the time and an epoch; epoch 0: the command needs none.
	Propose(p persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result))
}

// Config is the part of the engine's configuration that partitions use. All of it is set.
type Config struct {
	Node, Process   string
	Clock           clock.Clock
	IDs             ids.Source
	Logger          *slog.Logger
	Limits          limits.Limits
	MaxAttempts     uint32
	BackoffBase     time.Duration
	BackoffMax      time.Duration
	TurnLease       time.Duration
	TurnLeaseBuffer time.Duration
	WorkLease       time.Duration
	WorkLeaseBuffer time.Duration
	Grace           time.Duration
	Drain           time.Duration
	CarefulFor      time.Duration
	LeaseAfter      time.Duration
	LoseTell        func() bool // nil: nothing is lost
}

// Host is what all partitions of an engine share.
type Host struct {
	Config    Config
	Journal   persistence.Journal
	Engine    Engine
	System    *mailbox.System
	Probation *Probation
	Watch     *clock.Watch
	Run       consumer.Runner // of activities
	Unknown   *consumer.UnknownNames
	// Draining: the engine stops, and no turn starts any more. Unclean counts partitions whose last epoch had not ended
	// cleanly when they were opened.
	Draining *atomic.Bool
	Unclean  *atomic.Int64
}
