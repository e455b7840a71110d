package mailbox

import "github.com/asynkron/protoactor-go/actor"

// props is the only place that makes Props: every actor has our mailbox, our dispatcher and our supervision. Any other
// Props would run outside the executor, and the simulator could not repeat it.
func (s *System) props(producer func() actor.Actor) *actor.Props {
	return actor.PropsFromProducer(producer,
		actor.WithMailbox(s.mailbox),
		actor.WithDispatcher(s.dispatch),
		actor.WithSupervisor(s.strategy),
	)
}

func (s *System) mailbox() actor.Mailbox { return newMailbox(s) }
