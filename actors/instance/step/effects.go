package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// effectKind says what the shell is to do.
type effectKind uint8

// The kinds of effects. Each comment names the fields of Effect that the kind uses.
const (
	// Each of these brings an answer later as a message. It counts as outstanding until the message comes.
	EffectAccept       effectKind = iota // propose arrival on its own: command, under the epoch in number
	EffectCommit                         // propose the commit of turn
	EffectPropose                        // propose command; message takes the answer
	EffectLoad                           // read the journal: message
	EffectRun                            // run turn in a slot, or without one if it runs no code
	EffectQuery                          // run query in a slot
	EffectUnwind                         // close machine: message comes after that, or after a moment
	EffectArm                            // send message, a tick, after wait
	EffectAskMemory                      // send message when its bytes have been taken from the memory budget
	EffectAskAdmission                   // send message when a suspect with number attempts may run
	EffectAskTry                         // send message when a held instance may be tried

	// The shell does these at once; they bring no answer.
	EffectAnswer      // answer arrival with err, or that it repeats another
	EffectAcknowledge // send acknowledgement to the dispatcher
	EffectDisarm      // stop the clock of message, a tick
	EffectLeaveTry    // leave the queue of held instances that wait for a try
	EffectUncharge    // give back all of the instance's part of the memory budget
	EffectReturn      // give back number bytes of the memory budget
	EffectPark        // take a place among the residents with number bytes, or send Evict
	EffectUnpark      // give the place among the residents up
	EffectWatchLease  // renew the turn lease token
	EffectEndCareful  // stop the renewal of the turn lease, and let the next suspect run
	EffectGivingBack  // note that the lease of incarnation number is given back because nothing is left to do
	EffectKeptLease   // take that note back: the journal did not end the lease of incarnation number
	EffectSetAside    // report that the instance is damaged: err
	EffectWhole       // forget damage that was reported before: the instance could be read
	EffectLeave       // leave the activator's table, unless a message is on its way
)

// Effect is one thing that the shell is to do. Kind says which of the other fields are set.
type Effect struct {
	Kind            effectKind
	Repeated        bool
	Number          uint64
	Wait            time.Duration
	Arrival         *arrival.Arrival
	Turn            *turn.Turn
	Query           *turn.Query
	Machine         *replay.Machine
	Message         any
	Command         persistence.Command
	Token           persistence.Token
	Err             error
	Acknowledgement dispatch.Acknowledgement
}

// Effects are the effects of one step, in the order in which the shell carries them out. The next step uses the memory again.
type Effects []Effect

// emit adds an effect to those of the present step.
func (in *Machine) emit(e Effect) {
	if e.Kind <= EffectAskTry {
		in.asked++
	}
	*in.out = append(*in.out, e)
}

// acknowledgeWith sends an acknowledgement to the dispatcher.
func (in *Machine) acknowledgeWith(a dispatch.Acknowledgement) {
	in.emit(Effect{Kind: EffectAcknowledge, Acknowledgement: a})
}

// answer tells the sender what has become of its message. It answers each message only once.
func (in *Machine) answer(a *arrival.Arrival, err error, repeated bool) {
	if a.State == arrival.Answered || a.State == arrival.Accepted {
		return
	}
	a.State = arrival.Answered
	in.emit(Effect{Kind: EffectAnswer, Arrival: a, Err: err, Repeated: repeated})
}

// outstanding counts the answers that are on their way, including those that this step has asked for.
func (in *Machine) outstanding() int { return in.facts.Outstanding() + in.asked }
