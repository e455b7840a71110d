package mailbox

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// System wraps the library's actor system: all actors are spawned and stopped, and all messages sent, through it.
type System struct {
	library  *actor.ActorSystem
	root     *actor.RootContext // spawns under our guardian
	dispatch *scheduler
	strategy *restarting
	logger   *slog.Logger
	names    atomic.Uint64
	dead     atomic.Uint64
}

// Config configures a system.
type Config struct {
	// Executor runs the actors. The caller closes it, after the last actor has been told to stop.
	Executor Executor
	Logger   *slog.Logger // nil: slog.Default
	Clock    clock.Clock  // nil: clock.Real
}

// New makes a system.
func New(cfg Config) *System {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.Default()
	}
	s := &System{
		logger:   logger,
		dispatch: newScheduler(cfg.Executor),
		strategy: &restarting{logger: logger, clock: cfg.Clock},
	}
	if cfg.Clock == nil {
		s.strategy.clock = clock.Real
	}
	s.library = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet{logger.Handler()}) }),
	)
	// A new stream drops the library's subscribers, which log dead letters with the whole message and start a goroutine to
	// throttle that.
	s.library.EventStream = eventstream.NewEventStream()
	s.library.EventStream.Subscribe(s.observe)
	s.root = s.library.Root.Copy().WithGuardian(s.strategy)
	_ = s.root.Self() // makes the guardian now: two concurrent first spawns would make two
	return s
}

// Spawn starts an actor and returns its address. The name is for logs; a unique number is added to it, so that an old address
// never reaches a successor. producer makes the actor's struct, now and after every restart; it runs on the caller's
// goroutine the first time and must not panic.
func (s *System) Spawn(name string, producer func() actor.Actor) *actor.PID {
	unique := name + "$" + strconv.FormatUint(s.names.Add(1), 10)
	pid, err := s.root.SpawnNamed(s.props(producer), unique)
	if err != nil {
		panic(fmt.Sprintf("mailbox: spawning %s: %v", unique, err)) // a number was used twice: a bug here
	}
	return pid
}

// Send puts a message into an actor's queue. A stopped actor's messages are counted as dead letters. nil panics.
func (s *System) Send(pid *actor.PID, msg any) {
	if pid == nil || msg == nil {
		panic("mailbox: send needs an address and a message")
	}
	s.root.Send(pid, msg)
}

// lastMessage carries a message of SendLast, and returns the mailbox run that the caller's goroutine must do.
type lastMessage struct {
	msg any
	run func()
}

// SendLast is Send for a goroutine that has nothing else to do and holds no lock: if the actor does not run, it runs on this
// goroutine, which saves waking another one. Its run never blocks.
func (s *System) SendLast(pid *actor.PID, msg any) {
	if !s.dispatch.inline {
		s.Send(pid, msg)
		return
	}
	last := &lastMessage{msg: msg}
	s.root.Send(pid, last)
	if last.run != nil {
		last.run()
	}
}

// Stop stops an actor at once: it overtakes the queued messages, which become dead letters. For control flow use a message
// and let the actor stop itself.
func (s *System) Stop(pid *actor.PID) { s.root.Stop(pid) }

// Hurry ends all pauses before restarts, also later ones, because the engine stops.
func (s *System) Hurry() { s.strategy.hurry() }

// DeadLetters returns how many user messages reached no actor.
func (s *System) DeadLetters() uint64 { return s.dead.Load() }

// Restarts returns how many failures of actors led to a restart.
func (s *System) Restarts() uint64 { return s.strategy.restarts.Load() }

// deadLetter takes a user message that its mailbox can no longer deliver.
func (s *System) deadLetter(pid *actor.PID, msg any) { s.library.DeadLetter.SendUserMessage(pid, msg) }

// deadControl takes a system message that its mailbox can no longer deliver.
func (s *System) deadControl(pid *actor.PID, msg any) {
	s.library.DeadLetter.SendSystemMessage(pid, msg)
}

// observe is called with every event of the library's stream. It counts dead letters and logs their types, never their
// content, because messages carry payloads. It answers an actor that watches a missing one with Terminated.
func (s *System) observe(event any) {
	letter, ok := event.(*actor.DeadLetterEvent)
	if !ok {
		return
	}
	message := letter.Message
	if last, ok := message.(*lastMessage); ok {
		message = last.msg
	}
	switch msg := message.(type) {
	case *actor.Watch:
		if watcher, ok := s.library.ProcessRegistry.Get(msg.Watcher); ok {
			watcher.SendSystemMessage(msg.Watcher, &actor.Terminated{Who: letter.PID, Why: actor.TerminatedReason_NotFound})
		}
	case actor.SystemMessage, actor.MailboxMessage:
	default:
		s.dead.Add(1)
		s.logger.Debug("a message reached no actor", logkey.Actor, letter.PID.GetId(), logkey.MessageType, fmt.Sprintf("%T", msg))
	}
}

// quiet is a log handler for the library: it passes on lines of level Warn and above, and of their attributes only the actor,
// because others can contain a message.
type quiet struct{ next slog.Handler }

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.next.Enabled(ctx, level)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "actor", "pid":
			kept.AddAttrs(slog.Attr{Key: logkey.Actor, Value: a.Value})
		}
		return true
	})
	return q.next.Handle(ctx, kept)
}

func (q quiet) WithAttrs([]slog.Attr) slog.Handler { return q }

func (q quiet) WithGroup(string) slog.Handler { return q }
