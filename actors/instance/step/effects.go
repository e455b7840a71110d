package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// effectKind says what a step wants done.
type effectKind uint8

// The effects, and the fields that each has.
const (
	// Each of these brings an answer later, which counts as outstanding until it comes.
	EffectAccept       effectKind = iota // propose arrival on its own: command, under the epoch in number
	EffectCommit                         // propose the commit of turn
	EffectPropose                        // propose command; message takes the answer
	EffectLoad                           // read the journal: message
	EffectRun                            // run turn in a slot, or without one if it runs no code
	EffectUnwind                         // close machine: message comes after that, or after a moment
	EffectArm                            // send message, a tick, after wait
	EffectAskMemory                      // message, when its bytes have been taken of the memory
	EffectAskAdmission                   // message, when a suspect with number attempts may run
	EffectAskTry                         // message, when an instance that is held may be tried

	// These are done at once.
	EffectAnswer      // answer arrival with err, or that it repeats another
	EffectAcknowledge // tell the dispatcher acknowledgement
	EffectDisarm      // the tick message is not needed any more
	EffectLeaveTry    // do not wait for a try any more
	EffectUncharge    // give what the instance has of the memory back
	EffectReturn      // give number bytes of it back
	EffectPark        // become a resident with number bytes, or be told to leave
	EffectUnpark      // be none any more
	EffectWatchLease  // renew the turn lease token
	EffectEndCareful  // end that, and let the next suspect run
	EffectGivingBack  // the lease of incarnation number is given back because nothing is left to do
	EffectKeptLease   // it was not given back
	EffectSetAside    // the instance is damaged: err
	EffectWhole       // it is not
	EffectLeave       // nothing is left to do: leave, unless a message is on its way
)

// Effect is one thing that a step wants done.
type Effect struct {
	Kind            effectKind
	Repeated        bool
	Number          uint64
	Wait            time.Duration
	Arrival         *arrival.Arrival
	Turn            *turn.Turn
	Machine         *replay.Machine
	Message         any
	Command         persistence.Command
	Token           persistence.Token
	Err             error
	Acknowledgement dispatch.Acknowledgement
}

// Effects are those of one step, in the order in which they are to be done. The memory is used again by the next step.
type Effects []Effect

// emit adds an effect.
func (in *Machine) emit(e Effect) {
	if e.Kind <= EffectAskTry {
		in.asked++
	}
	*in.out = append(*in.out, e)
}

// acknowledgeWith tells the dispatcher.
func (in *Machine) acknowledgeWith(a dispatch.Acknowledgement) {
	in.emit(Effect{Kind: EffectAcknowledge, Acknowledgement: a})
}

// answer tells the sender of a message what has become of it, once.
func (in *Machine) answer(a *arrival.Arrival, err error, repeated bool) {
	if a.State == arrival.Answered || a.State == arrival.Accepted {
		return
	}
	a.State = arrival.Answered
	in.emit(Effect{Kind: EffectAnswer, Arrival: a, Err: err, Repeated: repeated})
}

// outstanding counts the answers that are on their way, with what this step has asked for.
func (in *Machine) outstanding() int { return in.facts.Outstanding() + in.asked }
