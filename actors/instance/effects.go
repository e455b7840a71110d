package instance

import (
	"time"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// effectKind says what a step wants done.
type effectKind uint8

// The effects, and the fields that each has.
const (
	// Each of these brings an answer later, which counts as outstanding until it comes.
	effectAccept       effectKind = iota // propose arrival on its own: command, under the epoch in number
	effectCommit                         // propose the commit of turn
	effectPropose                        // propose command; message takes the answer
	effectLoad                           // read the journal: message
	effectRun                            // run turn in a slot, or without one if it runs no code
	effectUnwind                         // close machine: message comes after that, or after a moment
	effectArm                            // send message, a tick, after wait
	effectAskMemory                      // message, when its bytes have been taken of the memory
	effectAskAdmission                   // message, when a suspect with number attempts may run
	effectAskTry                         // message, when an instance that is held may be tried

	// These are done at once.
	effectAnswer      // answer arrival with err, or that it repeats another
	effectAcknowledge // tell the dispatcher acknowledgement
	effectDisarm      // the tick message is not needed any more
	effectLeaveTry    // do not wait for a try any more
	effectUncharge    // give what the instance has of the memory back
	effectReturn      // give number bytes of it back
	effectPark        // become a resident with number bytes, or be told to leave
	effectUnpark      // be none any more
	effectWatchLease  // renew the turn lease token
	effectEndCareful  // end that, and let the next suspect run
	effectGivingBack  // the lease of incarnation number is given back because nothing is left to do
	effectKeptLease   // it was not given back
	effectSetAside    // the instance is damaged: err
	effectWhole       // it is not
	effectLeave       // nothing is left to do: leave, unless a message is on its way
)

// effect is one thing that a step wants done.
type effect struct {
	kind            effectKind
	repeated        bool
	number          uint64
	wait            time.Duration
	arrival         *arrival
	turn            *turn
	machine         *replay.Machine
	message         any
	command         persistence.Command
	token           persistence.Token
	err             error
	acknowledgement dispatch.Acknowledgement
}

// effects are those of one step, in the order in which they are to be done. The memory is used again by the next step.
type effects []effect

// emit adds an effect.
func (in *core) emit(e effect) {
	if e.kind <= effectAskTry {
		in.asked++
	}
	*in.out = append(*in.out, e)
}

// acknowledgeWith tells the dispatcher.
func (in *core) acknowledgeWith(a dispatch.Acknowledgement) {
	in.emit(effect{kind: effectAcknowledge, acknowledgement: a})
}

// answer tells the sender of a message what has become of it, once.
func (in *core) answer(a *arrival, err error, repeated bool) {
	if a.state == arrivalAnswered || a.state == arrivalAccepted {
		return
	}
	a.state = arrivalAnswered
	in.emit(effect{kind: effectAnswer, arrival: a, err: err, repeated: repeated})
}

// outstanding counts the answers that are on their way, with what this step has asked for.
func (in *core) outstanding() int { return in.facts.Outstanding() + in.asked }
